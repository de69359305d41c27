"""Geometry: do numbers, locations and thickness say the same as the positions?"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from heltig.dicom.numbers import whole_numbers
from heltig.dicom.stacks import Stack
from heltig.rules.geometry_stacks import has_stack, millimetres
from heltig.rules.planes import numbers_of, planes_of
from heltig.rules.rule import Hit, rule
from heltig.rules.stacking import stacks_of
from heltig.rules.views import SeriesView

_FEWEST: Final = 3
"""Slices that make an order."""

_SCALE: Final = (0.8, 1.25)
"""Millimetres of SliceLocation for each of the positions: with a tilted gantry it follows the table."""


def _stacks(series: SeriesView) -> list[Stack]:
    """The stacks of one image a level, and enough levels to compare."""
    stacks = (found.stack for found in stacks_of(series))
    return [stack for stack in stacks if len(stack.planes) == len(stack.levels) >= _FEWEST]


@rule(
    "GEO-ORDER",
    level="series",
    severity="note",
    reads=("InstanceNumber",),
    when=lambda series: series.has("InstanceNumber") and has_stack(series),
    reference="PS3.3 C.7.6.2.1.1",
)
def order(series: SeriesView) -> Iterator[Hit]:
    """InstanceNumbers do not follow the positions.

    Finds: Stacks of single-frame CT, MR or PET images whose InstanceNumber (0020,0013) neither rises nor
        falls all the way from one end to the other. Positions in time, echoes and other volumes of one series
        are each looked at for themselves, where an attribute tells them apart.
    Why: Viewers that sort by number show the slices out of order, and a person who pages through them may
        miss it.
    Mend: Sort by position where it matters. Have the series numbered anew where people complain.
    Example: Interleaved slices numbered in the order in which they were acquired.
    """
    planes = planes_of(series)
    if planes.table is not None:
        return
    texts = series.texts("InstanceNumber")
    known = whole_numbers(texts, _DIGITS) or list(map(_integer, texts))
    start = series.rows.start
    for stack in _stacks(series):
        numbers = [known[planes.rows[plane] - start] for plane in stack.planes]
        rising = sorted(numbers)
        if numbers == rising or numbers[::-1] == rising or len(set(numbers)) < len(numbers):
            continue
        steps = [after > before for before, after in pairwise(numbers)]
        goes_up = steps.count(True) * 2 >= len(steps)
        back = [place for place, up in enumerate(steps) if up is not goes_up]
        first = back[0]
        yield Hit(
            tags=("InstanceNumber",),
            observed=f"turns back {len(back)} of {len(steps)} times, first after {numbers[first]} at "
            f"{millimetres(stack.places[first])} mm",
            expected="numbers that follow the positions",
            rows=planes.rows_of([stack.planes[at] for place in back for at in (place, place + 1)]),
        )


def _integer(text: str) -> int:
    """A number; what is none counts as 0, which makes two of them no order."""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else 0


_DIGITS: Final = 12


@rule(
    "GEO-SLICELOC",
    level="series",
    severity="note",
    reads=("SliceLocation",),
    when=lambda series: series.has("SliceLocation") and has_stack(series),
    reference="PS3.3 C.7.6.2",
)
def slice_location(series: SeriesView) -> Iterator[Hit]:
    """SliceLocation does not follow the positions.

    Finds: Stacks of single-frame CT, MR or PET images whose SliceLocation (0020,1041) does not change as
        their position along the normal does, by more than the profile's `slice_location_mm`. The zero point
        and the sign are free, and with a tilted gantry it may count along the table.
    Why: Viewers and people sort and measure by it: slices stand in another order, or at other distances, than
        they were taken at.
    Mend: Use the positions. Have SliceLocation left out or corrected where software relies on it.
    Example: SliceLocation left at 0 in every slice by a reconstruction.
    """
    planes = planes_of(series)
    if planes.table is not None:
        return
    limit = series.context.parameters.slice_location_mm
    known = numbers_of(series, "SliceLocation", planes.rows)
    for stack in _stacks(series):
        locations = [known[plane] for plane in stack.planes]
        whole = [location[0] for location in locations if len(location) == 1 and location[0] is not None]
        if len(whole) < len(locations):
            continue
        places = stack.places
        scale = (whole[-1] - whole[0]) / (places[-1] - places[0])
        offsets = [location - scale * place for location, place in zip(whole, places, strict=True)]
        spread = max(offsets) - min(offsets)
        if not _SCALE[0] <= abs(scale) <= _SCALE[1]:
            seen = f"{millimetres(abs(whole[-1] - whole[0]))} mm from end to end"
        elif spread > limit:
            seen = f"off by up to {millimetres(spread)} mm"
        else:
            continue
        yield Hit(
            tags=("SliceLocation",),
            observed=seen,
            expected=f"{millimetres(places[-1] - places[0])} mm from end to end, as the positions",
            rows=planes.rows_of(stack.planes),
        )


@rule(
    "GEO-THICKNESS",
    level="series",
    severity="note",
    reads=("SliceThickness", "PixelMeasuresSequence", "SharedFunctionalGroupsSequence"),
    needs=("metadata", "complete_study"),
    when=has_stack,
    reference="PS3.3 C.7.6.2",
)
def thickness(series: SeriesView) -> Iterator[Hit]:
    """Slices lie much nearer or further than they are thick.

    Finds: CT, MR and PET stacks whose distance from slice to slice, by their positions, is outside the
        profile's `spacing_to_thickness` times SliceThickness (0018,0050).
    Why: With wide gaps a part of the body was not seen, and volumes are estimates. Software that takes the
        thickness for the distance stretches the body.
    Mend: Nothing where it was planned so. Check that no slices are missing, such as every second one, and
        that whoever measures uses the positions.
    Example: Slices of 5 mm every 10 mm.
    """
    planes = planes_of(series)
    least, most = series.context.parameters.spacing_to_thickness
    known = _of_planes(series, "SliceThickness")
    for found in stacks_of(series):
        stack = found.stack
        if len(stack.levels) < _FEWEST or not stack.has_step:
            continue
        numbers = [known[plane] for plane in stack.planes]
        thick = sorted(n[0] for n in numbers if len(n) == 1 and n[0] is not None and n[0] > 0)
        if not thick:
            continue
        usual = thick[len(thick) // 2]
        limit = stack.tolerance.of(usual)
        if stack.step > most * usual + limit or stack.step < least * usual - limit:
            yield Hit(
                tags=("SliceThickness",),
                observed=f"{millimetres(usual)} mm thick, a slice every {millimetres(stack.step)} mm",
                expected=f"a slice every {millimetres(least * usual)} to {millimetres(most * usual)} mm",
                rows=planes.rows_of(stack.planes),
            )


@rule(
    "GEO-SPACING-SLICES",
    level="series",
    severity="note",
    reads=("SpacingBetweenSlices", "PixelMeasuresSequence", "SharedFunctionalGroupsSequence"),
    needs=("metadata", "complete_study"),
    when=has_stack,
    reference="PS3.3 C.8.3.1",
)
def spacing_between(series: SeriesView) -> Iterator[Hit]:
    """SpacingBetweenSlices is not the distance of the slices.

    Finds: CT, MR and PET stacks of three slices or more, equally far apart, whose SpacingBetweenSlices
        (0018,0088) is neither the distance from slice to slice by their positions nor what is free between
        them, as older systems write it. Zero, and stacks whose slices have several values, are left alone.
    Why: The positions are right, mostly. Software that goes by SpacingBetweenSlices stretches the body or
        presses it together, and volumes are wrong by the same factor.
    Mend: Check that no slices are missing, such as every second one. Have whoever measures use the positions.
    Example: A spacing of 5 mm, of slices every 10 mm after every second one was left out.
    """
    planes = planes_of(series)
    spacings, thick = (_of_planes(series, keyword) for keyword in ("SpacingBetweenSlices", "SliceThickness"))
    for found in stacks_of(series):
        stack = found.stack
        told = {numbers[0] for plane in stack.planes if (numbers := spacings[plane])}
        spacing = told.pop() if len(told) == 1 else None
        if len(stack.levels) < _FEWEST or not stack.has_step or not spacing:
            continue
        limit, gap = stack.tolerance.of(stack.step), abs(spacing)
        thickness = next((numbers[0] for plane in stack.planes if (numbers := thick[plane])), None)
        if abs(gap - stack.step) > limit and (thickness is None or abs(gap + thickness - stack.step) > limit):
            yield Hit(
                tags=("SpacingBetweenSlices",),
                observed=f"{millimetres(spacing)} mm, a slice every {millimetres(stack.step)} mm",
                expected=f"{millimetres(stack.step)} mm",
                rows=planes.rows_of(stack.planes),
            )


def _of_planes(series: SeriesView, keyword: str) -> Sequence[Sequence[float | None]]:
    """The numbers of an attribute of each plane, be it an instance or a frame."""
    planes = planes_of(series)
    if planes.table is None:
        return numbers_of(series, keyword, planes.rows)
    return [cell.numbers for cell in planes.table.cells("PixelMeasuresSequence", keyword)]
