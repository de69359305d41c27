"""The segments of a segmentation: which structures they are, and their pixels slice by slice."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.seg_frames import LABELS, Frame, by_slices, presence
from heltig.imaging.volume import Structure


class Segment(NamedTuple):
    """A structure in a segmentation.

    Attributes:
        number: Segment Number (0062,0004), counted from 1.
        structure: The structure.
        map: The number of the label map that counts for it.
        labels: Its labels there.
    """

    number: int
    structure: Structure
    map: int
    labels: tuple[int, ...]


def segments_of(analysis: Analysis) -> tuple[Segment, ...]:
    """The structures that have voxels, in the order of the label maps."""
    segmentation = analysis.segmentation
    present = [one for key, one in segmentation.structures.items() if segmentation.count(key)]
    return tuple(
        Segment(number, one, where, tuple(labels))
        for number, one in enumerate(present, 1)
        for where, labels in [segmentation.labels_of(one.key)]
    )


class Layers:
    """The pixels of segments, slice by slice."""

    def __init__(self, analysis: Analysis, segments: Sequence[Segment]) -> None:
        self._labels = [by_slices(one) for one in analysis.segmentation.maps]
        self._segments = segments
        columns, rows, self._slices = analysis.volume.shape
        self.pixels = columns * rows
        on = [presence(labels) for labels in self._labels]
        self._on = {
            one.number: np.flatnonzero(on[one.map][:, one.labels].any(axis=1)).tolist() for one in segments
        }
        used = sorted({k for slices in self._on.values() for k in slices})
        self._places = {k: place for place, k in enumerate(used, 1)}

    @property
    def frames(self) -> list[Frame]:
        """One for each segment and slice that it is on."""
        return [Frame(k, self._places[k], one.number) for one in self._segments for k in self._on[one.number]]

    @property
    def slices(self) -> list[Frame]:
        """One for each slice that has something."""
        return [Frame(k, place, None) for k, place in self._places.items()]

    def masks(self) -> Iterator[NDArray[np.bool_]]:
        """Rows × columns, in the order of `frames`."""
        for one in self._segments:
            labels = self._labels[one.map]
            for k in self._on[one.number]:
                image: Any = labels[:, :, k].T
                mask = image == one.labels[0] if len(one.labels) == 1 else np.isin(image, one.labels)
                yield np.ascontiguousarray(mask)

    def numbers(self) -> Iterator[NDArray[np.uint16]]:
        """Segment numbers by rows × columns, in the order of `slices`; where some overlap, the greatest."""
        tables = self._tables()
        for k in self._places:
            images = [table[labels[:, :, k].T] for table, labels in zip(tables, self._labels, strict=True)]
            yield np.maximum.reduce(images)

    @property
    def overlap(self) -> bool:
        """Some voxel belongs to several segments."""
        if len(self._labels) == 1:
            return False
        tables = [table > 0 for table in self._tables()]
        return any(self._most_at_once(k, tables) > 1 for k in range(self._slices))

    def _most_at_once(self, k: int, tables: Sequence[NDArray[np.bool_]]) -> int:
        """How many segments a voxel of a slice belongs to at most."""
        inside = [table[labels[:, :, k]] for table, labels in zip(tables, self._labels, strict=True)]
        return int(np.sum(inside, axis=0).max())

    def _tables(self) -> list[NDArray[np.uint16]]:
        """For each map the segment number of each label, 0 of what is not written from it."""
        tables = [np.zeros(LABELS, np.uint16) for _ in self._labels]
        for one in self._segments:
            tables[one.map][list(one.labels)] = one.number
        return tables
