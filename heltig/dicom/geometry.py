"""Image planes in space, from Image Position and Image Orientation (Patient), PS3.3 C.7.6.2.1.1.

Positions and directions are in the patient's coordinate system (millimetres; x to the left, y to the back, z
to the head).
"""

import math
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from heltig.dicom.cell import Cell

Vector: TypeAlias = tuple[float, float, float]

FARTHEST: Final = 10_000.0
"""Millimetres from the origin of the patient's coordinates: no table travels ten metres. What is further away
is no position, and nothing is calculated with it."""


class Orientation(NamedTuple):
    """The directions of an image's rows and columns.

    Attributes:
        row: Direction cosines of the first row: the way column numbers grow.
        column: Direction cosines of the first column: the way row numbers grow.
    """

    row: Vector
    column: Vector

    @property
    def normal(self) -> Vector:
        """The direction slices are stacked in: row × column, of unit length.

        A degenerate orientation gives the zero vector.
        """
        return _normal(self.row, self.column)

    @property
    def length_error(self) -> float:
        """How far the one of the two that is further from it is from unit length."""
        return max(abs(math.hypot(*direction) - 1) for direction in self)

    @property
    def skew(self) -> float:
        """Cosine of the angle between row and column: 0 when they are orthogonal, or one of them is null."""
        return dot(_unit(self.row), _unit(self.column))

    def is_like(self, other: "Orientation", tolerance: float) -> bool:
        """No direction cosine differs by more than the tolerance."""
        pairs = zip(self.row + self.column, other.row + other.column, strict=True)
        return all(abs(a - b) <= tolerance for a, b in pairs)


def as_position(numbers: tuple[float | None, ...]) -> Vector | None:
    """Image Position (Patient) as a point; None unless it is three numbers, each up to `FARTHEST`."""
    if len(numbers) != 3:
        return None
    x, y, z = numbers
    if x is None or y is None or z is None:
        return None
    is_near = -FARTHEST <= x <= FARTHEST and -FARTHEST <= y <= FARTHEST and -FARTHEST <= z <= FARTHEST
    return (x, y, z) if is_near else None


def as_orientation(numbers: tuple[float | None, ...]) -> Orientation | None:
    """Image Orientation (Patient) as two directions; None unless it is six numbers."""
    row, column = as_position(numbers[:3]), as_position(numbers[3:])
    return None if row is None or column is None else Orientation(row, column)


def orientation_of(cell: Cell) -> Orientation | None:
    """Image Orientation (Patient) of a cell."""
    return as_orientation(cell.numbers)


def dot(a: Vector, b: Vector) -> float:
    """The scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def along(direction: Vector, positions: Sequence[Vector]) -> list[float]:
    """Where planes stand along a direction, in millimetres."""
    x, y, z = direction
    return [x * a + y * b + z * c for a, b, c in positions]


@lru_cache(1024)
def _normal(row: Vector, column: Vector) -> Vector:
    """The images of a series have one, and are asked one by one.

    No zero is negative: directions that are remembered as equal give one normal.
    """
    (a, b, c), (d, e, f) = row, column
    x, y, z = _unit((b * f - c * e, c * d - a * f, a * e - b * d))
    return (x + 0.0, y + 0.0, z + 0.0)


def _unit(vector: Vector) -> Vector:
    length = math.hypot(*vector)
    if length < sys.float_info.min or not math.isfinite(length):  # below it numbers have hardly a digit
        return (0.0, 0.0, 0.0)
    return (vector[0] / length, vector[1] / length, vector[2] / length)
