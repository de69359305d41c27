"""Geometry: are contours flat and closed, and near the patient, whether their images are there or not?"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from heltig.dicom.geometry import FARTHEST, Vector, along
from heltig.dicom.table import ItemTable
from heltig.rules.contours import DATA, PATH, below, coordinates, drawn
from heltig.rules.dose_grid import FAR, box_of_images
from heltig.rules.frames_of_reference import frames_of_structure_sets
from heltig.rules.image_planes import Box, apart, box_of, image_planes
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_FLAT: Final = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "OPEN_PLANAR"})
"""Geometric types of contours that lie in one plane."""

_CLOSED: Final = _FLAT - {"OPEN_PLANAR"}
_OFF_MM: Final = 1.0
"""Millimetres from its own plane that no rounding of a contour explains."""


class _Contours(NamedTuple):
    """What is wrong with the contours of a study.

    Attributes:
        few: The number of points of closed contours that have no area, by item.
        bent: How far those that should be flat leave their plane, by item.
        far: The coordinate beyond ten metres, by item.
        boxes: The box of the other contours by row.
    """

    few: dict[int, int]
    bent: dict[int, float]
    far: dict[int, float]
    boxes: dict[int, Box]


def _contours(study: StudyView) -> _Contours:
    found = _Contours({}, {}, {}, {})
    contours = _of(study)
    if contours is None:
        return found
    judged = {item: furthest for item, _, furthest in study.once(drawn)}
    spread: dict[int, list[Vector]] = {}
    for item, numbers in enumerate(study.once(coordinates)):
        known = [number for number in numbers if number is not None]
        if not known or len(known) % 3 or len(known) < len(numbers):
            continue
        kind = contours.at(tag_of("ContourGeometricType"), item).text
        far = max(known, key=abs)
        said = integer(contours.at(tag_of("NumberOfContourPoints"), item))
        if kind in _CLOSED and len(known) < 9 and said in (None, len(known) // 3):
            found.few[item] = len(known) // 3
        if abs(far) > FARTHEST:
            if not judged.get(item):
                found.far[item] = far
            continue
        low, high = _ends(known)
        spread.setdefault(contours.owners[item], []).extend((low, high))
        if kind in _FLAT and item not in judged and min(high[axis] - low[axis] for axis in range(3)) > 0:
            off = _off_plane(list(zip(known[::3], known[1::3], known[2::3], strict=True)))
            if off > _OFF_MM:
                found.bent[item] = off
    for owner, points in spread.items():
        for row in _rows(contours, [owner]):
            box = box_of([*found.boxes.get(row, ()), *points])
            if box:
                found.boxes[row] = box
    return found


def _of(study: StudyView) -> ItemTable | None:
    return below(below(study.table, "ROIContourSequence"), "ContourSequence")


def _ends(numbers: list[float]) -> Box:
    x, y, z = numbers[::3], numbers[1::3], numbers[2::3]
    return (min(x), min(y), min(z)), (max(x), max(y), max(z))


def _off_plane(points: list[Vector]) -> float:
    """How far the furthest point is from the plane through the middle of a polygon, in millimetres."""
    x, y, z = 0.0, 0.0, 0.0  # twice its area along each axis
    for (a, b, c), (d, e, f) in zip(points, [*points[1:], points[0]], strict=True):
        x, y, z = x + (b - e) * (c + f), y + (c - f) * (a + d), z + (a - d) * (b + e)
    length = (x * x + y * y + z * z) ** 0.5
    if not length:
        return 0.0
    heights = along((x / length, y / length, z / length), points)
    middle = sum(heights) / len(heights)
    return max(abs(height - middle) for height in heights)


def _rows(contours: ItemTable, owners: Iterable[int]) -> list[int]:
    return list(contours.parent.study_rows(contours.column.tag, set(owners)))


def _hits(
    study: StudyView, wrong: dict[int, float] | dict[int, int], say: Callable[[int, float], str], wanted: str
) -> Iterator[Hit]:
    """A hit for each structure set, with the number of its contours and the worst of them."""
    contours = _of(study)
    of_row: dict[int, list[float]] = {}
    for item, figure in wrong.items() if contours else ():
        for row in _rows(contours, [contours.owners[item]]) if contours else ():
            of_row.setdefault(row, []).append(figure)
    for row, figures in sorted(of_row.items()):
        observed = cut(say(len(figures), max(figures, key=abs)))
        yield Hit(tags=(f"{PATH}/{DATA}",), observed=observed, expected=wanted, rows=(row,))


def _number(count: int) -> str:
    return f"{count} contour{'s' * (count > 1)}"


@rule("GEO-CONTOUR-FLAT", level="study", severity="review", reads=("ROIContourSequence",),
    reference="PS3.3 C.8.8.6")  # fmt: skip
def flat(study: StudyView) -> Iterator[Hit]:
    """A contour that should lie in a plane leaves it.

    Finds: Contours of type CLOSED_PLANAR, OPEN_PLANAR and the like with points more than a millimetre from
        the plane through the middle of all. Contours whose image is in the study are a matter of
        GEO-CONTOUR-PLANE, points metres away one of GEO-CONTOUR-FAR.
    Why: Planning systems put all points into one slice, or refuse the region: its shape and volume are others
        than those that were drawn, and one point that went astray pulls the outline across other organs.
    Mend: Export the structure set again from where it was drawn. Which point is wrong only an eye can tell.
    Example: A tool that wrote one coordinate of the next slice into a contour.
    """
    yield from _hits(
        study,
        study.once(_contours).bent,
        lambda count, worst: f"{_number(count)}, up to {worst:.4g} mm off",
        "points in one plane",
    )


@rule("GEO-CONTOUR-FAR", level="study", severity="review", reads=("ROIContourSequence",),
    reference="PS3.3 C.8.8.6")  # fmt: skip
def far(study: StudyView) -> Iterator[Hit]:
    """A contour lies metres away from its patient.

    Finds: Contours with a coordinate beyond ten metres. Those that GEO-CONTOUR-PLANE finds off their image
        are left to it.
    Why: The value is damaged. Programs that set memory aside for the region stop, or the outline runs across
        the whole body.
    Mend: Export the structure set again from where it was drawn.
    Example: `99999`, from a tool that wrote what was not set.
    """
    yield from _hits(
        study,
        study.once(_contours).far,
        lambda count, worst: f"{_number(count)}, a coordinate of {worst:.6g} mm",
        "points near the patient",
    )


@rule("GEO-CONTOUR-FEW", level="study", severity="note", reads=("ROIContourSequence",),
    reference="PS3.3 C.8.8.6")  # fmt: skip
def few(study: StudyView) -> Iterator[Hit]:
    """A closed contour has no area.

    Finds: Contours of type CLOSED_PLANAR with one point or two, as many as they say (others are a matter of
        GEO-CONTOUR).
    Why: They enclose nothing: some systems leave them out, some refuse the structure set. Volumes hardly
        change.
    Mend: Nothing needs to be done before the study is moved. Tools should leave them out, or call a single
        point POINT.
    Example: What a brush left at the edge of a region.
    """
    yield from _hits(
        study,
        study.once(_contours).few,
        lambda count, worst: f"{_number(count)} with {worst:g} point{'s' * (worst > 1)}",
        "three points or more",
    )


@rule("GEO-CONTOUR-PLACE", level="study", severity="review", reads=("ROIContourSequence",),
    needs=("metadata", "complete_study"), reference="PS3.3 C.8.8.6",
    when=lambda study: study.has("ROIContourSequence") and bool(image_planes(study).of))  # fmt: skip
def place(study: StudyView) -> Iterator[Hit]:
    """A structure set is nowhere near the images of its frame of reference.

    Finds: Structure sets of one frame of reference whose contours, all together, are apart by more than a
        centimetre from the box that the images of the study in the same FrameOfReferenceUID (0020,0052)
        fill; these are at least three. Contours whose images are at hand are a matter of GEO-CONTOUR-PLANE
        where they leave the plane, and of this rule where they are beside the image.
    Why: Regions are drawn on images. Where they do not meet them their coordinates are of another plan or
        patient, or were changed on the way: a dose that is planned on them goes beside the patient.
    Mend: Export images and structure set again from where it was drawn. Do not shift the contours by hand.
    Example: A script that moved the regions to another origin, and the images not.
    """
    frames = frames_of_structure_sets(study)
    off = {row for item, _, furthest in study.once(drawn) if furthest for row in _rows_of(study, item)}
    for row, box in sorted(study.once(_contours).boxes.items()):
        images = box_of_images(study, next(iter(frames[row]))) if len(frames.get(row, ())) == 1 else None
        if images is not None and row not in off and apart(images, box) > FAR:
            yield Hit(
                tags=(f"{PATH}/{DATA}",),
                observed=cut(f"{apart(images, box):.5g} mm away"),
                expected="regions that meet the images",
                rows=(row,),
            )


def _rows_of(study: StudyView, item: int) -> list[int]:
    contours = _of(study)
    return _rows(contours, [contours.owners[item]]) if contours else []
