"""A volume and what was found in it, seen along the patient's axes.

Whatever way a series was acquired, here x goes to the patient's left, y to the back and z to the head: axes
are swapped and flipped as views, nothing is copied or resampled. So what is measured does not depend on how
the slices were stored. In oblique series the axes are those nearest to the patient's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from heltig.imaging.distribution import Distribution, Histograms, histograms
from heltig.imaging.volume import HOUNSFIELD, LabelMap, Structure, Volume

Mask: TypeAlias = NDArray[np.bool_]
Box: TypeAlias = tuple[slice, slice, slice]

_LPS: Final = np.diag([-1.0, -1.0, 1.0])
_NO_BOX: Final = (slice(0, 0),) * 3

_UPRIGHT: Final = float(np.cos(np.radians(15)))
"""Slices count as axial up to 15 degrees."""


class Axes(NamedTuple):
    """How the patient's axes lie in the array.

    Attributes:
        order: The axis of the array that is nearest to left-right, to front-back and to feet-head.
        signs: 1 where it grows to the left, to the back, to the head, else -1.
    """

    order: tuple[int, int, int]
    signs: tuple[int, int, int]

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array by (x, y, z)."""
        return array.transpose(self.order)[tuple(slice(None, None, sign) for sign in self.signs)]


class Crop(NamedTuple):
    """Where a structure is.

    Attributes:
        box: The voxels that `mask` stands for, by (x, y, z).
        mask: True where the structure is.
    """

    box: Box
    mask: Mask


@dataclass(frozen=True, slots=True)
class SlicePlace:
    """An axial slice.

    Attributes:
        z: Its number, counted from the feet.
        index: Its index along the axis of the volume that it is across.
        height_mm: Its place along that axis in millimetres towards the head; zero is the origin of the
            patient's coordinates.
        sop_instance_uid: Its image; None where slices were acquired in another direction.
        frame: The number of the frame in that image.
    """

    z: int
    index: int
    height_mm: float
    sop_instance_uid: str | None
    frame: int | None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A volume and the label maps on its grid.

    Where several maps have a structure, the first one counts.

    Attributes:
        volume: The volume.
        maps: Its label maps. More than one where structures overlap.
    """

    volume: Volume
    maps: Sequence[LabelMap]

    def __post_init__(self) -> None:
        """Check the grid.

        Raises:
            ValueError: A label map is not on the grid of the volume.
        """
        for found in self.maps:
            if found.labels.shape != self.volume.shape:
                raise ValueError(f"labels of {found.labels.shape} on a volume of {self.volume.shape}")

    # -- the patient's axes

    @cached_property
    def axes(self) -> Axes:
        """How the patient's axes lie in the arrays."""
        directions = _LPS @ self.volume.affine[:3, :3] / np.asarray(self.volume.spacing)
        orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
        order = max(orders, key=lambda one: round(sum(abs(directions[range(3), one])), 9))
        x, y, z = (1 if part > 0 else -1 for part in directions[range(3), order])
        return Axes(order, (x, y, z))

    @cached_property
    def voxels(self) -> NDArray[Any]:
        """Values by (x, y, z)."""
        return self.axes.view(self.volume.voxels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        x, y, z = self.voxels.shape
        return x, y, z

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres along x, y and z."""
        x, y, z = (self.volume.spacing[axis] for axis in self.axes.order)
        return x, y, z

    @cached_property
    def upright(self) -> bool:
        """Slices along z are at most 15 degrees off the patient's axial plane, and stand straight."""
        column = self.volume.affine[:3, self.axes.order[2]]
        return not self.volume.tilted and abs(column[2]) / float(np.linalg.norm(column)) >= _UPRIGHT

    @property
    def in_hounsfield(self) -> bool:
        """Values are CT numbers."""
        return self.volume.unit == HOUNSFIELD

    def height_mm(self, z: float) -> float:
        """How far a slice is towards the head, along its axis."""
        axis, sign = self.axes.order[2], self.axes.signs[2]
        index = z if sign > 0 else self.shape[2] - 1 - z
        column = self.volume.affine[:3, axis]
        direction = sign * column / np.linalg.norm(column)
        return float(direction @ (self.volume.affine[:3, 3] + index * column))

    def slice_place(self, z: int) -> SlicePlace:
        """What slice this is."""
        axis, sign = self.axes.order[2], self.axes.signs[2]
        index = z if sign > 0 else self.shape[2] - 1 - z
        image = self.volume.slices[index] if axis == 2 else None
        return SlicePlace(
            z,
            index,
            self.height_mm(z),
            image.sop_instance_uid if image else None,
            image.frame if image else None,
        )

    # -- structures

    @cached_property
    def structures(self) -> Mapping[str, Structure]:
        """What the maps could hold, by key, though there may be none of it."""
        found: dict[str, Structure] = {}
        for one in self.maps:
            for label, structure in one.structures.items():
                if label:  # 0 is background, whatever it is called
                    found.setdefault(structure.key, structure)
        return found

    @cached_property
    def _labels(self) -> Mapping[str, tuple[int, tuple[int, ...]]]:
        """The map that counts for a structure, and its labels there."""
        found: dict[str, tuple[int, tuple[int, ...]]] = {}
        for number, one in enumerate(self.maps):
            for label, structure in one.structures.items():
                where, labels = found.get(structure.key, (number, ()))
                if where == number and label:
                    found[structure.key] = number, (*labels, label)
        return found

    @cached_property
    def _boxes(self) -> Sequence[Mapping[int, Box]]:
        """The box about each label, by the number of the map."""
        return [_boxes(self.axes, one.labels) for one in self.maps]

    @cached_property
    def _histograms(self) -> Sequence[Histograms]:
        """How often each label has each value, by the number of the map."""
        voxels = self.volume.voxels if self.in_hounsfield else None
        return [histograms(one.labels, voxels, one.structures) for one in self.maps]

    def box(self, key: str) -> Box | None:
        """The smallest box about a structure; None where there is none of it."""
        number, labels = self._labels.get(key, (0, ()))
        boxes = [box for label in labels if (box := self._boxes[number].get(label))]
        if not boxes:
            return None
        x, y, z = (
            slice(min(one.start for one in axis), max(one.stop for one in axis))
            for axis in zip(*boxes, strict=True)
        )
        return x, y, z

    def mask(self, key: str, box: Box) -> Mask:
        """Where a structure is, in a box."""
        number, labels = self._labels.get(key, (0, ()))
        if not labels:
            return np.zeros([one.stop - one.start for one in box], np.bool_)
        cut = self.axes.view(self.maps[number].labels)[box]
        found: Any = cut == labels[0] if len(labels) == 1 else np.isin(cut, labels)
        return np.asarray(found, np.bool_)

    def crop(self, key: str, margin_mm: float = 0.0) -> Crop:
        """A structure in the box about it, with a margin as far as the volume goes."""
        box = self.box(key)
        if box is None:
            return Crop(_NO_BOX, np.zeros((0, 0, 0), np.bool_))
        if margin_mm:
            box = grown(box, [int(np.ceil(margin_mm / mm)) for mm in self.spacing], self.shape)
        return Crop(box, self.mask(key, box))

    def slice_mask(self, key: str, z: int) -> Mask:
        """Where a structure is on an axial slice, by (x, y)."""
        columns, rows, _ = self.shape
        return self.mask(key, (slice(0, columns), slice(0, rows), slice(z, z + 1)))[:, :, 0]

    def count(self, key: str) -> int:
        """Voxels of a structure."""
        number, labels = self._labels.get(key, (0, ()))
        return sum(self._histograms[number].count(label) for label in labels)

    def volume_cm3(self, voxels: int) -> float:
        """Cubic centimetres of so many voxels."""
        return voxels * self.volume.voxel_volume_mm3 / 1000

    def distribution(self, key: str) -> Distribution:
        """The values of a structure.

        Raises:
            ValueError: The volume is not in Hounsfield units, or there is no voxel of the structure.
        """
        number, labels = self._labels.get(key, (0, ()))
        found = self._histograms[number].distribution(labels)
        if found is not None:
            return found
        crop = self.crop(key)
        return Distribution.of(self.voxels[crop.box][crop.mask])

    def labels_of(self, key: str) -> tuple[int, Sequence[int]]:
        """The number of the map that counts for a structure, and its labels there."""
        return self._labels.get(key, (0, ()))


def grown(box: Box, margin: Sequence[int], shape: Sequence[int]) -> Box:
    """A box with a margin of voxels, as far as the array goes."""
    x, y, z = (
        slice(max(0, one.start - by), min(size, one.stop + by))
        for one, by, size in zip(box, margin, shape, strict=True)
    )
    return x, y, z


def _boxes(axes: Axes, labels: NDArray[np.uint16]) -> dict[int, Box]:
    """The box about each label, by (x, y, z)."""
    memory = sorted(range(3), key=lambda axis: -abs(labels.strides[axis]))
    found: dict[int, Box] = {}
    for number, slices in enumerate(ndimage.find_objects(labels.transpose(memory)), 1):
        if slices is None:
            continue
        native = dict(zip(memory, slices, strict=True))
        x, y, z = (
            one if sign > 0 else slice(size - one.stop, size - one.start)
            for one, sign, size in (
                (native[axis], sign, labels.shape[axis])
                for axis, sign in zip(axes.order, axes.signs, strict=True)
            )
        )
        found[number] = (x, y, z)
    return found
