"""From masks to label maps: as few maps as overlapping structures need.

Labels are numbered in the order of the table of structures, whatever numbers a file had. So the same masks
give the same maps, bit for bit, whichever backend read them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.segment.naming import in_order
from heltig.imaging.volume import LabelMap, Structure

Box: TypeAlias = tuple[slice, slice, slice]


class Patch(NamedTuple):
    """A part of a mask.

    Attributes:
        box: The voxels of the volume that it is about.
        inside: True where the structure is, of the shape of the box.
    """

    box: Box
    inside: NDArray[np.bool_]


class Mask(NamedTuple):
    """Where a structure is.

    Attributes:
        structure: The structure.
        patches: Gives its parts, read when they are needed; nowhere else is it. Parts may not overlap.
    """

    structure: Structure
    patches: Callable[[], Sequence[Patch]]


def label_maps(shape: tuple[int, int, int], masks: Sequence[Mask]) -> tuple[LabelMap, ...]:
    """Put masks on label maps, each on the first one where it covers nothing.

    Args:
        shape: Of the volume.
        masks: Masks of structures with a key each. One that is nowhere has a label all the same: it could
            have been found.
    """
    arrays: list[NDArray[np.uint16]] = []
    structures: list[dict[int, Structure]] = []
    for label, place in enumerate(in_order([mask.structure for mask in masks]), 1):
        structure, patches = masks[place].structure, masks[place].patches()
        at = next((n for n, labels in enumerate(arrays) if _free(labels, patches)), len(arrays))
        if at == len(arrays):
            arrays.append(np.zeros(shape, np.uint16, order="F"))
            structures.append({})
        for box, inside in patches:
            arrays[at][box][inside] = label
        structures[at][label] = structure
    return tuple(LabelMap(*one) for one in zip(arrays, structures, strict=True))


def renumbered(labels: NDArray[np.uint8 | np.uint16], structures: Mapping[int, Structure]) -> LabelMap:
    """Labels of a file as the label map that `label_maps` would make of them, in one pass.

    Args:
        labels: On the grid of the volume.
        structures: What each label stands for, a key each; labels without one are left out.
    """
    given = list(structures)
    order = in_order([structures[label] for label in given])
    numbers = np.zeros(int(np.iinfo(labels.dtype).max) + 1, np.uint16)
    for number, place in enumerate(order, 1):
        if given[place] < numbers.size:
            numbers[given[place]] = number
    found = np.empty(labels.shape, np.uint16, order="F")
    for k in range(labels.shape[2]):  # all at once would make 64-bit indices of all
        np.take(numbers, labels[:, :, k].T, out=found[:, :, k].T, mode="clip")
    return LabelMap(found, {number: structures[given[place]] for number, place in enumerate(order, 1)})


def cropped(array: NDArray[Any]) -> Box | None:
    """The box about all that is not zero; None where all is."""
    box = [slice(None)] * 3
    for axis in np.argsort(np.abs(array.strides))[::-1].tolist():  # whole planes of memory first
        planes = np.moveaxis(array[tuple(box)], axis, 0)
        places = [place for place, plane in enumerate(planes) if plane.any()]
        if not places:
            return None
        box[axis] = slice(places[0], places[-1] + 1)
    return box[0], box[1], box[2]


def _free(labels: NDArray[np.uint16], patches: Sequence[Patch]) -> bool:
    return not any(labels[box][inside].any() for box, inside in patches)
