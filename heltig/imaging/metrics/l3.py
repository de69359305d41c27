"""The slice through the middle of the third lumbar vertebra (rule l3/1, imaging definitions 8.3)."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.measurement import ONE, Context, Gap, Measurement, gap_of, slice_gap
from heltig.imaging.segmentation import Mask, Segmentation

RULE: Final = "l3/1"

_AREA: Final = 0.05
"""Slices with less than this part of the largest area do not count: tips of processes."""

_LEAST_MM: Final = 15.0
_NEIGHBOURS_MM: Final = (25.0, 50.0)
_STABILITY_MM: Final = 5.0


class MiddleSlice(NamedTuple):
    """Which slice is the middle.

    Attributes:
        z: Its number, counted from the feet.
        around: The slices nearest to 5 mm below and above, for comparison; None outside of the volume.
    """

    z: int
    around: tuple[int | None, int | None]


class Extent(NamedTuple):
    """Slices of a vertebra that count: the first and the last, and whether it ends before the images do."""

    first: int
    last: int
    complete: bool

    @property
    def middle(self) -> float:
        """Halfway between the two, in slices."""
        return (self.first + self.last) / 2


def middle_of_l3(inventory: Inventory) -> MiddleSlice | Gap:
    """The middle slice; where two are as near, the one towards the feet.

    Its body alone is looked at where a label map says which part that is: the spinous process goes far down.
    """
    segmentation = inventory.segmentation
    gap = slice_gap(segmentation) or gap_of(inventory, "vertebrae_L3")
    if gap:
        return gap
    extent = extent_of(segmentation, "vertebrae_L3")
    if extent is None or not _is_certain(segmentation, extent):
        return Gap("not_evaluated", "l3_ambiguous")
    z = (extent.first + extent.last) // 2
    step = max(1, round(_STABILITY_MM / segmentation.spacing[2]))
    inside = range(segmentation.shape[2])
    below, above = z - step, z + step
    return MiddleSlice(z, (below if below in inside else None, above if above in inside else None))


def l3_slice(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """The index of the middle slice along its axis of the volume, counted from 0."""
    middle = middle_of_l3(inventory)
    missing = middle if isinstance(middle, Gap) else Gap("measured", "")
    place = None if isinstance(middle, Gap) else inventory.segmentation.slice_place(middle.z)
    return (
        Measurement(
            name="L3_slice",
            region="vertebrae_L3",
            value=place.index if place else None,
            unit=ONE,
            method=RULE,
            status=missing.status,
            reason=missing.reason,
            place=place,
        ),
    )


def _is_certain(segmentation: Segmentation, extent: Extent) -> bool:
    dz = segmentation.spacing[2]
    if not extent.complete or (extent.last - extent.first + 1) * dz < _LEAST_MM:
        return False
    low, high = _NEIGHBOURS_MM
    for key, sign in (("vertebrae_L4", -1), ("vertebrae_L2", 1)):
        neighbour = extent_of(segmentation, key)
        if neighbour is None:
            continue
        distance = sign * (neighbour.middle - extent.middle) * dz
        if distance <= 0 or (neighbour.complete and not low <= distance <= high):
            return False
    return True


def extent_of(segmentation: Segmentation, key: str) -> Extent | None:
    """The slices of a vertebra that count, of its body where a label map has it; None where there is none."""
    box = segmentation.box(key)
    if box is None:
        return None
    mask = vertebral_body(segmentation, key)
    areas: NDArray[np.int64] = np.count_nonzero(
        segmentation.crop(key).mask if mask is None else mask, axis=(0, 1)
    )
    filled = np.flatnonzero(areas) + box[2].start
    counting = np.flatnonzero(areas >= _AREA * areas.max()) + box[2].start
    complete = filled[0] > 0 and filled[-1] < segmentation.shape[2] - 1
    return Extent(int(counting[0]), int(counting[-1]), bool(complete))


def vertebral_body(segmentation: Segmentation, key: str) -> Mask | None:
    """The body of a vertebra, in the box about the vertebra; None where no label map tells bodies."""
    box = segmentation.box(key)
    if box is None:
        return None
    body = segmentation.mask(key, box) & segmentation.mask("vertebrae_body", box)
    return body if body.any() else None
