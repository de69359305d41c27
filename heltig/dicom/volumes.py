"""Volumes: which planes of one orientation belong to one stack.

A series may hold several volumes of the same place: positions in time, echoes, b-values, magnitude and
phase, contrast phases, reconstructions. What tells them apart is one attribute of many, and mostly none is
given at all. So the planes are first taken as one stack. Only where that has flaws, attributes that vary are
tried: the one that leaves the fewest flaws parts the planes, and the parts are looked at again.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from heltig.dicom.stacks import SAME_PLACE, Stack

BY_VOLUME: Final = (
    ("FrameContentSequence", "TemporalPositionIndex"),
    ("", "TemporalPositionIdentifier"),
    ("", "EchoNumbers"),
    ("", "EchoTime"),
    ("MREchoSequence", "EffectiveEchoTime"),
    ("MRDiffusionSequence", "DiffusionBValue"),
    ("MRDiffusionSequence.DiffusionGradientDirectionSequence", "DiffusionGradientOrientation"),
    ("MRDiffusionSequence", "DiffusionDirectionality"),
    ("", "ImageType"),
    ("MRImageFrameTypeSequence", "FrameType"),
    ("CTImageFrameTypeSequence", "FrameType"),
    ("PETFrameTypeSequence", "FrameType"),
    ("MRImageFrameTypeSequence", "ComplexImageComponent"),
    ("MRArterialSpinLabelingSequence", "ASLContext"),
    ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    ("", "InversionTime"),
    ("", "FlipAngle"),
    ("", "RepetitionTime"),
    ("ContrastBolusUsageSequence", "ContrastBolusAgentPhase"),
    ("CTXRayDetailsSequence", "KVP"),
    ("CTReconstructionSequence", "ConvolutionKernel"),
    ("", "FrameReferenceTime"),
)
"""Attributes of which a volume has one value, the surest first.

Before each stands the macro of frames that holds it; empty where an object has one value for all of them.
"""

BY_ACQUISITION: Final = (
    ("", "TriggerTime"),
    ("", "AcquisitionNumber"),
    ("FrameContentSequence", "FrameAcquisitionNumber"),
    ("FrameContentSequence", "FrameAcquisitionDateTime"),
    ("", "AcquisitionDateTime"),
    ("", "AcquisitionTime"),
)
"""The same of attributes that may change from slice to slice of one volume, too."""

Kind: TypeAlias = Literal["volume", "acquisition", "thickness"]

_SHARED_BY_ACQUISITIONS = 3  # planes: fewer may be a slice taken or sent twice
_SHORTEST = 3  # planes of a part of another thickness, and of an acquisition that shares fewer with another
_WHOLE_ACQUISITIONS = 3  # so many of one extent show what the extent should be


class Attribute(NamedTuple):
    """An attribute that may tell volumes apart.

    Attributes:
        kind: `volume`: a volume has one value, and two values at one level are two volumes. `acquisition`:
            the values also change from slice to slice, as in step and shoot; they part volumes only where
            several slices overlap, or whole acquisitions do at their ends. `thickness`: a stack may change
            its step where the value changes.
        values: The value of each plane, by its number.
    """

    kind: Kind
    values: Sequence[Hashable]


def part(stack: Stack, attributes: Iterable[Attribute], places: Sequence[float]) -> list[Stack]:
    """Part planes of one orientation into the stacks they belong to.

    Args:
        stack: All of them.
        attributes: What may tell them apart, the surest first; looked at only where the stack has flaws.
        places: Where each plane stands along the normal, by its number.
    """
    if not stack.flaws:
        return [stack]
    return _part(stack, [attribute for attribute in attributes if len(set(attribute.values)) > 1], places)


def _part(stack: Stack, attributes: Sequence[Attribute], places: Sequence[float]) -> list[Stack]:
    best: list[Stack] = [stack]
    fewest = stack.flaws
    chosen: Attribute | None = None
    for attribute in attributes:
        parts = _by_value(stack, attribute, places)
        flaws = _flaws(parts, stack)
        sure = attribute.kind == "volume" and chosen is None
        if len(parts) > 1 and (flaws < fewest or (sure and flaws <= fewest)):
            best, fewest, chosen = parts, flaws, attribute
            if not flaws:
                break
    if chosen is None or not fewest:
        return best
    rest = [attribute for attribute in attributes if attribute is not chosen]
    return [found for one in best for found in (_part(one, rest, places) if one.flaws else [one])]


def _flaws(parts: Sequence[Stack], whole: Stack) -> int:
    """The flaws of some parts; parts beyond the number of planes at a level are flaws as well."""
    return sum(part.flaws for part in parts) + max(0, len(parts) - max(map(len, whole.levels)))


def _by_value(stack: Stack, attribute: Attribute, places: Sequence[float]) -> list[Stack]:
    """The parts of a stack by the value of an attribute; the stack itself where that cannot part it."""
    groups: dict[Hashable, list[int]] = {}
    for plane in stack.planes:
        groups.setdefault(attribute.values[plane], []).append(plane)
    if len(groups) == 1:
        return [stack]
    if attribute.kind == "thickness":
        if min(map(len, groups.values())) < _SHORTEST:
            return [stack]
    else:
        are_single = attribute.kind == "acquisition" and min(map(len, groups.values())) < _SHORTEST
        if _overlap(groups.values(), places) < (_SHARED_BY_ACQUISITIONS if are_single else 1):
            return [stack]
    return [Stack(planes, places, stack.tolerance) for planes in groups.values()]


def _overlap(groups: Iterable[Sequence[int]], places: Sequence[float]) -> int:
    """How many planes stand where a group of planes that begins lower has not ended yet.

    Args:
        groups: Planes, each group by place.
        places: Where each plane stands.
    """
    count, top = 0, float("-inf")
    for planes in sorted(groups, key=lambda planes: places[planes[0]]):
        count += sum(places[plane] <= top + SAME_PLACE for plane in planes)
        top = max(top, places[planes[-1]])
    return count


class Lack(NamedTuple):
    """Slices that other volumes of a series have below or above those of one.

    Attributes:
        volume: The number of the volume.
        heights: Where other volumes have slices, in millimetres.
    """

    volume: int
    heights: list[float]


def lacks_at_ends(whole: Stack, volumes: Sequence[Stack], *, are_alike: bool) -> list[Lack]:
    """The volumes that end before others do.

    Volumes of uneven spaces are left out: they neither say what others should have nor are asked. So are
    volumes that have little in common: together they must fill two thirds of the places.

    Args:
        whole: The planes of all volumes as one stack.
        volumes: Its parts.
        are_alike: They measure the same again (positions in time, echoes, b-values): what one has, all
            should have. Acquisitions may be of different extents: each place counts that half of them have,
            and three or more must have all such places.
    """
    owner = {plane: number for number, volume in enumerate(volumes) for plane in volume.planes}
    even = {number for number, volume in enumerate(volumes) if not volume.uneven}
    holders = [{owner[plane] for plane in level} & even for level in whole.levels]
    least = 1 if are_alike else (len(even) + 1) // 2
    wanted = [place for place, found in enumerate(holders) if len(found) >= max(1, least)]
    filled = sum(len(holders[place]) for place in wanted)
    if len(even) < 2 or filled * 3 < len(even) * len(wanted) * 2:
        return []
    lacks = []
    for number in sorted(even):
        low, high = volumes[number].places[0], volumes[number].places[-1]
        heights = [whole.heights[place] for place in wanted if number not in holders[place]]
        outside = [height for height in heights if not low < height < high]
        if outside:
            lacks.append(Lack(number, outside))
    return lacks if are_alike or len(even) - len(lacks) >= _WHOLE_ACQUISITIONS else []
