"""What is known of cells from earlier studies: that no value rule objects to them.

Studies of one archive share most of their cells. Whether a value rule objects to one depends on the cell, its
attribute, how it is read and the context, and on nothing else: a cell that was found clean once is clean
wherever it comes up again. Remembering it saves time and changes no verdict.
"""

from typing import Final, TypeAlias

from heltig.dicom.cell import Encoding
from heltig.dicom.column import Column
from heltig.dicom.study import StudyTable
from heltig.rules.silence import Silences
from heltig.rules.views import Context

FEW: Final = 32
"""Cells of a column up to which they are worth looking up one by one; more differ by nature."""

_MOST_OF_AN_ATTRIBUTE: Final = 128
_LONGEST: Final = 16_384  # bytes
_MOST: Final = 16 * 1024 * 1024  # bytes, of all cells together
_OF_AN_ENTRY: Final = 100  # bytes, about

_OF_A_COLUMN: Final = 1024  # bytes, about
_OF_A_LIKE: Final = 2048  # bytes, about

_Like: TypeAlias = tuple[tuple[str, ...], Encoding, tuple[int, ...]]
"""Attributes, encoding and sizes of series: what studies share before their columns are compared."""

Known = dict[bytes, int]
"""The clean cells of one attribute in one place, each with the rules that applied to it: a bit for each."""

Combinations = dict[tuple[object, ...], bool]
"""The clean combinations of the cells that an instance rule reads; True where it applied."""


def is_full(known: Known | Combinations) -> bool:
    """No more cells of an attribute are remembered: it has a value of its own in each study, or nearly."""
    return len(known) >= _MOST_OF_AN_ATTRIBUTE


class Memory:
    """Clean cells of data sets and of items; the cell of a sequence with all that is in its items.

    Attributes:
        context: What they were judged under.
        columns: Of clean columns that studies share (`Column.common`) the rules that applied to their cell.
        applied: For each kind of screen (`Screen.kind`) the rules that apply to the cells that pass it.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.applied: dict[str, int] = {}
        self.columns: dict[Column, int] = {}
        self._known: dict[Encoding, dict[str, Known]] = {}
        self._combinations: dict[Encoding, dict[str, Combinations]] = {}
        self._silences: dict[_Like, Silences | None] = {}
        self._size = 0

    def of(self, encoding: Encoding) -> dict[str, Known]:
        """The clean cells that are read like this, by place: the tags from the data set down."""
        return self._known.setdefault(encoding, {})

    def begin(self, places: dict[str, Known], place: str) -> Known:
        """The clean cells of a place where none was known yet."""
        self._count(len(place))
        known = places[place] = {}
        return known

    def combinations(self, encoding: Encoding) -> dict[str, "Combinations"]:
        """The combinations that instance rules do not object to, which are read like this, by rule."""
        return self._combinations.setdefault(encoding, {})

    def silences(self, tags: tuple[str, ...], table: StudyTable) -> Silences | None:
        """What rules on whole columns had nothing to say about in studies like this one.

        Args:
            tags: Its attributes.
            table: The study.

        Returns:
            None where nothing is to be remembered: for the first study of its like, and for those of which
            more is to be known than what their columns hold.
        """
        if table.faults or len(table.encodings) != 1 or not table.uid:
            return None
        if not all(series.uid for series in table.series):
            return None
        like = tags, table.encodings[0], tuple([len(series.rows) for series in table.series])
        if like not in self._silences:
            self._count(_OF_A_LIKE)
            self._silences[like] = None
        elif self._silences[like] is None:
            self._silences[like] = Silences(self._count)
        else:
            return self._silences[like]
        return None

    def learn(self, known: Known, cell: bytes, applied: int) -> None:
        """Remember a clean cell; with too many at hand all are forgotten, and learned anew.

        Args:
            known: The clean cells of its column.
            cell: The cell.
            applied: The rules that applied to it.
        """
        if len(cell) > _LONGEST or is_full(known):
            return
        known[cell] = applied
        self._count(len(cell))

    def learn_column(self, column: Column, applied: int) -> None:
        """Remember a column that studies share, whose cell is clean."""
        self.columns[column] = applied
        self._count(_OF_A_COLUMN)

    def learn_combination(self, known: Combinations, cells: tuple[bytes, ...], applied: bool) -> None:
        """Remember a clean combination.

        Args:
            known: The clean combinations of its rule.
            cells: The cells.
            applied: The rule applied to it.
        """
        size = sum(map(len, cells))
        if size > _LONGEST or is_full(known):
            return
        known[cells] = applied
        self._count(size)

    def _count(self, size: int) -> None:
        """Take note of one more entry; with too many all are forgotten."""
        self._size += size + _OF_AN_ENTRY
        if self._size > _MOST:
            self.columns.clear()
            self._known.clear()
            self._combinations.clear()
            self._silences.clear()
            self._size = 0
