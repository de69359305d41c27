"""Where slices lie: the Image Plane and Frame of Reference modules (PS3.3 C.7.6.2, C.7.4.1)."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from heltig.demo.attributes import Attributes

Orientation: TypeAlias = Literal["axial", "sagittal", "coronal"]

_COSINES: dict[Orientation, list[float]] = {
    "axial": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    "sagittal": [0.0, 1.0, 0.0, 0.0, 0.0, -1.0],
    "coronal": [1.0, 0.0, 0.0, 0.0, 0.0, -1.0],
}


@dataclass(frozen=True)
class Grid:
    """A stack of parallel slices, square and centred on the isocentre; lengths in millimetres.

    Attributes:
        count: Number of slices.
        step: Distance between neighbours, their thickness too.
        width: Width and height of a slice.
        size: Rows and columns.
        orientation: The plane of the slices.
        centre: Position of the middle of the stack along its normal.
    """

    count: int
    step: float
    width: float
    size: int = 32
    orientation: Orientation = "axial"
    centre: float = 0.0

    @property
    def spacing(self) -> list[float]:
        """Pixel Spacing."""
        return [self.width / self.size] * 2

    @property
    def cosines(self) -> list[float]:
        """Image Orientation (Patient)."""
        return _COSINES[self.orientation]

    def location(self, index: int) -> float:
        """Position of a slice along the normal, counted from 0."""
        return round(self.centre + (index - (self.count - 1) / 2) * self.step, 4)

    def position(self, index: int) -> list[float]:
        """Image Position (Patient) of a slice: the centre of its first pixel."""
        row, column = self.cosines[:3], self.cosines[3:]
        normal = _cross(row, column)
        corner = -(self.width - self.width / self.size) / 2
        return [
            round(corner * (r + c) + self.location(index) * n, 4) + 0.0
            for r, c, n in zip(row, column, normal, strict=True)
        ]

    def plane(self, index: int) -> Attributes:
        """Image Plane module of a slice, counted from 0."""
        return {
            "PixelSpacing": self.spacing,
            "ImageOrientationPatient": self.cosines,
            "ImagePositionPatient": self.position(index),
            "SliceThickness": self.step,
            "SliceLocation": self.location(index),
        }


def frame_of_reference(uid: str) -> Attributes:
    """Frame of Reference module."""
    return {"FrameOfReferenceUID": uid, "PositionReferenceIndicator": ""}


def _cross(a: list[float], b: list[float]) -> list[float]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
