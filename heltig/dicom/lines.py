"""Lines: how the slices of a stack stand above one another.

Slices of a straight stack stand on its normal. With a tilted gantry they stand on a line that leans. A slice
whose position was damaged stands beside the line of the others.
"""

import math
from collections.abc import Sequence
from itertools import groupby
from operator import sub
from typing import NamedTuple

from heltig.dicom.stacks import SAME_PLACE, Stack

_FEWEST = 4  # levels: of three nobody can tell which one is shifted


class Line(NamedTuple):
    """How the slices of a stack stand above one another.

    Attributes:
        stack: The stack.
        lean: The angle between its line and its normal, in degrees.
        shifted: The planes that stand beside the line of most others, with how far, in millimetres.
        bend: How far its planes leave the line little by little, in millimetres; 0 where they do not, or
            where single ones are shifted.
    """

    stack: Stack
    lean: float
    shifted: Sequence[tuple[int, float]] = ()
    bend: float = 0.0


def line_of(stack: Stack, across: Sequence[Sequence[float]], limit: float) -> Line:
    """How the slices of a stack stand above one another.

    Args:
        stack: The stack, of two levels or more.
        across: Where its planes stand along their rows, and along their columns, in millimetres; by place.
        limit: How far they may stand apart from one line, in millimetres.
    """
    height = stack.places[-1] - stack.places[0]
    drifts = [(places[-1] - places[0]) / height for places in across]
    offsets = [_offsets(stack, places, drift) for places, drift in zip(across, drifts, strict=True)]
    bend = max(max(found) - min(found) for found in offsets)
    if bend <= limit:
        return Line(stack, _angle(drifts))
    return _with_shifted(stack, across, limit) or Line(stack, _angle(drifts), bend=bend)


def _with_shifted(stack: Stack, across: Sequence[Sequence[float]], limit: float) -> Line | None:
    """The line of most planes, and the planes beside it; None where planes leave it little by little.

    The line is looked for between neighbours, between the halves of the stack and between its ends: damaged
    positions spoil one or two of the three.
    """
    if len(stack.levels) < _FEWEST:
        return None
    lines = []
    for apart in {1, len(stack.places) // 2, len(stack.places) - 1}:
        drifts = [_drift(stack, places, apart) for places in across]
        row, column = (_centred(_offsets(stack, p, d)) for p, d in zip(across, drifts, strict=True))
        beside = list(zip(row, column, strict=True))
        odd = [place for place, by in enumerate(beside) if math.hypot(*by) > limit / 2]
        lines.append((len(odd), _angle(drifts), odd, beside))
    count, lean, odd, beside = min(lines)
    # As many as a whole volume has are a volume with a line of its own.
    if not odd or count * 2 > len(beside) or count >= len(stack.levels) or not _is_sudden(odd, beside):
        return None
    return Line(stack, lean, [(stack.planes[place], math.hypot(*beside[place])) for place in odd])


def _is_sudden(odd: Sequence[int], beside: Sequence[tuple[float, float]]) -> bool:
    """Each run of shifted planes begins and ends with a step of half of its shift or more."""
    for _, places in groupby(enumerate(odd), key=lambda pair: pair[1] - pair[0]):
        run = [place for _, place in places]
        shift = max(math.hypot(*beside[place]) for place in run)
        steps = [(place, place - 1) for place in (run[0], run[-1] + 1) if 0 < place < len(beside)]
        if any(math.dist(beside[after], beside[before]) * 2 < shift for after, before in steps):
            return False
    return True


def _offsets(stack: Stack, across: Sequence[float], drift: float) -> list[float]:
    return [place - drift * height for place, height in zip(across, stack.places, strict=True)]


def _angle(drifts: Sequence[float]) -> float:
    return math.degrees(math.atan(math.hypot(*drifts)))


def _drift(stack: Stack, across: Sequence[float], apart: int) -> float:
    """How far planes move sideways for each millimetre of height: the median of all so many places apart."""
    moves = map(sub, across[apart:], across)
    rises = map(sub, stack.places[apart:], stack.places)
    slopes = sorted(move / rise for move, rise in zip(moves, rises, strict=True) if rise > SAME_PLACE)
    return slopes[len(slopes) // 2] if slopes else 0.0


def _centred(offsets: Sequence[float]) -> list[float]:
    middle = sorted(offsets)[len(offsets) // 2]
    return [offset - middle for offset in offsets]
