"""Geometry: is each stack of slices whole and regular?"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from heltig.dicom.geometry import along
from heltig.dicom.numbers import parse_is
from heltig.dicom.stacks import Space, Stack
from heltig.rules.planes import Planes, has_slices, planes_of
from heltig.rules.rule import Hit, rule
from heltig.rules.stacking import PlacedStack, points, stacks_of
from heltig.rules.views import SeriesView

_READS: Final = ("ImagePositionPatient", "PerFrameFunctionalGroupsSequence")
_WIDE: Final = 3
"""A space of more slices than this is one between two stacks, where InstanceNumbers run on over it."""

_NAMED: Final = 3
"""Gaps of a stack that are reported one by one; more are one finding."""

_JUDGED: Final = 4
"""Slices of which one can say that they should be equally far apart."""

_LINE: Final = 3
"""Slices of which one can say that they stand in line."""


def has_stack(series: SeriesView) -> bool:
    """Some images of the series lie one above the other."""
    return has_slices(series) and any(len(found.stack.planes) > 1 for found in stacks_of(series))


def millimetres(number: float) -> str:
    """A length or place to the hundredth.

    >>> millimetres(-12.5)
    '-12.5'
    """
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@rule(
    "GEO-SLICE-GAP",
    level="series",
    severity="review",
    reads=_READS,
    needs=("metadata", "complete_study"),
    when=has_stack,
)
def slice_gap(series: SeriesView) -> Iterator[Hit]:
    """Slices are missing within a stack.

    Finds: Spaces between neighbouring slices of a CT, MR or PET stack that are a multiple of its usual one,
        measured along the normal of the slices, and slices that some volumes of a series have and another has
        not. Positions in time, echoes, b-values, acquisitions, kinds of image and declared stacks are each
        looked at for themselves. A wide space over which InstanceNumbers run on lies between two stacks, and
        a space that is explained by an image whose position is damaged is that rule's matter. The instances
        named are those on both sides. Localizers are left alone.
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
            if len(gaps) <= _NAMED:
                yield from (_gap([space], found.stack, planes) for space in gaps)
            else:
                yield _gap(gaps, found.stack, planes)
            yield from _incomplete(found.stack, planes)


def _gaps(found: PlacedStack, planes: Planes, series: SeriesView) -> list[Space]:
    """The spaces of a stack in which slices are missing."""
    stack = found.stack
    gaps = [space for space in stack.uneven if space.missing and stack.has_step]
    if sum(space.missing for space in gaps) <= planes.unplaced:
        return []  # GEO-IPP-IOP-MISSING tells of the images that may lie there
    return [
        space
        for space in gaps
        if not _explained(space, found, planes) and not _runs_on(space, stack, series, planes)
    ]


def _incomplete(stack: Stack, planes: Planes) -> Iterator[Hit]:
    """Positions that fewer volumes have than have the others."""
    lacking = [
        (height, level)
        for height, level in zip(stack.heights, stack.levels, strict=True)
        if len(level) < stack.usual
    ]
    if sum(stack.usual - len(level) for _, level in lacking) > planes.unplaced:
        for height, level in lacking:
            yield Hit(
                tags=("ImagePositionPatient",),
                observed=f"{stack.usual - len(level)} missing at {millimetres(height)} mm",
                expected=f"{stack.usual} images, as at the other positions",
                rows=planes.rows_of(level),
            )


def _gap(gaps: Sequence[Space], stack: Stack, planes: Planes) -> Hit:
    below, above = stack.heights[gaps[0].below], stack.heights[gaps[-1].below + 1]
    missing = sum(space.missing for space in gaps)
    slices = "1 slice" if missing == 1 else f"{missing} slices"
    places = f" at {len(gaps)} places" if len(gaps) > 1 else ""
    beside = {level for space in gaps for level in (space.below, space.below + 1)}
    return Hit(
        tags=("ImagePositionPatient",),
        observed=f"{slices} missing{places} between {millimetres(below)} and {millimetres(above)} mm",
        expected=f"a slice every {millimetres(stack.step)} mm",
        rows=planes.rows_of([plane for level in beside for plane in stack.levels[level]]),
    )


def _explained(space: Space, found: PlacedStack, planes: Planes) -> bool:
    """A slice of wrong orientation lies in the space: GEO-IOP-MIXED tells of it."""
    below, above = found.stack.heights[space.below], found.stack.heights[space.below + 1]
    strays = [position for plane in planes.strays if (position := planes.positions[plane]) is not None]
    return any(below < place < above for place in along(found.orientation.normal, strays))


def _runs_on(space: Space, stack: Stack, series: SeriesView, planes: Planes) -> bool:
    """InstanceNumbers run on over a wide space: nothing is missing in it, two stacks lie apart."""
    if space.missing < _WIDE or planes.table is not None:
        return False
    numbers = series.texts("InstanceNumber")
    start = series.rows.start
    below = [parse_is(numbers[planes.rows[plane] - start]) for plane in stack.levels[space.below]]
    above = [parse_is(numbers[planes.rows[plane] - start]) for plane in stack.levels[space.below + 1]]
    return any(a is not None and b is not None and abs(a - b) == 1 for a in below for b in above)


@rule(
    "GEO-SLICE-IRREGULAR",
    level="series",
    severity="review",
    reads=_READS,
    needs=("metadata", "complete_study"),
    when=has_stack,
)
def slice_irregular(series: SeriesView) -> Iterator[Hit]:
    """The slices of a stack are not equally far apart.

    Finds: Spaces between neighbouring slices of a CT, MR or PET stack of four slices or more that differ from
        its usual one by more than the profile's `slice_distance_ratio` and `slice_distance_mm`, and are no
        multiple of it. Parts of different SliceThickness may each have a step of their own. Localizers are
        left alone.
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
        spaces = stack.uneven if not stack.has_step else [s for s in stack.uneven if not s.missing]
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


@rule("GEO-SLICE-DUP", level="series", severity="review", reads=_READS, when=has_stack)
def slice_duplicate(series: SeriesView) -> Iterator[Hit]:
    """Two slices of a stack have the same position.

    Finds: Positions at which a CT, MR or PET stack has more images than elsewhere, with nothing to tell them
        apart: no position in time, echo, b-value, direction, trigger time, kind of image, kernel or other
        acquisition. Where all positions have the same number of images, they are volumes. Copies of one
        object do not count: they have one SOPInstanceUID. Localizers are left alone.
    Why: Software that builds volumes drops one of the two, or moves all further slices by one.
    Mend: Compare the two. If one has the wrong position, have it sent again; if it is a second version of the
        same slice, have the wrong one rejected.
    Example: A slice reconstructed twice and sent with a new SOPInstanceUID.
    """
    planes = planes_of(series)
    for found in stacks_of(series):
        stack = found.stack
        if not stack.usual or not stack.flaws or len(stack.levels) < 2:
            continue
        for height, level in zip(stack.heights, stack.levels, strict=True):
            if len(level) > stack.usual:
                yield Hit(
                    tags=("ImagePositionPatient",),
                    observed=f"{len(level)} images at {millimetres(height)} mm",
                    expected="1 image" if stack.usual == 1 else f"{stack.usual} images, as elsewhere",
                    rows=planes.rows_of(level),
                )


@rule("GEO-SHEAR", level="series", severity="note", reads=_READS, when=has_stack)
def shear(series: SeriesView) -> Iterator[Hit]:
    """A stack leans: its slices are not stacked along their normal.

    Finds: CT, MR and PET stacks of three slices or more whose positions drift within the plane, by more than
        the profile's `stack_lean_degrees` from the first slice to the last, or in which a slice is shifted
        against the line of the others by more than `stack_shift_mm`. Localizers are left alone.
    Why: Software that puts slices straight on top of one another shows the body sheared. It is right for
        scans with a tilted gantry, which must be resampled before they are measured in three dimensions.
    Mend: Nothing for a tilted gantry. A shift of single slices shows that two scans were mixed, or that a
        position was damaged.
    Example: A scan of the head with the gantry tilted by 18 degrees.
    """
    parameters = series.context.parameters
    planes = planes_of(series)
    for found in stacks_of(series):
        stack = found.stack
        if len(stack.levels) < _LINE:
            continue
        at = points(planes, stack)
        height = stack.places[-1] - stack.places[0]
        drifts, shifts = [], []
        for direction in found.orientation:
            places = along(direction, at)
            drift = (places[-1] - places[0]) / height
            drifts.append(drift)
            offsets = [place - drift * z for place, z in zip(places, stack.places, strict=True)]
            shifts.append((max(offsets) - min(offsets), offsets))
        lean = math.degrees(math.atan(math.hypot(*drifts)))
        worst, offsets = max(shifts)
        if worst > parameters.stack_shift_mm:
            yield _shift(offsets, stack, planes, parameters.stack_shift_mm)
        elif lean > parameters.stack_lean_degrees:
            yield Hit(
                tags=("ImagePositionPatient",),
                observed=f"leans by {lean:.1f}°",
                expected="slices along their normal",
                rows=planes.rows_of(stack.planes),
            )


def _shift(offsets: Sequence[float], stack: Stack, planes: Planes, limit: float) -> Hit:
    middle = sorted(offsets)[len(offsets) // 2]
    shifted = [
        (plane, offset - middle)
        for plane, offset in zip(stack.planes, offsets, strict=True)
        if abs(offset - middle) > limit / 2
    ]
    worst = max((abs(by) for _, by in shifted), default=limit)
    return Hit(
        tags=("ImagePositionPatient",),
        observed=f"{len(shifted)} of {len(offsets)} images shifted by up to {millimetres(worst)} mm",
        expected="slices in one line",
        rows=planes.rows_of([plane for plane, _ in shifted] or stack.planes),
    )
