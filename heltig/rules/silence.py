"""Which rules on whole columns have nothing to say about what they read: known from earlier studies.

Small studies of one scanner agree in most of their columns. What a rule finds depends on what it reads of a
study and on the context, and on nothing else. So it is noted which columns a rule reads (`Table.noting`), and
where it had nothing to say it is not asked again about studies that are the same in all of these columns. It
may read other columns where one of these differs; then it is asked.

This spares work and changes no verdict.
"""

from collections.abc import Callable, Mapping, Set
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from heltig.dicom.column import Column
from heltig.dicom.study import StudyTable

SOURCE: Final = "source"
"""Stands among the tags that a rule reads for `Source`."""

_MANY: Final = 32
"""Cells of a column from which on it is taken to be unlike that of any other study."""

_LONGEST: Final = 4096  # bytes of cells that are compared
_MOST: Final = 128  # studies that are remembered for some columns
_TRIES: Final = 16  # studies after which columns are given up that are hardly ever the same
_SELDOM: Final = 4  # the same in less than one of so many
_AT_FIRST: Final = 64  # studies of one kind in which rules are listened to
_ONE_IN: Final = 16  # studies in which they are later on

Contents: TypeAlias = Mapping[str, object]
"""What a study has of each attribute; an `object()` where that is compared with no other study."""


def contents_of(table: StudyTable) -> Contents:
    """What a study has of each attribute; to be compared with studies of the same encoding alone."""
    found: dict[str, object] = {
        tag: column.cells[1] if column.constant else _varying(column) for tag, column in table.columns.items()
    }
    source = table.source
    said = source.asked_for, source.study_rows, source.series_rows, source.failures
    found[SOURCE] = object() if any(said) else source.shows
    return found


def _varying(column: Column) -> object:
    few = len(column.cells) <= _MANY
    return (bytes(column.codes), *column.cells) if few else object()


class Told(NamedTuple):
    """What is known of a study before rules are asked, as bits of rules.

    Attributes:
        silent: Have nothing to say about it.
        applied: Of these apply to it.
        heard: Others are worth listening to: it is not known of them that they read what always differs.
    """

    silent: int = 0
    applied: int = 0
    heard: int = 0


class Silences:
    """What rules had nothing to say about, in studies of the same attributes, encoding and sizes.

    To listen takes time: it is done in the first studies, and in a few later on.
    """

    def __init__(self, count: Callable[[int], None]) -> None:
        """Start knowing nothing.

        Args:
            count: Takes the size in bytes of what is remembered.
        """
        self._count = count
        self._by_asked: dict[frozenset[str], _Asked] = {}
        self._studies = 0
        self._given_up = 0

    def told(self, contents: Contents, rules: int) -> Told:
        """What is known of a study.

        Args:
            contents: What the study has.
            rules: The bits of the rules to be asked.
        """
        silent = applied = 0
        seldom = []
        for asked, known in self._by_asked.items():
            outcome = known.of(contents)
            if outcome is not None:
                silent |= outcome[0]
                applied |= outcome[1]
            elif known.is_seldom_the_same():
                seldom.append(asked)
        for asked in seldom:
            self._given_up |= self._by_asked.pop(asked).rules
        self._studies += 1
        listens = self._studies <= _AT_FIRST or self._studies % _ONE_IN == 0
        return Told(silent, applied, rules & ~(silent | self._given_up) if listens else 0)

    def learn(self, contents: Contents, asked: Set[str], bit: int, *, applied: bool) -> None:
        """A rule had nothing to say about a study.

        Args:
            contents: What the study has.
            asked: The tags that the rule read.
            bit: The rule.
            applied: It applied.
        """
        there = frozenset(asked & contents.keys())
        known = self._by_asked.get(there)
        if known is None:
            known = self._by_asked[there] = _Asked(sorted(there))
        self._count(known.learn(contents, bit, applied=applied))


class _Asked:
    """The studies that are remembered for some columns.

    Attributes:
        rules: The bits of the rules that read these columns.
    """

    __slots__ = ("_outcomes", "_pick", "_same", "_tags", "_tries", "rules")

    def __init__(self, tags: list[str]) -> None:
        self.rules = 0
        self._tags = tags
        self._pick: Callable[[Contents], Any] = itemgetter(*tags) if tags else _nothing
        self._outcomes: dict[Any, tuple[int, int]] = {}
        self._tries = 0
        self._same = 0

    def of(self, contents: Contents) -> tuple[int, int] | None:
        """The rules that had nothing to say about a study that is the same here, and those that applied."""
        self._tries += 1
        outcome = self._outcomes.get(self._pick(contents))
        if outcome is not None:
            self._same += 1
        return outcome

    def is_seldom_the_same(self) -> bool:
        return self._tries >= _TRIES and self._same * _SELDOM < self._tries

    def learn(self, contents: Contents, bit: int, *, applied: bool) -> int:
        """Remember a study, and return the size of what is new."""
        self.rules |= bit
        key = self._pick(contents)
        before = self._outcomes.get(key)
        silent, which = before or (0, 0)
        size = 0
        if before is None:
            size = self._size(contents)
            if size > _LONGEST or len(self._outcomes) >= _MOST:
                return 0
        self._outcomes[key] = silent | bit, which | (bit if applied else 0)
        return size

    def _size(self, contents: Contents) -> int:
        """Of what is compared, in bytes; too large where it is compared with no other study."""
        size = 0
        for tag in self._tags:
            content = contents[tag]
            if type(content) is object:
                return _LONGEST + 1
            size += len(content) if isinstance(content, bytes) else 0
            size += sum(map(len, content)) if isinstance(content, tuple) else 0
        return size


def _nothing(contents: Contents) -> tuple[()]:
    return ()
