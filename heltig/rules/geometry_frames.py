"""Geometry: do the functional groups of an enhanced object describe its frames?"""

from collections.abc import Iterator, Mapping
from typing import Final

from heltig.dicom.cell import ABSENT, Cell, DataSet, Item
from heltig.dicom.frames import FrameTable
from heltig.dicom.study import element
from heltig.dicom.table import Table
from heltig.rules.geometry import PLANE
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView
from heltig.standard.dictionary import is_private, keyword_of, tag_of

PLACED_BY_FRAME_OF_REFERENCE: Final = frozenset(
    {"1.2.840.10008.5.1.4.1.1.30", "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
)
"""Parametric Map, Segmentation and Label Map Segmentation: each frame lies in the frame of reference, if they
name one (PS3.3 C.7.6.16.2.3, C.7.6.16.2.4)."""

OF_SLIDES: Final = ("ImageOrientationSlide", "TotalPixelMatrixOriginSequence")
"""Attributes that show that the frame of reference is a slide's."""

_POINTERS: Final = ("FunctionalGroupPointer", "DimensionIndexPointer")
INDICES: Final = ("FrameContentSequence", "DimensionIndexValues")
_ORGANIZATION: Final = tag_of("DimensionOrganizationType")
_FRAME_CONTENT: Final = tag_of("FrameContentSequence")
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
        DimensionIndexSequence (0020,9222) has items. Of frames that have none GEO-ENH-MISSING tells.
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


def declared_dimensions(series: SeriesView) -> dict[int, Cell]:
    """DimensionIndexSequence of the instances that have items in it."""
    cells = zip(series.rows, series.cells("DimensionIndexSequence"), strict=True)
    return {row: cell for row, cell in cells if cell.items}


def _dimensions(series: SeriesView) -> Iterator[Hit]:
    declared = declared_dimensions(series)
    if not declared:
        return
    table = FrameTable(series.table, list(declared))
    wrong: dict[tuple[int, int], list[int]] = {}
    for frame, cell in zip(table.frames, table.cells(*INDICES), strict=True):
        values, dimensions = len(cell.values), len(declared[frame.row].items)
        if values not in (0, dimensions):
            wrong.setdefault((values, dimensions), []).append(frame.row)
    for (values, dimensions), rows in sorted(wrong.items()):
        yield Hit(
            tags=("DimensionIndexValues", "DimensionIndexSequence"),
            observed=f"{values} values for {dimensions} dimensions in {len(rows)} frames",
            expected="a value for each dimension",
            rows=sorted(set(rows)),
        )


@rule(
    "GEO-ENH-CONCATENATION",
    level="series",
    severity="review",
    reads=("InConcatenationNumber",),
    reference="PS3.3 C.7.6.16",
)
def concatenation(series: SeriesView) -> Iterator[Hit]:
    """An object says of its place in a concatenation what cannot be.

    Finds: InConcatenationNumber (0020,9162) below 1, or above InConcatenationTotalNumber (0020,9163); one
        number for two objects of a ConcatenationUID (0020,9161).
    Why: The parts of one image are put together by these numbers: readers drop a part, or wait for one that
        does not exist.
    Mend: Have the parts numbered from 1 on by what split the image, or sent again as one object.
    Example: The third of two parts, after the image was sent again in larger pieces.
    """
    keywords = ("ConcatenationUID", "InConcatenationNumber", "InConcatenationTotalNumber", "SOPInstanceUID")
    of_rows = zip(series.rows, *map(series.cells, keywords), strict=True)
    numbered: dict[tuple[str, float], dict[str, int]] = {}
    for row, uid, number, total, instance in of_rows:
        place, last = (cell.numbers[0] if cell.numbers else None for cell in (number, total))
        if place is None:
            continue
        if place < 1 or (last is not None and place > last):
            observed = f"part {number.text} of {total.text or 'an unknown number'}"
            yield Hit(tags=keywords[1:3], observed=observed, expected="parts from 1 on", rows=(row,))
        elif uid.text and instance.text:
            numbered.setdefault((uid.text, place), {})[instance.text] = row
    for (_, place), rows in numbered.items():
        if len(rows) > 1:
            observed = f"{len(rows)} objects are part {place:g}"
            yield Hit(tags=keywords[:2], observed=observed, expected="a part each", rows=rows.values())


@rule(
    "GEO-ENH-MISSING",
    level="series",
    severity="review",
    reads=(_OWN,),
    needs=("metadata", "all_attributes"),
    reference="PS3.3 C.7.6.16.2",
)
def frame_missing(series: SeriesView) -> Iterator[Hit]:
    """A frame does not say where it lies, or where it stands in the order of frames.

    Finds: Frames of segmentations and parametric maps, with a frame of reference of the patient, that have no
        ImagePositionPatient (0020,0032), ImageOrientationPatient (0020,0037) or PixelSpacing (0028,0030),
        neither of their own nor shared; a FrameContentSequence (0020,9111) without DimensionIndexValues
        (0020,9157) where dimensions are declared; and a dimension that points to an attribute that no frame
        has, or to no functional group of the standard or of the object. Of images GEO-IPP-IOP-MISSING tells,
        of missing groups IOD-FUNCTIONAL-GROUP.
    Why: Viewers lay a segmentation over the images by these attributes, and sort frames by these indices:
        without them they show nothing, or the wrong place.
    Mend: Have the object made anew by what wrote it. Where every frame names the one image it was made from,
        its plane can be taken from there.
    Example: A segmentation of which a de-identification tool removed PlaneOrientationSequence.
    """
    yield from _nowhere(series)
    declared = declared_dimensions(series)
    if declared:
        yield from _without_indices(series, declared)
        yield from _lost_dimensions(series, declared)


def _nowhere(series: SeriesView) -> Iterator[Hit]:
    table = FrameTable(series.table, [row for row in series.rows if _is_placed(series.table, row)])
    if not table.frames:
        return
    cells = {keyword: table.cells(macro, keyword) for macro, keyword in PLANE}
    lacking: dict[tuple[str, ...], list[int]] = {}
    for frame, of_frame in zip(table.frames, zip(*cells.values(), strict=True), strict=True):
        absent = tuple([keyword for keyword, cell in zip(cells, of_frame, strict=True) if cell.empty])
        if absent:
            lacking.setdefault(absent, []).append(frame.row)
    for keywords, rows in sorted(lacking.items()):
        yield Hit(
            tags=keywords,
            observed=f"absent or empty in {len(rows)} frames",
            expected="a place in the frame of reference of the patient",
            rows=sorted(set(rows)),
        )


def _is_placed(table: Table, row: int) -> bool:
    """An object made from images, with a frame of reference that is the patient's, not a slide's."""
    if table.at(tag_of("SOPClassUID"), row).text not in PLACED_BY_FRAME_OF_REFERENCE:
        return False
    of_slide = any(table.at(tag_of(keyword), row).vr for keyword in OF_SLIDES)
    return not of_slide and not table.at(tag_of("FrameOfReferenceUID"), row).empty


def _without_indices(series: SeriesView, declared: Mapping[int, Cell]) -> Iterator[Hit]:
    table = FrameTable(series.table, list(declared))
    own = dict(zip(series.rows, series.cells(_OWN), strict=True))
    lacking = [
        frame.row
        for frame, cell in zip(table.frames, table.cells(*INDICES), strict=True)
        if cell.empty and frame.number and _FRAME_CONTENT in own[frame.row].items[frame.number - 1].tags
    ]
    if lacking:
        yield Hit(
            tags=("DimensionIndexValues", "DimensionIndexSequence"),
            observed=f"absent or empty in {len(lacking)} frames",
            expected="a value for each dimension",
            rows=sorted(set(lacking)),
        )


def _lost_dimensions(series: SeriesView, declared: Mapping[int, Cell]) -> Iterator[Hit]:
    lost: dict[tuple[str, str], list[int]] = {}
    for row, cell in declared.items():
        if series.table.at(_ORGANIZATION, row).text == "TILED_FULL":
            continue  # what varies from tile to tile is implied (PS3.3 C.7.6.17.3)
        table = FrameTable(series.table, [row])
        for item in cell.items:
            group, pointer = pointed_at(item)
            unknown = "" if group else _unknown_group(item)
            if unknown and not _has_group(series, row, unknown):
                lost.setdefault((unknown, pointer or "DimensionIndexPointer"), []).append(row)
            elif group and pointer and all(found is ABSENT for found in table.cells(group, pointer)):
                lost.setdefault((group, pointer), []).append(row)
    for (group, pointer), rows in lost.items():
        yield Hit(
            tags=("DimensionIndexPointer", pointer),
            observed=f"{pointer} of {group}, which no frame has",
            expected="an attribute of the frames",
            rows=rows,
        )


def _unknown_group(item: Item) -> str:
    """The functional group that a dimension points to, where it is one that the standard does not have."""
    dimension = DataSet(item.tags, item.raws, item.encoding)
    tag = element(dimension, tag_of("FunctionalGroupPointer")).text
    return tag if len(tag) == 8 and not is_private(tag) else ""


def _has_group(series: SeriesView, row: int, tag: str) -> bool:
    """The group stands in the shared groups or in some frame's."""
    groups = [series.table.at(tag_of(keyword), row) for keyword in (_SHARED, _OWN)]
    return any(tag in item.tags for cell in groups for item in cell.items)


def pointed_at(item: Item) -> tuple[str, str]:
    """The functional group and the attribute that an item of DimensionIndexSequence points to.

    Keywords; empty where they are private or there is none.
    """
    dimension = DataSet(item.tags, item.raws, item.encoding)
    group, pointer = (keyword_of(element(dimension, tag_of(keyword)).text) for keyword in _POINTERS)
    return group, pointer
