"""From values to grey: the range that is shown, as radiologists choose it by what they look at."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.segmentation import Segmentation

Grey = NDArray[np.uint8]


class Window(NamedTuple):
    """Values up to `low` are black, values from `high` on white.

    Attributes:
        name: What it is for.
        low: In the unit of the volume.
        high: In the unit of the volume.
        unit: HU, or nothing.
    """

    name: str
    low: float
    high: float
    unit: str = "HU"

    def grey(self, values: NDArray[Any]) -> Grey:
        """Values as grey from 0 to 255."""
        shares = (np.nan_to_num(values.astype(np.float32)) - self.low) / (self.high - self.low)
        return (shares.clip(0, 1) * 255).round().astype(np.uint8)


ABDOMEN: Final = Window("abdomen", -160, 240)
BRAIN: Final = Window("brain", 0, 80)
LUNG: Final = Window("lung", -1350, 150)

_PERCENTILES: Final = (1.0, 99.0)
_SAMPLES: Final = 200_000


def window_for(segmentation: Segmentation, shown: Iterable[str]) -> Window:
    """The window for some structures, the largest first: it decides.

    What is not in Hounsfield units, as MR, is shown by percentiles of the whole volume.
    """
    if not segmentation.in_hounsfield:
        return _by_percentiles(segmentation)
    first = next(iter(shown), "")
    if first.startswith("lung"):
        return LUNG
    return BRAIN if first in ("brain", "intracerebral_hemorrhage") else ABDOMEN


def _by_percentiles(segmentation: Segmentation) -> Window:
    """From the first to the ninety-ninth per cent of what is not zero."""
    voxels = segmentation.volume.voxels.ravel(order="K")
    values = voxels[:: max(1, voxels.size // _SAMPLES)]
    values = values[np.isfinite(values) & (values != 0)]
    low, high = (float(found) for found in np.percentile(values, _PERCENTILES)) if values.size else (0.0, 1.0)
    return Window("1 to 99 %", low, max(high, low + 1e-6), unit="")
