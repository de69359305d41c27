"""Instances of one SOPInstanceUID: are they copies of one object, or two objects?

Compared is what the object says, not how it is written: decoded values, in items of sequences too. Left out
are

- group 0002, Specific Character Set, group lengths and padding: they say how the data set is encoded;
- private attributes: archives and routers put marks of their own into them;
- attributes of a query or a retrieval: they say where the object lies;
- pixel data of which nothing but the length is known, as that changes with its compression. Where the files
  were at hand and the pixels, compressed alike, are not the same, a fault of the instance says so.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from heltig.dicom.cell import Cell, DataSet, Item
from heltig.dicom.column import Column
from heltig.dicom.study import element
from heltig.dicom.table import Table
from heltig.rules.views import SeriesView
from heltig.standard.dictionary import is_private, tag_of

OF_A_QUERY = (
    "QueryRetrieveLevel",
    "RetrieveAETitle",
    "InstanceAvailability",
    "ModalitiesInStudy",
    "SOPClassesInStudy",
    "RetrieveURL",
    "NumberOfPatientRelatedStudies",
    "NumberOfPatientRelatedSeries",
    "NumberOfPatientRelatedInstances",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "NumberOfSeriesRelatedInstances",
)
"""Attributes of the answers to queries (PS3.4 C.6.2.1, PS3.18 10.6.3), which no object has of its own."""

_PIXEL_DATA = tag_of("PixelData")
_PIXELS = "pixels-differ"
_NOT_COMPARED = frozenset(
    {
        *map(tag_of, OF_A_QUERY),
        tag_of("SpecificCharacterSet"),
        tag_of("AvailableTransferSyntaxUID"),
        tag_of("DataSetTrailingPadding"),
        "00080001",  # Length to End, retired
        _PIXEL_DATA,
        "7FE00001",  # Extended Offset Table, and its lengths
        "7FE00002",
        "7FE00008",  # Float and Double Float Pixel Data
        "7FE00009",
    }
)


class Copy(NamedTuple):
    """An instance whose SOPInstanceUID another one before it has.

    Attributes:
        row: Its row.
        first: The row of the first instance with this UID.
        differs: Tags of the attributes in which the two differ, ascending; empty when there is none. Pixel
            Data stands for any of the three.
    """

    row: int
    first: int
    differs: tuple[str, ...]


def copies(series: SeriesView) -> Iterator[Copy]:
    """The instances of a series whose SOPInstanceUID another instance before them has."""
    uids = series.texts("SOPInstanceUID")
    if len(set(uids)) == len(uids):
        return
    table = series.table
    columns = [c for tag, c in sorted(table.columns.items()) if not c.constant and _is_compared(tag)]
    pixels = {
        row: pixel for row in series.rows for pixel in table.faults.get(row, ()) if pixel.kind == _PIXELS
    }
    firsts: dict[str, int] = {}
    for row, uid in zip(series.rows, uids, strict=True):
        first = firsts.setdefault(uid, row)
        if uid and first != row:
            differs = [c.tag for c in columns if not _same_in(table, c, (first, row))]
            if row in pixels and pixels[row] != pixels.get(first):
                differs.append(_PIXEL_DATA)
            yield Copy(row, first, tuple(differs))


def _is_compared(tag: str) -> bool:
    return not (tag in _NOT_COMPARED or tag.startswith("0002") or tag.endswith("0000") or is_private(tag))


def _same_in(table: Table, column: Column, rows: tuple[int, int]) -> bool:
    one, other = column.codes[rows[0]], column.codes[rows[1]]
    return one == other or _same(table.cell(column, one), table.cell(column, other))


def _same(one: Cell, other: Cell) -> bool:
    """Two cells have the same value, however it is written."""
    if one.items or other.items:
        return len(one.items) == len(other.items) and all(map(_same_item, one.items, other.items))
    if one.bulk or other.bulk:
        return None in (one.length, other.length) or one.length == other.length
    if one.values == other.values:
        return True
    return one.numbers == other.numbers and None not in one.numbers


def _same_item(one: Item, other: Item) -> bool:
    if one == other:
        return True
    mine, its = _content(one), _content(other)
    return mine.keys() == its.keys() and all(_same(cell, its[tag]) for tag, cell in mine.items())


def _content(item: Item) -> dict[str, Cell]:
    data = DataSet(item.tags, item.raws, item.encoding)
    return {tag: element(data, tag) for tag in _compared_of(item.tags)}


def _compared_of(tags: Sequence[str]) -> list[str]:
    return [tag for tag in tags if _is_compared(tag)]
