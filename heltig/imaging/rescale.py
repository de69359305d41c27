"""Stored values to values with a meaning: the Modality LUT as slope and intercept (PS3.3 C.11.1.1.2)."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heltig.dicom.cell import ABSENT, Cell
from heltig.imaging.pixels import PixelForm
from heltig.imaging.planes import Planes
from heltig.imaging.refusal import Refused

_SMALLEST, _LARGEST = -(1 << 15), (1 << 15) - 1
_LARGEST_FLOAT: Final = float(np.finfo(np.float32).max)
_MACRO: Final = "PixelValueTransformationSequence"


class Rescale(NamedTuple):
    """How the stored values of one plane are mapped.

    Attributes:
        slope: Rescale Slope (0028,1053); 1 where there is none.
        intercept: Rescale Intercept (0028,1052); 0 where there is none.
        given: The image says them.
    """

    slope: float
    intercept: float
    given: bool

    @property
    def is_whole(self) -> bool:
        """It maps whole numbers to whole numbers."""
        return self.slope.is_integer() and self.intercept.is_integer()

    def fits(self, stored: NDArray[Any]) -> bool:
        """All of some stored values are mapped to whole numbers of 16 bits, signed."""
        ends = [self.slope * int(end) + self.intercept for end in (stored.min(), stored.max())]
        return self.is_whole and min(ends) >= _SMALLEST and max(ends) <= _LARGEST

    def into_int16(self, stored: NDArray[Any], out: NDArray[np.int16]) -> None:
        """Map values that fit. Whatever overflows on the way comes back: both steps are modulo 2 to the 16.

        Args:
            stored: Stored values; may be the same memory as `out`.
            out: Where to.
        """
        values = stored.view(np.int16) if stored.itemsize == out.itemsize else stored.astype(np.int16)
        if self.slope != 1:
            values = np.multiply(values, _modulo(self.slope), out=out)
        if self.intercept or values.ctypes.data != out.ctypes.data:
            np.add(values, _modulo(self.intercept), out=out)

    def into_float32(self, stored: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Map values; calculated in double precision, rounded once."""
        out[...] = stored * np.float64(self.slope) + np.float64(self.intercept)


def rescales_of(planes: Planes, members: Sequence[int]) -> list[Rescale]:
    """How the planes of a stack are mapped, each for itself.

    Raises:
        Refused: By a table, by a slope of zero, or by what is no number.
    """
    if any(cell.items for cell in planes.cells("ModalityLUTSequence")):
        raise Refused("RESCALE_NOT_LINEAR", "ModalityLUTSequence")
    slopes, intercepts = planes.cells("RescaleSlope", _MACRO), planes.cells("RescaleIntercept", _MACRO)
    return [_rescale(slopes[plane], intercepts[plane]) for plane in members]


def padding_of(cell: Cell, limit: Cell, form: PixelForm) -> tuple[int, int] | None:
    """The stored values that mean padding, from and to; None where there are none.

    Args:
        cell: Pixel Padding Value (0028,0120).
        limit: Pixel Padding Range Limit (0028,0121).
        form: How the pixels are stored.
    """
    value = _stored(cell, form)
    if value is None:
        return None
    other = _stored(limit, form)
    return (value, value) if other is None else (min(value, other), max(value, other))


def _stored(cell: Cell, form: PixelForm) -> int | None:
    """A value as pixels are stored: one that no pixel can have is None.

    Negative values are sometimes written unsigned, since the VR depends on Pixel Representation.
    """
    number = (*cell.numbers, None)[0] if cell is not ABSENT else None
    if number is None:
        return None
    value = int(number)
    if form.signed and value >= 1 << form.allocated - 1:
        value -= 1 << form.allocated
    low = -(1 << form.stored - 1) if form.signed else 0
    return value if low <= value < low + (1 << form.stored) else None


def _rescale(slope: Cell, intercept: Cell) -> Rescale:
    numbers = [(*cell.numbers, None)[0] for cell in (slope, intercept)]
    if any(found is None and not cell.empty for found, cell in zip(numbers, (slope, intercept), strict=True)):
        raise Refused("RESCALE_NOT_LINEAR", "a slope or intercept that is no number")
    if numbers[0] == 0:
        raise Refused("RESCALE_NOT_LINEAR", "a slope of 0")
    found = Rescale(
        1.0 if numbers[0] is None else numbers[0],
        0.0 if numbers[1] is None else numbers[1],
        given=numbers[1] is not None,
    )
    if abs(found.slope) * (1 << 16) + abs(found.intercept) > _LARGEST_FLOAT:
        raise Refused("RESCALE_NOT_LINEAR", "values that no float holds")
    return found


def _modulo(number: float) -> np.int16:
    return np.int16((int(number) - _SMALLEST) % (1 << 16) + _SMALLEST)
