"""Fat on the L3 slice: subcutaneous, visceral, both, and their ratio (imaging definitions 8.5)."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.axial import area_cm2, areas, in_window, is_cut_off
from heltig.imaging.metrics.l3 import RULE, MiddleSlice, middle_of_l3
from heltig.imaging.metrics.measurement import (
    CM2,
    ONE,
    Context,
    Gap,
    Measurement,
    gap_of,
    hounsfield_gap,
)
from heltig.imaging.metrics.muscle import FAT_HU
from heltig.imaging.segmentation import Segmentation

_SOURCES: Final = {
    "SAT": ("subcutaneous_fat",),
    "VAT": ("torso_fat",),
    "TAT": ("subcutaneous_fat", "torso_fat"),
    "VAT_SAT_ratio": ("torso_fat", "subcutaneous_fat"),
}
"""What each needs."""

_BODY: Final = ("body", "body_trunc", "subcutaneous_fat", "torso_fat", "skeletal_muscle")


def adipose(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """SAT, VAT, TAT and VAT / SAT. Where the body goes beyond the image, none of them is known."""
    segmentation = inventory.segmentation
    middle = middle_of_l3(inventory)
    gaps = {
        name: hounsfield_gap(segmentation)
        or (middle if isinstance(middle, Gap) else None)
        or next((gap for key in keys if (gap := gap_of(inventory, key))), None)
        for name, keys in _SOURCES.items()
    }
    missing = [_missing(name, gap) for name, gap in gaps.items() if gap]
    if isinstance(middle, Gap):
        return tuple(missing)
    measurable = {name for name, gap in gaps.items() if not gap}
    return (
        *missing,
        *(one for one in _on_slice(segmentation, middle.z, measurable) if _base(one) in measurable),
        *_nearby(segmentation, middle, measurable),
    )


class Fat(NamedTuple):
    """Areas on one slice in cm², and whether the body goes beyond the image there."""

    sat: float
    vat: float
    cut_off: bool


def fat_on(segmentation: Segmentation, z: int) -> Fat:
    """The fat on one slice."""
    values = segmentation.voxels[:, :, z]
    masks = {key: segmentation.slice_mask(key, z) for key in _BODY}
    visceral = np.asarray(masks["torso_fat"] & ~masks["skeletal_muscle"], np.bool_)
    return Fat(
        area_cm2(segmentation, in_window(masks["subcutaneous_fat"], values, FAT_HU)),
        area_cm2(segmentation, in_window(visceral, values, FAT_HU)),
        any(is_cut_off(segmentation, mask, z) for mask in masks.values()),
    )


def _nearby(segmentation: Segmentation, middle: MiddleSlice, measurable: set[str]) -> Iterator[Measurement]:
    """SAT and VAT on the slices nearest to 5 mm below and above."""
    if measurable.isdisjoint(("SAT", "VAT")):
        return
    for where, near in zip(("below", "above"), middle.around, strict=True):
        if near is None:
            continue
        fat, place = fat_on(segmentation, near), segmentation.slice_place(near)
        for name, value in (("SAT", fat.sat), ("VAT", fat.vat)):
            if name in measurable:
                yield from areas(
                    f"{name}_5mm_{where}",
                    value,
                    place,
                    region="+".join(_SOURCES[name]),
                    cut_off=fat.cut_off,
                    window=FAT_HU,
                )


def _on_slice(segmentation: Segmentation, z: int, measurable: set[str]) -> Iterator[Measurement]:
    if not measurable:
        return
    place = segmentation.slice_place(z)
    sat, vat, cut_off = fat_on(segmentation, z)
    for name, value in (("SAT", sat), ("VAT", vat), ("TAT", sat + vat)):
        region = "+".join(_SOURCES[name])
        yield from areas(name, value, place, region=region, cut_off=cut_off, window=FAT_HU)
    gap = Gap("measured", "")
    if cut_off:
        gap = Gap("truncated", "cut_off")
    elif not sat:
        gap = Gap("not_evaluated", "no_subcutaneous_fat")
    yield Measurement(
        name="VAT_SAT_ratio",
        region="+".join(_SOURCES["VAT_SAT_ratio"]),
        value=None if gap.reason else vat / sat,
        unit=ONE,
        method=RULE,
        status=gap.status,
        reason=gap.reason,
        window=FAT_HU,
        place=place,
    )


def _base(measurement: Measurement) -> str:
    return measurement.name.removeprefix("observed_")


def _missing(name: str, gap: Gap) -> Measurement:
    return Measurement(
        name=name,
        region="+".join(_SOURCES[name]),
        value=None,
        unit=ONE if name == "VAT_SAT_ratio" else CM2,
        method=RULE,
        status=gap.status,
        reason=gap.reason,
        window=FAT_HU,
    )
