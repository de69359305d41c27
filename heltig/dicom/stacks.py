"""Stacks: parallel planes in the order in which they stand, and what is wrong with their distances.

A *level* is a place along the normal where planes stand. In a plain stack each level has one plane; in a
series of several volumes (positions in time, echoes, b-values) each level has as many as there are volumes.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from operator import sub
from typing import NamedTuple

SAME_PLACE = 0.01
"""Millimetres: planes nearer to each other stand at one level."""

_FREQUENT = 3  # of so many distances one must be the smallest for it to be the step
_CUT = 2  # levels with one plane more that may be the beginning of a volume; one is a slice too many
_TURNS = 5  # spaces, narrow and wide by turns, that make two stacks in one another
_EVERY_THIRD = 2  # steps wide is every second space where every third slice is missing
_EXACT = 0.02  # of a step: how far a wide space may be from a whole number of them where they are all alike


class Tolerance(NamedTuple):
    """How far the distance of two slices may be from what it should be.

    Attributes:
        ratio: As a part of that distance.
        mm: In millimetres, but no more than 0.4 of the distance; the larger of the two counts.
    """

    ratio: float = 0.05
    mm: float = 0.15

    def of(self, distance: float) -> float:
        """The tolerance for a distance, in millimetres."""
        return max(self.ratio * distance, min(self.mm, 0.4 * distance))


class Space(NamedTuple):
    """The space between two neighbouring levels.

    Attributes:
        below: Index of the level it begins at.
        distance: Millimetres.
        missing: How many slices fit into it; 0 where it is not a multiple of the step.
    """

    below: int
    distance: float
    missing: int


class Stack:
    """Parallel planes.

    Attributes:
        planes: Numbers of the planes, by place.
        places: Where they stand along the normal, in millimetres, ascending.
        tolerance: How far distances may differ.
    """

    def __init__(self, planes: Sequence[int], places: Sequence[float], tolerance: Tolerance) -> None:
        """Put planes into their order.

        Args:
            planes: Their numbers.
            places: Where each plane stands, by its number.
            tolerance: How far distances may differ.
        """
        self.planes = sorted(planes, key=places.__getitem__)
        self.places = [places[plane] for plane in self.planes]
        self.tolerance = tolerance

    @cached_property
    def _distances(self) -> list[float]:
        """Between neighbouring planes."""
        return list(map(sub, self.places[1:], self.places))

    @cached_property
    def levels(self) -> list[list[int]]:
        """The planes at each level."""
        if not self._distances or min(self._distances) > SAME_PLACE:
            return [[plane] for plane in self.planes]
        levels = [[self.planes[0]]]
        for plane, distance in zip(self.planes[1:], self._distances, strict=True):
            if distance > SAME_PLACE:
                levels.append([plane])
            else:
                levels[-1].append(plane)
        return levels

    @cached_property
    def heights(self) -> list[float]:
        """Where each level stands: the place of its first plane."""
        if len(self.levels) == len(self.places):
            return self.places
        starts = [0]
        for level in self.levels[:-1]:
            starts.append(starts[-1] + len(level))
        return [self.places[start] for start in starts]

    @cached_property
    def step(self) -> float:
        """The distance from level to level, in millimetres; 0 with fewer than two levels.

        It is the median, the lower of two. Where a third of the distances or more are of the smallest size,
        and all others are multiples of it, that size is the step: every second slice may be missing. Where
        only one distance is that small, the others have to be sums of it, each within its tolerance.
        """
        distances = self.spaces
        if not distances:
            return 0.0
        ordered = sorted(distances)
        median, smallest = ordered[(len(ordered) - 1) // 2], ordered[0]
        limit = self.tolerance.of(smallest)
        if median - smallest <= limit:
            return median
        small = [distance for distance in ordered if distance - smallest <= limit]
        if len(small) * _FREQUENT >= len(ordered):
            step = small[(len(small) - 1) // 2]
            if all(self._multiple(distance, step) for distance in ordered) and (
                len(small) > 1 or all(self._is_sum(distance, step) for distance in ordered)
            ):
                return step
        return median

    @cached_property
    def uneven(self) -> list[Space]:
        """The spaces that are not one step wide."""
        step = self.step
        limit = self.tolerance.of(step)
        distances = self.spaces
        if not distances or (max(distances) <= step + limit and min(distances) >= step - limit):
            return []
        return [
            Space(below, distance, max(0, self._multiple(distance, step) - 1))
            for below, distance in enumerate(distances)
            if abs(distance - step) > limit
        ]

    @property
    def has_step(self) -> bool:
        """A third of the spaces or more are one step wide, and half of them or more a number of steps."""
        if self.is_interleaved:
            return False
        spaces = len(self.spaces)
        odd = sum(not space.missing for space in self.uneven)
        return (spaces - len(self.uneven)) * _FREQUENT >= spaces and odd * 2 <= spaces

    @cached_property
    def is_interleaved(self) -> bool:
        """A narrow and a wide space take turns all the way: two stacks stand in one another.

        Where the wide one is two steps of the narrow one, every third slice may be missing instead.
        """
        if not self.uneven or len(self.spaces) < _TURNS:
            return False
        narrow, wide = sorted((self.spaces[::2], self.spaces[1::2]))
        limit = self.tolerance.of(narrow[0])
        return (
            max(narrow) - narrow[0] <= limit
            and max(wide) - min(wide) <= limit
            and min(wide) - max(narrow) > limit
            and self._multiple(min(wide), narrow[0]) != _EVERY_THIRD
        )

    def missing_in(self, space: Space) -> int:
        """How many slices fit into a space, whether or not it is a whole number of steps."""
        return max(0, round(space.distance / self.step) - 1)

    def is_whole(self, space: Space) -> bool:
        """A space is a whole number of steps, as nearly as the steps themselves are alike.

        `missing` of a wide space says less: many steps, each within its tolerance, come to any distance.
        """
        limit = self.tolerance.of(self.step)
        even = [distance for distance in self.spaces if abs(distance - self.step) <= limit]
        mean = sum(even) / len(even)
        spread = max(abs(distance - mean) for distance in even)
        rest = abs(space.distance - round(space.distance / mean) * mean)
        return rest <= min(limit, max(2 * spread, _EXACT * mean))

    @cached_property
    def usual(self) -> int:
        """How many planes stand at a level: what more than half of the levels have; 0 where no number is.

        Of two numbers that have exactly half of the levels each it is the larger.
        """
        if len(self.levels) == len(self.planes):
            return 1
        counts = Counter(map(len, self.levels)).most_common()
        often = counts[0][1]
        tied = [number for number, count in counts if count == often]
        is_known = often * 2 > len(self.levels) or (often > 1 and often * 2 == len(self.levels))
        return max(tied) if is_known else 0

    @property
    def is_cut_short(self) -> bool:
        """Two levels or more, all at one end, have one plane more than usual, and no others have any.

        It is a last volume that was cut short, or a part of a stack that is there again.
        """
        if len(self.levels) == len(self.planes) or not self.usual:
            return False
        more = [place for place, level in enumerate(self.levels) if len(level) == self.usual + 1]
        if len(more) < _CUT or len(more) + [*map(len, self.levels)].count(self.usual) < len(self.levels):
            return False
        is_one_run = more[-1] - more[0] + 1 == len(more)
        return is_one_run and (more[0] == 0 or more[-1] == len(self.levels) - 1)

    @cached_property
    def flaws(self) -> int:
        """Spaces that are not one step wide, and planes too many or too few at a level."""
        if len(self.levels) == len(self.planes):
            return len(self.uneven)
        usual = self.usual or 1
        return len(self.uneven) + sum(abs(len(level) - usual) for level in self.levels)

    @property
    def spaces(self) -> list[float]:
        """The distances between neighbouring levels, in millimetres, ascending by place."""
        if len(self.levels) == len(self.places):
            return self._distances
        return self._between_levels

    @cached_property
    def _between_levels(self) -> list[float]:
        return [after - before for before, after in pairwise(self.heights)]

    def _is_sum(self, distance: float, step: float) -> bool:
        return abs(distance - round(distance / step) * step) <= self.tolerance.of(step)

    def _multiple(self, distance: float, step: float) -> int:
        """How many steps a distance is; 0 where it is not a number of steps."""
        count = round(distance / step)
        if count and abs(distance / count - step) <= self.tolerance.of(step):
            return count
        return 0
