"""Volumes, attenuation and parts of all structures (imaging definitions 8.0 to 8.2)."""

from collections.abc import Iterator
from typing import Final

from heltig.imaging.distribution import Distribution
from heltig.imaging.inventory import COMPONENT_CM3, LEAST_VOXELS, Found, Inventory
from heltig.imaging.metrics.measurement import (
    CM3,
    HU,
    ONE,
    Context,
    Gap,
    Measurement,
    gap_of,
    hounsfield_gap,
)
from heltig.imaging.morphology import eroded
from heltig.imaging.segmentation import Crop

EROSION_MM: Final = 3.0

EXPECTED: Final = ("liver", "spleen", "kidney_right", "kidney_left")
"""What is measured of these has short names, which many programs ask for."""

ALL_OVER: Final = frozenset({"subcutaneous_fat", "torso_fat", "skeletal_muscle", "body", "body_trunc"})
"""What goes through the whole body: it has neither parts that mean anything nor a core."""

_BRAIN: Final = "brain"

_STATISTICS: Final = ("mean", "sd", "median", "p5", "p95")
_BY_VOXELS: Final = "voxels × |det affine|"
_BY_COUNT: Final = "all voxels"
_ERODED: Final = f"voxels at least {EROSION_MM:g} mm inside"
_PARTS: Final = f"26-connected parts of at least {COMPONENT_CM3:g} cm³"


def organs(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """Volume, attenuation and parts of every structure that a label map could hold.

    Of `EXPECTED` it is said, too, that no label map could.
    """
    return (
        *(
            measurement
            for found in inventory.found.values()
            for measurement in (*_volumes(inventory, found, context), *_attenuation(inventory, found))
        ),
        *(one for key in EXPECTED if inventory.status(key) is None for one in _nothing(inventory, key)),
    )


def _volumes(inventory: Inventory, found: Found, context: Context) -> Iterator[Measurement]:
    key = found.structure.key
    gap = gap_of(inventory, key)
    if gap:
        yield _missing("volume", key, CM3, _BY_VOXELS, gap)
        return
    several = found.volume_cm3 >= 2 * COMPONENT_CM3 and key not in ALL_OVER
    parts = inventory.components_cm3(key) if several else ()
    warnings: tuple[str, ...] = ("several_components",) if len(parts) > 1 else ()
    if key == _BRAIN and inventory.segmentation.volume.technique.modality == "MR" and not context.t1_weighted:
        warnings += ("t1_only",)
    if found.status == "truncated":
        yield _missing("volume", key, CM3, _BY_VOXELS, Gap("truncated", "cut_off"))
        name = "observed_volume"
    else:
        name = "volume"
    yield Measurement(
        name=name, region=key, value=found.volume_cm3, unit=CM3, method=_BY_VOXELS, warnings=warnings
    )
    if len(parts) > 1:
        yield Measurement(name="components", region=key, value=len(parts), unit=ONE, method=_PARTS)
        for number, volume in enumerate(parts, 1):
            yield Measurement(
                name=f"component_{number}_volume", region=key, value=volume, unit=CM3, method=_PARTS
            )


def _attenuation(inventory: Inventory, found: Found) -> Iterator[Measurement]:
    """The values are those of the voxels that are seen: a structure that is cut off has them, too."""
    key, segmentation = found.structure.key, inventory.segmentation
    gap = hounsfield_gap(segmentation) or gap_of(inventory, key)
    names = [f"attenuation_{statistic}" for statistic in _STATISTICS]
    if gap:
        yield from (_missing(name, key, HU, _BY_COUNT, gap) for name in names)
        return
    values = inventory.distribution(key)
    small = Gap("not_evaluated", "sample_too_small")
    yield from (
        _seen(found, name, getattr(values, statistic), _BY_COUNT)
        if values
        else _missing(name, key, HU, _BY_COUNT, small)
        for name, statistic in zip(names, _STATISTICS, strict=True)
    )
    if key in ALL_OVER:
        return
    core = core_of(inventory, key)
    if core is None:
        yield _missing("attenuation_mean_eroded", key, HU, _ERODED, small)
    else:
        yield _seen(found, "attenuation_mean_eroded", core.mean, _ERODED)


def _nothing(inventory: Inventory, key: str) -> Iterator[Measurement]:
    gap = Gap("not_evaluated", "not_segmented")
    yield _missing("volume", key, CM3, _BY_VOXELS, gap)
    for name in ("attenuation_mean", "attenuation_sd"):
        yield _missing(name, key, HU, _BY_COUNT, hounsfield_gap(inventory.segmentation) or gap)


def core_of(inventory: Inventory, key: str, *, mm: float = EROSION_MM) -> Distribution | None:
    """The values of a structure without its outermost millimetres; None where fewer than 27 are left."""
    segmentation = inventory.segmentation
    crop = segmentation.crop(key, mm)
    if not crop.mask.any():
        return None
    values = inventory.values(key, Crop(crop.box, eroded(crop.mask, mm, segmentation.spacing)))
    return Distribution.of(values) if values.size >= LEAST_VOXELS else None


def _seen(found: Found, name: str, value: float, method: str) -> Measurement:
    cut_off = found.status == "truncated"
    return Measurement(
        name=name,
        region=found.structure.key,
        value=value,
        unit=HU,
        method=method,
        status="truncated" if cut_off else "measured",
        reason="cut_off" if cut_off else "",
    )


def _missing(name: str, key: str, unit: str, method: str, gap: Gap) -> Measurement:
    return Measurement(
        name=name, region=key, value=None, unit=unit, method=method, status=gap.status, reason=gap.reason
    )
