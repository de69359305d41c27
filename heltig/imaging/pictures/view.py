"""One slice of a volume as it is looked at: right of the patient on the left, front or head above.

Axial slices are seen from the feet, coronal ones from the front, sagittal ones from the left, whatever way
they were acquired: rows and columns are views of the arrays, turned and flipped. In oblique series the
slices are those of the array, named by the patient's axis that they are nearest to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.segmentation import Box, Mask, Segmentation
from heltig.imaging.volume import Slice

Plane: TypeAlias = Literal["sagittal", "coronal", "axial"]

Points: TypeAlias = NDArray[np.float64]
"""Column and row of each point, as an array of (points, 2); the first pixel goes from 0 to 1."""

PLANES: Final[tuple[Plane, ...]] = ("sagittal", "coronal", "axial")
"""By the axis of the patient that a plane is across: x, y, z."""

_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])


class Letters(NamedTuple):
    """What lies at the edges: right, left, anterior, posterior, head or feet of the patient."""

    left: str
    right: str
    top: str
    bottom: str


_LETTERS: Final[dict[Plane, Letters]] = {
    "axial": Letters("R", "L", "A", "P"),
    "coronal": Letters("R", "L", "H", "F"),
    "sagittal": Letters("A", "P", "H", "F"),
}


@dataclass(frozen=True, eq=False)
class View:
    """A slice across one of the patient's axes.

    Attributes:
        segmentation: The volume and its label maps.
        axis: Which axis it is across: 0, 1 or 2 for x, y or z.
        place: Its number along that axis.
    """

    segmentation: Segmentation
    axis: int
    place: int

    @property
    def plane(self) -> Plane:
        """What the plane is called."""
        return PLANES[self.axis]

    @property
    def letters(self) -> Letters:
        """What lies at its edges."""
        return _LETTERS[self.plane]

    @property
    def spacing(self) -> tuple[float, float]:
        """Millimetres from row to row, and from column to column."""
        x, y, z = self.segmentation.spacing
        return {"axial": (y, x), "coronal": (z, x), "sagittal": (z, y)}[self.plane]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        x, y, z = self.segmentation.shape
        return {"axial": (y, x), "coronal": (z, x), "sagittal": (z, y)}[self.plane]

    @cached_property
    def values(self) -> NDArray[Any]:
        """Values by (row, column)."""
        return self._turned(self.segmentation.voxels[self._box])

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array on the grid of the volume by (row, column)."""
        return self._turned(self.segmentation.axes.view(array)[self._box])

    def mask(self, key: str) -> Mask:
        """Where a structure is, by (row, column)."""
        return self._turned(self.segmentation.mask(key, self._box))

    @property
    def index(self) -> int:
        """Its index along the axis of the array that it is across."""
        return int(self._index(self.axis, self.place))

    @property
    def source(self) -> Slice | None:
        """The image that was acquired in just this plane; None where the view goes across images."""
        volume = self.segmentation.volume
        return volume.slices[self.index] if self.segmentation.axes.order[self.axis] == 2 else None

    def in_source(self, points: Points) -> Points:
        """Points of the view as columns and rows of the image that it shows.

        Raises:
            ValueError: The view goes across images.
        """
        if self.source is None:
            raise ValueError("the view goes across images")
        columns, rows = self.segmentation.volume.shape[:2]
        place = np.zeros((len(points), 3))
        for axis, amount in zip(self._axes, self._along(points), strict=True):
            order, sign = self.segmentation.axes.order[axis], self.segmentation.axes.signs[axis]
            place[:, order] = amount if sign > 0 else (columns, rows)[order] - amount
        return place[:, :2]

    def position(self, row: float, column: float) -> NDArray[np.float64]:
        """The place of the centre of a pixel in LPS millimetres; beyond the image, too."""
        inside = [0.0, 0.0, 0.0]
        inside[self.axis] = self.place
        for axis, amount in zip(self._axes, self._along(np.array([[column, row]]), last=1), strict=True):
            inside[axis] = float(amount[0])
        index = np.ones(4)
        for axis in range(3):
            index[self.segmentation.axes.order[axis]] = self._index(axis, inside[axis])
        found: NDArray[np.float64] = (_LPS @ self.segmentation.volume.affine @ index)[:3]
        return found

    @cached_property
    def directions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """LPS unit vectors in which columns and rows grow, as Image Orientation (Patient) has them."""
        start = self.position(0, 0)
        along = self.position(0, 1) - start, self.position(1, 0) - start
        return along[0] / np.linalg.norm(along[0]), along[1] / np.linalg.norm(along[1])

    @cached_property
    def height_mm(self) -> float:
        """How far it is to the patient's left, back or head, along its normal."""
        normal = np.cross(*self.directions)
        return float(normal @ self.position(0, 0)) * (-1 if normal[self.axis] < 0 else 1)

    @cached_property
    def degrees_off(self) -> float:
        """How far its normal is from the patient's axis."""
        return float(np.degrees(np.arccos(min(1.0, abs(np.cross(*self.directions)[self.axis])))))

    @property
    def _axes(self) -> tuple[int, int]:
        """The patient's axes along which columns and rows are counted."""
        x, y = (axis for axis in range(3) if axis != self.axis)
        return x, y

    @property
    def _box(self) -> Box:
        x, y, z = (
            slice(self.place, self.place + 1) if axis == self.axis else slice(0, size)
            for axis, size in enumerate(self.segmentation.shape)
        )
        return x, y, z

    def _along(self, points: Points, last: float = 0.0) -> Sequence[NDArray[np.float64]]:
        """How far points are along the axes of columns and rows: rows that go to the feet are turned.

        Args:
            points: The points.
            last: 0 where the first pixel goes from 0 to 1, 1 where its centre is at 0.
        """
        rows = points[:, 1] if self.axis == 2 else self.shape[0] - last - points[:, 1]
        return points[:, 0], rows

    def _index(self, axis: int, place: Any) -> Any:
        """A place along an axis of the patient as an index of the array."""
        sign, size = self.segmentation.axes.signs[axis], self.segmentation.shape[axis]
        return place if sign > 0 else size - 1 - place

    def _turned(self, slab: NDArray[Any]) -> NDArray[Any]:
        flat: NDArray[Any] = slab.take(0, axis=self.axis).T
        return flat if self.axis == 2 else flat[::-1]
