"""Geometry: do the slices of a stack stand one above the other, each at a place of its own?"""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Final

from heltig.dicom.geometry import Vector, along
from heltig.dicom.lines import Line, line_of
from heltig.dicom.stacks import SAME_PLACE, Stack
from heltig.rules.planes import Planes, has_slices, numbers_of, planes_of
from heltig.rules.rule import Hit, rule
from heltig.rules.stacking import points, stacks_of, volumes_of
from heltig.rules.views import SeriesView
from heltig.standard.dictionary import tag_of

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


_OWN: Final = frozenset(
    tag_of(keyword)
    for keyword in (
        "SOPInstanceUID",
        "InstanceNumber",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "RetrieveURL",
    )
)
"""What a second object of the same image has of its own."""

_APART: Final = ("0002", "7FE0")
"""File meta says what SOPInstanceUID says; pixels are not compared."""

_ELSEWHERE: Final = b"BulkDataURI"
"""A value that is not in the metadata, but at an address of its own."""


def usual_number(stack: Stack, planes: Planes, series: SeriesView) -> int:
    """How many images a level should have; 0 where nobody knows.

    Two at most levels are two volumes if an attribute tells them apart, and else one that is there twice. Of
    several volumes the last one may have been cut short: then some levels at one end have one image more.
    """
    if stack.is_cut_short and (stack.usual > 1 or _has_volumes_of(stack.usual + 1, series)):
        return stack.usual + 1
    return 1 if stack.usual == _TWICE and _is_twice(stack, planes, series) else stack.usual


def _has_volumes_of(number: int, series: SeriesView) -> bool:
    """Other volumes of the series have so many images at a level."""
    return any(one.usual == number for volumes in volumes_of(series) for one in volumes.parts)


_TWICE: Final = 2


def _is_twice(stack: Stack, planes: Planes, series: SeriesView) -> bool:
    """No attribute differs within the pairs of images that stand at one place: they are one stack twice."""
    if planes.table is not None or _is_measured_again(series):
        return False  # frames are told apart by attributes that their object chooses
    pairs = [(planes.rows[level[0]], planes.rows[level[1]]) for level in stack.levels if len(level) == _TWICE]
    for tag, column in series.table.columns.items():
        if column.constant or tag in _OWN or tag.startswith(_APART):
            continue
        codes, cells = column.codes, column.cells
        differing = 0
        for one, other in pairs:
            if codes[one] != codes[other]:
                first, second = cells[codes[one]], cells[codes[other]]
                differing += first != second and _ELSEWHERE not in first
        if differing * 2 >= len(pairs):
            return False
    return True


def _is_measured_again(series: SeriesView) -> bool:
    """The series is of a kind that measures one volume again and again: times may have been removed."""
    if any(value in _AGAIN for name in _KINDS for value in series.first(name).values):
        return True
    return any(number > 1 for name in _TIMES for number in series.first(name).numbers[:1] if number)


_KINDS: Final = ("ScanningSequence", "SeriesType")
_AGAIN: Final = ("EP", "DYNAMIC", "GATED")
_TIMES: Final = ("NumberOfTemporalPositions", "NumberOfTimeSlices", "CardiacNumberOfImages")


@rule(
    "GEO-SLICE-DUP",
    level="series",
    severity="review",
    reads=READS,
    when=has_stack,
    reference="PS3.3 C.7.6.2.1.1",
)
def slice_duplicate(series: SeriesView) -> Iterator[Hit]:
    """Two slices of a stack have the same position.

    Finds: Positions at which a CT, MR or PET stack has more images than elsewhere, with nothing to tell them
        apart: no position in time, echo, b-value, direction, trigger time, kind of image, kernel or other
        acquisition. Where all positions have the same number of images, they are volumes; but two at each,
        which differ in no attribute but their UIDs, numbers and times of creation, are one stack twice,
        unless the series is echo planar, dynamic or gated, or says that it has several positions in time.
        Copies of one object do not count: they have one SOPInstanceUID. Localizers are left alone. Images
        that all have one position are one slice over time, unless each has a SliceLocation (0020,1041) of its
        own.
    Why: Software that builds volumes drops one of the two, or moves all further slices by one.
    Mend: Compare the two. If one has the wrong position, have it sent again; if it is a second version of the
        same slice, have the wrong one rejected.
    Example: A slice reconstructed twice and sent with a new SOPInstanceUID.
    """
    planes = planes_of(series)
    for found in stacks_of(series):
        stack = found.stack
        if len(stack.levels) == 1:
            yield from _at_one_place(series, stack)
        if len(stack.levels) in (1, len(stack.planes)):
            continue
        usual = usual_number(stack, planes, series)
        crowded: dict[int, dict[float, list[int]]] = {}
        for height, level in zip(stack.heights, stack.levels, strict=True):
            if len(level) > usual > 0:
                crowded.setdefault(len(level), {})[height] = level
        for count, levels in sorted(crowded.items()):
            yield Hit(
                tags=("ImagePositionPatient",),
                observed=f"{count} images at {'each of ' * (len(levels) > 1)}{heights(levels)}",
                expected="1 image" if usual == 1 else f"{usual} images, as elsewhere",
                rows=planes.rows_of([plane for level in levels.values() for plane in level]),
                message=_WHOLE if usual < stack.usual else None,
            )


def _at_one_place(series: SeriesView, stack: Stack) -> Iterator[Hit]:
    """Slices that were taken at many places, by their SliceLocation, and have lost their positions."""
    planes = planes_of(series)
    if planes.table is not None or len(stack.planes) < _FEWEST or not _is_one_point(points(planes, stack)):
        return
    rows = planes.rows_of(stack.planes)
    written = [numbers[0] for numbers in numbers_of(series, "SliceLocation", rows) if numbers]
    places = sorted(place for place in written if place is not None)
    if len(places) == len(rows) and all(after - before > SAME_PLACE for before, after in pairwise(places)):
        yield Hit(
            tags=("ImagePositionPatient", "SliceLocation"),
            observed=f"{len(rows)} images at {heights(stack.heights)}",
            expected=f"{millimetres(places[0])} to {millimetres(places[-1])} mm, as SliceLocation",
            rows=rows,
        )


def _is_one_point(positions: Sequence[Vector]) -> bool:
    """Positions are the same; those of one height may be side by side, as the stations of an examination."""
    return all(max(axis) - min(axis) <= SAME_PLACE for axis in zip(*positions, strict=True))


_FEWEST: Final = 3
_WHOLE: Final = (
    "A stack is there twice: its images differ in no attribute but UIDs, numbers and times of creation"
)


@rule(
    "GEO-SLICE-BLOCKS",
    level="series",
    severity="note",
    reads=READS,
    needs=("metadata", "complete_study"),
    when=has_stack,
    reference="PS3.3 C.7.6.2.1.1",
)
def slice_blocks(series: SeriesView) -> Iterator[Hit]:
    """A stack consists of blocks.

    Finds: CT, MR and PET stacks in parts one above the other, each of five slices or more with a distance of
        its own; and parts of the same distance with a space between them that a scanner left free
        (GEO-SLICE-GAP says how such spaces are told from missing slices). Localizers are left alone.
    Why: Software that takes one distance for the whole series puts the slices of the other blocks at wrong
        places.
    Mend: Nothing where it was planned so. Whoever makes a volume of the series takes one block at a time.
    Example: The lungs every millimetre, and the abdomen every five.
    """
    planes = planes_of(series)
    stacks: list[list[Stack]] = []
    for found in stacks_of(series):
        if found.block:
            stacks[-1].append(found.stack)
        else:
            stacks.append([found.stack])
    for blocks in stacks:
        if len(blocks) > 1:
            yield Hit(
                tags=("ImagePositionPatient",),
                observed=f"{len(blocks)} blocks: {_block(blocks[0])}, {_block(blocks[1])}"
                + ", …" * (len(blocks) > _SHOWN),
                expected="slices equally far apart",
                rows=planes.rows_of([plane for block in blocks for plane in block.planes]),
            )


_SHOWN: Final = 2


def _block(stack: Stack) -> str:
    start = millimetres(stack.places[0])
    return f"{len(stack.levels)} every {millimetres(stack.step)} mm from {start} mm"


def _lines(series: SeriesView) -> list[Line]:
    planes = planes_of(series)
    limit = series.context.parameters.stack_shift_mm
    return [
        line_of(
            found.stack,
            [along(direction, points(planes, found.stack)) for direction in found.orientation],
            limit,
        )
        for found in stacks_of(series)
        if len(found.stack.levels) >= _LINE
    ]


@rule(
    "GEO-SHEAR", level="series", severity="note", reads=READS, when=has_stack, reference="PS3.3 C.7.6.2.1.1"
)
def shear(series: SeriesView) -> Iterator[Hit]:
    """A stack leans: its slices are not stacked along their normal.

    Finds: CT, MR and PET stacks of three slices or more whose positions drift within the plane, by more than
        the profile's `stack_lean_degrees` from the first slice to the last, or leave a straight line little
        by little, by more than `stack_shift_mm`. Slices that stand beside the line of the others are a matter
        of GEO-SLICE-SHIFT. Localizers are left alone.
    Why: Software that puts slices straight on top of one another shows the body sheared. It is right for
        scans with a tilted gantry, which must be resampled before they are measured in three dimensions.
    Mend: Nothing for a tilted gantry.
    Example: A scan of the head with the gantry tilted by 18 degrees.
    """
    planes = planes_of(series)
    for stack, lean, _, bend in series.once(_lines):
        if bend or lean > series.context.parameters.stack_lean_degrees:
            yield Hit(
                tags=("ImagePositionPatient",),
                observed=f"out of line by up to {millimetres(bend)} mm" if bend else f"leans by {lean:.1f}°",
                expected="slices in one line" if bend else "slices along their normal",
                rows=planes.rows_of(stack.planes),
            )


@rule(
    "GEO-SLICE-SHIFT",
    level="series",
    severity="review",
    reads=READS,
    when=has_stack,
    reference="PS3.3 C.7.6.2.1.1",
)
def slice_shift(series: SeriesView) -> Iterator[Hit]:
    """Slices of a stack are shifted sideways against the others.

    Finds: CT, MR and PET stacks of four slices or more of which at most half stand beside the line of the
        others, by more than half of the profile's `stack_shift_mm`, where it is more than that from end to
        end. The line may lean (GEO-SHEAR). Localizers are left alone.
    Why: A position was damaged, or two scans were mixed. What is built of the stack has a step in it, and
        distances and volumes across it are wrong.
    Mend: Compare with the modality and have the shifted slices sent again. Two scans between which the
        patient or the table was moved are two series.
    Example: One slice of twenty of which the position was written 40 mm to the left.
    """
    planes = planes_of(series)
    for stack, _, shifted, _ in series.once(_lines):
        if shifted:
            least, most = (millimetres(pick(by for _, by in shifted)) for pick in (min, max))
            images = f"{len(shifted)} of {len(stack.planes)} images shifted"
            yield Hit(
                tags=("ImagePositionPatient",),
                observed=f"{images} by {most} mm" if least == most else f"{images} by {least} to {most} mm",
                expected="slices in one line",
                rows=planes.rows_of([plane for plane, _ in shifted]),
            )
