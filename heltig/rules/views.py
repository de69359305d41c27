"""What the functions of rules get to see: values, combinations of values, series, studies and packages."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextvars import ContextVar
from datetime import date
from functools import cached_property, partial
from itertools import groupby
from typing import Any, Self, TypeVar

import msgspec

from heltig.dicom.cell import ABSENT, Cell, Encoding, Fault, Syntax
from heltig.dicom.column import Column
from heltig.dicom.plain import plain_texts
from heltig.dicom.source import PackageFact, Source
from heltig.dicom.study import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, SeriesRows, StudyTable
from heltig.rules.index_facts import IndexFact, Kind
from heltig.rules.parameters import Parameters
from heltig.rules.silence import SOURCE
from heltig.standard.dictionary import Entry, tag_of

T = TypeVar("T")


class Context(msgspec.Struct, frozen=True):
    """What every rule may know beside the data.

    Attributes:
        reference_date: "Today" to the rules: the day the snapshot was received.
        parameters: The profile's thresholds and lists.
        deidentified: The data is declared de-identified by whoever handed it in.
    """

    reference_date: date
    parameters: Parameters
    deidentified: bool = False


class Place(msgspec.Struct, frozen=True):
    """One distinct value of one attribute, for value rules.

    Attributes:
        cell: The decoded value.
        raw: The cell as the source wrote it.
        encoding: How it was read.
        tag: Eight hex digits, or the key of a private column (`0029xx10 CREATOR`).
        path: The keywords from the data set down to the attribute, joined by dots.
        entry: The dictionary's entry; None for private and unknown attributes.
        depth: 0 in the data set itself, 1 in an item of a sequence, and so on.
        context: Date and parameters.
    """

    cell: Cell
    raw: bytes
    encoding: Encoding
    tag: str
    path: str
    entry: Entry | None
    depth: int
    context: Context

    @property
    def syntax(self) -> Syntax:
        """`json`, `explicit` or `implicit`."""
        return self.encoding.syntax


class Values:
    """One distinct combination of the values an instance rule reads.

    >>> at["PatientSex"].text  # doctest: +SKIP
    'F'
    """

    __slots__ = ("_cells", "context")

    def __init__(self, cells: Mapping[str, Cell], context: Context) -> None:
        self._cells = cells
        self.context = context

    def __getitem__(self, keyword: str) -> Cell:
        """The value of an attribute the rule declared to read; `ABSENT` where there is none."""
        return self._cells[keyword]

    def has(self, keyword: str) -> bool:
        """The attribute is there with a value."""
        return not self._cells[keyword].empty


def _shown(cell: Cell) -> str:
    return cell.shown.strip()


class Group(msgspec.Struct, frozen=True):
    """Rows that share one value of an attribute."""

    key: str
    cell: Cell
    count: int
    _codes: frozenset[int]
    _tag: str
    _rows: Sequence[int]
    _table: StudyTable

    @property
    def rows(self) -> list[int]:
        """The rows, in order."""
        return list(self._table.rows_with(self._tag, set(self._codes), self._rows))


MAKING: ContextVar[Callable[[Callable[[Any], Any], Any], Any] | None] = ContextVar("MAKING", default=None)
"""Makes what rules share in place of `RowsView.once`, where somebody wants to know what that takes."""


class RowsView:
    """Rows of a study's table as whole columns.

    Attributes:
        table: The study's table.
        rows: Numbers of rows that ascend: a `range` without steps, or a list.
        context: Date and parameters.
        has_uid: The rows share a UID, and should be one study or series. False where they have none and were
            put together by what they look like.
    """

    has_uid = True

    def __init__(self, table: StudyTable, rows: Sequence[int], context: Context) -> None:
        self.table = table
        self.rows = rows
        self.context = context
        self._texts: dict[str, list[str]] = {}
        self._firsts: dict[str, Cell] = {}
        self._uniform: dict[str, bool] = {}
        self._groups: dict[str, list[Group]] = {}
        self._made: dict[Callable[..., Any], tuple[Any, Set[str]]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def once(self, make: Callable[[Self], T]) -> T:
        """What a function makes of the view, for rules that share work: made when first asked for, then kept.

        Args:
            make: The function. What it returns must not refer to the view: as a cycle they would keep the
                whole table for some time.
        """
        kept = self._made.get(make)
        if kept is None:
            watching = MAKING.get()
            work = partial(make, self) if watching is None else partial(watching, make, self)
            kept = self._made[make] = self.table.noting(work)
        made: T = kept[0]
        if self.table.watched is not None:
            self.table.note(kept[1])
        return made

    def groups(self, keyword: str, key: Callable[[Cell], str] = _shown) -> list[Group]:
        """The rows grouped by the value of an attribute, the most frequent value first.

        Rows where the attribute is absent or empty are one group of key `""`.

        Args:
            keyword: The attribute.
            key: What makes two values the same; equal keys fall together.
        """
        if key is not _shown:
            return self._grouped(keyword, key)
        groups = self._groups.get(keyword)
        if groups is None:
            groups = self._groups[keyword] = self._grouped(keyword, key)
        if self.table.watched is not None:
            self.table.note((tag_of(keyword),))
        return list(groups)

    def _grouped(self, keyword: str, key: Callable[[Cell], str]) -> list[Group]:
        tag = tag_of(keyword)
        column = self.table.columns.get(tag)
        if column is None or column.constant:
            code = 0 if column is None else 1
            cell = ABSENT if column is None else self.table.cell(column, 1)
            name = "" if cell.empty else key(cell)
            return [Group(name, cell, len(self.rows), frozenset((code,)), tag, self.rows, self.table)]
        counts = Counter(self._codes(column))
        merged: dict[str, tuple[Cell, int, list[int]]] = {}
        for code, count in counts.items():
            cell = self.table.cell(column, code)
            name = "" if cell.empty else key(cell)
            kept, total, codes = merged.get(name, (cell, 0, []))
            merged[name] = (kept, total + count, [*codes, code])
        found = [
            Group(name, cell, count, frozenset(codes), tag, self.rows, self.table)
            for name, (cell, count, codes) in merged.items()
        ]
        return sorted(found, key=lambda group: (-group.count, group.key))

    def cells(self, keyword: str) -> list[Cell]:
        """The cell of every row, in order; `ABSENT` where there is none."""
        column = self.table.columns.get(tag_of(keyword))
        if column is None:
            return [ABSENT] * len(self.rows)
        known: dict[int, Cell] = {}
        found = []
        for code in self._codes(column):
            cell = known.get(code)
            if cell is None:
                cell = known[code] = self.table.cell(column, code)
            found.append(cell)
        return found

    def alike(self, *keywords: str) -> list[tuple[tuple[Cell, ...], list[int]]]:
        """The rows grouped by their cells of some attributes, in the order of their first rows.

        For what many rows have in common: it is then made of a few cells. Two groups may have equal cells.
        """
        columns = [self.table.columns.get(tag_of(keyword)) for keyword in keywords]
        varying = [column for column in columns if column is not None and not column.constant]
        groups: dict[tuple[int, ...], list[int]] = {} if varying else {(): list(self.rows)}
        codes = list(zip(*map(self._codes, varying), strict=True))
        for key, places in groupby(range(len(codes)), codes.__getitem__):  # most stand together
            groups.setdefault(key, []).extend([self.rows[place] for place in places])
        return [
            (tuple([self.table.at(tag_of(keyword), rows[0]) for keyword in keywords]), rows)
            for rows in groups.values()
        ]

    def texts(self, keyword: str) -> list[str]:
        """The first value of every row as text without surrounding spaces, in order; empty where none is.

        For attributes of which most rows have a value of their own: plainly written cells are not decoded.
        The list is kept and must not be changed.
        """
        texts = self._texts.get(keyword)
        if texts is None:
            texts = self._texts[keyword] = self._read_texts(keyword)
        if self.table.watched is not None:
            self.table.note((tag_of(keyword),))
        return texts

    def _read_texts(self, keyword: str) -> list[str]:
        column = self.table.columns.get(tag_of(keyword))
        if column is None:
            return [""] * len(self.rows)
        codes = self._codes(column)
        distinct = list(dict.fromkeys(codes))
        plain = plain_texts([column.cells[code] for code in distinct])
        texts = [
            self.table.cell(column, code).text if text is None else text
            for code, text in zip(distinct, plain, strict=True)
        ]
        if len(distinct) == len(codes):
            return texts
        return list(map(dict(zip(distinct, texts, strict=True)).__getitem__, codes))

    def first(self, keyword: str) -> Cell:
        """The value most rows have; `ABSENT` where none has any."""
        cell = self._firsts.get(keyword)
        if cell is None:
            cell = self._firsts[keyword] = self._first(keyword)
        if self.table.watched is not None:
            self.table.note((tag_of(keyword),))
        return cell

    def _first(self, keyword: str) -> Cell:
        if self.uniform(keyword):
            cell = self.table.at(tag_of(keyword), self.rows[0])
            return ABSENT if cell.empty else cell
        return next((group.cell for group in self.groups(keyword) if group.key), ABSENT)

    def has(self, keyword: str) -> bool:
        """Some row has the attribute."""
        column = self.table.columns.get(tag_of(keyword))
        return column is not None and (column.constant or any(self._codes(column)))

    def uniform(self, keyword: str) -> bool:
        """Every row has the same cell of the attribute, or none has any; told without decoding."""
        column = self.table.columns.get(tag_of(keyword))
        if column is None or column.constant:
            return True
        uniform = self._uniform.get(keyword)
        if uniform is None:
            codes = self._codes(column)
            uniform = self._uniform[keyword] = not codes or codes.count(codes[0]) == len(codes)
        return uniform

    def _codes(self, column: Column) -> Sequence[int]:
        if isinstance(self.rows, range):
            return column.codes[self.rows.start : self.rows.stop]
        return [column.codes[row] for row in self.rows]


class SeriesView(RowsView):
    """One series of a study."""

    rows: range

    def __init__(self, study: "StudyView", series: SeriesRows) -> None:
        super().__init__(study.table, series.rows, study.context)
        self.study = study
        self.has_uid = series.uid is not None
        self._series = series
        self._place = slice(series.rows.start, series.rows.stop)

    @property
    def key(self) -> str:
        """The SeriesInstanceUID, or a fallback key."""
        self.table.note((SERIES_INSTANCE_UID,))
        return self._series.key

    @property
    def uid(self) -> str | None:
        """The SeriesInstanceUID; None where the instances have none."""
        self.table.note((SERIES_INSTANCE_UID,))
        return self._series.uid

    @property
    def modality(self) -> str:
        """The Modality (0008,0060) of most instances, in capitals; empty where none has any."""
        return self.first("Modality").text.upper()

    def _read_texts(self, keyword: str) -> list[str]:
        texts = self.study.texts(keyword)
        return texts if len(self) == len(texts) else texts[self._place]


class StudyView(RowsView):
    """One study with its source facts."""

    rows: range

    def __init__(self, table: StudyTable, context: Context) -> None:
        super().__init__(table, range(table.rows), context)
        self.has_uid = table.uid is not None

    @property
    def key(self) -> str:
        """The StudyInstanceUID, or a fallback key."""
        self.table.note((STUDY_INSTANCE_UID,))
        return self.table.key

    @property
    def uid(self) -> str | None:
        """The StudyInstanceUID; None where the instances have none."""
        self.table.note((STUDY_INSTANCE_UID,))
        return self.table.uid

    @property
    def source(self) -> Source:
        """What the source could show and said."""
        self.table.note((SOURCE,))
        return self.table.source

    @cached_property
    def series(self) -> Sequence[SeriesView]:
        """The series, in the order of their keys."""
        return [SeriesView(self, series) for series in self.table.series]

    def faults(self, *kinds: str) -> Iterator[tuple[Fault, list[int]]]:
        """Faults of whole data sets of these kinds, each with the rows that have it."""
        rows: dict[Fault, list[int]] = {}
        for row, faults in self.table.faults.items():
            for fault in faults:
                if fault.kind in kinds:
                    rows.setdefault(fault, []).append(row)
        yield from sorted(rows.items())


class ContextView(StudyView):
    """One study, and what the index of all studies says about it.

    Attributes:
        facts: The recorded facts.
    """

    def __init__(self, table: StudyTable, context: Context, facts: Sequence[IndexFact] = ()) -> None:
        super().__init__(table, context)
        self.facts = tuple(facts)

    def told(self, kind: Kind) -> list[IndexFact]:
        """The facts of one kind, in order."""
        return [fact for fact in self.facts if fact.kind == kind]


class PackageView(msgspec.Struct, frozen=True):
    """A file, folder or ZIP as it was handed in: its facts are the rows that a hit names."""

    facts: tuple[PackageFact, ...]
    context: Context

    def groups(self, *kinds: str) -> dict[tuple[str, str], list[int]]:
        """The facts of these kinds: the numbers of those that share kind and detail, in order."""
        found: dict[tuple[str, str], list[int]] = {}
        for number, fact in enumerate(self.facts):
            if fact.kind in kinds:
                found.setdefault((fact.kind, fact.detail), []).append(number)
        return found
