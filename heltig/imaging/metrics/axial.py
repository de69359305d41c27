"""Areas on one axial slice."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.metrics.l3 import RULE
from heltig.imaging.metrics.measurement import CM2, Measurement
from heltig.imaging.reconstruction import Reconstruction, beside
from heltig.imaging.segmentation import Mask, Segmentation, SlicePlace


def in_window(mask: Mask, values: NDArray[Any], window: tuple[float, float]) -> Mask:
    """What of a mask has values from one to the other, both included."""
    low, high = window
    return np.asarray(mask & (values >= low) & (values <= high), np.bool_)


def area_cm2(segmentation: Segmentation, mask: Mask) -> float:
    """The area of a mask on an axial slice."""
    x, y, _ = segmentation.spacing
    return int(np.count_nonzero(mask)) * x * y / 100


def is_cut_off(segmentation: Segmentation, mask: Mask, z: int) -> bool:
    """A mask on a slice touches the edge of the image, or what was not reconstructed."""
    missing = Reconstruction(segmentation).missing(z)
    by_edge = bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
    return by_edge or (missing is not None and bool((beside(missing) & mask).any()))


def areas(
    name: str,
    value: float,
    place: SlicePlace,
    *,
    region: str,
    cut_off: bool,
    window: tuple[float, float] | None = None,
    warnings: tuple[str, ...] = (),
) -> Iterator[Measurement]:
    """An area; where something is cut off there is none, but one that says it is what was seen."""
    if cut_off:
        yield Measurement(
            name=name,
            region=region,
            value=None,
            unit=CM2,
            method=RULE,
            status="truncated",
            reason="cut_off",
            window=window,
            place=place,
        )
        name = f"observed_{name}"
    yield Measurement(
        name=name,
        region=region,
        value=value,
        unit=CM2,
        method=RULE,
        window=window,
        place=place,
        warnings=warnings,
    )
