"""The grid contract: labels lie on exactly the voxels of the volume.

Axes may be counted the other way and parts may be cut off, as converters do: that moves values, it changes
none. Any other grid is resampled onto the volume's once, each voxel taking the nearest value, and that is
recorded. The volume itself is never resampled.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.refusal import Refused
from heltig.imaging.segment.layers import Patch
from heltig.imaging.segment.segmenter import Grid
from heltig.imaging.volume import Volume

TOLERANCE_MM: Final = 1e-3
"""Millimetres that entries of the steps of two affines may differ."""

ASTRAY: Final = 0.1
"""Voxels that the corners of two grids may be apart to be one grid."""


class Placed(NamedTuple):
    """Values on the grid of a volume.

    Attributes:
        values: Of the shape of the volume.
        resampled_from: The grid they came on; None where each value is one that was there before.
    """

    values: NDArray[Any]
    resampled_from: Grid | None


def onto_volume(values: NDArray[Any], affine: NDArray[np.float64], volume: Volume) -> Placed:
    """Put values on the grid of a volume; 0 where they have none.

    Args:
        values: Values by index, three axes.
        affine: 4 × 4, from their index to RAS millimetres.
        volume: The volume.

    Raises:
        Refused: The affine is none, or the two grids have no voxel in common.
    """
    steps = _steps(affine, volume)
    exact = same_axes(affine, steps, volume)
    if exact:
        steps = np.round(steps)
    places = _straight(steps, volume.shape)
    found = _picked(values, places) if places else _nearest(values, steps, volume.shape)
    if found is None:
        raise Refused("MASKS_ELSEWHERE")
    return Placed(found, None if exact else Grid(values.shape, tuple(map(tuple, affine.tolist()))))


class Part(NamedTuple):
    """Values in a part of a grid.

    Attributes:
        at: The index of the first one on the grid.
        values: Values by index, three axes.
    """

    at: tuple[int, int, int]
    values: NDArray[Any]


def exact_steps(affine: NDArray[np.float64], volume: Volume) -> NDArray[np.int64] | None:
    """From indices of a volume to those of a grid whose voxels are the volume's; None where they are not.

    Raises:
        Refused: The affine is none.
    """
    steps = _steps(affine, volume)
    return np.round(steps).astype(np.int64) if same_axes(affine, steps, volume) else None


def meets(size: tuple[int, int, int], steps: NDArray[np.int64], shape: tuple[int, int, int]) -> bool:
    """Whether a grid of that size has voxels of the volume."""
    return bool(moved(Part((0, 0, 0), np.broadcast_to(True, size)), steps, shape))


def covers(size: tuple[int, ...], affine: NDArray[np.float64], volume: Volume) -> bool:
    """Whether each voxel of a volume is within a grid of that size."""
    index = _steps(affine, volume)[:3] @ _corners(volume)
    return bool(((index > -0.5 - ASTRAY) & (index < np.asarray(size)[:, None] - 0.5 + ASTRAY)).all())


def moved(part: Part, steps: NDArray[np.int64], shape: tuple[int, int, int]) -> list[Patch]:
    """A part of a mask as a patch of the volume, as far as it lies in it.

    Args:
        part: True where the structure is.
        steps: From indices of the volume to those of the part's grid: axes swapped, flipped and shifted.
        shape: Of the volume.
    """
    order = np.abs(steps[:3, :3]).argmax(axis=0).tolist()
    flips, cut, box = [], [], []
    for axis, source in enumerate(order):
        sign, size = int(steps[source, axis]), part.values.shape[source]
        first = sign * (part.at[source] - int(steps[source, 3])) - (size - 1 if sign < 0 else 0)
        low, high = max(first, 0), min(first + size, shape[axis])
        if low >= high:
            return []
        flips.append(slice(None, None, sign))
        cut.append(slice(low - first, high - first))
        box.append(slice(low, high))
    return [Patch((box[0], box[1], box[2]), part.values.transpose(order)[tuple(flips)][tuple(cut)])]


def _steps(affine: NDArray[np.float64], volume: Volume) -> NDArray[np.float64]:
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise Refused("MASKS_GRID")
    return np.asarray(np.linalg.inv(affine) @ volume.affine)


def same_axes(affine: NDArray[np.float64], steps: NDArray[np.float64], volume: Volume) -> bool:
    """Whether two grids have the same voxels, up to the way axes are counted and where they end.

    Args:
        affine: Of the values.
        steps: From indices of the volume to those of the values.
        volume: The volume.
    """
    turned = np.round(steps[:3, :3])
    if not np.array_equal(np.abs(turned) @ np.ones(3), np.ones(3)) or abs(np.linalg.det(turned)) != 1:
        return False
    off = np.abs(affine[:3, :3] @ turned - volume.affine[:3, :3]).max()
    astray = np.abs((steps - np.round(steps)) @ _corners(volume)).max()
    return bool(off <= TOLERANCE_MM and astray <= ASTRAY)


def _corners(volume: Volume) -> NDArray[np.int64]:
    """Indices of its corners as columns, with a 1 below each."""
    ends = np.meshgrid(*((0, n - 1) for n in volume.shape), [1], indexing="ij")
    return np.stack(ends).reshape(4, -1)


def _straight(steps: NDArray[np.float64], shape: tuple[int, int, int]) -> list[tuple[int, Any]] | None:
    """For each axis of the volume, the axis of the values and the index there; None where axes lean."""
    places = []
    order = np.abs(steps[:3, :3]).argmax(axis=0)
    if sorted(order.tolist()) != [0, 1, 2]:
        return None
    for axis, source in enumerate(order.tolist()):
        leaning = np.delete(np.abs(steps[source, :3]) * (np.asarray(shape) - 1), axis)
        if leaning.sum() > ASTRAY / 10:
            return None
        places.append(
            (source, np.floor(steps[source, axis] * np.arange(shape[axis]) + steps[source, 3] + 0.5))
        )
    return places


def _picked(values: NDArray[Any], places: list[tuple[int, Any]]) -> NDArray[Any] | None:
    """Values picked along each axis; a view of them where each is wanted, as it stands or turned."""
    values = values.transpose([source for source, _ in places])
    targets, sources = [], []
    for axis, (_, index) in enumerate(places):
        there = np.flatnonzero((index >= 0) & (index < values.shape[axis]))
        if not there.size:
            return None
        targets.append(slice(int(there[0]), int(there[-1]) + 1))
        sources.append(index[there].astype(np.int64))
    shape = tuple(len(index) for _, index in places)
    runs = [_run(index) for index in sources]
    picked = values[np.ix_(*sources)] if None in runs else values[tuple(run for run in runs if run)]
    if picked.shape == shape:
        return picked
    found = np.zeros(shape, values.dtype, order="F")
    found[tuple(targets)] = picked
    return found


def _run(index: NDArray[np.int64]) -> slice | None:
    """Indices that go one by one, up or down, as a slice."""
    first, last = int(index[0]), int(index[-1])
    step = 1 if last >= first else -1
    if not np.array_equal(index, np.arange(first, last + step, step)):
        return None
    return slice(first, last + step if last + step >= 0 else None, step)


def _nearest(
    values: NDArray[Any], steps: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[Any] | None:
    """The nearest values on a grid that leans, slice by slice."""
    found = np.zeros(shape, values.dtype, order="F")
    i, j = np.ogrid[: shape[0], : shape[1]]
    met = False
    for k in range(shape[2]):
        index = [
            np.floor(steps[a, 0] * i + steps[a, 1] * j + (steps[a, 2] * k + steps[a, 3] + 0.5))
            for a in range(3)
        ]
        inside = np.ones(shape[:2], bool)
        for one, size in zip(index, values.shape, strict=True):
            inside &= (one >= 0) & (one < size)
        if inside.any():
            met = True
            found[:, :, k][inside] = values[tuple(one[inside].astype(np.int64) for one in index)]
    return found if met else None
