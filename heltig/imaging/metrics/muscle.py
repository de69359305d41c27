"""Skeletal muscle on the L3 slice: area, attenuation, index, fat within (imaging definitions 8.4)."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.axial import area_cm2, areas, in_window, is_cut_off
from heltig.imaging.metrics.l3 import RULE, MiddleSlice, middle_of_l3
from heltig.imaging.metrics.measurement import (
    CM2,
    HU,
    Context,
    Gap,
    Measurement,
    gap_of,
    hounsfield_gap,
)
from heltig.imaging.segmentation import Mask, Segmentation, SlicePlace

MUSCLE_HU: Final = (-29.0, 150.0)
FAT_HU: Final = (-190.0, -30.0)

INDEX_UNIT: Final = "cm2/m2"

ARM_BONES: Final = ("humerus_left", "humerus_right", "humerus", "ulna", "radius")
_ARM_MM: Final = 35.0
_ARM_PART: Final = 0.45

_HEIGHT_M: Final = (0.8, 2.5)
_UNENHANCED: Final = ("native", "unknown")


class Cleaned(NamedTuple):
    """Muscle without arms.

    Attributes:
        mask: What is left.
        warnings: `arms_beside` where arms were not taken away.
    """

    mask: Mask
    warnings: tuple[str, ...]


def muscle(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """SMA, SMD, SMI and IMAT, with the same areas 5 mm below and above."""
    segmentation = inventory.segmentation
    place = middle_of_l3(inventory)
    gap = hounsfield_gap(segmentation) or gap_of(inventory, "skeletal_muscle")
    if gap:
        return tuple(_nothing(gap))
    if isinstance(place, Gap):
        return tuple(_nothing(place))
    return tuple(_on_slice(segmentation, place, context))


def _on_slice(segmentation: Segmentation, middle: MiddleSlice, context: Context) -> Iterator[Measurement]:
    z, place = middle.z, segmentation.slice_place(middle.z)
    raw = segmentation.slice_mask("skeletal_muscle", z)
    if not raw.any():
        yield from _nothing(Gap("absent", "absent"))
        return
    cleaned = without_arms(segmentation, raw, z)
    values = segmentation.voxels[:, :, z]
    inside = in_window(cleaned.mask, values, MUSCLE_HU)
    cut_off, with_arms_cut_off = (is_cut_off(segmentation, mask, z) for mask in (cleaned.mask, raw))

    def area(
        name: str, mask: Mask, window: tuple[float, float] | None, cut_off: bool
    ) -> Iterator[Measurement]:
        yield from areas(
            name,
            area_cm2(segmentation, mask),
            place,
            region="skeletal_muscle",
            cut_off=cut_off,
            window=window,
            warnings=cleaned.warnings,
        )

    yield from area("SMA", inside, MUSCLE_HU, cut_off)
    yield from area("SMA_raw", raw, None, with_arms_cut_off)
    yield from area("SMA_with_arms", in_window(raw, values, MUSCLE_HU), MUSCLE_HU, with_arms_cut_off)
    yield from area("IMAT", in_window(cleaned.mask, values, FAT_HU), FAT_HU, cut_off)
    yield from _attenuation(values[inside], place, context)
    yield _index(segmentation, None if cut_off else area_cm2(segmentation, inside), place, context)
    for name, near in zip(("SMA_5mm_below", "SMA_5mm_above"), middle.around, strict=True):
        if near is not None:
            mask = without_arms(segmentation, segmentation.slice_mask("skeletal_muscle", near), near).mask
            inside = in_window(mask, segmentation.voxels[:, :, near], MUSCLE_HU)
            yield from areas(
                name,
                area_cm2(segmentation, inside),
                segmentation.slice_place(near),
                region="skeletal_muscle",
                cut_off=is_cut_off(segmentation, mask, near),
                window=MUSCLE_HU,
            )


def _attenuation(values: NDArray[Any], place: SlicePlace, context: Context) -> Iterator[Measurement]:
    warnings = () if context.phase in _UNENHANCED else ("contrast_enhanced",)
    statistics: tuple[tuple[str, Callable[[NDArray[Any]], float]], ...] = (
        ("SMD", np.mean),
        ("SMD_sd", np.std),
    )
    for name, statistic in statistics:
        yield Measurement(
            name=name,
            region="skeletal_muscle",
            value=float(statistic(values.astype(np.float64))) if values.size else None,
            unit=HU,
            method=RULE,
            status="measured" if values.size else "not_evaluated",
            reason="" if values.size else "no_muscle_in_window",
            window=MUSCLE_HU,
            place=place,
            warnings=warnings,
        )


def _index(
    segmentation: Segmentation, sma_cm2: float | None, place: SlicePlace, context: Context
) -> Measurement:
    height, warnings = _height(segmentation, context)
    value, gap = None, Gap("measured", "")
    if height is None:
        gap = Gap("not_evaluated", "no_height")
    elif sma_cm2 is None:
        gap = Gap("truncated", "cut_off")
    else:
        value = sma_cm2 / height**2
    return Measurement(
        name="SMI",
        region="skeletal_muscle",
        value=value,
        unit=INDEX_UNIT,
        method=f"{RULE}, SMA / height²",
        status=gap.status,
        reason=gap.reason,
        window=MUSCLE_HU,
        place=place,
        warnings=warnings,
    )


def _height(segmentation: Segmentation, context: Context) -> tuple[float | None, tuple[str, ...]]:
    """Metres; numbers that can only be centimetres are taken for such, and it is said."""
    low, high = _HEIGHT_M
    given = context.height_m
    written = segmentation.volume.technique.patient_size_m if given is None else given
    if written is None:
        return None, ()
    if low <= written <= high:
        return written, () if given is None else ("height_given",)
    if given is None and low * 100 <= written <= high * 100:
        return written / 100, ("height_in_cm",)
    return None, ()


def without_arms(segmentation: Segmentation, muscle: Mask, z: int) -> Cleaned:
    """Take away what is within 35 mm of arm bones, unless that is more than 45 per cent."""
    bones = np.zeros_like(muscle)
    for key in ARM_BONES:
        bones |= segmentation.slice_mask(key, z)
    if not bones.any() or not muscle.any():
        return Cleaned(muscle, ())
    near = ndimage.distance_transform_edt(~bones, sampling=segmentation.spacing[:2]) <= _ARM_MM
    numbered, _ = ndimage.label(muscle, structure=np.ones((3, 3)))
    touching = np.unique(numbered[near & muscle])
    arms = np.isin(numbered, touching[touching > 0])
    if arms.sum() > _ARM_PART * muscle.sum():
        return Cleaned(muscle, ("arms_beside",))
    return Cleaned(muscle & ~arms, ())


def _nothing(gap: Gap) -> Iterator[Measurement]:
    names = {"SMA": CM2, "SMA_raw": CM2, "SMA_with_arms": CM2, "IMAT": CM2, "SMD": HU, "SMD_sd": HU}
    for name, unit in {**names, "SMI": INDEX_UNIT}.items():
        yield Measurement(
            name=name,
            region="skeletal_muscle",
            value=None,
            unit=unit,
            method=RULE,
            status=gap.status,
            reason=gap.reason,
        )
