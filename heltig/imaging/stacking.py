"""The stacks of a series: its planes by orientation, matrix, and by what tells volumes of one place apart."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heltig.dicom.geometry import Orientation, Vector, along
from heltig.dicom.stacks import Stack
from heltig.dicom.volumes import BY_ACQUISITION, BY_VOLUME
from heltig.imaging.geometry import TOLERANCE, Grid, grid_of
from heltig.imaging.planes import Planes
from heltig.imaging.refusal import Refused
from heltig.imaging.technique import technique_of
from heltig.imaging.volume import Technique

_PARALLEL: Final = 1e-4
"""How far a direction cosine of parallel planes may differ."""

_DIRECTION: Final = 1e-3
"""How far directions may be from unit length and from a right angle, as the rules GEO-IOP-… have it."""

_SAME_SPACING: Final = 1e-4
"""How far pixel spacings of one matrix may differ, as a part of them: written with more or fewer digits."""

_STACK: Final = 3
"""Planes of one orientation that are a stack of their own, beside others in the same series."""

_MOST_GROUPS: Final = 32
"""Orientations and matrices of one series; with more of them it is turned from plane to plane."""

_APART: Final = (("FrameContentSequence", "StackID"), *BY_VOLUME, *BY_ACQUISITION)
"""What tells volumes of one place apart, the surest first: the macro of frames, and the attribute."""

Values: TypeAlias = Sequence[Hashable]
"""Of one attribute, by the number of the plane."""


@dataclass(frozen=True, slots=True, eq=False)
class SliceStack:
    """Planes of a series that make a volume.

    Attributes:
        planes: The planes of the series.
        order: Numbers of its own planes, ascending along the normal.
        affine: From (i, j, k) to RAS millimetres.
        shape: Columns, rows, slices.
        tilted: The slices do not stand straight above one another.
        volumes: How many stacks of the series stand at this place, this one included: more than one in
            series that repeat a volume in time, with other echoes, or with other b-values.
    """

    planes: Planes
    order: tuple[int, ...]
    affine: NDArray[np.float64]
    shape: tuple[int, int, int]
    tilted: bool
    volumes: int = 1

    @property
    def technique(self) -> Technique:
        """How its images were made."""
        return technique_of(self.planes, self.order)


class Stacks(NamedTuple):
    """What a series was parted into.

    Attributes:
        stacks: Those that make a volume.
        refused: Why others, or the whole series, make none.
    """

    stacks: Sequence[SliceStack]
    refused: Sequence[Refused]


class _Group(NamedTuple):
    """Parallel planes of one matrix."""

    orientation: Orientation
    spacing: tuple[float, float]
    size: tuple[int, int]
    members: list[int]


def stacks_of(planes: Planes) -> Stacks:
    """The stacks of a series; what cannot be one is said, never dropped in silence."""
    try:
        groups = _groups(planes)
    except Refused as reason:
        return Stacks((), (reason,))
    stacks: list[SliceStack] = []
    refused: list[Refused] = []
    for group in groups:
        _of_group(planes, group, stacks, refused)
    orientations = {group.orientation for group in groups}
    if len(orientations) > 1 and (refused or min(len(group.members) for group in groups) < _STACK):
        return Stacks((), (Refused("GEOMETRY_MIXED_ORIENTATION", f"{len(orientations)} orientations"),))
    return Stacks(stacks, refused)


def _of_group(planes: Planes, group: _Group, stacks: list[SliceStack], refused: list[Refused]) -> None:
    """Part the planes of a group, and add what comes of each part."""
    positions = _placed(planes.positions)
    places = along(group.orientation.normal, positions)
    whole = Stack(group.members, places, TOLERANCE)
    parts = _part(whole, _attributes(planes) if _flaws([whole], whole) else (), places)
    frames_of_reference = planes.texts("FrameOfReferenceUID")
    rows, columns = group.size
    for one in sorted(parts, key=lambda found: found.planes):
        try:
            if len({frames_of_reference[plane] for plane in one.planes}) > 1:
                raise Refused("GEOMETRY_MIXED_FRAME_OF_REFERENCE")
            grid: Grid = grid_of(one, group.orientation, positions, group.spacing)
        except Refused as reason:
            refused.append(reason)
            continue
        shape = (columns, rows, len(grid.planes))
        stacks.append(
            SliceStack(planes, tuple(grid.planes), grid.affine, shape, grid.tilted, _repeated(one, parts))
        )


def _repeated(stack: Stack, parts: Sequence[Stack]) -> int:
    """How many of the parts stand where a stack stands, itself included."""
    low, high = stack.places[0], stack.places[-1]
    return sum(other.places[0] <= high and other.places[-1] >= low for other in parts)


def _groups(planes: Planes) -> list[_Group]:
    """Parallel planes of one matrix, most of them first.

    Raises:
        Refused: A plane does not say where it lies, or says it wrongly, or is not the only one of its UID.
    """
    if not len(planes):
        raise Refused("NO_IMAGES")
    if planes.conflicts:
        raise Refused("INSTANCE_CONFLICT", f"{planes.conflicts} images")
    sizes, spacings = planes.sizes, planes.spacings
    lost = [
        plane
        for plane, (position, orientation) in enumerate(
            zip(planes.positions, planes.orientations, strict=True)
        )
        if position is None or orientation is None or spacings[plane] is None or 0 in sizes[plane]
    ]
    if lost or planes.unplaced:
        count = len(lost) + planes.unplaced
        raise Refused("GEOMETRY_NOT_GIVEN", f"{count} of {len(planes) + planes.unplaced} images")
    groups: list[_Group] = []
    for plane, (orientation, spacing) in enumerate(zip(planes.orientations, spacings, strict=True)):
        if orientation is None or spacing is None:
            continue  # refused above; the types do not know
        group = next((g for g in groups if _belongs(g, orientation, spacing, sizes[plane])), None)
        if group is None:
            _refuse_skewed(orientation)
            if len(groups) == _MOST_GROUPS:
                raise Refused("GEOMETRY_MIXED_ORIENTATION", f"more than {_MOST_GROUPS} orientations or sizes")
            known = next(
                (g.orientation for g in groups if orientation.is_like(g.orientation, _PARALLEL)), None
            )
            groups.append(_Group(known or orientation, spacing, sizes[plane], [plane]))
        else:
            group.members.append(plane)
    return sorted(groups, key=lambda group: -len(group.members))


def _belongs(
    group: _Group, orientation: Orientation, spacing: tuple[float, float], size: tuple[int, int]
) -> bool:
    return (
        size == group.size
        and (orientation == group.orientation or orientation.is_like(group.orientation, _PARALLEL))
        and all(abs(a - b) <= _SAME_SPACING * b for a, b in zip(spacing, group.spacing, strict=True))
    )


def _refuse_skewed(orientation: Orientation) -> None:
    if orientation.length_error > _DIRECTION or abs(orientation.skew) > _DIRECTION:
        raise Refused(
            "GEOMETRY_ORIENTATION",
            f"length off by {orientation.length_error:.4f}, cosine between them {orientation.skew:.4f}",
        )


def _placed(positions: Sequence[Vector | None]) -> list[Vector]:
    return [position or (0.0, 0.0, 0.0) for position in positions]


def _attributes(planes: Planes) -> list[Values]:
    """The values of each attribute that varies, by the number of the plane."""
    columns = ([cell.values for cell in planes.cells(keyword, macro)] for macro, keyword in _APART)
    return [values for values in columns if len(set(values)) > 1]


def _part(stack: Stack, attributes: Sequence[Values], places: Sequence[float]) -> list[Stack]:
    """Part a stack that has flaws by the attribute that leaves the fewest, and its parts by others."""
    best, fewest, chosen = [stack], _flaws([stack], stack), None
    most = max(map(len, stack.levels))
    for attribute in attributes if fewest else ():
        groups: dict[Hashable, list[int]] = {}
        for plane in stack.planes:
            groups.setdefault(attribute[plane], []).append(plane)
        if 1 < most < len(groups):
            continue  # it changes from slice to slice
        parts = [Stack(planes, places, TOLERANCE) for planes in groups.values()]
        flaws = _flaws(parts, stack)
        if flaws < fewest:
            best, fewest, chosen = parts, flaws, attribute
    if chosen is None:
        return best
    rest = [attribute for attribute in attributes if attribute is not chosen]
    return [found for one in best for found in _part(one, rest, places)]


def _flaws(parts: Sequence[Stack], whole: Stack) -> int:
    """Images at places that are taken, uneven spaces, and parts beyond the number of images at one place."""
    double = sum(len(part.planes) - len(part.levels) for part in parts)
    return double + sum(len(part.uneven) for part in parts) + max(0, len(parts) - max(map(len, whole.levels)))
