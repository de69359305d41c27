"""The width of the aorta, from a supplied mask (8.10). Not measured unless asked for."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]
from scipy.spatial import cKDTree  # type: ignore[import-untyped]

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.measurement import MM, Context, Gap, Measurement, gap_of
from heltig.imaging.segmentation import Mask, grown

_METHOD: Final = "diameter of the largest ball without the centre of a voxel outside of the mask"

_PARTS: Final = np.linspace(-0.5, 0.5, 5)
"""Of a voxel: where the centre of the ball is looked for."""


def aorta(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """The diameter of the largest ball that fits: it does not depend on how vessel and slices lie."""
    segmentation = inventory.segmentation
    gap = gap_of(inventory, "aorta")
    value = None
    if not gap:
        gap = Gap("truncated", "cut_off") if inventory.status("aorta") == "truncated" else None
        mask = segmentation.crop("aorta", max(segmentation.spacing)).mask
        value = None if mask.all() else _largest_ball(mask, segmentation.spacing)
    gap = gap or Gap("measured", "")
    return (
        Measurement(
            name="largest_diameter",
            region="aorta",
            value=value,
            unit=MM,
            method=_METHOD,
            status=gap.status,
            reason=gap.reason,
        ),
    )


def _largest_ball(mask: Mask, spacing: Sequence[float]) -> float:
    """The diameter of the largest ball about the place that is furthest from any voxel outside.

    The place is looked for among voxels, then within the one that is found. Of a round wall some centre of a
    voxel outside is next to it in any direction, so that nothing is to be taken off for half a voxel.

    Args:
        mask: With a voxel outside.
        spacing: Millimetres from voxel to voxel.
    """
    distances = ndimage.distance_transform_edt(mask, sampling=spacing)
    deepest = np.unravel_index(int(distances.argmax()), mask.shape)
    reach = [int(np.ceil(distances.max() / mm)) + 2 for mm in spacing]
    i, j, k = (slice(int(at), int(at) + 1) for at in deepest)
    box = grown((i, j, k), reach, mask.shape)
    start = np.array([one.start for one in box])
    outside = cKDTree(np.argwhere(~mask[box]) * np.asarray(spacing))
    parts = np.stack(np.meshgrid(_PARTS, _PARTS, _PARTS, indexing="ij"), axis=-1).reshape(-1, 3)
    nearest, _ = outside.query((np.asarray(deepest) - start + parts) * np.asarray(spacing))
    return float(2 * nearest.max())
