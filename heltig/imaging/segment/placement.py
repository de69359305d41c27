"""Frames on slices of a volume: which voxels the pixels of a frame are."""

from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.segment.grid import ASTRAY, TOLERANCE_MM
from heltig.imaging.segment.layers import Patch
from heltig.imaging.volume import Volume

_TWO: Final = 2


class Placement(NamedTuple):
    """Where a frame lies.

    Attributes:
        axes: The axes of the volume along which its columns and its rows are counted.
        signs: 1 where they are counted as the volume's, else -1.
        start: The index of its first pixel.
        shape: Of the volume.
        size: Columns and rows.
    """

    axes: tuple[int, int]
    signs: tuple[int, int]
    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    size: tuple[int, int]

    def patch(self, pixels: NDArray[np.bool_]) -> Patch:
        """A frame (rows × columns) as a patch of the volume, without what is outside of it."""
        box: list[Any] = [slice(at, at + 1) for at in self.start]
        turned = pixels.T
        picked = []
        for axis, sign, size in zip(self.axes, self.signs, self.size, strict=True):
            first = self.start[axis] - (size - 1 if sign < 0 else 0)
            low, high = max(first, 0), min(first + size, self.shape[axis])
            box[axis] = slice(low, high)
            picked.append(slice(low - first, high - first))
        turned = turned[tuple(slice(None, None, sign) for sign in self.signs)][tuple(picked)]
        if self.axes[0] > self.axes[1]:
            turned = turned.T
        across = 3 - sum(self.axes)
        return Patch((box[0], box[1], box[2]), np.expand_dims(turned, across))


def placement_in(
    volume: Volume, affine: NDArray[np.float64], size: tuple[int, int]
) -> Placement | Literal["astray"] | None:
    """Where a frame lies in a volume.

    Args:
        volume: The volume.
        affine: From (column, row, 0) of the frame to RAS millimetres.
        size: Its columns and rows.

    Returns:
        None for a frame beside the volume; `astray` for one whose pixels are no voxels of it.
    """
    steps = np.linalg.inv(volume.affine) @ affine
    whole = np.round(steps[:3, :_TWO])
    last = np.asarray([[0, 0, 0, 1], [size[0] - 1, size[1] - 1, 0, 1]]).T
    index = steps[:3] @ last
    if (
        np.abs(affine[:3, :_TWO] - volume.affine[:3, :3] @ whole).max() > TOLERANCE_MM
        or not np.array_equal(np.abs(whole).sum(axis=0), np.ones(_TWO))
        or np.abs(index - np.round(index)).max() > ASTRAY
    ):
        return "astray"
    order = np.abs(whole).argmax(axis=0)
    first, second = int(order[0]), int(order[1])
    if first == second:
        return "astray"
    low, high = np.round(index).min(axis=1), np.round(index).max(axis=1)
    if (high < 0).any() or (low >= volume.shape).any():
        return None
    start = np.round(index[:, 0]).astype(int).tolist()
    signs = whole[[first, second], [0, 1]].astype(int).tolist()
    return Placement(
        (first, second), (signs[0], signs[1]), (start[0], start[1], start[2]), volume.shape, size
    )
