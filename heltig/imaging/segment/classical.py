"""Backend `classical`: body and subcutaneous fat of CT, by thresholds and morphology.

There is no network and no training in it. What it gives is coarser than what networks give:

- `body` is the largest part of what is denser than air, on a grid of about 3 mm, without what is thinner than
  about 12 mm (tubes; a table, but for where the back lies on it), with its holes on axial slices. Arms that
  touch the trunk belong to it; arms that do not are left out.
- `subcutaneous_fat` is what has the values of fat within the body, outside of its lean wall. The wall is what
  is denser than fat and lies more than about 6 mm below the skin, with its holes on axial slices; gaps of up
  to about 18 mm are closed on the coarse grid. Behind such a gap, up to 6 mm of deeper fat count as well.
  Where there is no wall, as in a breast, fat counts down to where one begins.

So the inner border is right to a voxel where the wall is closed, and to about 6 mm where it is not.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from heltig.imaging.labels import ANATOMICAL_STRUCTURE, STRUCTURES
from heltig.imaging.morphology import components, filled
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.layers import Mask, Patch, cropped
from heltig.imaging.segment.recording import Recording
from heltig.imaging.segment.segmenter import Availability, Capabilities, SegmentationResult
from heltig.imaging.segmentation import Mask as Voxels
from heltig.imaging.segmentation import Segmentation
from heltig.imaging.volume import HOUNSFIELD, Code, Structure, Volume

BODY_HU: Final = -300.0
"""From here on a voxel is no air."""

FAT_HU: Final = (-190.0, -30.0)

_COARSE_MM: Final = 3.0
_THIN: Final = 2
"""Coarse voxels: what is thinner than twice this many is no part of the body."""

_SKIN: Final = 2
"""Coarse voxels below the surface in which nothing is wall."""

_GAP: Final = 3
"""Coarse voxels: gaps in the wall of up to twice this many are closed."""

_BEHIND: Final = 2
"""Coarse voxels behind a closed gap where fat still counts."""

_BODY: Final = Structure("body", "body", ANATOMICAL_STRUCTURE, Code("38266002", "SCT", "Entire body"))
_FAT: Final = STRUCTURES["subcutaneous_fat"]


class Classical:
    """Body and subcutaneous fat, from the values of CT alone."""

    id = "classical"
    version = "1"

    def capabilities(self) -> Capabilities:
        """Two structures, on CT."""
        return Capabilities(
            frozenset({"CT"}), frozenset({_BODY.key, _FAT.key}), needs_weights=False, licence="Apache-2.0"
        )

    def available(self) -> Availability:
        """Always: it needs nothing."""
        return Availability("ok")

    def segment(self, volume: Volume, *, wanted: Collection[str] | None = None) -> SegmentationResult:
        """Find them; see `Segmenter.segment`."""
        if volume.technique.modality != "CT" or volume.unit != HOUNSFIELD:
            raise Refused("SEGMENTER_MODALITY", f"{volume.technique.modality} in {volume.unit}")
        recording = Recording(volume)
        seen = Segmentation(volume, ())
        coarse = _Coarse.of(seen)
        body, fat = (np.zeros(volume.shape, np.bool_, order="F") for _ in range(2))
        for z in range(seen.shape[2]):
            inside, subcutaneous = coarse.on_slice(seen.voxels[:, :, z], z)
            seen.axes.view(body)[:, :, z] = inside
            seen.axes.view(fat)[:, :, z] = subcutaneous
        return recording.result(
            [Mask(_BODY, lambda: _patches(body)), Mask(_FAT, lambda: _patches(fat))],
            tool=self.id,
            version=self.version,
            wanted=wanted,
            arguments={"body_hu": f"{BODY_HU:g}", "fat_hu": f"{FAT_HU[0]:g}..{FAT_HU[1]:g}"},
        )


class _Coarse(NamedTuple):
    """What is found on the coarse grid, by (x, y, z).

    Attributes:
        factors: Fine voxels of a coarse one, along each axis.
        near_body: The body and a voxel about it.
        below_skin: Where there can be a wall.
        behind_wall: What is deep behind the wall, where that has gaps.
    """

    factors: tuple[int, int, int]
    near_body: Voxels
    below_skin: Voxels
    behind_wall: Voxels

    @classmethod
    def of(cls, seen: Segmentation) -> "_Coarse":
        x, y, z = (max(1, round(_COARSE_MM / mm)) for mm in seen.spacing)
        values = _means(seen.voxels, (x, y, z))
        dense = values >= BODY_HU
        thick = _grown(_shrunk(dense, _THIN), _THIN)
        numbered, _ = components(thick)
        body = _filled(_grown(numbered == 1, _THIN) & dense)
        below_skin = _shrunk(body, _SKIN)
        wall = (values > FAT_HU[1]) & below_skin
        closed = _filled(_shrunk(_grown(wall, _GAP), _GAP) | wall)
        return cls((x, y, z), _grown(body, 1), below_skin, _shrunk(closed, _BEHIND))

    def on_slice(self, values: NDArray[Any], z: int) -> tuple[Voxels, Voxels]:
        """Body and subcutaneous fat on an axial slice, by (x, y)."""
        near, below_skin, behind = (
            self._fine(one, z, values.shape) for one in (self.near_body, self.below_skin, self.behind_wall)
        )
        body = filled((values >= BODY_HU) & near)
        inner = filled((values > FAT_HU[1]) & below_skin) | behind
        fat = (values >= FAT_HU[0]) & (values <= FAT_HU[1])
        return body, np.asarray(fat & body & ~inner, np.bool_)

    def _fine(self, mask: Voxels, z: int, shape: Sequence[int]) -> Voxels:
        x, y, slices = self.factors
        return mask[:, :, z // slices].repeat(x, axis=0).repeat(y, axis=1)[: shape[0], : shape[1]]


def _means(values: NDArray[Any], factors: Sequence[int]) -> NDArray[np.float32]:
    """Means of blocks; those at the ends may be smaller."""
    found = values
    for axis in (2, 1, 0):
        starts = np.arange(0, values.shape[axis], factors[axis])
        sizes = np.diff(np.append(starts, values.shape[axis])).astype(np.float32)
        found = np.add.reduceat(found, starts, axis=axis, dtype=np.float32)
        found = found / sizes.reshape([-1 if one == axis else 1 for one in range(3)])
    return np.asarray(found, np.float32)


def _shrunk(mask: Voxels, by: int) -> Voxels:
    """Without its outermost voxels; what lies beyond the images counts as inside."""
    return np.asarray(ndimage.binary_erosion(mask, iterations=by, border_value=1), np.bool_)


def _grown(mask: Voxels, by: int) -> Voxels:
    return np.asarray(ndimage.binary_dilation(mask, iterations=by), np.bool_)


def _filled(mask: Voxels) -> Voxels:
    """With its holes on axial slices."""
    return np.stack([filled(mask[:, :, z]) for z in range(mask.shape[2])], axis=2)


def _patches(mask: Voxels) -> list[Patch]:
    box = cropped(mask)
    return [Patch(box, mask[box])] if box else []
