"""Where the images of a study stand in space, for objects that refer to them by UID and frame."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from heltig.dicom.frames import FrameTable
from heltig.dicom.geometry import Orientation, Vector, as_orientation, as_position, dot
from heltig.dicom.table import ItemTable
from heltig.rules.pixel_facts import is_image
from heltig.rules.planes import numbers_of
from heltig.rules.references_sources import SEGMENTATIONS
from heltig.rules.views import RowsView, SeriesView, StudyView

Box = tuple[Vector, Vector]
"""The least and the greatest coordinates of something."""

_REACH_MM: Final = 1.0
"""The least distance from an image's plane that still is in the image."""

_SLACK: Final = 1.05
"""Positions are rounded: a part of half a step, in which nobody can tell which image is nearer."""

_UNPLACED: Final = SEGMENTATIONS | {"1.2.840.10008.5.1.4.1.1.481.2"}
"""Segmentations and doses are made from images, and stand by rules of their own."""


class ImagePlane(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One image, or one frame of an image, in the patient's coordinates (millimetres); equal to itself alone.

    Attributes:
        row: Its row in the study.
        frame_of_reference: FrameOfReferenceUID; empty where there is none.
        position: The centre of its first pixel.
        orientation: The directions of its rows and columns.
        spacing: The distances of its rows and of its columns; None where they are not known.
        size: How many rows and columns it has; None where that is not known.
        thickness: SliceThickness; 0 where it is not known.
    """

    row: int
    frame_of_reference: str
    position: Vector
    orientation: Orientation
    spacing: tuple[float, float] | None
    size: tuple[int, int] | None
    thickness: float

    @property
    def height(self) -> float:
        """Where it stands along its normal."""
        return dot(self.orientation.normal, self.position)

    @property
    def corners(self) -> tuple[Vector, ...]:
        """The centres of the pixels in its four corners; none where its extent is not known."""
        if self.spacing is None or self.size is None:
            return ()
        down = self.spacing[0] * (self.size[0] - 1)
        across = self.spacing[1] * (self.size[1] - 1)
        left, right = self.position, moved(self.position, self.orientation.row, across)
        column = self.orientation.column
        return left, moved(left, column, down), right, moved(right, column, down)


class ImagePlanes(NamedTuple):
    """The placed images of a study.

    Attributes:
        of: The planes by SOPInstanceUID and frame number, 0 for images of one frame.
        reach: How far from its plane something still is in the image: half the way to the next image of its
            series, or half its thickness, at least a millimetre.
    """

    of: dict[tuple[str, int], ImagePlane]
    reach: dict[ImagePlane, float]

    def at(self, uid: str, frame: int) -> ImagePlane | None:
        """The image, or its frame; an image of one frame is named with a frame number or without."""
        return self.of.get((uid, frame)) or self.of.get((uid, 0))


def image_planes(study: StudyView) -> ImagePlanes:
    """The images of a study that have position and orientation; found once a study."""
    return study.once(_image_planes)


def _image_planes(study: StudyView) -> ImagePlanes:
    found: dict[tuple[str, int], ImagePlane] = {}
    reach: dict[ImagePlane, float] = {}
    for series in study.series:
        of_series = _of_series(series)
        found.update(of_series)
        reach.update(_reaches(of_series.values()))
    return ImagePlanes(found, reach)


def _of_series(series: SeriesView) -> dict[tuple[str, int], ImagePlane]:
    classes = series.texts("SOPClassUID")
    if not any(map(_is_placed, set(classes))):
        return {}
    uids, frames = series.texts("SOPInstanceUID"), series.texts("FrameOfReferenceUID")
    start = series.rows.start
    declared = numbers_of(series, "NumberOfFrames", series.rows)
    found = {}
    for row, number, plane in planes_of_rows(series, series.rows, frames):
        uid, sop_class = uids[row - start], classes[row - start]
        if uid and _is_placed(sop_class) and (number or (_whole(declared[row - start]) or 1) == 1):
            found[uid, number] = plane
    return found


@lru_cache(256)
def _is_placed(sop_class_uid: str) -> bool:
    return is_image(sop_class_uid) and sop_class_uid not in _UNPLACED


def planes_of_rows(
    view: RowsView, rows: Sequence[int], frames_of_reference: Sequence[str]
) -> list[tuple[int, int, ImagePlane]]:
    """The planes of some instances, or of their frames: row, frame number (0 for one frame) and plane.

    Args:
        view: The study or series that has them.
        rows: Their rows.
        frames_of_reference: FrameOfReferenceUID of each.
    """
    table = FrameTable(view.table, rows)
    own = dict(zip(rows, frames_of_reference, strict=True))
    sizes = dict(
        zip(rows, map(_size, *(numbers_of(view, name, rows) for name in ("Rows", "Columns"))), strict=True)
    )
    columns = (
        map(as_position, table.numbers("PlanePositionSequence", "ImagePositionPatient")),
        map(_directions, table.numbers("PlaneOrientationSequence", "ImageOrientationPatient")),
        map(_spacing, table.numbers("PixelMeasuresSequence", "PixelSpacing")),
        map(_thickness, table.numbers("PixelMeasuresSequence", "SliceThickness")),
    )
    found = []
    for frame, point, directions, spacing, thickness in zip(table.frames, *columns, strict=True):
        if point is not None and directions is not None:
            row, number = frame
            plane = ImagePlane(row, own[row], point, directions, spacing, sizes[row], thickness)
            found.append((row, number, plane))
    return found


_WIDEST: Final = 1000.0
"""Millimetres that pixels or slices measure at the most."""

_MOST_PIXELS: Final = 65_535


@lru_cache(1024)
def _directions(numbers: tuple[float | None, ...]) -> Orientation | None:
    """Image Orientation (Patient) of planes that have a normal."""
    directions = as_orientation(numbers)
    return directions if directions and any(directions.normal) else None


def _thickness(numbers: tuple[float | None, ...]) -> float:
    """The first of some numbers, where it may be the thickness of a slice; else 0."""
    thick = numbers[0] if numbers else None
    return thick if thick and 0 < thick < _WIDEST else 0.0


def _spacing(numbers: tuple[float | None, ...]) -> tuple[float, float] | None:
    if len(numbers) != 2:
        return None
    down, across = numbers
    if down is None or across is None or not (0 < down < _WIDEST and 0 < across < _WIDEST):
        return None
    return down, across


def _whole(numbers: tuple[float | None, ...]) -> int | None:
    """The first of some numbers, where it is a whole one."""
    number = numbers[0] if numbers else None
    return int(number) if number is not None and number == int(number) else None


def _size(
    rows_numbers: tuple[float | None, ...], columns_numbers: tuple[float | None, ...]
) -> tuple[int, int] | None:
    rows, columns = _whole(rows_numbers) or 0, _whole(columns_numbers) or 0
    return (rows, columns) if 0 < rows <= _MOST_PIXELS and 0 < columns <= _MOST_PIXELS else None


def _reaches(planes: Iterable[ImagePlane]) -> dict[ImagePlane, float]:
    """How far each plane of a series reaches: half the greater of its thickness and the steps beside it."""
    stacks: dict[tuple[float, ...], list[tuple[float, ImagePlane]]] = {}
    rounded: dict[Vector, tuple[float, ...]] = {}
    for plane in planes:
        normal = plane.orientation.normal
        if normal not in rounded:
            rounded[normal] = tuple([round(cosine, 2) for cosine in normal])
        height = round(dot(normal, plane.position), 2)
        stacks.setdefault(rounded[normal], []).append((height, plane))
    reach = {}
    for stack in stacks.values():
        heights = sorted({height for height, _ in stack})
        steps = [above - below for below, above in pairwise(heights)]
        beside = {height: max(steps[max(i - 1, 0) : i + 1], default=0.0) for i, height in enumerate(heights)}
        for height, plane in stack:
            half = max(beside[height], plane.thickness) / 2
            reach[plane] = max(half, _REACH_MM) * _SLACK
    return reach


def box_of(points: Iterable[Vector]) -> Box | None:
    """The box that points fill; None where there are none."""
    known = list(points)
    if not known:
        return None
    xs, ys, zs = zip(*known, strict=True)
    return (min(xs), min(ys), min(zs)), (max(xs), max(ys), max(zs))


def apart(one: Box, other: Box) -> float:
    """How far two boxes are from each other along an axis, in millimetres; 0 or less where they meet."""
    return max(
        max(low - high_of_other, low_of_other - high)
        for low, high, low_of_other, high_of_other in zip(*one, *other, strict=True)
    )


def moved(point: Vector, direction: Vector, by: float) -> Vector:
    """A point further along a direction, in millimetres."""
    x, y, z = point
    return x + direction[0] * by, y + direction[1] * by, z + direction[2] * by


def by_owner(items: ItemTable) -> dict[int, list[int]]:
    """The items of each cell of a sequence, by the code of the cell."""
    found: dict[int, list[int]] = {}
    for item, owner in enumerate(items.owners):
        found.setdefault(owner, []).append(item)
    return found
