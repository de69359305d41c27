"""Masks made smaller and larger by millimetres, and their parts. Voxels need not be cubes."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from heltig.imaging.segmentation import Mask

_TOUCHING: Final = np.ones((3, 3, 3), np.bool_)
"""Voxels that share a corner are of one part: 26 neighbours."""

_EXACT: Final = 1e-9


def eroded(mask: Mask, mm: float, spacing: Sequence[float]) -> Mask:
    """What of a mask is at least so far from every voxel outside, centre to centre.

    What lies beyond the array is not known and counts as inside: give the mask a margin where the array does
    not end with the images.
    """
    return ~_within(~mask, mm - _EXACT, spacing)


def dilated(mask: Mask, mm: float, spacing: Sequence[float]) -> Mask:
    """The voxels that are at most so far from a mask, centre to centre."""
    return _within(mask, mm + _EXACT, spacing)


def _within(mask: Mask, mm: float, spacing: Sequence[float]) -> Mask:
    """Voxels at most so far from a mask.

    The ball is made of lines along the first axis. Lines of one length are drawn once, and then shifted: that
    costs a few looks at each voxel, where distances would cost many. With a margin of the ball's size about
    it, a mask is shifted by a number of voxels in memory.
    """
    reach = [min(int(mm / one), size) for one, size in zip(spacing, mask.shape, strict=True)]
    wide = np.ascontiguousarray(np.pad(mask, [(by, by) for by in reach]))
    steps = [step // wide.itemsize for step in wide.strides]
    lines: dict[int, list[int]] = {}
    for shift in product(*(range(-by, by + 1) for by in reach[1:])):
        rest = mm**2 - sum((by * one) ** 2 for by, one in zip(shift, spacing[1:], strict=True))
        if rest >= 0:
            offset = sum(by * step for by, step in zip(shift, steps[1:], strict=True))
            lines.setdefault(min(int(np.sqrt(rest) / spacing[0]), reach[0]), []).append(offset)
    start = wide.ravel()
    found, line, half = np.zeros_like(start), start.copy(), 0
    for length in sorted(lines):
        while half < length:
            half += 1
            _draw(line, start, half * steps[0])
            _draw(line, start, -half * steps[0])
        for offset in lines[length]:
            _draw(found, line, offset)
    inner = tuple(slice(by, by + size) for by, size in zip(reach, mask.shape, strict=True))
    return found.reshape(wide.shape)[inner]


def _draw(onto: Mask, mask: Mask, offset: int) -> None:
    """Draw a mask onto another one, shifted by so many voxels in memory."""
    size = mask.size
    onto[max(0, offset) : size + min(0, offset)] |= mask[max(0, -offset) : size + min(0, -offset)]


def components(mask: Mask) -> tuple[NDArray[np.int32], list[int]]:
    """The parts of a mask that do not touch one another, not even by a corner.

    Returns:
        Their numbers, counted from 1, the largest first; and the voxels of each.
    """
    numbered, count = _label(mask)
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    rank = np.zeros(count + 1, np.int32)
    rank[order + 1] = np.arange(1, count + 1)
    return rank[numbered], sizes[order].tolist()


def filled(mask: Mask) -> Mask:
    """A mask and the holes that it has all about them."""
    numbered, count = ndimage.label(np.pad(~mask, 1, constant_values=True))
    outside = numbered[(0,) * mask.ndim]
    inner = numbered[(slice(1, -1),) * mask.ndim]
    return np.asarray(inner != outside, np.bool_) if count > 1 else mask


def _label(mask: Mask) -> Any:
    """Parts by number, in the order of their first voxels."""
    return ndimage.label(mask, structure=_TOUCHING if mask.ndim == 3 else _TOUCHING[0])
