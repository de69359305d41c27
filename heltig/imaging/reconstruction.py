"""Which voxels were never reconstructed: what lies outside of the circle that a CT scanner measures."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.segmentation import Mask, Segmentation

_CLIPPED: Final = -1024
"""The lowest CT number of 12 bits. Air may have it, and what was not reconstructed, too."""

_BELOW: Final = 0.98
"""Of the radius: how far a ring just inside of the circle goes."""

_FEW: Final = 0.5
"""Part of that ring that may have the value of what is outside of it."""


class Reconstruction:
    """Where there is nothing but a filling value.

    That is Pixel Padding Value (0028,0120) where the images say it, else the value of the four corners of a
    slice. Either is believed if it is lower than any that 12 bits can say. Air may have any other, and what
    is near to nothing may in MR: that has to fill just what is outside of a circle. Without a padding value
    only the lowest of 12 bits can. Air that was set to one value all about a body makes no circle.
    """

    def __init__(self, segmentation: Segmentation) -> None:
        self._segmentation = segmentation
        padding = segmentation.volume.padding
        self._padding = None if padding is None else segmentation.axes.view(padding)
        columns, rows, _ = segmentation.shape
        x, y = np.ogrid[:columns, :rows]
        dx, dy, _ = segmentation.spacing
        self._radius = np.hypot((x - (columns - 1) / 2) * dx, (y - (rows - 1) / 2) * dy)

    def missing(self, z: int) -> Mask | None:
        """What of an axial slice was not reconstructed, by (x, y); None where all of it was."""
        values = self._segmentation.voxels[:, :, z]
        if self._padding is not None:
            padding = self._padding[:, :, z]
            if not padding.any():
                return None
            return padding if self._is_no_air(values[padding]) else self._outside_circle(padding)
        if not self._segmentation.in_hounsfield:
            return None
        corner = values[0, 0]
        if corner > _CLIPPED or any(values[place] != corner for place in ((0, -1), (-1, 0), (-1, -1))):
            return None
        filling: NDArray[Any] = values == corner
        return filling if corner < _CLIPPED else self._outside_circle(filling)

    def _is_no_air(self, padded: NDArray[Any]) -> bool:
        return self._segmentation.in_hounsfield and bool(padded.max() < _CLIPPED)

    def _outside_circle(self, filling: Mask) -> Mask | None:
        if filling.all():
            return filling
        circle = float(self._radius[~filling].max())
        ring = filling[(self._radius > _BELOW * circle) & (self._radius <= circle)]
        return self._radius > circle if ring.mean() < _FEW else None


def beside(missing: Mask) -> Mask:
    """What was not reconstructed, and its four neighbours in the slice."""
    found = missing.copy()
    found[1:] |= missing[:-1]
    found[:-1] |= missing[1:]
    found[:, 1:] |= missing[:, :-1]
    found[:, :-1] |= missing[:, 1:]
    return found
