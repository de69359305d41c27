"""The grid of one stack of slices: their order and the affine, or why there is none.

The checks are those of the gate's rules GEO-SLICE-GAP, GEO-SLICE-IRREGULAR, GEO-SLICE-DUP, GEO-SLICE-SHIFT
and GEO-SHEAR with narrower limits: there a study may still be stored, here every voxel has to be where the
affine says.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heltig.dicom.geometry import Orientation, Vector, along
from heltig.dicom.lines import line_of
from heltig.dicom.stacks import Stack, Tolerance
from heltig.imaging.refusal import Refused

TOLERANCE: Final = Tolerance(ratio=0.01, mm=0.01)
"""How far the distance of two slices may be from the usual one: one per cent, or 0.01 mm."""

SHEAR: Final = 0.1
"""Millimetres that the last slice may stand beside the normal through the first."""

_LPS_TO_RAS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])


class Grid(NamedTuple):
    """Where the voxels of a stack lie.

    Attributes:
        planes: Numbers of the planes, ascending along the normal.
        affine: 4 × 4, from (i, j, k) to RAS millimetres.
        tilted: The slices do not stand straight above one another.
    """

    planes: Sequence[int]
    affine: NDArray[np.float64]
    tilted: bool


def grid_of(
    stack: Stack, orientation: Orientation, positions: Sequence[Vector], spacing: tuple[float, float]
) -> Grid:
    """The grid of a stack.

    Args:
        stack: The planes, with `TOLERANCE`.
        orientation: What they are parallel to.
        positions: LPS positions, by the number of the plane.
        spacing: Between rows and between columns, in millimetres.

    Raises:
        Refused: The slices make no even grid.
    """
    _refuse_duplicates(stack)
    if len(stack.planes) < 2:
        raise Refused("GEOMETRY_TOO_FEW_SLICES", f"{len(stack.planes)} slice")
    _refuse_uneven(stack)
    points = [positions[plane] for plane in stack.planes]
    across = [along(direction, points) for direction in orientation]
    line = line_of(stack, across, SHEAR)
    if line.shifted or line.bend:
        furthest = max((by for _, by in line.shifted), default=line.bend)
        raise Refused("GEOMETRY_SHIFTED_SLICE", f"{max(1, len(line.shifted))} by up to {furthest:.2f} mm")
    drift = math.hypot(*[places[-1] - places[0] for places in across])
    return Grid(stack.planes, affine_of(orientation, points, spacing), drift > SHEAR)


def affine_of(
    orientation: Orientation, points: Sequence[Vector], spacing: tuple[float, float]
) -> NDArray[np.float64]:
    """The affine of slices at these LPS positions: column by column, row by row, slice by slice."""
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(orientation.row) / np.linalg.norm(orientation.row) * spacing[1]
    affine[:3, 1] = np.asarray(orientation.column) / np.linalg.norm(orientation.column) * spacing[0]
    affine[:3, 2] = (np.asarray(points[-1]) - np.asarray(points[0])) / (len(points) - 1)
    affine[:3, 3] = points[0]
    return np.asarray(_LPS_TO_RAS @ affine, dtype=np.float64)


def _refuse_duplicates(stack: Stack) -> None:
    double = [place for place, level in enumerate(stack.levels) if len(level) > 1]
    if double:
        most = max(map(len, stack.levels))
        raise Refused(
            "GEOMETRY_DUPLICATE_POSITION",
            f"up to {most} images at {len(double)} of {len(stack.levels)} places",
        )


def _refuse_uneven(stack: Stack) -> None:
    if not stack.uneven:
        return
    gaps = [space for space in stack.uneven if space.missing]
    if len(gaps) == len(stack.uneven):
        missing = sum(space.missing for space in gaps)
        raise Refused(
            "GEOMETRY_MISSING_SLICE", f"{missing} missing in {len(gaps)} gaps, step {stack.step:.3f} mm"
        )
    spaces = stack.spaces
    raise Refused(
        "GEOMETRY_UNEVEN_SPACING",
        f"{min(spaces):.3f} to {max(spaces):.3f} mm, usually {stack.step:.3f} mm",
    )
