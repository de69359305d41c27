"""A study as a table of distinct raw cells: one row an instance, one column an attribute.

Rows arrive as tags and raw cells in any order, from DICOM JSON and Part 10 headers alike. They wait in
batches of one shape (the same tags in the same order, the same encoding); a batch is transposed and appended
column by column, so that a column in which nothing changes costs one comparison a row and is stored once.
`arrange()` puts the rows into their final order: from then on the table is the same whatever the order of
arrival.

A cell is decoded when a rule asks for it, once for each distinct raw cell.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import lru_cache
from itertools import compress
from operator import itemgetter
from typing import TypeVar

from heltig.dicom.cell import ABSENT, Cell, Encoding
from heltig.dicom.column import Column, Raw, alike, settled
from heltig.dicom.json_cell import decode_json_element
from heltig.dicom.stencil import Filled, Stencil
from heltig.dicom.values import decode_element
from heltig.dicom.watched import Watched

T = TypeVar("T")

BATCH = 512
WHOLE_ROW = 8  # of a batch: rows that are only what differs are few bytes, and may wait longer
MEMO_CELLS = 4096
DEEPEST = 64  # levels of items; what is nested deeper is not looked into, nor do the readers of files


def private_key(tag: str, creator: str) -> str:
    """The column key of a private element: group, low byte and creator, whatever block was reserved.

    PS3.5 7.8.1: the block number is chosen by the writer, so `(0029,1010)` of one instance and `(0029,1110)`
    of the next are the same attribute if both blocks belong to one creator.

    >>> private_key("00291010", "SIEMENS CSA HEADER")
    '0029xx10 SIEMENS CSA HEADER'
    """
    return f"{tag[:4]}xx{tag[6:]} {creator}"


class _Shape:
    """Rows that wait to be appended: the same tags in the same order, the same encoding.

    Where they come from one stencil, a row is only what differs.
    """

    __slots__ = ("arrivals", "constant", "encoding", "keys", "rows", "stencil", "varying")

    def __init__(
        self,
        keys: Sequence[str],
        encoding: int,
        stencil: Stencil | None = None,
        columns: Sequence[Column] = (),
    ) -> None:
        self.keys = keys
        self.encoding = encoding
        self.stencil = stencil
        self.rows: list[Sequence[Raw]] = []
        self.arrivals: list[int] = []
        if stencil is not None:
            holes = set(stencil.holes)
            cells = enumerate(zip(columns, stencil.raws, strict=True))
            self.constant = [(column, raw) for i, (column, raw) in cells if i not in holes]
            self.varying = [columns[i] for i in stencil.holes]


class Table:
    """Columns of raw cells over rows that are data sets: the instances of a study, the items of a sequence.

    Attributes:
        columns: By column tag. Each row has at most one cell in a column: of an element that stands twice in
            a data set the first is taken (the reader keeps a fault).
        encodings: The encodings that cells refer to.
        rows: Number of rows.
        depth: 0 for instances, 1 for the items of their sequences, and so on down to `DEEPEST`.
        watched: The columns to read while somebody notes which are read; None where nobody wants to know.
    """

    depth = 0
    watched: Watched | None = None

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.encodings: list[Encoding] = []
        self.rows = 0
        self._items: dict[str, ItemTable] = {}
        self._shapes: dict[tuple[tuple[str, ...], Encoding, tuple[bytes, ...]], _Shape] = {}
        self._stencilled: dict[Stencil, _Shape | None] = {}
        self._waiting = 0
        self._arrived = 0
        self._active: list[_Shape] = []
        self._arrivals: list[int] = []

    def append(self, tags: tuple[str, ...], raws: Sequence[Raw], encoding: Encoding) -> int:
        """Take one data set and return the number of its arrival."""
        if type(raws) is Filled:
            if raws.stencil not in self._stencilled:
                self._stencilled[raws.stencil] = self._stencilled_shape(raws, encoding)
            filled = self._stencilled[raws.stencil]
            if filled:
                return self._wait(filled, raws.cells)
            raws = list(raws)
        creators = tuple([bytes(raws[i]) for i in _creator_positions(tags)])
        shape = self._shapes.get((tags, encoding, creators))
        if shape is None:
            keys = _keys(tags, encoding, raws)
            shape = self._shapes[tags, encoding, creators] = _Shape(keys, self._encoding(encoding))
        return self._wait(shape, raws)

    def _wait(self, shape: "_Shape", row: Sequence[Raw]) -> int:
        if not shape.rows:
            self._active.append(shape)
        shape.rows.append(row)
        arrival = self._arrived
        shape.arrivals.append(arrival)
        self._arrived = arrival + 1
        self._waiting += WHOLE_ROW if shape.stencil is None else 1
        if self._waiting >= BATCH:
            self._flush()
        return arrival

    def _stencilled_shape(self, raws: Filled, encoding: Encoding) -> "_Shape | None":
        """The shape of the rows of a stencil; None where they may have different private creators."""
        stencil = raws.stencil
        if not set(_creator_positions(stencil.tags)).isdisjoint(stencil.holes):
            return None
        keys = _keys(stencil.tags, encoding, raws)
        return _Shape(keys, self._encoding(encoding), stencil, self._columns(keys))

    def _columns(self, keys: Iterable[str]) -> list[Column]:
        """The columns of these keys."""
        columns = []
        for key in keys:
            column = self.columns.get(key)
            if column is None:
                column = Column(key)
                if key:  # a repeated tag goes nowhere
                    self.columns[key] = column
            columns.append(column)
        return columns

    def _encoding(self, encoding: Encoding) -> int:
        if encoding not in self.encodings:
            self.encodings.append(encoding)
        return self.encodings.index(encoding)

    def absorb(self, other: "Table") -> None:
        """Append the rows of another table, which is settled; this one is still being built."""
        self._flush()
        encodings = [self._encoding(encoding) for encoding in other.encodings]
        for tag, column in other.columns.items():
            self.columns.setdefault(tag, Column(tag)).absorb(self.rows, column, encodings)
        self._arrivals.extend(range(self._arrived, self._arrived + other.rows))
        self._arrived += other.rows
        self.rows += other.rows

    def _flush(self) -> None:
        for shape in self._active:
            start, count = self.rows, len(shape.rows)
            rows = zip(*shape.rows, strict=True)
            if shape.stencil is None:
                for column, raws in zip(self._columns(shape.keys), rows, strict=True):
                    column.extend(start, raws, shape.encoding)
            else:
                for column, raw in shape.constant:
                    column.repeat(start, raw, count, shape.encoding)
                for column, raws in zip(shape.varying, rows, strict=True):
                    column.extend(start, raws, shape.encoding)
            self.rows = start + count
            self._arrivals.extend(shape.arrivals)
            shape.rows, shape.arrivals = [], []
        self._active, self._waiting = [], 0

    def _fill(self, shape: "_Shape") -> None:
        """Append all rows there will be and settle their columns: a small study is one shape."""
        self.rows = len(shape.rows)
        shared = alike(self.rows, shape.encoding, self.encodings[shape.encoding])
        for key, raws in zip(shape.keys, zip(*shape.rows, strict=True), strict=True):
            if key:
                self.columns[key] = settled(key, raws, shared)
        self._arrivals.extend(shape.arrivals)

    def settle(self) -> None:
        """Append what waits, end the building and put the rows into their order of arrival."""
        arrivals = self._close()
        self._permute(sorted(range(self.rows), key=arrivals.__getitem__))

    def _close(self) -> list[int]:
        """Append what waits and end the building; return the number of arrival of each row."""
        if not self.rows and len(self._active) == 1 and self._active[0].stencil is None:
            self._fill(self._active[0])
        else:
            self._flush()
            ones = b"\x01" * self.rows
            for column in self.columns.values():
                column.settle(self.rows, ones)
        self._shapes, self._stencilled, self._active = {}, {}, []
        arrivals, self._arrivals = self._arrivals, []
        return arrivals

    def _permute(self, order: list[int]) -> None:
        """Put the rows into another order: row `i` becomes what row `order[i]` was."""
        if order != list(range(self.rows)):
            pick = itemgetter(*order)
            for column in self.columns.values():
                if not column.constant:
                    column.permute(pick)

    def arrange(self) -> None:
        """End the building: the rows stand in their order of arrival."""
        self.settle()

    # -- reading

    def noting(self, work: Callable[[], T]) -> tuple[T, Set[str]]:
        """Do some work, and note which columns it reads.

        What is kept and used again has been read once: who uses it later has to note what it was made of
        (`note`).

        Returns:
            What comes of the work, and the tags that it asked for; none where `watched` is None.
        """
        watched = self.watched
        if watched is None:
            return work(), frozenset()
        around, columns = watched.asked, self.columns
        asked = watched.asked = set()
        self.columns = watched
        try:
            return work(), asked
        finally:
            around |= asked
            watched.asked, self.columns = around, columns

    def note(self, asked: Iterable[str]) -> None:
        """Note that what was made of some columns is read."""
        if self.watched is not None:
            self.watched.asked.update(asked)

    def cell(self, column: Column, code: int) -> Cell:
        """Decode one cell of a column; `ABSENT` for code 0."""
        if code == 0:
            return ABSENT
        cell = column.decoded.get(code)
        if cell is None:
            cell = decoded(column.tag, column.cells[code], self.encodings[column.encodings[code]])
            if len(column.cells) <= MEMO_CELLS:
                column.decoded[code] = cell
        return cell

    def at(self, tag: str, row: int) -> Cell:
        """The cell of one row, `ABSENT` where it has none."""
        column = self.columns.get(tag)
        return ABSENT if column is None else self.cell(column, column.codes[row])

    def codes(self, tag: str, rows: range) -> list[int]:
        """The distinct codes of an attribute within rows, in the order of their first row."""
        column = self.columns.get(tag)
        if column is None:
            return [0]
        return list(dict.fromkeys(column.codes[rows.start : rows.stop]))

    def rows_with(self, tag: str, codes: set[int], rows: Iterable[int]) -> Iterator[int]:
        """Of some rows those whose cell is one of `codes`."""
        column = self.columns.get(tag)
        if column is None or column.constant:
            return iter(rows if (0 if column is None else 1) in codes else ())
        if isinstance(rows, range):
            return compress(rows, map(codes.__contains__, column.codes[rows.start : rows.stop]))
        return (row for row in rows if column.codes[row] in codes)

    def items(self, column: Column) -> "ItemTable":
        """The items of a sequence column as a table of their own, made when first asked for."""
        made = self._items.get(column.tag)
        if made is None:
            made = self._items[column.tag] = ItemTable(self, column)
        return made

    def study_rows(self, tag: str, codes: set[int]) -> list[int]:
        """The rows of the study that have one of these cells, however deep in items the cell stands."""
        return list(self.rows_with(tag, codes, range(self.rows)))


class ItemTable(Table):
    """The items of all distinct cells of one sequence column; none where they are nested too deep.

    Attributes:
        column: The sequence column.
        owners: Of each item the code of the cell it belongs to.
    """

    def __init__(self, parent: Table, column: Column) -> None:
        super().__init__()
        self._parent = weakref.ref(parent)
        self.depth = parent.depth + 1
        self.column = column
        self.owners: list[int] = []
        for code in range(1, len(column.cells)) if self.depth <= DEEPEST else ():
            for item in parent.cell(column, code).items:
                self.append(item.tags, item.raws, item.encoding)
                self.owners.append(code)
        self.arrange()

    @property
    def parent(self) -> Table:
        """The table that has the column.

        It has this one in turn, and must be kept by whoever looks at its items: if both kept each other, the
        memory of a judged study would not be free before the next run of the cycle collector.
        """
        parent = self._parent()
        if parent is None:
            raise ReferenceError(f"the table that has the items of {self.column.tag} is no more")
        return parent

    def study_rows(self, tag: str, codes: set[int]) -> list[int]:
        """The rows of the study that have one of these cells in this sequence."""
        items = self.rows_with(tag, codes, range(self.rows))
        return self.parent.study_rows(self.column.tag, {self.owners[item] for item in items})


@lru_cache(maxsize=256)
def _column_keys(tags: tuple[str, ...], creators: tuple[str, ...]) -> tuple[str, ...]:
    """The column of each element, given the names of the private creators; empty for a repeated tag."""
    blocks = {
        tags[i][:4] + tags[i][6:]: name for i, name in zip(_creator_positions(tags), creators, strict=True)
    }
    keys: dict[str, None] = {}
    found = []
    for tag in tags:
        creator = blocks.get(tag[:6]) if _is_private_element(tag) else None
        key = private_key(tag, creator) if creator else tag
        found.append("" if key in keys else key)
        keys[key] = None
    return tuple(found)


def _keys(tags: tuple[str, ...], encoding: Encoding, raws: Sequence[Raw]) -> tuple[str, ...]:
    """The keys of the columns that the elements of a data set belong to."""
    creators = [_creator_name(tags[i], bytes(raws[i]), encoding) for i in _creator_positions(tags)]
    return _column_keys(tags, tuple(creators))


def _is_private_element(tag: str) -> bool:
    return tag[3] in "13579BDF" and tag[4:6] != "00"


@lru_cache(maxsize=256)
def _creator_positions(tags: tuple[str, ...]) -> tuple[int, ...]:
    """Where the private creators stand: (gggg,0010-00FF) of odd groups (PS3.5 7.8.1)."""
    return tuple(
        i for i, tag in enumerate(tags) if tag[3] in "13579BDF" and tag[4:6] == "00" and tag[6:] >= "10"
    )


def _creator_name(tag: str, raw: bytes, encoding: Encoding) -> str:
    return decoded(tag, raw, encoding).text


def decoded(tag: str, raw: bytes, encoding: Encoding) -> Cell:
    """A raw cell decoded."""
    if encoding.syntax == "json":
        return decode_json_element(tag, raw)
    return decode_element(tag, raw, encoding)
