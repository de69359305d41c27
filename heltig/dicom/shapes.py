"""Shapes: which attributes a data set has, has empty or lacks, sequences to any depth.

Conformance to an information object definition depends on which attributes are there and on the few values
that conditions read. Instances of one shape are all right or all wrong alike, so they are checked once.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from typing import Final, TypeAlias

import msgspec

from heltig.dicom.cell import Cell, Encoding
from heltig.dicom.column import Column
from heltig.dicom.table import Table, decoded
from heltig.standard.dictionary import is_private, lookup

State: TypeAlias = "str | tuple[Shape, ...]"
Values: TypeAlias = tuple[str, ...]

EMPTY: Final = "empty"
PRESENT: Final = "present"

_MANY: Final = 16  # cells of a column from which on they are looked at together
_SURELY_VALUED: Final = 64  # bytes: a longer raw cell of a plain value is not empty, whatever its syntax
_LONGEST: Final = 16_384  # bytes of a cell that is worth remembering
_MOST: Final = 16 * 1024 * 1024  # bytes of cells that are remembered
_MOST_PLAIN: Final = 128  # cells of an attribute that surely have a value: to remember more saves nothing
_MOST_SHAPES: Final = 1024
_MOST_MARKS: Final = 16_384
_MOST_COLUMNS: Final = 8192

_TEXT_VRS: Final = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "SH", "TM", "UI"})
_BINARY_VRS: Final = frozenset({"AT", "FD", "FL", "SL", "SS", "UL", "US"})
_PERHAPS_EMPTY: Final = re.compile(rb'\[(?![-0-9]|"[^" ])')
"""In the JSON text of an element: values that begin with neither a number nor a letter."""


_SURELY: Final = re.compile(
    rb'\{"vr": ?"[A-Z]{2}", ?"Value": ?\[(?:[-0-9]|"[^" \\]|\{"Alphabetic": ?"[^" \\])'
)
"""The JSON text of an element with a value, as it is mostly written."""


class Shape(msgspec.Struct, frozen=True, cache_hash=True):
    """What one data set or item has of standard attributes.

    Attributes:
        attributes: By tag, sorted: `EMPTY`, `PRESENT`, or the shapes of a sequence's items in order. What is
            absent is not listed.
        values: By tag, sorted, the values asked for; absent attributes are not listed.
    """

    attributes: tuple[tuple[str, State], ...]
    values: tuple[tuple[str, Values], ...] = ()

    @property
    def states(self) -> Mapping[str, State]:
        """The attributes by tag."""
        return dict(self.attributes)


class Mark:
    """What is known of one cell: one object for all cells of which the same is known.

    Attributes:
        state: Its state.
        values: Where asked for, its values.
    """

    __slots__ = ("state", "values")

    def __init__(self, state: State, values: Values) -> None:
        self.state = state
        self.values = values


_LEFT_OUT: Final = Mark("", ())
"""Of the columns that belong to no shape."""


class ShapeReader:
    """Finds the shapes of tables, and remembers of each cell what it is: studies share most of theirs.

    File meta, group lengths and private attributes are left out.
    """

    def __init__(self, values: Mapping[str, Callable[[Cell], Values]]) -> None:
        """Say which values belong to a shape.

        Args:
            values: By tag, how a cell's values are told, in the data set and in items at any depth.
        """
        self._values = values
        self._common: dict[Column, Mark] = {}
        self._known: dict[Encoding, dict[str, dict[bytes, Mark]]] = {}
        self._size = 0
        self._marks: dict[tuple[State, Values], Mark] = {}
        self._plain = self._mark_of(PRESENT, ())
        self._shapes: dict[tuple[tuple[str, ...], tuple[Mark, ...]], Shape] = {}

    def shapes(self, table: Table) -> dict[Shape, Sequence[int]]:
        """The distinct shapes of a table's rows, each with the rows that have it, in order."""
        tags: list[str] = []
        marks: list[Mark] = []
        varying: list[tuple[str, list[Mark | None], Sequence[int]]] = []
        common = self._common
        if len(common) > _MOST_COLUMNS:
            common.clear()
        for tag, column in table.columns.items():
            mark = common.get(column)
            if mark is None and not _belongs(tag):
                mark = _LEFT_OUT
            elif mark is None:
                of_column = self._of_column(table, column)
                mark = of_column[1]
                if not column.constant and not _is_everywhere(of_column, table, column):
                    varying.append((tag, of_column, column.codes))
                    continue
            if mark is not None and column.common:
                common[column] = mark
            if mark is not None and mark is not _LEFT_OUT:
                tags.append(tag)
                marks.append(mark)
        if not varying:
            return {self._shape(tags, marks): range(table.rows)}
        groups = _grouped(varying)
        found: dict[Shape, list[int]] = {}
        for rows in groups:
            own = [(tag, mark) for tag, of_column, codes in varying if (mark := of_column[codes[rows[0]]])]
            shape = self._shape([*tags, *[tag for tag, _ in own]], [*marks, *[mark for _, mark in own]])
            found.setdefault(shape, []).extend(rows)
        return {shape: sorted(rows) for shape, rows in found.items()}

    def _of_column(self, table: Table, column: Column) -> list[Mark | None]:
        """The mark of each cell of a column, by its number."""
        if column.tag not in self._values and _is_plain(column.tag) and _all_valued(table, column):
            return [None, *[self._plain] * (len(column.cells) - 1)]
        return [None, *[self._of_cell(table, column, code) for code in range(1, len(column.cells))]]

    def _of_cell(self, table: Table, column: Column, code: int) -> Mark:
        encoding = table.encodings[column.encodings[code]]
        return self._mark(column.tag, column.cells[code], encoding, lambda: table.cell(column, code))

    def _mark(self, tag: str, raw: bytes, encoding: Encoding, decode: Callable[[], Cell]) -> Mark:
        known = self._known.setdefault(encoding, {}).setdefault(tag, {})
        mark = known.get(raw)
        if mark is None:
            is_plain = tag not in self._values and _is_plain(tag) and _surely_valued(raw, encoding)
            mark = self._plain if is_plain else self._read(tag, decode())
            if len(raw) <= _LONGEST and not (is_plain and len(known) >= _MOST_PLAIN):
                known[raw] = mark
                self._size += len(raw)
                if self._size > _MOST:
                    self._known.clear()
                    self._size = 0
        return mark

    def _read(self, tag: str, cell: Cell) -> Mark:
        told = self._values.get(tag)
        values = told(cell) if told else ()
        if cell.items:
            return self._mark_of(tuple([self._item(i.tags, i.raws, i.encoding) for i in cell.items]), values)
        return self._mark_of(EMPTY if cell.empty else PRESENT, values)

    def _mark_of(self, state: State, values: Values) -> Mark:
        mark = self._marks.get((state, values))
        if mark is None:
            if len(self._marks) == _MOST_MARKS:
                self._marks.clear()  # equal marks are then two objects for a while, which costs time alone
            mark = self._marks[state, values] = Mark(state, values)
        return mark

    def _item(self, tags: tuple[str, ...], raws: Sequence[bytes], encoding: Encoding) -> Shape:
        marks: dict[str, Mark] = {}
        for tag, raw in zip(tags, raws, strict=True):
            if _belongs(tag) and tag not in marks:
                marks[tag] = self._mark(tag, raw, encoding, partial(decoded, tag, raw, encoding))
        return self._shape(list(marks), list(marks.values()))

    def _shape(self, tags: Sequence[str], marks: Sequence[Mark]) -> Shape:
        """The shape of a data set or item with these attributes."""
        key = tuple(tags), tuple(marks)
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) == _MOST_SHAPES:
                self._shapes.clear()
            pairs = sorted(zip(tags, marks, strict=True), key=itemgetter(0))
            shape = self._shapes[key] = Shape(
                tuple([(tag, mark.state) for tag, mark in pairs]),
                tuple([(tag, mark.values) for tag, mark in pairs if mark.values]),
            )
        return shape


def _is_everywhere(marks: list[Mark | None], table: Table, column: Column) -> bool:
    """Every row has a cell of one and the same mark."""
    cells = len(marks) - 1
    return marks.count(marks[1]) == cells and (cells >= table.rows or 0 not in column.codes)


def _grouped(varying: list[tuple[str, list[Mark | None], Sequence[int]]]) -> Iterable[list[int]]:
    """The rows with the same marks in the columns that vary."""
    patterns: dict[Sequence[int], None] = {}  # many columns vary alike
    for _, marks, codes in varying:
        numbers: dict[Mark | None, int] = {}
        number_of = [numbers.setdefault(mark, len(numbers)) for mark in marks]
        if isinstance(codes, bytes):
            patterns[codes.translate(bytes(number_of).ljust(256))] = None
        else:
            patterns[tuple(map(number_of.__getitem__, codes))] = None
    groups: dict[tuple[int, ...], list[int]] = {}
    keys = list(zip(*patterns, strict=True))
    for key, rows in groupby(range(len(keys)), keys.__getitem__):  # most stand together
        groups.setdefault(key, []).extend(rows)
    return groups.values()


@cache
def _belongs(tag: str) -> bool:
    return not is_private(tag) and not tag.endswith("0000") and not tag.startswith("0002")


@cache
def _is_plain(tag: str) -> bool:
    entry = lookup(tag)
    return entry is not None and entry.vr not in ("SQ", "UN")


def _surely_valued(raw: bytes, encoding: Encoding) -> bool:
    return len(raw) > _SURELY_VALUED or (encoding.syntax == "json" and _SURELY.match(raw) is not None)


def _all_valued(table: Table, column: Column) -> bool:
    """Every cell surely has a plain value, told without decoding; False where it takes a closer look."""
    if len(column.cells) == 2:
        return _surely_valued(column.cells[1], table.encodings[column.encodings[1]])
    cells = column.cells[1:]
    shortest = min(map(len, cells))
    if shortest > _SURELY_VALUED:
        return True
    syntaxes = {encoding.syntax for encoding in table.encodings}
    if syntaxes == {"json"} and len(cells) < _MANY:
        return all(map(_SURELY.match, cells))
    if syntaxes == {"json"}:
        text = b"\n".join(cells)
        return text.count(b'"Value"') == len(cells) and not _PERHAPS_EMPTY.search(text)
    if "json" in syntaxes:
        return False
    vr = lookup(column.tag).vr  # type: ignore[union-attr]  # plain attributes are in the dictionary
    if vr in _TEXT_VRS:
        return min([cell[4:5] for cell in cells]) > b" "  # after VR and length, or the long length
    return vr in _BINARY_VRS and shortest > 4
