"""Geometry: are the planes of a dose in order, and are dose and isocentre where the images are?"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from heltig.dicom.geometry import Vector, as_position
from heltig.dicom.table import ItemTable, Table
from heltig.rules.frames_of_reference import frames_of_structure_sets
from heltig.rules.image_planes import Box, ImagePlane, apart, box_of, image_planes, moved, planes_of_rows
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView, Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

DOSE: Final = "1.2.840.10008.5.1.4.1.1.481.2"
FAR: Final = 10.0
"""Millimetres between a dose or a structure set and the nearest image that no rounding explains."""

_BEAMS: Final = ("BeamSequence", "IonBeamSequence")
_POINTS_OF_BEAMS: Final = ("ControlPointSequence", "IonControlPointSequence")
_BEYOND: Final = 1000.0
"""Millimetres between an isocentre and the nearest image that no treatment explains."""

_ROUNDED: Final = 0.1
"""Millimetres by which two ways to write one height may differ."""

_FEWEST: Final = 3
"""Images that make a volume; fewer may be localizers."""


@rule(
    "GEO-DOSE-OFFSETS",
    level="instance",
    severity="review",
    reads=("GridFrameOffsetVector", "ImagePositionPatient", "SOPClassUID"),
    requires=("GridFrameOffsetVector",),
    when=lambda at: at["SOPClassUID"].text == DOSE and len(at["GridFrameOffsetVector"].values) > 1,
    reference="PS3.3 C.8.8.3.2",
)
def offsets(at: Values) -> Iterator[Hit]:
    """The planes of a dose are not in order, or nobody knows where they begin.

    Finds: GridFrameOffsetVector (3004,000C) of doses with two planes at one place, or with planes that go up
        and down; and one that begins neither at zero, which counts from ImagePositionPatient (0020,0032), nor
        at the third number of that, which gives heights in the patient. Unequal steps and steps downwards
        are allowed. More or fewer values than frames are a matter of PIX-FRAME-POINTER.
    Why: Planning systems and viewers interpolate between neighbouring planes: with two at one place, or out
        of order, they refuse the dose or show it in the wrong place. So they do where it begins elsewhere.
    Mend: Export the dose again from the planning system. It must not be corrected by hand: which plane is the
        wrong one cannot be told from the numbers.
    Example: A script that doubled the last plane and its offset to get an even number.
    """
    numbers = at["GridFrameOffsetVector"].numbers
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers):
        return
    steps = [after - before for before, after in pairwise(known)]
    if len(set(known)) < len(known):
        twice = next(number for place, number in enumerate(known) if number in known[:place])
        yield Hit(
            tags=("GridFrameOffsetVector",),
            observed=cut(f"{twice:.15g} more than once"),
            expected="a place of its own for each plane",
        )
    elif min(steps) < 0 < max(steps):
        turn = next(place for place, step in enumerate(steps) if step * steps[0] < 0)
        yield Hit(
            tags=("GridFrameOffsetVector",),
            observed=cut(f"{known[turn + 1]:.15g} after {known[turn]:.15g}, against the direction"),
            expected="offsets that only rise, or only fall",
        )
    else:
        yield from _beginning(known[0], at["ImagePositionPatient"].numbers)


def _beginning(first: float, position: Sequence[float | None]) -> Iterator[Hit]:
    height = position[2] if len(position) == 3 else None
    if height is not None and min(abs(first), abs(first - height)) > _ROUNDED:
        yield Hit(
            tags=("GridFrameOffsetVector", "ImagePositionPatient"),
            observed=cut(f"begins at {first:.7g}, the image at {height:.7g}"),
            expected=f"0 or {height:.7g} at the beginning",
        )


def _has_grid(at: Values) -> bool:
    return at["SOPClassUID"].text == DOSE and at.has("Rows")


@rule("PIX-DOSE-SCALING", level="instance", severity="review", when=_has_grid, reference="PS3.3 C.8.8.3",
    needs=("metadata", "all_attributes"), reads=("SOPClassUID", "Rows", "DoseGridScaling"))  # fmt: skip
def scaling(at: Values) -> Iterator[Hit]:
    """The dose cannot be told from its pixels.

    Finds: Doses with pixels and no DoseGridScaling (3004,000E). Zero is a matter of VAL-ZERO, a negative
        number one of VAL-NEGATIVE; doses that are curves or points alone need none.
    Why: The dose is the pixel times this number. Without it a program refuses the dose, or shows one that is
        wrong by a factor of a thousand or more.
    Mend: Export the dose again from the planning system. The number cannot be guessed.
    Example: A dose through an anonymiser that keeps the attributes of images only.
    """
    if not at.has("DoseGridScaling"):
        yield Hit(
            tags=("DoseGridScaling",), observed="absent or empty", expected="the dose of one pixel step"
        )


@rule("PIX-DOSE-SIGNED", level="instance", severity="review", when=_has_grid, reference="PS3.3 C.8.8.3",
    reads=("SOPClassUID", "Rows", "PixelRepresentation", "DoseType"))  # fmt: skip
def signed(at: Values) -> Iterator[Hit]:
    """The pixels of a dose are declared to have a sign.

    Finds: Doses with PixelRepresentation (0028,0103) 1 whose DoseType (3004,0004) is another than ERROR, the
        difference of two doses, which alone may be negative.
    Why: Programs take the upper half of all values for negative: where the dose is highest they show none.
    Mend: Export the dose again from the planning system. Where only the declaration was changed, 0 is right.
    Example: A dose that a program for images wrote again with signed pixels.
    """
    kind = at["DoseType"].text
    if 1.0 in at["PixelRepresentation"].numbers and kind and kind != "ERROR":
        yield Hit(
            tags=("PixelRepresentation", "DoseType"),
            observed=cut(f"signed pixels in a dose of type {kind}"),
            expected="0, without a sign",
        )


@rule(
    "GEO-DOSE-PLACE",
    level="study",
    severity="review",
    needs=("metadata", "complete_study"),
    when=lambda study: bool(study.once(_doses)),
    reads=("GridFrameOffsetVector", "ImagePositionPatient"),
    reference="PS3.3 C.8.8.3",
)
def place(study: StudyView) -> Iterator[Hit]:
    """A dose is nowhere near the images or regions of its frame of reference.

    Finds: Doses that are apart, by more than a centimetre, from the box that all images and contours of the
        study in the same FrameOfReferenceUID (0020,0052) fill; of the images there are at least three.
    Why: A dose lies in the patient. Where it does not meet what was planned on, its coordinates are of
        another plan or patient, or were changed on the way; over the images nothing is seen of it.
    Mend: Export the whole chain again from the planning system. Do not shift the dose by hand.
    Example: A dose that a script moved to another origin, and its images not.
    """
    boxes: dict[str, Box | None] = {}
    for row, (frame, dose) in sorted(study.once(_doses).items()):
        if frame not in boxes:
            boxes[frame] = box_of_images(study, frame)
        images = boxes[frame]
        if images is None or apart(images, dose) <= FAR:
            continue
        regions = box_of(_contour_points(study, frame))
        distance = min(apart(box, dose) for box in (images, regions) if box)
        if distance > FAR:
            yield Hit(
                tags=("ImagePositionPatient", "GridFrameOffsetVector"),
                observed=cut(f"{distance:.5g} mm away"),
                expected="a dose that meets the images or regions",
                rows=(row,),
            )


@rule(
    "GEO-ISOCENTER",
    level="study",
    severity="review",
    needs=("metadata", "complete_study"),
    reads=_BEAMS,
    when=lambda study: any(map(study.has, _BEAMS)) and bool(image_planes(study).of),
    reference="PS3.3 C.8.8.14",
)
def isocenter(study: StudyView) -> Iterator[Hit]:
    """The isocentre of a plan is nowhere near the images of its frame of reference.

    Finds: An IsocenterPosition (300A,012C) of a beam that is apart, by more than a metre, from the box that
        the images of the study in the same FrameOfReferenceUID (0020,0052) fill; these are at least three. A
        patient who is treated from far away lies less far from it.
    Why: The machine turns about the isocentre: a beam that meets no patient there treats nothing, or what
        nobody planned.
    Mend: Export images and plan again from the planning system. Do not shift the isocentre by hand.
    Example: A plan of which a tool wrote the isocentre in micrometres.
    """
    frames, far = study.texts("FrameOfReferenceUID"), dict[int, tuple[float, str]]()
    boxes = {frame: box_of_images(study, frame) for frame in set(frames) if frame}
    for sequence, points_of_beam in zip(_BEAMS, _POINTS_OF_BEAMS, strict=True):
        points = _below(_below(study.table, sequence), points_of_beam)
        if points is None:
            continue
        centers = points.columns.get(tag_of("IsocenterPosition"))
        for item, owner in enumerate(points.owners) if centers else ():
            numbers = points.at(tag_of("IsocenterPosition"), item).numbers
            if len(numbers) != 3 or None in numbers:
                continue
            x, y, z = (number or 0.0 for number in numbers)
            for row in points.parent.study_rows(points.column.tag, {owner}):
                box = boxes.get(frames[row])
                distance = apart(box, ((x, y, z), (x, y, z))) if box else 0.0
                if distance > max(_BEYOND, far.get(row, (0.0, ""))[0]):
                    far[row] = (
                        distance,
                        "/".join(map(tag_of, (sequence, points_of_beam, "IsocenterPosition"))),
                    )
    for row, (distance, path) in sorted(far.items()):
        yield Hit(
            tags=(path,),
            observed=cut(f"{distance:.5g} mm away"),
            expected="a place in or near the images",
            rows=(row,),
        )


def box_of_images(study: StudyView, frame: str) -> Box | None:
    """The box that the images of a frame of reference fill; None where they are too few for a volume."""
    images = [one for one in image_planes(study).of.values() if one.frame_of_reference == frame]
    if len(images) < _FEWEST:
        return None
    return box_of([corner for one in images for corner in one.corners or (one.position,)])


def _doses(study: StudyView) -> dict[int, tuple[str, Box]]:
    """The frame of reference of each dose, and the box that it fills; by row."""
    rows = sorted(row for group in study.groups("SOPClassUID") if group.key == DOSE for row in group.rows)
    if not rows:
        return {}
    uids = study.texts("FrameOfReferenceUID")
    found = {}
    for row, _, plane in planes_of_rows(study, rows, [uids[row] for row in rows]):
        offsets = study.table.at(tag_of("GridFrameOffsetVector"), row).numbers
        box = box_of(_points(plane, [offset for offset in offsets if offset is not None]))
        if plane.frame_of_reference and box:
            found[row] = plane.frame_of_reference, box
    return found


def _points(plane: ImagePlane, offsets: Sequence[float]) -> Iterator[Vector]:
    """The corners of the first and last planes of a dose.

    Offsets start at zero and count from ImagePositionPatient, or are heights in the patient (PS3.3
    C.8.8.3.2). Systems mix the two up: where they do not start at zero, both are taken.
    """
    normal, height = plane.orientation.normal, plane.position[2]
    ends = {0.0} if not offsets else {min(offsets) - offsets[0], max(offsets) - offsets[0]}
    if offsets and offsets[0]:
        ends |= {(offset - height) * normal[2] for offset in (min(offsets), max(offsets))}
        ends |= {min(offsets), max(offsets)}
    for corner in plane.corners or (plane.position,):
        for end in ends:
            yield moved(corner, normal, end)


def _contour_points(study: StudyView, frame: str) -> Iterator[Vector]:
    """The first point of each contour of the structure sets in a frame of reference."""
    rois = _below(study.table, "ROIContourSequence")
    contours = _below(rois, "ContourSequence")
    if rois is None or contours is None:
        return
    rows = {row for row, uids in frames_of_structure_sets(study).items() if frame in uids}
    owners = {
        owner
        for owner in set(contours.owners)
        if not rows.isdisjoint(rois.study_rows(contours.column.tag, {owner}))
    }
    for item, owner in enumerate(contours.owners):
        if owner in owners:
            point = as_position(contours.at(tag_of("ContourData"), item).numbers[:3])
            if point is not None:
                yield point


def _below(table: Table | None, keyword: str) -> ItemTable | None:
    column = table.columns.get(tag_of(keyword)) if table else None
    return table.items(column) if table and column else None
