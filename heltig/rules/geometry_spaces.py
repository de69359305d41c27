"""Geometry: are all slices of a stack there, and equally far apart?"""

from collections.abc import Iterator, Sequence
from typing import Final

from heltig.dicom.geometry import along
from heltig.dicom.numbers import parse_is
from heltig.dicom.stacks import Space, Stack
from heltig.rules.geometry_stacks import NAMED, READS, has_stack, heights, millimetres
from heltig.rules.planes import Planes, planes_of
from heltig.rules.rule import Hit, rule
from heltig.rules.stacking import PlacedStack, stacks_of
from heltig.rules.views import SeriesView

_WIDE: Final = 3
"""A space of so many slices or more is one between two stacks, where InstanceNumbers run on over it."""

_RUN: Final = 3
"""Spaces one after the other that make another step."""

_JUDGED: Final = 4
"""Slices of which one can say that they should be equally far apart."""


@rule(
    "GEO-SLICE-GAP",
    level="series",
    severity="review",
    reads=READS,
    needs=("metadata", "complete_study"),
    when=has_stack,
)
def slice_gap(series: SeriesView) -> Iterator[Hit]:
    """Slices are missing within a stack.

    Finds: Spaces between neighbouring slices of a CT, MR or PET stack that are a multiple of its usual one,
        measured along the normal of the slices, and slices that some volumes of a series have and another has
        not. Positions in time, echoes, b-values, acquisitions, kinds of image and declared stacks are each
        looked at for themselves. A wide space over which InstanceNumbers run on lies between two stacks,
        several such spaces one after the other are a matter of GEO-SLICE-IRREGULAR, and a space into which
        an image of damaged position belongs one of the rule that tells of that image. The instances named
        are those on both sides. Localizers are left alone.
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
            if len(gaps) <= NAMED:
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
    changes = _changes_of_step(stack, series, planes)
    return [
        space
        for space in gaps
        if space not in changes
        and not _explained(space, found, planes)
        and not (space.missing >= _WIDE and _runs_on(space, stack, series, planes))
    ]


def _changes_of_step(stack: Stack, series: SeriesView, planes: Planes) -> set[Space]:
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
        if len(run) >= _RUN and all(_runs_on(space, stack, series, planes) for space in run)
        for space in run
    }


def _incomplete(stack: Stack, planes: Planes) -> Iterator[Hit]:
    """Positions that fewer volumes have than have the others."""
    lacking = {}
    for height, level in zip(stack.heights, stack.levels, strict=True):
        if len(level) < stack.usual:
            lacking[height] = level
    missing = sum(stack.usual - len(level) for level in lacking.values())
    if missing > planes.unplaced:
        yield Hit(
            tags=("ImagePositionPatient",),
            observed=f"{missing} missing at {heights(lacking)}",
            expected=f"{stack.usual} images, as at the other positions",
            rows=planes.rows_of([plane for level in lacking.values() for plane in level]),
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
    """InstanceNumbers run on over a space: the scanner left it."""
    if planes.table is not None:
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
    reads=READS,
    needs=("metadata", "complete_study"),
    when=has_stack,
)
def slice_irregular(series: SeriesView) -> Iterator[Hit]:
    """The slices of a stack are not equally far apart.

    Finds: Spaces between neighbouring slices of a CT, MR or PET stack of four slices or more that differ from
        its usual one by more than the profile's `slice_distance_ratio` and `slice_distance_mm`, and are no
        multiple of it, or are one through a whole part of the stack whose InstanceNumbers run on. Parts of
        different SliceThickness may each have a step of their own. Localizers are left alone.
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
        spaces = stack.uneven
        if stack.has_step:
            changes = _changes_of_step(stack, series, planes)
            spaces = [space for space in spaces if not space.missing or space in changes]
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
