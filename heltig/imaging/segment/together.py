"""Several backends on one volume: their label maps put together as if one of them had given them all."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from numpy.typing import NDArray

from heltig.imaging.segment.layers import Box, Mask, Patch, label_maps
from heltig.imaging.segment.naming import told_apart
from heltig.imaging.segment.nifti_masks import boxes
from heltig.imaging.segment.segmenter import Note, SegmentationResult
from heltig.imaging.volume import LabelMap


class Together(NamedTuple):
    """What several backends gave.

    Attributes:
        maps: Label maps with a key for each structure: the second liver is `liver_2`.
        notes: The notes of all, and which structures there were twice.
    """

    maps: tuple[LabelMap, ...]
    notes: tuple[Note, ...]


def together(shape: tuple[int, int, int], results: Sequence[SegmentationResult]) -> Together:
    """Put label maps together, as few as overlapping structures need.

    Args:
        shape: Of the volume.
        results: In the order in which the backends ran: where two found one structure, the first one's has
            its name.
    """
    notes = [note for result in results for note in result.notes]
    if len(results) == 1:
        return Together(results[0].maps, tuple(notes))
    masks = [mask for result in results for found in result.maps for mask in _masks(found)]
    structures, doubled = told_apart(mask.structure for mask in masks)
    apart = [mask._replace(structure=one) for mask, one in zip(masks, structures, strict=True)]
    return Together(label_maps(shape, apart), (*notes, *doubled))


def _masks(found: LabelMap) -> Iterator[Mask]:
    there = boxes(found.labels)
    for label, structure in found.structures.items():
        yield Mask(structure, partial(_patches, found.labels, label, there.get(label)))


def _patches(labels: NDArray[Any], label: int, box: Box | None) -> Sequence[Patch]:
    """Made when it is its turn: all of them at once would take more memory than the maps."""
    return () if box is None else (Patch(box, labels[box] == label),)
