"""Which attributes differ between two copies of a series. Values are not told: they may name a patient."""

from typing import Final

import msgspec

from heltig.dicom.cell import ABSENT, Cell
from heltig.dicom.snapshot import read_snapshot
from heltig.dicom.source import FILES
from heltig.dicom.study import StudyTable
from heltig.standard.dictionary import keyword_of
from heltig.store.series_contents import content_of
from heltig.store.transaction import ReadTransaction

MOST: Final = 100
"""Attributes of a series that are named."""


class Differing(msgspec.Struct, frozen=True):
    """What differs between two copies of a series.

    Attributes:
        here: Number of its instances in the one; one that is there twice counts twice.
        there: In the other.
        attributes: Keywords of the attributes that differ in any instance, or tags where they have none; not
            told where the numbers differ, since it is not known which instance is which.
    """

    here: int
    there: int
    attributes: tuple[str, ...]


def differing_attributes(transaction: ReadTransaction, here: int, there: int, series_key: str) -> Differing:
    """What differs between two copies of a series.

    Args:
        transaction: Any.
        here: The row of the study in one archive.
        there: Likewise in another one.
        series_key: A series of both, with the same instances.

    Raises:
        StorageError: The stored evidence is damaged.
    """
    contents = [content_of(transaction, row, series_key) for row in (here, there)]
    mine, theirs = (read_snapshot(series_key, None, FILES, [one]) for one in contents if one is not None)
    if mine.rows != theirs.rows:
        return Differing(mine.rows, theirs.rows, ())
    differing = [
        tag for tag in sorted(mine.columns.keys() | theirs.columns.keys()) if _differs(tag, mine, theirs)
    ]
    named = tuple(keyword_of(tag[:8]) or tag for tag in differing[:MOST])
    return Differing(mine.rows, theirs.rows, named)


def _differs(tag: str, mine: StudyTable, theirs: StudyTable) -> bool:
    """Whether an attribute has other values; rows of both stand in the order of their SOP Instance UIDs."""
    pairs = set(zip(_codes(mine, tag), _codes(theirs, tag), strict=False))
    return any(_values(mine, tag, one) != _values(theirs, tag, other) for one, other in pairs)


def _codes(table: StudyTable, tag: str) -> list[int]:
    column = table.columns.get(tag)
    if column is None:
        return [0] * table.rows
    return [1] * table.rows if column.constant else list(column.codes)


def _values(table: StudyTable, tag: str, code: int) -> object:
    column = table.columns.get(tag)
    cell: Cell = ABSENT if column is None else table.cell(column, code)
    return cell.vr, cell.values, cell.bulk, cell.items
