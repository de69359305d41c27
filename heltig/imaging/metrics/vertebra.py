"""Attenuation of the first lumbar vertebra (imaging definitions 8.6)."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.distribution import Distribution
from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.l3 import vertebral_body
from heltig.imaging.metrics.measurement import HU, Context, Gap, Measurement, gap_of, hounsfield_gap
from heltig.imaging.morphology import eroded
from heltig.imaging.segmentation import Crop, Segmentation, grown

EROSION_MM: Final = 5.0
LEAST_VOXELS: Final = 25

_KEY: Final = "vertebrae_L1"
_KILOVOLT: Final = (110.0, 130.0)
_MOST_MM: Final = 5.0
_UNENHANCED: Final = ("native", "unknown")

_METHODS: Final = {
    "L1_attenuation": f"vertebral body, voxels at least {EROSION_MM:g} mm inside",
    "L1_attenuation_body": "vertebral body",
    "L1_attenuation_vertebra": "whole vertebra",
}
_STATISTICS: Final = ("mean", "sd", "median")
_TOO_SMALL: Final = Gap("not_evaluated", "sample_too_small")


def vertebra(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """Mean, SD and median of the core of the body, of the body, and of the vertebra with its processes."""
    segmentation = inventory.segmentation
    gap = hounsfield_gap(segmentation) or gap_of(inventory, _KEY)
    samples = dict.fromkeys(_METHODS, gap) if gap else _samples(inventory)
    warnings = () if gap else tuple(_warnings(segmentation, context))
    cut_off = inventory.status(_KEY) == "truncated"
    return tuple(
        measurement
        for name, sample in samples.items()
        for measurement in _statistics(name, sample, cut_off=cut_off, warnings=warnings)
    )


def _samples(inventory: Inventory) -> dict[str, Distribution | Gap]:
    segmentation = inventory.segmentation
    whole = segmentation.crop(_KEY)
    body = vertebral_body(segmentation, _KEY)
    found: dict[str, Distribution | Gap] = {}
    if body is None:
        found = dict.fromkeys(
            ("L1_attenuation", "L1_attenuation_body"), Gap("not_evaluated", "no_vertebral_bodies")
        )
    else:
        margin = [int(np.ceil(EROSION_MM / mm)) for mm in segmentation.spacing]
        box = grown(whole.box, margin, segmentation.shape)
        wide = segmentation.mask(_KEY, box) & segmentation.mask("vertebrae_body", box)
        core = eroded(wide, EROSION_MM, segmentation.spacing)
        found["L1_attenuation"] = _sample(inventory.values(_KEY, Crop(box, core)))
        found["L1_attenuation_body"] = _sample(inventory.values(_KEY, Crop(whole.box, body)))
    found["L1_attenuation_vertebra"] = inventory.distribution(_KEY) or _TOO_SMALL
    return found


def _sample(values: NDArray[Any]) -> Distribution | Gap:
    if values.size < LEAST_VOXELS:
        return _TOO_SMALL
    return Distribution.of(values)


def _statistics(
    name: str, sample: Distribution | Gap, *, cut_off: bool, warnings: tuple[str, ...]
) -> Iterator[Measurement]:
    for statistic in _STATISTICS:
        if isinstance(sample, Gap):
            value, gap = None, sample
        else:
            value = getattr(sample, statistic)
            gap = Gap("truncated", "cut_off") if cut_off else Gap("measured", "")
        yield Measurement(
            name=f"{name}_{statistic}",
            region=_KEY,
            value=value,
            unit=HU,
            method=_METHODS[name],
            status=gap.status,
            reason=gap.reason,
            warnings=warnings,
        )


def _warnings(segmentation: Segmentation, context: Context) -> Iterator[str]:
    kilovolt = segmentation.volume.technique.kvp
    low, high = _KILOVOLT
    if kilovolt is None or not low <= kilovolt <= high:
        yield "tube_voltage"
    if segmentation.spacing[2] > _MOST_MM:
        yield "slice_distance"
    if context.phase not in _UNENHANCED:
        yield "contrast_enhanced"
