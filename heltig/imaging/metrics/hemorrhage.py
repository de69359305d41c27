"""The volume of an intracerebral hemorrhage mask that somebody supplied (imaging definitions 8.8).

A measurement of a mask: whether there is a hemorrhage is not said.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.measurement import (
    CM3,
    HU,
    ONE,
    Context,
    Gap,
    Measurement,
    gap_of,
    hounsfield_gap,
    slice_gap,
)
from heltig.imaging.morphology import components, dilated, filled
from heltig.imaging.segmentation import Crop, Mask, Segmentation, grown

KEY: Final = "intracerebral_hemorrhage"

COMPONENT_CM3: Final = 0.1
_INSIDE: Final = 0.5
_BRAIN_MM: Final = 5.0
_MOST_MM: Final = 5.0
_UNENHANCED: Final = ("native", "unknown")

_PLACES: Final = (15, 50, 85)
"""Per cent of the slices that have some of it, from the feet upwards: the slices to look at."""

_OUTLINE: Final = 1 / 3
"""Of a pixel: by how much a body is on average wider than the pixels whose centres are in it lie apart."""

_AXES_RATIO: Final = (0.6, 1.6)
_MEAN_HU: Final = (40.0, 100.0)

_KEPT: Final = "26-connected parts of at least 0.1 cm³, half of them within 5 mm of the brain"
_ABC: Final = "A × B × C / 2 of the largest part"


def hemorrhage(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """The volume as segmented, of the parts within the brain, by its axes; and three slices to look at."""
    segmentation = inventory.segmentation
    gap = hounsfield_gap(segmentation) or gap_of(inventory, KEY)
    if gap:
        return (_missing("hemorrhage_raw_volume", gap), *_nothing(gap))
    raw = _raw(inventory)
    gap = _unfit(inventory, context)
    if gap:
        return (raw, *_nothing(gap))
    crop = segmentation.crop(KEY)
    kept, largest = _kept(segmentation, crop)
    if not kept.any():
        return (raw, *_nothing(Gap("not_evaluated", "sample_too_small")))
    return (raw, *_measured(inventory, Crop(crop.box, kept), largest))


def _raw(inventory: Inventory) -> Measurement:
    """Of what is cut off, `observed_volume` has what is seen of it."""
    cut_off = inventory.status(KEY) == "truncated"
    return Measurement(
        name="hemorrhage_raw_volume",
        region=KEY,
        value=None if cut_off else inventory.volume_cm3(KEY),
        unit=CM3,
        method="voxels × |det affine|",
        status="truncated" if cut_off else "measured",
        reason="cut_off" if cut_off else "",
    )


def _unfit(inventory: Inventory, context: Context) -> Gap | None:
    """Why the volume would mean nothing."""
    match inventory.status("brain"):
        case "truncated":
            return Gap("not_evaluated", "brain_cut_off")
        case "complete":
            pass
        case _:
            return gap_of(inventory, "brain")
    if context.phase not in _UNENHANCED:
        return Gap("not_evaluated", "contrast_enhanced")
    if inventory.segmentation.spacing[2] > _MOST_MM:
        return Gap("not_evaluated", "slice_distance")
    return slice_gap(inventory.segmentation)


def _kept(segmentation: Segmentation, crop: Crop) -> tuple[Mask, Mask]:
    """The parts that are large enough and in the brain, and the largest one of them."""
    numbered, sizes = components(crop.mask)
    inside = _near_brain(segmentation, crop)
    within = np.bincount(numbered[inside], minlength=len(sizes) + 1)[1:]
    wanted = [
        number
        for number, (size, near) in enumerate(zip(sizes, within.tolist(), strict=True), 1)
        if segmentation.volume_cm3(size) >= COMPONENT_CM3 and near >= _INSIDE * size
    ]
    return np.isin(numbered, wanted), numbered == (wanted[0] if wanted else -1)


def _near_brain(segmentation: Segmentation, crop: Crop) -> Mask:
    """What of a box is within 5 mm of the brain. Holes of its mask, as a hemorrhage may be, are brain."""
    margin = [int(np.ceil(_BRAIN_MM / mm)) for mm in segmentation.spacing]
    wide = grown(crop.box, margin, segmentation.shape)
    about = segmentation.crop("brain")
    solid = np.zeros([one.stop - one.start for one in wide], np.bool_)
    shared = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(wide, about.box, strict=True)]
    if all(start < stop for start, stop in shared):
        target = tuple(slice(a - w.start, b - w.start) for (a, b), w in zip(shared, wide, strict=True))
        source = tuple(slice(a - w.start, b - w.start) for (a, b), w in zip(shared, about.box, strict=True))
        solid[target] = filled(about.mask)[source]
    near = dilated(solid, _BRAIN_MM, segmentation.spacing)
    inner = tuple(
        slice(one.start - w.start, one.stop - w.start) for one, w in zip(crop.box, wide, strict=True)
    )
    return near[inner]


def _measured(inventory: Inventory, crop: Crop, largest: Mask) -> Iterator[Measurement]:
    segmentation = inventory.segmentation
    volume = segmentation.volume_cm3(int(crop.mask.sum()))
    yield Measurement(name="hemorrhage_volume", region=KEY, value=volume, unit=CM3, method=_KEPT)
    by_axes = _abc(largest, segmentation.spacing)
    low, high = _AXES_RATIO
    ratio = by_axes / segmentation.volume_cm3(int(largest.sum()))
    yield Measurement(
        name="hemorrhage_abc_volume",
        region=KEY,
        value=by_axes,
        unit=CM3,
        method=_ABC,
        warnings=() if low <= ratio <= high else ("axes_disagree",),
    )
    values = inventory.values(KEY, crop)
    if values.size:
        mean = float(values.mean(dtype=np.float64))
        low, high = _MEAN_HU
        yield Measurement(
            name="hemorrhage_attenuation_mean",
            region=KEY,
            value=mean,
            unit=HU,
            method=_KEPT,
            warnings=() if low <= mean <= high else ("attenuation_range",),
        )
    else:
        yield _missing("hemorrhage_attenuation_mean", Gap("not_evaluated", "sample_too_small"))
    occupied = np.flatnonzero(crop.mask.any(axis=(0, 1))) + crop.box[2].start
    for part in _PLACES:
        place = segmentation.slice_place(int(occupied[min(len(occupied) - 1, part * len(occupied) // 100)]))
        yield Measurement(
            name=f"hemorrhage_slice_{part}",
            region=KEY,
            value=place.index,
            unit=ONE,
            method=_KEPT,
            place=place,
        )


def _abc(mask: Mask, spacing: tuple[float, float, float]) -> float:
    """Half of the product, in cm³: longest diameter on the largest slice, the one across, and the height."""
    areas = np.count_nonzero(mask, axis=(0, 1))
    x, y = np.nonzero(mask[:, :, int(areas.argmax())])
    angles = np.radians(np.arange(180))
    cosine, sine = np.cos(angles), np.sin(angles)
    along = np.outer(cosine, x * spacing[0]) + np.outer(sine, y * spacing[1])
    widths: NDArray[Any] = np.ptp(along, axis=1) + _OUTLINE * (spacing[0] + spacing[1]) / 2
    longest = int(np.round(widths, 6).argmax())
    height = int(np.count_nonzero(areas)) * spacing[2]
    return float(widths[longest] * widths[(longest + 90) % 180] * height / 2 / 1000)


def _nothing(gap: Gap) -> Iterator[Measurement]:
    for name in ("volume", "abc_volume", "attenuation_mean", *(f"slice_{part}" for part in _PLACES)):
        yield _missing(f"hemorrhage_{name}", gap)


def _missing(name: str, gap: Gap) -> Measurement:
    unit = CM3 if name.endswith("volume") else HU if "attenuation" in name else ONE
    return Measurement(
        name=name, region=KEY, value=None, unit=unit, method=_KEPT, status=gap.status, reason=gap.reason
    )
