"""Noise of the images and how well tissues stand out from it: image quality, of no structure (8.10).

Not measured unless asked for.
"""

from collections.abc import Iterator
from typing import Final

from heltig.imaging.inventory import Inventory
from heltig.imaging.metrics.measurement import HU, ONE, Context, Gap, Measurement, gap_of, hounsfield_gap
from heltig.imaging.metrics.organs import core_of

_MUSCLES: Final = ("autochthon_left", "autochthon_right")
_NOISE_IN: Final = ("aorta", *_MUSCLES)
_CONTRAST_OF: Final = ("liver", "aorta")
_NOISE: Final = "standard deviation, without the outermost 3 mm"
_CNR: Final = "difference of means over the noise of the muscle, without the outermost 3 mm"


def quality(inventory: Inventory, context: Context) -> tuple[Measurement, ...]:
    """Noise in the aorta and in the muscles of the back, contrast to noise of liver and aorta to these."""
    return (*_noise(inventory), *_contrast(inventory))


def _gap(inventory: Inventory, *keys: str) -> Gap | None:
    gaps = [hounsfield_gap(inventory.segmentation), *(gap_of(inventory, key) for key in keys)]
    return next((gap for gap in gaps if gap), None)


def _noise(inventory: Inventory) -> Iterator[Measurement]:
    for key in _NOISE_IN:
        gap = _gap(inventory, key)
        core = None if gap else core_of(inventory, key)
        gap = gap or (None if core else Gap("not_evaluated", "sample_too_small"))
        yield _result("noise", key, core.sd if core else None, HU, _NOISE, gap)


def _contrast(inventory: Inventory) -> Iterator[Measurement]:
    muscle = next((key for key in _MUSCLES if inventory.has(key)), _MUSCLES[0])
    for key in _CONTRAST_OF:
        gap = _gap(inventory, key, muscle)
        cores = [None, None] if gap else [core_of(inventory, key), core_of(inventory, muscle)]
        value = None
        if cores[0] and cores[1] and cores[1].sd:
            value = abs(cores[0].mean - cores[1].mean) / cores[1].sd
        elif not gap:
            gap = Gap("not_evaluated", "sample_too_small")
        yield _result("contrast_to_noise", f"{key}+{muscle}", value, ONE, _CNR, gap)


def _result(
    name: str, region: str, value: float | None, unit: str, method: str, gap: Gap | None
) -> Measurement:
    gap = gap or Gap("measured", "")
    return Measurement(
        name=name, region=region, value=value, unit=unit, method=method, status=gap.status, reason=gap.reason
    )
