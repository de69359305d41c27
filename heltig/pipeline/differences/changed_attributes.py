"""Which attributes differ between two states of a series, instance by instance, and how."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from heltig.dicom.cell import Cell, Item
from heltig.dicom.column import Column
from heltig.dicom.normal import Normal, is_content, normal, normals, texts
from heltig.dicom.study import SOP_INSTANCE_UID, StudyTable
from heltig.dicom.table import decoded
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.identifiers.told_values import Told, name_of, told

MOST_PAIRS: Final = 4
"""Pairs of values of an attribute that are told, the commonest first."""

MOST_ATTRIBUTES: Final = 40
"""Attributes of a series, or of the items of a sequence, that are told."""

_DEEPEST: Final = 8


class Pair(msgspec.Struct, frozen=True):
    """What a value was and is, and the number of instances of which that holds."""

    before: Told
    after: Told
    instances: int


class ChangedAttribute(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute that differs.

    Attributes:
        tag: Eight hex digits, or a `heltig.dicom.table.private_key`.
        name: What it is called.
        instances: Number of instances in which it differs.
        pairs: Some of what it was and is, the commonest first; `more` is the number of others.
        within: Of a sequence, the attributes in its items that differ, in one of the instances.
    """

    tag: str
    name: str
    instances: int
    pairs: tuple[Pair, ...]
    more: int
    within: tuple[str, ...] = ()


class ChangedSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A series that differs.

    Attributes:
        key: Its key.
        only_before: Number of instances that it had and has not; `only_after` the other way round.
        both: Number of those that it has in both.
        attributes: What differs in those.
        more: Number of attributes that differ and are not told.
    """

    key: str
    only_before: int
    only_after: int
    both: int
    attributes: tuple[ChangedAttribute, ...] = ()
    more: int = 0

    @property
    def is_same(self) -> bool:
        """Nothing differs but the way in which it is written."""
        return not (self.only_before or self.only_after or self.attributes or self.more)


def changed_series(
    key: str,
    before: StudyTable,
    after: StudyTable,
    sight: Sight,
    *,
    shows_all: bool,
    most: int = MOST_ATTRIBUTES,
) -> ChangedSeries:
    """What differs between two states of a series; values are the same however they are written.

    Args:
        key: The series.
        before: One state of it, alone.
        after: The other.
        sight: What somebody sees of patients.
        shows_all: Both sources show all attributes. Otherwise one that is missing on a side tells nothing.
        most: The number of attributes that are told.
    """
    here, there = _rows_by_uid(before), _rows_by_uid(after)
    common = [uid for uid in here if uid in there]
    rows = [here[uid] for uid in common], [there[uid] for uid in common]
    found = []
    for tag in sorted(before.columns.keys() | after.columns.keys()):
        if is_content(tag):
            one = _changed(tag, (before, after), rows, sight, shows_all)
            if one is not None:
                found.append(one)
    return ChangedSeries(
        key=key,
        only_before=len(here) - len(common),
        only_after=len(there) - len(common),
        both=len(common),
        attributes=tuple(found[:most]),
        more=max(0, len(found) - most),
    )


def _rows_by_uid(table: StudyTable) -> dict[tuple[str, int], int]:
    """The rows by SOPInstanceUID; those that share one are told apart by their order."""
    column = table.columns.get(SOP_INSTANCE_UID)
    uids = [""] * table.rows if column is None else _by_row(texts(table, column), column)
    seen: Counter[str] = Counter()
    found = {}
    for row, uid in enumerate(uids):
        found[uid, seen[uid]] = row
        seen[uid] += 1
    return found


def _by_row(values: Sequence[str], column: Column) -> list[str]:
    return [values[code] for code in column.codes]


def _changed(
    tag: str,
    tables: tuple[StudyTable, StudyTable],
    rows: tuple[list[int], list[int]],
    sight: Sight,
    shows_all: bool,
) -> ChangedAttribute | None:
    columns = [table.columns.get(tag) for table in tables]
    codes = [
        [0] * len(of) if column is None else [column.codes[row] for row in of]
        for column, of in zip(columns, rows, strict=True)
    ]
    forms: list[list[Normal]] = [
        [""] if column is None else normals(table, column)
        for table, column in zip(tables, columns, strict=True)
    ]
    counts: Counter[tuple[Normal, Normal]] = Counter()
    first: dict[tuple[Normal, Normal], tuple[int, int]] = {}
    for (one, other), number in Counter(zip(*codes, strict=True)).items():
        if forms[0][one] == forms[1][other] or (not shows_all and not (one and other)):
            continue
        pair = forms[0][one], forms[1][other]
        counts[pair] += number
        first.setdefault(pair, (one, other))
    if not counts:
        return None
    shown = counts.most_common(MOST_PAIRS)
    cells = [
        _cell(table, column, code)
        for table, column, code in zip(tables, columns, first[shown[0][0]], strict=True)
    ]
    return ChangedAttribute(
        tag=tag,
        name=name_of(tag, sight),
        instances=sum(counts.values()),
        pairs=tuple(
            Pair(
                told(tables[0], columns[0], first[pair][0], sight),
                told(tables[1], columns[1], first[pair][1], sight),
                number,
            )
            for pair, number in shown
        ),
        more=len(counts) - len(shown),
        within=_within(sight, *cells),
    )


def _cell(table: StudyTable, column: Column | None, code: int) -> Cell | None:
    return None if column is None or not code else table.cell(column, code)


def _within(sight: Sight, before: Cell | None, after: Cell | None) -> tuple[str, ...]:
    """The attributes that differ in the items of a sequence, by the way to them."""
    if before is None or after is None:
        return ()
    return tuple(dict.fromkeys(_ways(before.items, after.items, sight, 0)))[:MOST_ATTRIBUTES]


def _ways(before: Sequence[Item], after: Sequence[Item], sight: Sight, depth: int) -> list[str]:
    found: list[str] = []
    if depth >= _DEEPEST:
        return found
    for one, other in zip(before, after, strict=False):
        mine, theirs = _elements(one), _elements(other)
        for tag in sorted(mine.keys() | theirs.keys()):
            this, that = mine.get(tag), theirs.get(tag)
            if not is_content(tag) or (this and normal(tag, this)) == (that and normal(tag, that)):
                continue
            deeper = _ways(this.items, that.items, sight, depth + 1) if this and that else []
            name = name_of(tag, sight)
            found += [f"{name} > {way}" for way in deeper] or [name]
    return found


def _elements(item: Item) -> dict[str, Cell]:
    return {tag: decoded(tag, raw, item.encoding) for tag, raw in zip(item.tags, item.raws, strict=True)}
