"""Geometry: are all slices of a stack there, and equally far apart?"""

from collections.abc import Iterator, Sequence
from typing import Final

from heltig.dicom.blocks import WIDE, Evidence, is_gap, is_implausible
from heltig.dicom.geometry import along
from heltig.dicom.stacks import Space, Stack
from heltig.dicom.volumes import lacks_at_ends
from heltig.rules.geometry_stacks import NAMED, READS, has_stack, heights, millimetres, usual_number
from heltig.rules.planes import Planes, left_out, planes_of
from heltig.rules.rule import Hit, rule
from heltig.rules.stacking import PlacedStack, Volumes, evidence_of, stacks_of, volumes_of
from heltig.rules.views import SeriesView

_RUN: Final = 3
"""Spaces one after the other that make another step."""

_SINGLE: Final = 2
"""Images that are no block of their own."""

_JUDGED: Final = 4
"""Slices of which one can say that they should be equally far apart."""


@rule(
    "GEO-SLICE-GAP",
    level="series",
    severity="review",
    reads=READS,
    needs=("metadata", "complete_study"),
    when=has_stack,
    reference="PS3.3 C.7.6.2.1.1",
)
def slice_gap(series: SeriesView) -> Iterator[Hit]:
    """Slices are missing within a stack.

    Finds: Spaces between neighbouring slices of a CT, MR or PET stack that are a multiple of its usual one,
        measured along the normal of the slices, and slices that some volumes of a series have and another has
        not. Positions in time, echoes, b-values, acquisitions, kinds of image and declared stacks are each
        looked at for themselves. Where InstanceNumbers run on over a wide space, slices are probably missing
        if it is a whole number of them: it lies between two blocks (GEO-SLICE-BLOCKS) if it is not, if more
        would be missing than are there, if it is one between three equal blocks or more, or if another
        attribute changes there. Where more would be missing than are there and no InstanceNumber says so,
        the space is named, not a number. Equal spaces one after the other, and a narrow and a wide one by
        turns, are a matter of GEO-SLICE-IRREGULAR, and a space into which an image of damaged position
        belongs, or one that calls itself a localizer, one of the rule that tells of that image.
        A volume that begins later or ends earlier than the others lacks slices there, too: positions in time,
        echoes, b-values and whatever else measures the same places again should all have what one has;
        acquisitions and derived images may be of different extents, unless three volumes or more are alike.
        The instances named are those on both sides, or the volume. Localizers are left alone.
    Why: Nobody notices a missing slice until a measurement, a plan or a diagnosis is wrong: software fills
        the space or moves all further slices.
    Mend: Compare with the modality's own list of the series and send it again. Slices that were left out on
        purpose can be accepted by a waiver.
    Example: 239 of 240 slices after a timeout in the middle of the transfer.
    """
    planes = planes_of(series)
    for found in stacks_of(series):
        if found.stack.flaws:
            gaps = _gaps(found, planes, series)
            together = [gaps] if len(gaps) > NAMED else [[space] for space in gaps]
            for spaces in together:
                yield _gap(spaces, found.stack, planes, evidence_of(series))
            yield from _incomplete(found.stack, usual_number(found.stack, planes, series), planes)
    for volumes in volumes_of(series):
        if len(volumes.parts) > 1:
            yield from _cut_short(volumes, planes)


def _gaps(found: PlacedStack, planes: Planes, series: SeriesView) -> list[Space]:
    """The spaces of a stack in which slices are missing."""
    stack, evidence = found.stack, evidence_of(series)
    gaps = [space for space in stack.uneven if is_gap(space, stack, evidence)]
    changes = _changes_of_step(stack, evidence)
    gaps = [space for space in gaps if space not in changes and not _explained(space, found, series)]
    far = [space for space in gaps if is_implausible(space, stack, evidence)]
    near = [space for space in gaps if space not in far]
    # GEO-IPP-IOP-MISSING and GEO-IPP-FAR tell of the images that may lie there.
    elsewhere = planes.unplaced + sum(_beyond(space, stack) for space in far)
    return far if sum(space.missing for space in near) <= elsewhere else gaps


def _beyond(space: Space, stack: Stack) -> int:
    """How many single images stand beyond a space, away from the stack in which they leave one."""
    below = sum(map(len, stack.levels[: space.below + 1]))
    beyond = min(below, len(stack.planes) - below)
    return beyond if beyond <= _SINGLE else 0


def _changes_of_step(stack: Stack, evidence: Evidence) -> set[Space]:
    """Spaces as wide as their neighbours over which InstanceNumbers run on: another step, nothing missing."""
    runs: list[list[Space]] = []
    for space in stack.uneven:
        if runs and (runs[-1][-1].below + 1, runs[-1][-1].missing) == (space.below, space.missing):
            runs[-1].append(space)
        else:
            runs.append([space])
    return {
        space
        for run in runs
        if len(run) >= _RUN and all(evidence.runs_on(stack, space.below) for space in run)
        for space in run
    }


def _incomplete(stack: Stack, usual: int, planes: Planes) -> Iterator[Hit]:
    """Positions that fewer volumes have than have the others."""
    lacking = {}
    for height, level in zip(stack.heights, stack.levels, strict=True):
        if len(level) < usual:
            lacking[height] = level
    missing = sum(usual - len(level) for level in lacking.values())
    if missing > planes.unplaced:
        yield Hit(
            tags=("ImagePositionPatient",),
            observed=f"{missing} missing at {heights(lacking)}",
            expected=f"{usual} images, as at the other positions",
            rows=planes.rows_of([plane for level in lacking.values() for plane in level]),
        )


def _cut_short(volumes: Volumes, planes: Planes) -> Iterator[Hit]:
    """Volumes that end before others of the series do: a transfer that was interrupted ends so."""
    lacks = lacks_at_ends(volumes.whole, volumes.parts, are_alike=volumes.are_alike)
    missing = sum(len(lack.heights) for lack in lacks)
    if missing > planes.unplaced + len(planes.strays):
        places = sorted({height for lack in lacks for height in lack.heights})
        short = [volumes.parts[lack.volume] for lack in lacks]
        where = f"in {len(short)} of {len(volumes.parts)} volumes"
        yield Hit(
            tags=("ImagePositionPatient",),
            observed=f"{missing} missing at {heights(places)}, {where}",
            expected="slices wherever the other volumes have one",
            rows=planes.rows_of([plane for volume in short for plane in volume.planes]),
            message=_SHORT,
        )


_SHORT: Final = "A volume of the series ends before the others do: slices are missing there"


def _gap(gaps: Sequence[Space], stack: Stack, planes: Planes, evidence: Evidence) -> Hit:
    below, above = stack.heights[gaps[0].below], stack.heights[gaps[-1].below + 1]
    missing = sum(space.missing for space in gaps)
    slices = "1 slice" if missing == 1 else f"{missing} slices"
    places = f" at {len(gaps)} places" if len(gaps) > 1 else ""
    between = f"between {millimetres(below)} and {millimetres(above)} mm"
    observed, message = f"{slices} missing{places} {between}", None
    if any(is_implausible(space, stack, evidence) for space in gaps):
        observed, message = f"{millimetres(above - below)} mm without slices {between}", _TOO_FAR
    elif any(space.missing >= WIDE and evidence.runs_on(stack, space.below) for space in gaps):
        message = _RENUMBERED
    beside = {level for space in gaps for level in (space.below, space.below + 1)}
    return Hit(
        tags=("ImagePositionPatient",),
        observed=observed,
        expected=f"a slice every {millimetres(stack.step)} mm",
        rows=planes.rows_of([plane for level in beside for plane in stack.levels[level]]),
        message=message,
    )


_RENUMBERED: Final = (
    "Slices are probably missing within a stack: the space is a whole number of slices wide. But images are "
    "numbered on over it: they were numbered after the loss, or the scanner left the space free"
)
_TOO_FAR: Final = (
    "Images lie so far from the others of their stack that a position is probably wrong, or a part of the "
    "stack is missing"
)


def _explained(space: Space, found: PlacedStack, series: SeriesView) -> bool:
    """As many images as are missing lie in the space, but are turned, or called no slices.

    GEO-IOP-MIXED tells of those that are turned, and rules about ImageType of the others.
    """
    planes = planes_of(series)
    below, above = found.stack.heights[space.below], found.stack.heights[space.below + 1]
    others = [position for plane in planes.strays if (position := planes.positions[plane]) is not None]
    tolerance = series.context.parameters.orientation_tolerance
    others += [at for o, at in series.once(left_out) if o.is_like(found.orientation, tolerance)]
    between = sum(below < place < above for place in along(found.orientation.normal, others))
    return between >= max(1, space.missing)


@rule(
    "GEO-SLICE-IRREGULAR",
    level="series",
    severity="review",
    reads=READS,
    needs=("metadata", "complete_study"),
    when=has_stack,
    reference="PS3.3 C.7.6.2.1.1",
)
def slice_irregular(series: SeriesView) -> Iterator[Hit]:
    """The slices of a stack are not equally far apart.

    Finds: Spaces between neighbouring slices of a CT, MR or PET stack of four slices or more that differ from
        its usual one by more than the profile's `slice_distance_ratio` and `slice_distance_mm`, and are no
        multiple of it, or are one three times in a row where InstanceNumbers run on; and a narrow and a wide
        space by turns, as of two stacks in one another. Blocks of five slices or more, and parts of different
        SliceThickness, may each have a step of their own (GEO-SLICE-BLOCKS). Localizers are left alone.
    Why: Software that takes one distance for the whole stack stretches a part of the body: volumes,
        distances and doses come out wrong.
    Mend: Look where the distances change. Two scans, or parts of two series, in one are sent as two. What a
        scanner has measured so can be accepted by a waiver: nothing that uses it may assume equal spacing.
    Example: A scan of the head in steps that follow a changing tilt of the gantry.
    """
    planes = planes_of(series)
    for found in stacks_of(series):
        stack = found.stack
        if not stack.uneven or len(stack.levels) < _JUDGED:
            continue
        if stack.is_interleaved:
            yield _interleaved(stack, planes)
            continue
        evidence = evidence_of(series)
        changes = _changes_of_step(stack, evidence) if stack.has_step else ()
        spaces = [space for space in stack.uneven if space in changes or not is_gap(space, stack, evidence)]
        if spaces:
            widths = sorted(space.distance for space in spaces)
            first = stack.heights[spaces[0].below]
            many = "1 space" if len(spaces) == 1 else f"{len(spaces)} spaces"
            span = millimetres(widths[0])
            if millimetres(widths[-1]) != span:
                span += f" to {millimetres(widths[-1])}"
            beside = {level for space in spaces for level in (space.below, space.below + 1)}
            yield Hit(
                tags=("ImagePositionPatient",),
                observed=f"{many} of {len(stack.levels) - 1} of {span} mm, from {millimetres(first)} mm on",
                expected=f"a slice every {millimetres(stack.step)} mm",
                rows=planes.rows_of([plane for level in beside for plane in stack.levels[level]]),
            )


def _interleaved(stack: Stack, planes: Planes) -> Hit:
    narrow, wide = sorted(stack.spaces[:2])
    return Hit(
        tags=("ImagePositionPatient",),
        observed=f"spaces of {millimetres(narrow)} and {millimetres(wide)} mm by turns",
        expected=f"a slice every {millimetres(narrow + wide)} mm, or slices half as far apart",
        rows=planes.rows_of(stack.planes),
        message=_TWO_IN_ONE,
    )


_TWO_IN_ONE: Final = (
    "Two stacks stand in one another, shifted against each other: two scans or reconstructions became one "
    "series. No slice is missing"
)
