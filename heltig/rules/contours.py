"""Geometry: have contours as many points as they say, and are these in the images they were drawn on?"""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.column import Column
from heltig.dicom.geometry import Vector, along, dot
from heltig.dicom.points import numbers_in, plain_numbers
from heltig.dicom.table import ItemTable, Table
from heltig.rules.frames_of_reference import frames_of_structure_sets
from heltig.rules.image_planes import ImagePlane, by_owner, image_planes
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

PATH = "/".join(map(tag_of, ("ROIContourSequence", "ContourSequence")))
DATA = tag_of("ContourData")
_POINTS = tag_of("NumberOfContourPoints")
_IMAGES: Final = tag_of("ContourImageSequence")
_ACROSS_IMAGES: Final = frozenset({"OPEN_NONPLANAR"})
"""Geometric types of contours that need not lie in an image."""


@rule(
    "GEO-CONTOUR",
    level="study",
    severity="review",
    reads=("ROIContourSequence",),
    reference="PS3.3 C.8.8.6",
)
def points(study: StudyView) -> Iterator[Hit]:
    """A contour has other points than it says.

    Finds: Contours of structure sets whose ContourData (3006,0050) are more or fewer points than
        NumberOfContourPoints (3006,0046). Three coordinates make a point: where some are left over it is a
        matter of VAL-VM, where they are no numbers one of VAL-IS-DS.
    Why: A reader that goes by the number leaves points out, or takes the next value for a coordinate: the
        region gets another shape, and another volume. Some refuse the structure set.
    Mend: Export the structure set again from where it came. Where a tool made it, have it count the points
        that it writes.
    Example: A contour that a converter thinned out, with the number of points it had before.
    """
    contours = below(below(study.table, "ROIContourSequence"), "ContourSequence")
    if contours is None:
        return
    wrong: dict[tuple[int, int], list[int]] = {}
    for item, (numbers, said) in enumerate(zip(study.once(coordinates), _said(contours), strict=True)):
        there = len(numbers)
        if there and said is not None and not there % 3 and said != there // 3:
            wrong.setdefault((said, there // 3), []).append(item)
    for (said, there), found in sorted(wrong.items()):
        owners = {contours.owners[item] for item in found}
        yield Hit(
            tags=(f"{PATH}/{_POINTS}",),
            observed=cut(f"{said}, where there {'is' if there == 1 else 'are'} {there}"),
            expected="the number of points there are",
            rows=contours.parent.study_rows(contours.column.tag, owners),
        )


def below(table: Table | None, keyword: str) -> ItemTable | None:
    """The items of a sequence; None where the table has none."""
    column = table.columns.get(tag_of(keyword)) if table else None
    return table.items(column) if table and column else None


def coordinates(study: StudyView) -> list[tuple[float | None, ...]]:
    """The numbers of each contour's ContourData, by item; none where they are elsewhere."""
    contours = below(below(study.table, "ROIContourSequence"), "ContourSequence")
    return [] if contours is None else numbers_in(contours, DATA, range(contours.rows))


def _said(contours: ItemTable) -> Iterator[int | None]:
    return (integer(contours.at(_POINTS, item)) for item in range(contours.rows))


@rule(
    "GEO-CONTOUR-PLANE",
    level="study",
    severity="review",
    reads=("ROIContourSequence",),
    when=lambda study: study.has("ROIContourSequence") and bool(image_planes(study).of),
    reference="PS3.3 C.8.8.6",
)
def plane(study: StudyView) -> Iterator[Hit]:
    """A contour is not in the image it was drawn on.

    Finds: Contours of structure sets with points further from every image of their ContourImageSequence
        (3006,0016) than half the way to the next image of its series, half its thickness, or a millimetre,
        the greatest counts. Only images of the study that have a position are looked at, in structure sets of
        one frame of reference; contours that cross images (OPEN_NONPLANAR) are left alone.
    Why: Viewers that go by the image show the contour on another slice than those that go by the points: the
        region is at two places, and one of them is treated.
    Mend: Look at the contour over its images in the system that it was drawn in, and export the structure set
        again. Images that were sent again with other positions need the structure set that fits them.
    Example: A tool that sorted the slices the other way round and left the points as they were.
    """
    contours = below(below(study.table, "ROIContourSequence"), "ContourSequence")
    if contours is None:
        return
    frames = frames_of_structure_sets(study)
    looked_at: dict[int, int] = {}
    off: dict[int, list[float]] = {}
    rows_of = {
        owner: contours.parent.study_rows(contours.column.tag, {owner}) for owner in set(contours.owners)
    }
    for item, planes, furthest in study.once(drawn):
        for row in rows_of[contours.owners[item]]:
            if {one.frame_of_reference for one in planes} == frames.get(row):
                looked_at[row] = looked_at.get(row, 0) + 1
                if furthest:
                    off.setdefault(row, []).append(furthest)
    for row, distances in sorted(off.items()):
        yield Hit(
            tags=(f"{PATH}/{DATA}",),
            observed=cut(f"{len(distances)} of {looked_at[row]} contours, up to {max(distances):.4g} mm off"),
            expected="points in the plane of their image",
            rows=(row,),
        )


def drawn(study: StudyView) -> list[tuple[int, list[ImagePlane], float]]:
    """Contours whose images are at hand: the item, its images, and how far off it is; 0 where it is not."""
    contours = below(below(study.table, "ROIContourSequence"), "ContourSequence")
    return [] if contours is None else list(_drawn(study, contours))


def _drawn(study: StudyView, contours: ItemTable) -> Iterator[tuple[int, list[ImagePlane], float]]:
    data, named = contours.columns.get(DATA), below(contours, "ContourImageSequence")
    if data is None or named is None:
        return
    images = image_planes(study)
    items = by_owner(named)
    codes = contours.columns[_IMAGES].codes
    for item, code in enumerate(codes):
        planes = [
            images.at(_text(named, "ReferencedSOPInstanceUID", one), _frame(named, one))
            for one in items.get(code, ())
        ]
        known = [one for one in planes if one is not None]
        if not known or len(known) < len(planes):
            continue
        if _text(contours, "ContourGeometricType", item) not in _ACROSS_IMAGES:
            points = points_of(contours, data, data.codes[item])
            distances = [_furthest(one, points) for one in known]
            is_in_one = any(d <= images.reach[one] for one, d in zip(known, distances, strict=True))
            yield item, known, 0.0 if is_in_one else min(distances)


def _text(items: ItemTable, keyword: str, item: int) -> str:
    return items.at(tag_of(keyword), item).text


def _frame(items: ItemTable, item: int) -> int:
    """The frame that a reference names; 0 where it names none."""
    return integer(items.at(tag_of("ReferencedFrameNumber"), item)) or 0


def points_of(contours: ItemTable, data: Column, code: int) -> list[Vector]:
    """The points of ContourData, mostly read without decoding; none where some coordinate is no number."""
    plain = plain_numbers((data.cells[code],))[0] if code else ()
    numbers = contours.cell(data, code).numbers if plain is None else plain
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or len(known) % 3:
        return []
    return list(zip(known[::3], known[1::3], known[2::3], strict=True))


def _furthest(image: ImagePlane, points: list[Vector]) -> float:
    """How far the furthest point is from an image's plane, in millimetres."""
    normal = image.orientation.normal
    heights = along(normal, points)
    own = dot(normal, image.position)
    return max((abs(height - own) for height in heights), default=0.0)
