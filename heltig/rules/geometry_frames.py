"""Geometry: do the functional groups of an enhanced object describe its frames?"""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.frames import FrameTable
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView
from heltig.standard.dictionary import keyword_of

_SHARED: Final = "SharedFunctionalGroupsSequence"
_OWN: Final = "PerFrameFunctionalGroupsSequence"


@rule(
    "GEO-ENH-FG",
    level="series",
    severity="review",
    reads=(_OWN,),
    reference="PS3.3 C.7.6.16",
)
def functional_groups(series: SeriesView) -> Iterator[Hit]:
    """The functional groups of an enhanced object do not fit its frames.

    Finds: A PerFrameFunctionalGroupsSequence (5200,9230) with more or fewer items than NumberOfFrames
        (0028,0008); a functional group of the standard that stands in the shared and in the per-frame groups
        of one object; DimensionIndexValues (0020,9157) with another number of values than
        DimensionIndexSequence (0020,9222) has items.
    Why: Which position, time or calibration belongs to which frame is in these groups alone. Viewers refuse
        the object, show frames at wrong places, or take one of two answers.
    Mend: Have the object made anew by what wrote it: frames that were cut out or put in need groups of their
        own.
    Example: An object of 60 frames of which a tool kept 30 and left all 60 descriptions.
    """
    yield from _frames(series)
    yield from _twice(series)
    yield from _dimensions(series)


def _frames(series: SeriesView) -> Iterator[Hit]:
    cells = zip(series.rows, series.cells("NumberOfFrames"), series.cells(_OWN), strict=True)
    for row, frames, own in cells:
        number = frames.numbers[0] if frames.numbers else None
        if own.items and number is not None and number != len(own.items):
            yield Hit(
                tags=("NumberOfFrames", _OWN),
                observed=f"{frames.shown} frames, {len(own.items)} described",
                expected="an item for each frame",
                rows=(row,),
            )


def _twice(series: SeriesView) -> Iterator[Hit]:
    rows: dict[str, list[int]] = {}
    for row, shared, own in zip(series.rows, series.cells(_SHARED), series.cells(_OWN), strict=True):
        groups = {tag for item in shared.items for tag in item.tags if keyword_of(tag)}  # not private ones
        if groups:
            for tag in sorted(groups.intersection({tag for item in own.items for tag in item.tags})):
                rows.setdefault(keyword_of(tag), []).append(row)
    for keyword, found in rows.items():
        yield Hit(
            tags=(keyword,),
            observed="shared and for each frame",
            expected="one of the two",
            rows=found,
        )


def _dimensions(series: SeriesView) -> Iterator[Hit]:
    declared = {
        row: len(cell.items)
        for row, cell in zip(series.rows, series.cells("DimensionIndexSequence"), strict=True)
        if cell.items
    }
    if not declared:
        return
    table = FrameTable(series.table, list(declared))
    wrong: dict[tuple[int, int], list[int]] = {}
    for frame, cell in zip(
        table.frames, table.cells("FrameContentSequence", "DimensionIndexValues"), strict=True
    ):
        if cell.values and len(cell.values) != declared[frame.row]:
            wrong.setdefault((len(cell.values), declared[frame.row]), []).append(frame.row)
    for (values, dimensions), rows in sorted(wrong.items()):
        yield Hit(
            tags=("DimensionIndexValues", "DimensionIndexSequence"),
            observed=f"{values} values for {dimensions} dimensions in {len(rows)} frames",
            expected="a value for each dimension",
            rows=sorted(set(rows)),
        )
