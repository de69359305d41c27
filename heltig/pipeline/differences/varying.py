"""Which attributes differ within a series, and between whom."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec

from heltig.dicom.column import Column
from heltig.dicom.normal import Normal, is_content, normals
from heltig.dicom.study import StudyTable
from heltig.pipeline.identifiers.sights import Sight
from heltig.pipeline.identifiers.told_values import ABSENT, Told, name_of, told

MOST_VALUES: Final = 6
"""Values of an attribute that are told, the commonest first."""


class Share(msgspec.Struct, frozen=True):
    """A value, and the number of instances that have it."""

    value: Told
    instances: int


class Varying(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute that is not the same in all instances of a series.

    Attributes:
        tag: Eight hex digits, or a `heltig.dicom.table.private_key`.
        name: What it is called.
        distinct: Number of its values; that it is missing is one of them.
        is_each: No two instances have the same.
        shares: Some of the values, the commonest first.
    """

    tag: str
    name: str
    distinct: int
    is_each: bool
    shares: tuple[Share, ...]


def varying(table: StudyTable, sight: Sight) -> list[Varying]:
    """What differs in a series, what has the fewest values first; values are the same however written.

    Args:
        table: The series, alone.
        sight: What somebody sees of patients.
    """
    found = list(_varying(table, sight))
    return sorted(found, key=lambda one: (one.is_each, one.distinct, one.tag))


def _varying(table: StudyTable, sight: Sight) -> Iterator[Varying]:
    for tag, column in table.columns.items():
        if column.constant or not is_content(tag):
            continue
        by_value, first = _counted(table, column)
        if len(by_value) < 2:
            continue
        commonest = by_value.most_common(MOST_VALUES)
        yield Varying(
            tag=tag,
            name=name_of(tag, sight),
            distinct=len(by_value),
            is_each=len(by_value) == table.rows > 2,
            shares=tuple(Share(_told(table, column, first[value], sight), n) for value, n in commonest),
        )


def _counted(
    table: StudyTable, column: Column
) -> tuple[Counter[tuple[bool, Normal]], dict[tuple[bool, Normal], int]]:
    """How many instances have each value, and one code of each; missing is another value than empty."""
    by_code = Counter(column.codes)
    forms = normals(table, column)
    counts: Counter[tuple[bool, Normal]] = Counter()
    first: dict[tuple[bool, Normal], int] = defaultdict(int)
    for code, number in by_code.items():
        value = (code == 0, forms[code])
        counts[value] += number
        first.setdefault(value, code)
    return counts, first


def _told(table: StudyTable, column: Column, code: int, sight: Sight) -> Told:
    return told(table, column, code, sight) if code else ABSENT
