"""What there is of each structure: whole, cut off somewhere, too little to be measured, or nothing.

A structure is cut off where it touches one of the six faces of the volume or what was never reconstructed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.distribution import Distribution
from heltig.imaging.morphology import components
from heltig.imaging.reconstruction import Reconstruction, beside
from heltig.imaging.segmentation import Box, Crop, Segmentation
from heltig.imaging.volume import Structure

Status: TypeAlias = Literal["complete", "truncated", "too_small", "absent"]

FACES: Final = (("right", "left"), ("anterior", "posterior"), ("inferior", "superior"))
"""The faces of a volume: the first and the last along x, y and z."""

CIRCLE: Final = "reconstruction_circle"

LEAST_VOXELS: Final = 27
LEAST_CM3: Final = 0.1

COMPONENT_CM3: Final = 5.0
"""Parts of a structure are listed from this volume on."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a structure.

    Attributes:
        structure: The structure.
        status: `too_small` is less than 27 voxels or 0.1 cm³; `absent` is nothing, though a map could
            hold it.
        voxels: How many voxels it has.
        volume_cm3: Their volume, also where the structure is cut off.
        cut_at: The faces that it touches, and `reconstruction_circle`.
        box: The box about it, by (x, y, z); None where there is nothing.
    """

    structure: Structure
    status: Status
    voxels: int
    volume_cm3: float
    cut_at: tuple[str, ...]
    box: Box | None


@dataclass(frozen=True, eq=False)
class Inventory:
    """What there is in a segmentation.

    Attributes:
        segmentation: The volume and its label maps.
    """

    segmentation: Segmentation

    @cached_property
    def found(self) -> Mapping[str, Found]:
        """What there is, by key: all structures that a label map could hold."""
        circle = self._beside_circle
        return MappingProxyType(
            {key: self._find(structure, circle) for key, structure in self.segmentation.structures.items()}
        )

    def status(self, key: str) -> Status | None:
        """How much there is of a structure; None where no label map could hold it."""
        found = self.found.get(key)
        return found.status if found else None

    def has(self, key: str) -> bool:
        """There is enough of a structure to measure it, cut off or not."""
        return self.status(key) in ("complete", "truncated")

    def volume_cm3(self, key: str) -> float:
        """The volume of what there is of a structure, 0 where no label map could hold it."""
        found = self.found.get(key)
        return found.volume_cm3 if found else 0.0

    def components_cm3(self, key: str) -> Sequence[float]:
        """The volumes of the parts of a structure that matter, the largest first."""
        _, sizes = components(self.segmentation.crop(key).mask)
        volumes = [self.segmentation.volume_cm3(size) for size in sizes]
        return [volume for volume in volumes if volume >= COMPONENT_CM3]

    def values(self, key: str, crop: Crop) -> NDArray[Any]:
        """The values of a part of a structure, but for what of it was never reconstructed.

        Args:
            key: The structure.
            crop: The part.
        """
        values, mask = self.segmentation.voxels[crop.box], crop.mask
        if key in self._beside_circle:
            mask = mask.copy()
            for place, z in enumerate(range(crop.box[2].start, crop.box[2].stop)):
                missing = self._reconstruction.missing(z)
                if missing is not None:
                    mask[:, :, place] &= ~missing[crop.box[:2]]
        return np.asarray(values[mask])

    def distribution(self, key: str) -> Distribution | None:
        """The values of a structure; None where fewer than 27 voxels of it were reconstructed.

        Raises:
            ValueError: The volume is not in Hounsfield units, or there is no voxel of the structure.
        """
        if key not in self._beside_circle:
            return self.segmentation.distribution(key)
        values = self.values(key, self.segmentation.crop(key))
        return Distribution.of(values) if values.size >= LEAST_VOXELS else None

    def _find(self, structure: Structure, circle: frozenset[str]) -> Found:
        segmentation, key = self.segmentation, structure.key
        voxels, box = segmentation.count(key), segmentation.box(key)
        volume = segmentation.volume_cm3(voxels)
        if box is None:
            return Found(structure, "absent", 0, 0.0, (), None)
        cut_at = tuple(faces(box, segmentation.shape)) + ((CIRCLE,) if key in circle else ())
        status: Status = "truncated" if cut_at else "complete"
        if voxels < LEAST_VOXELS or volume < LEAST_CM3:
            status = "too_small"
        return Found(structure, status, voxels, volume, cut_at, box)

    @cached_property
    def _reconstruction(self) -> Reconstruction:
        return Reconstruction(self.segmentation)

    @cached_property
    def _beside_circle(self) -> frozenset[str]:
        """The structures that touch what was not reconstructed."""
        segmentation = self.segmentation
        touched: list[set[int]] = [set() for _ in segmentation.maps]
        for z in range(segmentation.shape[2]):
            missing = self._reconstruction.missing(z)
            if missing is None:
                continue
            near = beside(missing)
            for number, one in enumerate(segmentation.maps):
                labels = segmentation.axes.view(one.labels)[:, :, z]
                touched[number].update(np.unique(labels[near]).tolist())
        return frozenset(
            key
            for key in segmentation.structures
            for number, labels in [segmentation.labels_of(key)]
            if touched and not touched[number].isdisjoint(labels)
        )


def faces(box: Box, shape: Sequence[int]) -> list[str]:
    """The faces of a volume that a box touches."""
    return [
        name
        for one, size, names in zip(box, shape, FACES, strict=True)
        for name, touches in zip(names, (one.start == 0, one.stop == size), strict=True)
        if touches
    ]
