"""Geometry: do the indices of an enhanced object's frames say what the frames say of themselves?"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell
from heltig.dicom.frames import FrameTable
from heltig.rules.geometry_frames import INDICES, declared_dimensions, pointed_at
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView

_COUNTING: Final = frozenset({"InStackPositionNumber", "TemporalPositionIndex"})
"""Attributes that are ordinal numbers from 1 on themselves (PS3.3 C.7.6.16.2.2.4, C.7.6.16.2.2)."""

_SAME: Final = 0.1
"""How far apart numbers of one place may be: the jitter of positions, in millimetres."""

_LIMIT: Final = 2**32
"""An index is a UL, in JSON too."""

_FRAME_CONTENT: Final = "FrameContentSequence"
_VALUES: Final = "DimensionIndexValues"
_STACK: Final = "InStackPositionNumber"

Indices = tuple[int, ...]


class _Dimension(NamedTuple):
    """One item of DimensionIndexSequence.

    Attributes:
        pointer: Keyword of the attribute it points to.
        cells: That attribute of each frame with indices.
    """

    pointer: str
    cells: Sequence[Cell]


@rule(
    "GEO-ENH-INDEX",
    level="series",
    severity="review",
    reads=("PerFrameFunctionalGroupsSequence",),
    reference="PS3.3 C.7.6.17.1",
)
def dimension_indices(series: SeriesView) -> Iterator[Hit]:
    """The indices of frames contradict what they count.

    Finds: DimensionIndexValues (0020,9157) below 1; those of InStackPositionNumber (0020,9057) and
        TemporalPositionIndex (0020,9128) that do not grow by one as these numbers do; frames with equal
        indices that differ in an attribute that the dimensions point to; and one InStackPositionNumber of a
        stack for frames at different places. Frames that dimensions do not tell apart may share indices. Of
        an object the first of these is told; of a wrong number of indices tells GEO-ENH-FG, of missing ones
        GEO-ENH-MISSING.
    Why: Viewers sort frames by these indices: slices come in a wrong order, on top of one another, or not at
        all.
    Mend: Have the object made anew by what wrote it, with indices counted anew from the frames' attributes.
    Example: A converter that wrote the same indices into every frame.
    """
    declared = declared_dimensions(series)
    frames = _Frames(series)
    for row in frames.rows:
        read = partial(frames.cells, row)
        hit = _of_indices(read, declared[row]) if row in declared else None
        hit = hit or _of_stacks(read)
        if hit:
            tags, observed, expected = hit
            yield Hit(tags=tags, observed=observed, expected=expected, rows=(row,))


class _Frames:
    """The frames of the objects of a series: each attribute is read once for all of them.

    Attributes:
        rows: The objects that have frames.
    """

    def __init__(self, series: SeriesView) -> None:
        own = zip(series.rows, series.cells("PerFrameFunctionalGroupsSequence"), strict=True)
        self._table = FrameTable(series.table, [row for row, cell in own if cell.items])
        self._places: dict[int, slice] = {}
        counts = Counter(frame.row for frame in self._table.frames)  # the frames of an object stand together
        for stop, (row, count) in zip(accumulate(counts.values()), counts.items(), strict=True):
            self._places[row] = slice(stop - count, stop)
        self._known: dict[tuple[str, str], list[Cell]] = {}
        self.rows = tuple(self._places)

    def cells(self, row: int, macro: str, keyword: str) -> list[Cell]:
        """An attribute of every frame of an object."""
        if (macro, keyword) not in self._known:
            self._known[macro, keyword] = self._table.cells(macro, keyword)
        return self._known[macro, keyword][self._places[row]]


Read = Callable[[str, str], list[Cell]]
"""Reads an attribute of every frame of one object, given the macro and the attribute."""

Problem = tuple[tuple[str, ...], str, str]
"""The attributes concerned, what is there and what should be."""


def _of_indices(read: Read, declared: Cell) -> Problem | None:
    """What is wrong with the indices of one object."""
    found = [_indices(cell, len(declared.items)) for cell in read(*INDICES)]
    frames = [number for number, of_frame in enumerate(found) if of_frame]
    indices = [of_frame for of_frame in found if of_frame]
    low = [index for of_frame in indices for index in of_frame if index < 1]
    if low:
        return (
            (_VALUES,),
            f"index {low[0]} in {sum(min(one) < 1 for one in indices)} of {len(indices)} frames",
            "indices from 1 on",
        )
    dimensions: list[_Dimension | None] = []
    for item in declared.items:
        group, pointer = pointed_at(item)
        cells = read(group, pointer) if group and pointer else []
        dimensions.append(_Dimension(pointer, [cells[number] for number in frames]) if cells else None)
    for place, dimension in enumerate(dimensions):
        if dimension and dimension.pointer in _COUNTING:
            problem = _miscounted([of_frame[place] for of_frame in indices], dimension)
            if problem:
                return problem
    return _shared(indices, [dimension for dimension in dimensions if dimension])


def _indices(cell: Cell, dimensions: int) -> Indices:
    """The indices of a frame; none where they are not one integer for each dimension."""
    values = tuple([value for value in cell.values if isinstance(value, int) and abs(value) < _LIMIT])
    return values if len(values) == len(cell.values) == dimensions else ()


def _miscounted(indices: Sequence[int], dimension: _Dimension) -> Problem | None:
    """Indices that do not grow as the numbers that they count."""
    numbers = [cell.numbers[0] if cell.numbers else None for cell in dimension.cells]
    pairs = [(number, index) for number, index in zip(numbers, indices, strict=True) if number is not None]
    distinct = sorted(set(pairs))
    wrong = any(index > number for number, index in distinct) or any(
        not (number < next_number and 1 <= next_index - index <= next_number - number)
        for (number, index), (next_number, next_index) in pairwise(distinct)
    )
    other = [pair for pair in pairs if pair[0] != pair[1]]
    if not wrong or not other:
        return None
    number, index = other[0]
    return (
        (_VALUES, dimension.pointer),
        f"index {index} for number {number:g}; the two differ in {len(other)} of {len(indices)} frames",
        f"an index for each {dimension.pointer}, in the same order",
    )


def _shared(indices: Sequence[Indices], dimensions: Iterable[_Dimension]) -> Problem | None:
    """Frames with equal indices that differ in what the dimensions point to."""
    frames: dict[Indices, list[int]] = {}
    for number, of_frame in enumerate(indices):
        frames.setdefault(of_frame, []).append(number)
    several = [numbers for numbers in frames.values() if len(numbers) > 1]
    for dimension in dimensions if several else ():
        together = [group for group in several if _differ([dimension.cells[number] for number in group])]
        if together:
            count = sum(map(len, together))
            observed = f"{count} of {len(indices)} frames share indices and differ in {dimension.pointer}"
            return (_VALUES, dimension.pointer), observed, "indices of their own"
    return None


def _of_stacks(read: Read) -> Problem | None:
    """Frames of one stack with one number at different places (PS3.3 C.7.6.16.2.2.4)."""
    stacks, numbers = (
        [cell.text for cell in read(_FRAME_CONTENT, keyword)] for keyword in ("StackID", _STACK)
    )
    if len(set(zip(stacks, numbers, strict=True))) == len(stacks):
        return None  # the most frequent case
    positions = read("PlanePositionSequence", "ImagePositionPatient")
    planes: dict[tuple[str, str], list[Cell]] = {}
    for stack, number, position in zip(stacks, numbers, positions, strict=True):
        if stack and number and not position.empty:
            planes.setdefault((stack, number), []).append(position)
    apart = [cells for cells in planes.values() if _differ(cells)]
    if not apart:
        return None
    count = sum(map(len, apart))
    return (
        (_STACK, "ImagePositionPatient"),
        f"{count} of {len(numbers)} frames share a number in their stack, and lie at different places",
        "a number for each place in a stack",
    )


def _differ(cells: Sequence[Cell]) -> bool:
    """Not all cells say the same; an empty one says nothing."""
    told = {cell for cell in cells if not cell.empty and not cell.items}
    if len(told) < 2:
        return False
    rows = [cell.numbers for cell in told]
    if len(set(map(len, rows))) > 1:
        return True
    for values in zip(*rows, strict=True):
        figures = [value for value in values if value is not None]
        if len(figures) == len(values) and max(figures) - min(figures) > _SAME:
            return True
    all_numbers = all(value is not None for row in rows for value in row)
    return not all_numbers and len({cell.text for cell in told}) > 1
