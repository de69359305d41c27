"""Volumes: which planes of one orientation belong to one stack.

A series may hold several volumes of the same place: positions in time, echoes, b-values, magnitude and
phase, contrast phases, reconstructions. What tells them apart is one attribute of many, and mostly none is
given at all. So the planes are first taken as one stack. Only where that has flaws, attributes that vary are
tried: the one that leaves the fewest flaws parts the planes, and the parts are looked at again.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from heltig.dicom.stacks import SAME_PLACE, Stack

Kind: TypeAlias = Literal["volume", "acquisition", "thickness"]

_SHARED_BY_ACQUISITIONS = 3  # planes: fewer are a slice taken or sent twice
_SHORTEST = 3  # planes of a part of another thickness


class Attribute(NamedTuple):
    """An attribute that may tell volumes apart.

    Attributes:
        kind: `volume`: a volume has one value, and two values at one level are two volumes. `acquisition`:
            the values also change from slice to slice, as in step and shoot; they part volumes only where
            several slices overlap. `thickness`: a stack may change its step where the value changes.
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
    elif _overlap(groups.values(), places) < (
        _SHARED_BY_ACQUISITIONS if attribute.kind == "acquisition" else 1
    ):
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
