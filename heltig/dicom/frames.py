"""Frames as rows: the shared functional groups of an enhanced object merged with each frame's own.

A rule about planes wants one row an image plane, whether it is an instance or a frame of one. An attribute of
a functional group stands in a macro: a sequence of one item in the Shared or the Per-Frame Functional Groups
Sequence (PS3.3 C.7.6.16). The frame's own macro wins; in an object without functional groups the attribute of
the data set itself is taken.
"""

from collections.abc import Iterator
from typing import NamedTuple

from heltig.dicom.cell import ABSENT, Cell
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

    def __init__(self, table: Table, rows: range) -> None:
        self._table = table
        self._shared = _items(table, SHARED)
        self._own = _items(table, PER_FRAME)
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
            macro: Keyword of the macro's sequence, such as `PlanePositionSequence`.
            keyword: The attribute, such as `ImagePositionPatient`.
        """
        attribute = tag_of(keyword)
        own = _Macro(self._own, tag_of(macro), attribute)
        shared = _Macro(self._shared, tag_of(macro), attribute)
        shared_items = _starts(self._shared) if self._shared else {}
        shared_column = self._table.columns.get(SHARED)
        found = []
        for frame, group in zip(self.frames, self._groups, strict=True):
            cell = ABSENT if group is None else own.cell(group)
            if cell is ABSENT and shared_column is not None:
                items = shared_items.get(shared_column.codes[frame.row])
                cell = shared.cell(items.start) if items else ABSENT
            if cell is ABSENT and group is None:
                cell = self._table.at(attribute, frame.row)
            found.append(cell)
        return found


class _Macro:
    """One attribute of one macro, for the items of a functional groups sequence."""

    def __init__(self, groups: ItemTable | None, macro: str, attribute: str) -> None:
        self._groups = groups
        self._column = groups.columns.get(macro) if groups else None
        self._items = groups.items(self._column) if groups and self._column else None
        self._starts = _starts(self._items) if self._items else {}
        self._attribute = attribute

    def cell(self, group: int) -> Cell:
        if self._column is None or self._items is None:
            return ABSENT
        items = self._starts.get(self._column.codes[group])
        return self._items.at(self._attribute, items.start) if items else ABSENT


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
