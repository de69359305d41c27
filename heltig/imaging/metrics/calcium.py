"""The calcium score of Agatston, from a supplied mask of the coronary arteries (8.10).

Not measured unless asked for. Agatston et al., J Am Coll Cardiol 1990;15:827: on slices 3 mm apart, lesions
of 130 HU and more and of at least 1 mm²; each counts its area in mm² times 1 to 4 by its largest value.
Slices at other distances count in proportion.
"""

from typing import Final

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.measurement import (
    ONE,
    Context,
    Gap,
    Measurement,
    gap_of,
    hounsfield_gap,
    slice_gap,
)
from heltig.imaging.segmentation import Segmentation

KEY: Final = "coronary_arteries"

_FROM_HU: Final = 130
_LEAST_MM2: Final = 1.0
_STEPS_HU: Final = (200, 300, 400)
_DISTANCE_MM: Final = 3.0
_KILOVOLT: Final = (119.0, 121.0)
_METHOD: Final = "Agatston 1990, from 130 HU, in proportion to slices of 3 mm"


def calcium(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """The score, at 120 kV and without contrast agent only."""
    segmentation = inventory.segmentation
    gap = hounsfield_gap(segmentation) or gap_of(inventory, KEY) or slice_gap(segmentation)
    gap = gap or _unfit(inventory, context)
    value = None if gap else _score(segmentation)
    gap = gap or Gap("measured", "")
    return (
        Measurement(
            name="agatston_score",
            region=KEY,
            value=value,
            unit=ONE,
            method=_METHOD,
            status=gap.status,
            reason=gap.reason,
        ),
    )


def _unfit(inventory: Inventory, context: Context) -> Gap | None:
    """Why the score is not defined."""
    kilovolt = inventory.segmentation.volume.technique.kvp
    low, high = _KILOVOLT
    if context.phase != "native":
        return Gap("suppressed", "phase_not_native")
    if kilovolt is None or not low <= kilovolt <= high:
        return Gap("suppressed", "tube_voltage")
    return Gap("truncated", "cut_off") if inventory.status(KEY) == "truncated" else None


def _score(segmentation: Segmentation) -> float:
    crop = segmentation.crop(KEY)
    x, y, z = segmentation.spacing
    score = 0.0
    for k in range(crop.mask.shape[2]):
        values = segmentation.voxels[crop.box][:, :, k]
        numbered, count = ndimage.label(crop.mask[:, :, k] & (values >= _FROM_HU))
        if not count:
            continue
        areas = np.bincount(numbered.ravel())[1:] * x * y
        highest = ndimage.maximum(values, numbered, range(1, count + 1))
        weights = 1 + np.searchsorted(_STEPS_HU, highest, side="right")
        score += float((areas * weights)[areas >= _LEAST_MM2].sum())
    return score * z / _DISTANCE_MM
