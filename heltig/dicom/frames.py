"""Frames as rows: the shared functional groups of an enhanced object merged with each frame's own.

A rule about planes wants one row an image plane, whether it is an instance or a frame of one. An attribute of
a functional group stands in a macro: a sequence of one item in the Shared or the Per-Frame Functional Groups
Sequence (PS3.3 C.7.6.16). The frame's own macro wins; in an object without functional groups the attribute of
the data set itself is taken.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from heltig.dicom.cell import ABSENT, Cell
from heltig.dicom.points import numbers_in
from heltig.dicom.table import ItemTable, Table
from heltig.standard.dictionary import tag_of

SHARED = "52009229"
PER_FRAME = "52009230"


class Frame(NamedTuple):
    """One row of a frame table.

    Attributes:
        row: The instance's row in the study's table.
        number: The frame's number from 1 on; 0 for an instance without per-frame functional groups.
    """

    row: int
    number: int


class FrameTable:
    """The frames of some instances.

    Attributes:
        frames: In the order of instances, then frame numbers.
    """

    def __init__(self, table: Table, rows: Sequence[int]) -> None:
        self._table = table
        self._shared = _items(table, SHARED)
        self._own = _items(table, PER_FRAME)
        self._shared_items = _starts(self._shared) if self._shared else {}
        starts = _starts(self._own) if self._own else {}
        self.frames: list[Frame] = []
        self._groups: list[int | None] = []
        column = table.columns.get(PER_FRAME)
        for row in rows:
            items = starts.get(column.codes[row]) if column else None
            if items is None:
                self.frames.append(Frame(row, 0))
                self._groups.append(None)
            else:
                self.frames.extend(Frame(row, number) for number in range(1, len(items) + 1))
                self._groups.extend(items)

    def __len__(self) -> int:
        return len(self.frames)

    def cells(self, macro: str, keyword: str) -> list[Cell]:
        """An attribute of every frame; `ABSENT` where there is none.

        Args:
            macro: Keyword of the macro's sequence, such as `PlanePositionSequence`; further sequences within
                it are joined by dots.
            keyword: The attribute, such as `ImagePositionPatient`.
        """
        attribute = tag_of(keyword)
        path = [tag_of(part) for part in macro.split(".")]
        own = _Macro(self._own, path, attribute)
        shared = _Macro(self._shared, path, attribute)
        shared_column = self._table.columns.get(SHARED)
        found = []
        for frame, group in zip(self.frames, self._groups, strict=True):
            cell = ABSENT if group is None else own.cell(group)
            if cell is ABSENT and shared_column is not None:
                items = self._shared_items.get(shared_column.codes[frame.row])
                cell = shared.cell(items.start) if items else ABSENT
            if cell is ABSENT and group is None:
                cell = self._table.at(attribute, frame.row)
            found.append(cell)
        return found

    def numbers(self, macro: str, keyword: str) -> list[tuple[float | None, ...]]:
        """The numbers of an attribute of every frame; without functional groups plain ones are not decoded.

        Args:
            macro: As for `cells`.
            keyword: The attribute.
        """
        if self._own is None and self._shared is None:
            return numbers_in(self._table, tag_of(keyword), [frame.row for frame in self.frames])
        return [cell.numbers for cell in self.cells(macro, keyword)]


class _Macro:
    """One attribute of one macro, for the items of a functional groups sequence.

    It keeps the tables of the items on its way: none of them keeps the one it belongs to.
    """

    def __init__(self, groups: ItemTable | None, path: Sequence[str], attribute: str) -> None:
        self._steps: list[tuple[Sequence[int], dict[int, range]]] = []
        self._attribute = attribute
        self._last = groups
        for tag in path:
            column = self._last.columns.get(tag) if self._last else None
            if self._last is None or column is None:
                self._last = None
                return
            items = self._last.items(column)
            self._steps.append((column.codes, _starts(items)))
            self._last = items

    def cell(self, group: int) -> Cell:
        if self._last is None:
            return ABSENT
        place = group
        for codes, starts in self._steps:
            items = starts.get(codes[place])
            if not items:
                return ABSENT
            place = items.start
        return self._last.at(self._attribute, place)


def _items(table: Table, tag: str) -> ItemTable | None:
    column = table.columns.get(tag)
    return table.items(column) if column else None


def _starts(items: ItemTable) -> dict[int, range]:
    """Of each cell of the sequence column the rows of its items, which stand together."""
    return dict(_runs(items.owners))


def _runs(owners: list[int]) -> Iterator[tuple[int, range]]:
    start = 0
    for stop in range(1, len(owners) + 1):
        if stop == len(owners) or owners[stop] != owners[start]:
            yield owners[start], range(start, stop)
            start = stop
