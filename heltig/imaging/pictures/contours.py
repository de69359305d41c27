"""The edges of a mask as closed lines.

A line goes through the middles of the edges between pixels inside and pixels outside, so that it turns
corners at 45 degrees: its area is that of the pixels but for half a pixel where one stands alone.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.pictures.view import Points
from heltig.imaging.segmentation import Mask

_STEPS: Final = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""To the right, down, to the left, up: rows and columns from corner to corner. Inside is on the right."""


def contours(mask: Mask) -> list[Points]:
    """The edges of a mask, closed: the last point is the first one. Holes have edges of their own.

    Pixels that touch at a corner only have edges of their own, too.
    """
    return [_line(corners) for corners in _loops(_edges(mask))]


def _edges(mask: Mask) -> dict[tuple[int, int], list[int]]:
    """By corner, as row and column: the directions of the edges that begin there."""
    wide = np.pad(mask, 1)
    inside = wide[1:-1, 1:-1]
    found: dict[tuple[int, int], list[int]] = {}
    starts: tuple[tuple[NDArray[np.bool_], int, int], ...] = (
        (inside & ~wide[:-2, 1:-1], 0, 0),  # the upper edge goes to the right
        (inside & ~wide[1:-1, 2:], 0, 1),  # the right one down
        (inside & ~wide[2:, 1:-1], 1, 1),  # the lower one to the left
        (inside & ~wide[1:-1, :-2], 1, 0),  # the left one up
    )
    for direction, (where, down, right) in enumerate(starts):
        rows, columns = np.nonzero(where)
        for corner in zip((rows + down).tolist(), (columns + right).tolist(), strict=True):
            found.setdefault(corner, []).append(direction)
    return found


def _loops(edges: dict[tuple[int, int], list[int]]) -> Iterator[list[tuple[int, int]]]:
    """Corners one after the other, each loop from its first one in reading order until before it again.

    Where two edges begin, pixels touch at a corner: the turn to the right stays with the pixel.
    """
    for first in sorted(edges):
        while edges[first]:
            start = direction = edges[first][0]
            corner, corners = first, []
            while True:
                corners.append(corner)
                edges[corner].remove(direction)
                corner = (corner[0] + _STEPS[direction][0], corner[1] + _STEPS[direction][1])
                onward, right = edges[corner], (direction + 1) % 4
                if corner == first and (not onward or right == start):
                    break
                direction = right if right in onward else onward[0]
            yield corners


def _line(corners: list[tuple[int, int]]) -> Points:
    """Middles of edges, without those that lie on a straight line; column before row."""
    around = np.array([*corners, corners[0]], np.float64)[:, ::-1]
    middles = (around[:-1] + around[1:]) / 2
    before, after = np.roll(middles, 1, axis=0), np.roll(middles, -1, axis=0)
    bends = np.any(~np.isclose(middles - before, after - middles), axis=1)
    kept = middles[bends]
    return np.concatenate([kept, kept[:1]])
