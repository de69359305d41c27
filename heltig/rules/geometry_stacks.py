"""Geometry: do the slices of a stack stand one above the other, each at a place of its own?"""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from heltig.dicom.geometry import along
from heltig.dicom.stacks import Stack
from heltig.rules.planes import Planes, has_slices, planes_of
from heltig.rules.rule import Hit, rule
from heltig.rules.stacking import points, stacks_of
from heltig.rules.views import SeriesView

READS: Final = ("ImagePositionPatient", "PerFrameFunctionalGroupsSequence")
"""What rules about stacks read: without any of it they do not apply."""

NAMED: Final = 3
"""Gaps of a stack that are reported one by one, and positions that are named; more are summed up."""

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


def heights(places: Collection[float]) -> str:
    """Some places in words.

    >>> heights([5, 10.0])
    '5, 10 mm'
    """
    shown = list(map(millimetres, places))
    if len(shown) <= NAMED:
        return ", ".join(shown) + " mm"
    return f"{len(shown)} positions from {shown[0]} to {shown[-1]} mm"


@rule("GEO-SLICE-DUP", level="series", severity="review", reads=READS, when=has_stack)
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
        crowded: dict[int, dict[float, list[int]]] = {}
        for height, level in zip(stack.heights, stack.levels, strict=True):
            if len(level) > stack.usual:
                crowded.setdefault(len(level), {})[height] = level
        for count, levels in sorted(crowded.items()):
            yield Hit(
                tags=("ImagePositionPatient",),
                observed=f"{count} images at {'each of ' * (len(levels) > 1)}{heights(levels)}",
                expected="1 image" if stack.usual == 1 else f"{stack.usual} images, as elsewhere",
                rows=planes.rows_of([plane for level in levels.values() for plane in level]),
            )


@rule("GEO-SHEAR", level="series", severity="note", reads=READS, when=has_stack)
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
