"""Blocks: parts of a stack that were scanned each for itself, one above the other.

A series may hold the lungs every millimetre and the abdomen every five, or two slabs between which the table
moved. Neither is a stack of which slices were lost. What tells the two apart is how the spaces are
distributed, whether images are numbered on over them, and whether another attribute changes there.
"""

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from heltig.dicom.stacks import Space, Stack

WIDE = 3
"""Slices that fit into a space: from so many on it may lie between two blocks."""

_RUN = 4  # equal spaces one after the other that make a block of its own step
_SMALLEST = 3  # slices of a block
_ALIKE = 3  # blocks of equal size were planned so: nobody loses slices that evenly

Run: TypeAlias = tuple[int, int]
"""Spaces next to each other: the first, and the one after the last."""


class Evidence(NamedTuple):
    """What is known of planes beside their places.

    Attributes:
        numbers: InstanceNumber, of frames InStackPositionNumber, of each plane, by its number; None where it
            has none.
        attributes: The values of each attribute that varies, by the number of the plane.
    """

    numbers: Sequence[int | None]
    attributes: Sequence[Sequence[Hashable]]

    def differ_by(self, stack: Stack, below: int, number: int) -> bool:
        """Images of one level and the next are numbered so far apart, up or down."""
        first = {self.numbers[plane] for plane in stack.levels[below]} - {None}
        second = {self.numbers[plane] for plane in stack.levels[below + 1]} - {None}
        return any(a + by in second for a in first if a is not None for by in (number, -number))

    def is_numbered(self, stack: Stack, below: int) -> bool:
        """Images on both sides of a space are numbered."""
        return all(
            any(self.numbers[plane] is not None for plane in level)
            for level in stack.levels[below : below + 2]
        )

    def runs_on(self, stack: Stack, below: int) -> bool:
        """Images are numbered on over a space: nothing was missing then, or it had been lost before."""
        return self.differ_by(stack, below, 1)

    def counts(self, stack: Stack, space: Space) -> bool:
        """As many numbers are left out as slices fit into a space."""
        return self.differ_by(stack, space.below, stack.missing_in(space) + 1)

    def differ(self, below: Sequence[int], above: Sequence[int]) -> bool:
        """An attribute has one value in all planes of one block, and another in all of the next."""
        for values in self.attributes:
            lower, upper = {values[plane] for plane in below}, {values[plane] for plane in above}
            if len(lower) == len(upper) == 1 and lower != upper:
                return True
        return False


def blocks_of(stack: Stack, places: Sequence[float], evidence: Evidence) -> list[Stack]:
    """The blocks of a stack, by place; the stack itself where it is one.

    Args:
        stack: Planes of one volume.
        places: Where each plane stands along the normal, by its number.
        evidence: What else is known of them.
    """
    if not stack.uneven:
        return [stack]
    of_one_step = _divided(stack, _changes_of_step(stack, evidence), places)
    return [block for part in of_one_step for block in _divided(part, _moves(part, evidence), places)]


def is_gap(space: Space, stack: Stack, evidence: Evidence) -> bool:
    """Slices are missing in an uneven space of a stack, or nobody can say what else it is."""
    if not stack.has_step:
        return False
    if is_implausible(space, stack, evidence):
        return True
    if not space.missing:
        return False
    return space.missing < WIDE or not evidence.runs_on(stack, space.below) or stack.is_whole(space)


def is_implausible(space: Space, stack: Stack, evidence: Evidence) -> bool:
    """More slices fit into a space than there are, and no number of an image says so: it is no count."""
    return stack.missing_in(space) > len(stack.levels) and not evidence.counts(stack, space)


def _divided(stack: Stack, after: Sequence[int], places: Sequence[float]) -> list[Stack]:
    """Cut a stack above some of its levels."""
    if not after:
        return [stack]
    cuts = [0, *(level + 1 for level in after), len(stack.levels)]
    return [
        Stack([plane for level in stack.levels[start:end] for plane in level], places, stack.tolerance)
        for start, end in pairwise(cuts)
    ]


# -- another step


def _changes_of_step(stack: Stack, evidence: Evidence) -> list[int]:
    """The levels above which another step begins."""
    changes = []
    for lower, upper in pairwise(_runs(stack)):
        near, far = sorted((stack.spaces[lower[0]], stack.spaces[upper[0]]))
        if far - near <= stack.tolerance.of(near):
            continue
        wide = range(*upper) if stack.spaces[upper[0]] == far else range(*lower)
        running_on = sum(evidence.runs_on(stack, below) for below in wide)
        if abs(far - round(far / near) * near) > stack.tolerance.of(near) or running_on * 2 > len(wide):
            changes.append(lower[1])  # else slices are missing in every space of one of the two
    return changes


def _runs(stack: Stack) -> list[Run]:
    """Where neighbouring spaces are equal."""
    spaces, runs, start = stack.spaces, [], 0
    for place in range(1, len(spaces) + 1):
        if place < len(spaces):
            near, far = sorted((spaces[start], spaces[place]))
            if far - near <= stack.tolerance.of(near):
                continue
        if place - start >= _RUN:
            runs.append((start, place))
        start = place
    return runs


# -- the same step, with a move of the table between


def _moves(stack: Stack, evidence: Evidence) -> list[int]:
    """The levels above which another block of the same step begins."""
    if not stack.has_step:
        return []
    wide = [space for space in stack.uneven if space.distance > (WIDE + 0.5) * stack.step]
    cuts = [0, *(space.below + 1 for space in wide), len(stack.levels)]
    sides = [[plane for level in stack.levels[a:b] for plane in level] for a, b in pairwise(cuts)]
    sizes = [end - start for start, end in pairwise(cuts)]
    are_alike = len(sizes) >= _ALIKE and len(set(sizes)) == 1
    moves = []
    for number, space in enumerate(wide):
        if min(sizes[number : number + 2]) < _SMALLEST:
            continue
        if _is_move(space, stack, evidence, are_alike=are_alike) or (
            not evidence.counts(stack, space) and evidence.differ(sides[number], sides[number + 1])
        ):
            moves.append(space.below)
    return moves


def _is_move(space: Space, stack: Stack, evidence: Evidence, *, are_alike: bool) -> bool:
    """Somebody left a space free: it fits no number of slices, or more than are there, or does so often."""
    if evidence.runs_on(stack, space.below):
        return are_alike or stack.missing_in(space) > len(stack.levels) or not stack.is_whole(space)
    return not evidence.is_numbered(stack, space.below) and not stack.is_whole(space)
