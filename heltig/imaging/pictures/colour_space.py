"""Colours as DICOM has them: CIELab, in whole numbers of 16 bits (PS3.3 C.10.7.1.1)."""

from typing import Final

import numpy as np

from heltig.imaging.pictures.layer import Colour

_TO_XYZ: Final = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
"""Linear sRGB to XYZ under D50, the white of ICC's profile connection space (IEC 61966-2-1)."""

_WHITE: Final = np.array([0.96422, 1.0, 0.82521])


def to_cielab(colour: Colour) -> tuple[int, int, int]:
    """A colour of a screen: L* from 0 to 100 and a*, b* from -128 to 127, each as 0 to 65535."""
    shares = np.array(colour) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    ratios = _TO_XYZ @ linear / _WHITE
    x, y, z = np.where(
        ratios > (6 / 29) ** 3, np.cbrt(ratios), ratios / (3 * (6 / 29) ** 2) + 4 / 29
    ).tolist()
    lightness, a, b = 116 * y - 16, 500 * (x - y), 200 * (y - z)
    found = (lightness / 100, (a + 128) / 255, (b + 128) / 255)
    first, second, third = (round(min(1.0, max(0.0, part)) * 65535) for part in found)
    return first, second, third
