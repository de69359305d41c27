"""The width of the aorta, from a supplied mask (8.10). Not measured unless asked for."""

from typing import Final

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.measurement import MM, Context, Gap, Measurement, gap_of

_METHOD: Final = "diameter of the largest ball inside of the mask"


def aorta(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """The diameter of the largest ball that fits: it does not depend on how vessel and slices lie.

    From the centre of a voxel to that of the nearest one outside is half a voxel more than to the edge.
    """
    segmentation = inventory.segmentation
    gap = gap_of(inventory, "aorta")
    value = None
    if not gap:
        gap = Gap("truncated", "cut_off") if inventory.status("aorta") == "truncated" else None
        crop = segmentation.crop("aorta", max(segmentation.spacing))
        farthest = ndimage.distance_transform_edt(crop.mask, sampling=segmentation.spacing).max()
        value = float(2 * farthest - np.mean(segmentation.spacing[:2]))
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
