"""Geometry: are the frames of a segmentation where the images are that they were made from?"""

from bisect import bisect
from collections.abc import Iterator
from typing import Final, NamedTuple

from heltig.dicom.frames import PER_FRAME
from heltig.dicom.geometry import Vector, along, dot
from heltig.dicom.table import ItemTable, Table
from heltig.rules.image_planes import ImagePlane, ImagePlanes, by_owner, image_planes, planes_of_rows
from heltig.rules.pixel_facts import integer
from heltig.rules.references_sources import SEGMENTATIONS
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_PARALLEL: Final = 0.999
"""Cosine between normals of planes that are parallel."""

_IN_PLANE: Final = 0.02
"""Millimetres that planes at one height differ by, rounded."""

_POSITION: Final = "/".join(map(tag_of, ("PlanePositionSequence", "ImagePositionPatient")))
_ORIENTATION: Final = "/".join(map(tag_of, ("PlaneOrientationSequence", "ImageOrientationPatient")))
_SPACING: Final = "/".join(map(tag_of, ("PixelMeasuresSequence", "PixelSpacing")))


class _Made(NamedTuple):
    """A frame of a segmentation and the images it was made from."""

    frame: ImagePlane
    sources: list[ImagePlane]


@rule(
    "GEO-SEG-SOURCE",
    level="study",
    severity="review",
    reads=("PerFrameFunctionalGroupsSequence",),
    when=lambda study: bool(study.once(_made)),
    reference="PS3.3 C.8.20.3",
)
def source(study: StudyView) -> Iterator[Hit]:
    """A frame of a segmentation is not where the image is that it was made from.

    Finds: Frames of segmentations further from the plane of every image they name as their source than half
        the way to the next image, half the thickness, or a millimetre; and frames of as many rows and columns
        as their source, in its plane, whose corners are elsewhere. Only images of the study in the same frame
        of reference are looked at, and not those of which SpatialLocationsPreserved (0028,135A) says NO. A
        segmentation on a grid of its own is left alone, where it covers the same volume: most of its frames
        are in the plane of no image.
    Why: Viewers that go by the source lay the segment over another slice, or turned over, than those that go
        by the position: a lesion is counted in the wrong place, or has the wrong volume.
    Mend: Have the segmentation written again by its maker, from the images as they are now.
    Example: A model's output written in the order of its array, with the slices named in the order of files.
    """
    images, off = image_planes(study), dict[int, list[float]]()
    elsewhere: dict[int, int] = {}
    looked_at: dict[int, int] = {}
    for row, frames in study.once(_made).items():
        looked_at[row] = len(frames)
        distances = [_off_plane(made, images) for made in frames]
        found = [number for number, distance in enumerate(distances) if distance]
        if 2 * len(found) > len(frames):
            found = _misplaced(found, frames, images)
        if found:
            off[row] = [distances[number] for number in found]
        turned = [made for made, distance in zip(frames, distances, strict=True) if _is_other(made, distance)]
        if turned:
            elsewhere[row] = len(turned)
    for row, far in sorted(off.items()):
        yield Hit(
            tags=(f"{PER_FRAME}/{_POSITION}",),
            observed=cut(f"{len(far)} of {looked_at[row]} frames, up to {max(far):.4g} mm off"),
            expected="frames in the plane of their source image",
            rows=(row,),
        )
    for row, count in sorted(elsewhere.items()):
        yield Hit(
            tags=(_ORIENTATION, _SPACING),
            observed=f"{count} of {looked_at[row]} frames turned, shifted or of another size",
            expected="the corners of the source image, of which it has the rows and columns",
            rows=(row,),
        )


def _off_plane(made: _Made, images: ImagePlanes) -> float:
    """How far a frame is from the nearest plane of its sources; 0 within reach, or where none is parallel."""
    parallel = [one for one in made.sources if _are_parallel(made.frame, one)]
    distances = [abs(dot(one.orientation.normal, made.frame.position) - one.height) for one in parallel]
    if any(d <= images.reach[one] for one, d in zip(parallel, distances, strict=True)):
        return 0.0
    return min(distances, default=0.0)


def _are_parallel(one: ImagePlane, other: ImagePlane) -> bool:
    return abs(dot(one.orientation.normal, other.orientation.normal)) >= _PARALLEL


def _misplaced(found: list[int], frames: list[_Made], images: ImagePlanes) -> list[int]:
    """Of many frames off their sources those that no grid of the segmentation's own explains.

    They are above or below all images, or as large as an image and in the plane of another one.
    """
    sources = {one for made in frames for one in made.sources}
    slack = max(images.reach[one] for one in sources)
    of_normal: dict[Vector, list[float]] = {}
    misplaced = []
    for number in found:
        frame, source = frames[number].frame, frames[number].sources[0]
        normal = source.orientation.normal
        if normal not in of_normal:
            of_normal[normal] = sorted(along(normal, [one.position for one in sources]))
        heights, own = of_normal[normal], dot(normal, frame.position)
        above = bisect(heights, own - _IN_PLANE)
        is_level = any(height <= own + _IN_PLANE for height in heights[above : above + 1])
        if (is_level and frame.size == source.size) or not heights[0] - slack <= own <= heights[-1] + slack:
            misplaced.append(number)
    return misplaced


def _is_other(made: _Made, off_plane: float) -> bool:
    """A frame in the plane of its source, of as many rows and columns, covers something else."""
    same = [one for one in made.sources if _are_parallel(made.frame, one) and one.size == made.frame.size]
    if off_plane or len(same) < len(made.sources) or not made.frame.corners:
        return False
    return not any(_covers(made.frame, one) for one in same)


def _covers(frame: ImagePlane, source: ImagePlane) -> bool:
    """Each corner of a frame is where one of its source is, seen along the normal, within a pixel."""
    (across, down), corners = source.orientation, source.corners
    if source.spacing is None or not corners:
        return True
    slack = max(1.0, *source.spacing) * 1.5
    return all(
        any(
            abs(dot(across, one) - dot(across, other)) <= slack
            and abs(dot(down, one) - dot(down, other)) <= slack
            for other in corners
        )
        for one in frame.corners
    )


def _made(study: StudyView) -> dict[int, list[_Made]]:
    """The frames of each segmentation that name sources at hand, all in its frame of reference; by row."""
    rows = sorted(
        row for group in study.groups("SOPClassUID") if group.key in SEGMENTATIONS for row in group.rows
    )
    column = study.table.columns.get(PER_FRAME)
    if not rows or column is None:
        return {}
    images = image_planes(study)
    if not images.of:
        return {}
    groups = study.table.items(column)
    items_of, sources = by_owner(groups), _sources(groups, images)
    uids = study.texts("FrameOfReferenceUID")
    found: dict[int, list[_Made]] = {}
    for row, number, frame in planes_of_rows(study, rows, [uids[row] for row in rows]):
        items = items_of.get(column.codes[row], ())
        its = sources.get(items[number - 1], []) if 0 < number <= len(items) else []
        if (
            its
            and frame.frame_of_reference
            and {frame.frame_of_reference} == {one.frame_of_reference for one in its}
        ):
            found.setdefault(row, []).append(_Made(frame, its))
    return found


def _sources(groups: ItemTable, images: ImagePlanes) -> dict[int, list[ImagePlane]]:
    """The planes of the source images of each frame, where all of them are at hand; by its item."""
    derivations = _below(groups, "DerivationImageSequence")
    named = _below(derivations, "SourceImageSequence")
    if derivations is None or named is None:
        return {}
    of_derivation = _items_by_row(derivations, named)
    found: dict[int, list[ImagePlane]] = {}
    for item, below in _items_by_row(groups, derivations).items():
        planes = [
            _plane(named, one, images) for derivation in below for one in of_derivation.get(derivation, ())
        ]
        known = [plane for plane in planes if plane is not None]
        if known and len(known) == len(planes):
            found[item] = known
    return found


def _plane(named: ItemTable, item: int, images: ImagePlanes) -> ImagePlane | None:
    """The plane of a source image; None where it is not at hand, or need not be where the segment is."""
    if named.at(tag_of("SpatialLocationsPreserved"), item).text == "NO":
        return None
    frame = integer(named.at(tag_of("ReferencedFrameNumber"), item)) or 0
    return images.at(named.at(tag_of("ReferencedSOPInstanceUID"), item).text, frame)


def _below(table: Table | None, keyword: str) -> ItemTable | None:
    column = table.columns.get(tag_of(keyword)) if table else None
    return table.items(column) if table and column else None


def _items_by_row(table: Table, items: ItemTable) -> dict[int, list[int]]:
    """The items of a sequence by the row of the table that has it."""
    of_cell = by_owner(items)
    return {row: of_cell[code] for row, code in enumerate(items.column.codes) if code in of_cell}
