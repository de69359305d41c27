"""Shapes: which attributes a data set has, has empty or lacks, sequences to any depth.

Conformance to an information object definition depends on the SOP Class, on which attributes are there, and
on the few values that conditions read. Instances of one shape are all right or all wrong alike, so they are
checked once.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from heltig.dicom.column import Column
from heltig.dicom.table import Table
from heltig.standard.dictionary import lookup

State: TypeAlias = "str | tuple[Shape, ...]"

EMPTY = "empty"
PRESENT = "present"

_SURELY_VALUED = 64  # bytes: a longer raw cell of a plain value is not empty, whatever its syntax


class Shape(msgspec.Struct, frozen=True):
    """What one data set or item has.

    Attributes:
        attributes: By column tag, sorted: `EMPTY`, `PRESENT`, or the shapes of a sequence's items in order.
            What is absent is not listed.
        values: By column tag, sorted, the values asked for; absent ones are not listed.
    """

    attributes: tuple[tuple[str, State], ...]
    values: tuple[tuple[str, str], ...] = ()

    @property
    def states(self) -> Mapping[str, State]:
        """The attributes by tag."""
        return dict(self.attributes)


def shapes_of(table: Table, rows: range, *, values: Iterable[str] = ()) -> dict[Shape, list[int]]:
    """The distinct shapes of rows, each with the rows that have it, in the order of their first row.

    Args:
        table: A settled table.
        rows: The rows to look at.
        values: Tags whose values belong to the shape, in the data set and in items at any depth.
    """
    wanted = frozenset(values)
    columns = [table.columns[tag] for tag in sorted(table.columns)]
    known = [_states(table, column, wanted) for column in columns]
    varying = [i for i, column in enumerate(columns) if len(set(known[i])) > 1 and not column.constant]
    numbered = [_numbers(known[i]) for i in varying]
    groups: dict[tuple[int, ...], list[int]] = {}
    codes = [columns[i].codes for i in varying]
    for row in rows:
        key = tuple([n[c[row]] for n, c in zip(numbered, codes, strict=True)])
        groups.setdefault(key, []).append(row)
    found: dict[Shape, list[int]] = {}
    for members in groups.values():
        row = members[0]
        states = [(column.tag, known[i][column.codes[row]]) for i, column in enumerate(columns)]
        there = [(tag, state) for tag, state in states if state is not None]
        shape = Shape(
            tuple((tag, state) for tag, (state, _) in there),
            tuple((tag, value) for tag, (_, value) in there if tag in wanted),
        )
        found.setdefault(shape, []).extend(members)
    return found


def _states(table: Table, column: Column, wanted: frozenset[str]) -> list[tuple[State, str] | None]:
    """For each cell of a column its state and, where asked for, its value; None for absent."""
    entry = lookup(column.tag)
    plain = entry is not None and entry.vr not in ("SQ", "UN") and column.tag not in wanted
    states: list[tuple[State, str] | None] = [None]
    items: dict[int, tuple[Shape, ...]] | None = None
    for code in range(1, len(column.cells)):
        if plain and len(column.cells[code]) > _SURELY_VALUED:
            states.append((PRESENT, ""))
            continue
        cell = table.cell(column, code)
        state: State = EMPTY if cell.empty else PRESENT
        if cell.items:
            if items is None:
                items = _items(table, column, wanted)
            state = items[code]
        states.append((state, cell.shown if column.tag in wanted else ""))
    return states


def _items(table: Table, column: Column, wanted: frozenset[str]) -> dict[int, tuple[Shape, ...]]:
    """For each cell of a sequence column the shapes of its items."""
    items = table.items(column)
    shapes = shapes_of(items, range(items.rows), values=wanted)
    placed = {row: shape for shape, rows in shapes.items() for row in rows}
    found: dict[int, list[Shape]] = {}
    for row, owner in enumerate(items.owners):
        found.setdefault(owner, []).append(placed[row])
    return {owner: tuple(of) for owner, of in found.items()}


def _numbers(states: list[tuple[State, str] | None]) -> list[int]:
    """For each cell the number of its state: equal states have equal numbers."""
    numbers: dict[tuple[State, str] | None, int] = {}
    return [numbers.setdefault(state, len(numbers)) for state in states]
