"""Fat in slabs about T12 to L5, split midway between the centres of vertebrae (imaging definitions 8.5).

Not measured unless asked for.
"""

from collections.abc import Iterator
from math import ceil
from typing import Final

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.adipose import Fat, fat_on
from heltig.imaging.metrics.l3 import extent_of
from heltig.imaging.metrics.measurement import (
    CM3,
    Context,
    Gap,
    Measurement,
    gap_of,
    hounsfield_gap,
    slice_gap,
)
from heltig.imaging.metrics.muscle import FAT_HU
from heltig.imaging.segmentation import Segmentation

_LEVELS: Final = ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")
"""From the head. The first and the last only say where their neighbour's slab ends."""

_FAT: Final = {"subcutaneous_fat": "SAT", "torso_fat": "VAT"}

_METHOD: Final = "slices between the middles of the vertebra and its neighbours"
_MEASURED: Final = Gap("measured", "")
_UNCERTAIN: Final = Gap("not_evaluated", "slab_uncertain")
_IN_PART: Final = Gap("not_evaluated", "slab_in_part")


def fat_slabs(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """The volume of subcutaneous and of visceral fat in the slab of each vertebra."""
    return tuple(
        measurement
        for above, level, below in zip(_LEVELS, _LEVELS[1:], _LEVELS[2:], strict=False)
        for measurement in _slab(inventory, above, level, below)
    )


def _slab(inventory: Inventory, above: str, level: str, below: str) -> Iterator[Measurement]:
    segmentation = inventory.segmentation
    gap = hounsfield_gap(segmentation) or slice_gap(segmentation)
    slices = range(0) if gap else _slices(inventory, above, level, below)
    if not gap and not slices:
        gap = _UNCERTAIN
    gaps = {key: gap or gap_of(inventory, key) or _gap_in(segmentation, key, slices) for key in _FAT}
    fat = [] if all(gaps.values()) else [fat_on(segmentation, z) for z in slices]
    for key, name in _FAT.items():
        yield from _volume(inventory, name, key, f"vertebrae_{level}", gaps[key] or fat)


def _gap_in(segmentation: Segmentation, key: str, slices: range) -> Gap | None:
    """Fat is often drawn on one slice alone: where a slice has none, it may not have been looked for."""
    return None if all(segmentation.slice_mask(key, z).any() for z in slices) else _IN_PART


def _slices(inventory: Inventory, above: str, level: str, below: str) -> range:
    """Those from midway to the vertebra below to midway to the one above; none where that is uncertain."""
    found = [extent_of(inventory.segmentation, f"vertebrae_{one}") for one in (below, level, above)]
    middles = [extent.middle for extent in found if extent is not None and extent.complete]
    if len(middles) < len(found) or not middles[0] < middles[1] < middles[2]:
        return range(0)
    return range(ceil((middles[0] + middles[1]) / 2), ceil((middles[1] + middles[2]) / 2))


def _volume(
    inventory: Inventory, name: str, key: str, vertebra: str, found: Gap | list[Fat]
) -> Iterator[Measurement]:
    region = f"{key}+{vertebra}"
    if isinstance(found, Gap):
        yield _result(f"{name}_volume", region, None, found)
        return
    area = sum(fat.sat if name == "SAT" else fat.vat for fat in found)
    if any(fat.cut_off for fat in found):
        yield _result(f"{name}_volume", region, None, Gap("truncated", "cut_off"))
        name = f"observed_{name}"
    yield _result(f"{name}_volume", region, area * inventory.segmentation.spacing[2] / 10, _MEASURED)


def _result(name: str, region: str, value: float | None, gap: Gap) -> Measurement:
    return Measurement(
        name=name,
        region=region,
        value=value,
        unit=CM3,
        method=_METHOD,
        status=gap.status,
        reason=gap.reason,
        window=FAT_HU,
    )
