"""The stacks of a series: its planes by orientation and by what tells volumes of one place apart."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from heltig.dicom.blocks import Evidence, blocks_of
from heltig.dicom.geometry import Orientation, Vector, along
from heltig.dicom.numbers import parse_is
from heltig.dicom.stacks import Stack, Tolerance
from heltig.dicom.volumes import BY_ACQUISITION, BY_VOLUME, Attribute, Kind, part
from heltig.rules.planes import Planes, planes_of
from heltig.rules.views import SeriesView

_APART: Final[tuple[tuple[Kind, str, str], ...]] = (
    *(("volume", macro, keyword) for macro, keyword in BY_VOLUME),
    *(("acquisition", macro, keyword) for macro, keyword in BY_ACQUISITION),
    ("acquisition", "", "Rows"),
    ("acquisition", "CTReconstructionSequence", "ReconstructionDiameter"),
    ("thickness", "PixelMeasuresSequence", "SliceThickness"),
)
"""What tells volumes apart: how, the macro of frames (empty: their object has one value), the attribute."""

_ORIGIN: Final = (0.0, 0.0, 0.0)


class PlacedStack(NamedTuple):
    """Parallel planes of one volume, or one block of them.

    Attributes:
        stack: The stack; its planes are numbered as in `Planes`.
        orientation: What its planes are parallel to.
        block: How many blocks of the same volume come before it.
    """

    stack: Stack
    orientation: Orientation
    block: int = 0


class Volumes(NamedTuple):
    """Planes of one orientation, and of one declared stack, by the volumes they belong to.

    Attributes:
        whole: All of them as one stack.
        orientation: What they are parallel to.
        parts: The volumes; the stack itself where nothing tells volumes apart, or where it has no flaws.
        are_alike: The volumes are told apart by what is measured again at the same places.
    """

    whole: Stack
    orientation: Orientation
    parts: list[Stack]
    are_alike: bool = False


def stacks_of(series: SeriesView) -> list[PlacedStack]:
    """The stacks of a series; none of a localizer."""
    return series.once(_stacks)


def volumes_of(series: SeriesView) -> list[Volumes]:
    """The volumes of a series; none of a localizer."""
    return series.once(_volumes)


def points(planes: Planes, stack: Stack) -> list[Vector]:
    """The positions of a stack's planes, by place."""
    return [position for plane in stack.planes if (position := planes.positions[plane]) is not None]


def _volumes(series: SeriesView) -> list[Volumes]:
    planes = planes_of(series)
    tolerance = Tolerance(
        series.context.parameters.slice_distance_ratio, series.context.parameters.slice_distance_mm
    )
    found: list[Volumes] = []
    for orientation, members in planes.groups:
        places = along(orientation.normal, [position or _ORIGIN for position in planes.positions])
        for numbers in _by_stack_id(series, planes, members):
            whole = Stack(numbers, places, tolerance)
            if not whole.flaws:
                found.append(Volumes(whole, orientation, [whole]))
                continue
            attributes = list(_attributes(series, planes))
            parts = part(whole, attributes, places)
            are_alike = _measures_again(parts, attributes) and _is_of_one_kind(series)
            found.append(Volumes(whole, orientation, parts, are_alike))
    return found


def _measures_again(parts: Sequence[Stack], attributes: Sequence[Attribute]) -> bool:
    """An attribute of which a volume has one value differs from part to part, and not within any."""
    return len(parts) > 1 and any(
        all(len({attribute.values[plane] for plane in one.planes}) == 1 for one in parts)
        and len({attribute.values[one.planes[0]] for one in parts}) > 1
        for attribute in attributes
        if attribute.kind == "volume"
    )


def _is_of_one_kind(series: SeriesView) -> bool:
    """All images are original, or all derived: what is derived from others may show a part of them."""
    return len({group.key.partition("\\")[0] for group in series.groups("ImageType")}) == 1


def _stacks(series: SeriesView) -> list[PlacedStack]:
    planes = planes_of(series)
    found: list[PlacedStack] = []
    for whole, orientation, parts, _ in volumes_of(series):
        if not whole.flaws:
            found.append(PlacedStack(whole, orientation))
            continue
        places = along(orientation.normal, [position or _ORIGIN for position in planes.positions])
        for volume in parts:
            blocks = blocks_of(volume, places, evidence_of(series)) if volume.uneven else [volume]
            found.extend(PlacedStack(block, orientation, number) for number, block in enumerate(blocks))
    return found


def evidence_of(series: SeriesView) -> Evidence:
    """What a series says of its planes beside their places."""
    return series.once(_evidence)


def _evidence(series: SeriesView) -> Evidence:
    planes = planes_of(series)
    values = [attribute.values for attribute in _attributes(series, planes)]
    if planes.table is not None:
        cells = planes.table.cells("FrameContentSequence", "InStackPositionNumber")
        return Evidence([parse_is(cell.text) for cell in cells], values)
    texts = series.texts("InstanceNumber")
    start = series.rows.start
    return Evidence([parse_is(texts[row - start]) for row in planes.rows], values)


def _by_stack_id(series: SeriesView, planes: Planes, members: Sequence[int]) -> list[Sequence[int]]:
    """The planes of each StackID (0020,9056): stacks by declaration."""
    if planes.table is None and (not series.has("StackID") or series.uniform("StackID")):
        return [members]
    texts = [cell.text for cell in planes.cells(series, "FrameContentSequence", "StackID")]
    if len({texts[plane] for plane in members} - {""}) < 2:
        return [members]  # one stack, of which some frame may not say so
    found: dict[str, list[int]] = {}
    for plane in members:
        found.setdefault(texts[plane], []).append(plane)
    return [found[text] for text in sorted(found)]


def _attributes(series: SeriesView, planes: Planes) -> Iterator[Attribute]:
    for kind, macro, keyword in _APART:
        in_frames = planes.table is not None and bool(macro)
        if in_frames or not series.uniform(keyword):
            yield Attribute(kind, [cell.values for cell in planes.cells(series, macro, keyword)])
