"""The values of many structures in one pass: how often each label has each value.

CT numbers are whole and few, so counting them gives mean, standard deviation and percentiles exactly, for all
structures at the cost of looking at each voxel once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_AT_ONCE: Final = 1 << 21
"""Voxels looked at together: what is made of them stays near the processor."""

_MOST_BINS: Final = 1 << 25
"""Labels times values that are counted: 256 MiB."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The values of some voxels.

    Attributes:
        count: Voxels.
        mean: Their mean.
        sd: Standard deviation of just these voxels: divided by their number, not by one less.
        median: 50th percentile.
        p5: 5th percentile, between two values on the line from one to the other.
        p95: 95th percentile.
    """

    count: int
    mean: float
    sd: float
    median: float
    p5: float
    p95: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Distribution":
        """The distribution of some values, one or more.

        Raises:
            ValueError: There is no value.
        """
        if not values.size:
            raise ValueError("no values")
        if np.issubdtype(values.dtype, np.integer):
            low = int(values.min())
            return _counted(np.bincount(values.astype(np.intp) - low), low)
        exact = values.astype(np.float64)
        median, p5, p95 = np.percentile(exact, [50, 5, 95]).tolist()
        return cls(exact.size, float(exact.mean()), float(exact.std()), median, p5, p95)


@dataclass(frozen=True, slots=True, eq=False)
class Histograms:
    """How often each label has each value.

    Attributes:
        rows: The row of each label in `counts`.
        counts: Voxels by row and by value; the values are in one column where they were not looked at.
        lowest: The value of the first column; None where values were not looked at.
    """

    rows: Mapping[int, int]
    counts: NDArray[np.int64]
    lowest: int | None

    def count(self, label: int) -> int:
        """Voxels of a label."""
        return int(self.counts[self.rows[label]].sum())

    def distribution(self, labels: Sequence[int]) -> Distribution | None:
        """The values of some labels together; None where values were not counted.

        Raises:
            ValueError: There is no voxel with these labels.
        """
        if self.lowest is None:
            return None
        counts = self.counts[[self.rows[label] for label in labels]].sum(axis=0)
        if not counts.any():
            raise ValueError("no values")
        return _counted(counts, self.lowest)


def histograms(labels: NDArray[np.uint16], voxels: NDArray[Any] | None, wanted: Iterable[int]) -> Histograms:
    """Count the values of labels.

    Args:
        labels: Labels; 0 is background.
        voxels: Values of the same shape. They are counted if they are whole numbers of few values; else, or
            where they are None, only voxels are.
        wanted: The labels to count; others are left aside.
    """
    numbers = sorted(set(wanted) - {0})
    rows = {label: row for row, label in enumerate(numbers)}
    of_label = np.full(int(np.iinfo(np.uint16).max) + 1, len(numbers), np.intp)
    of_label[numbers] = np.arange(len(numbers))
    lowest, width = 0, 1
    if voxels is None or not np.issubdtype(voxels.dtype, np.integer):
        voxels = None
    else:
        lowest = int(voxels.min())
        width = int(voxels.max()) - lowest + 1
        if width * (len(numbers) + 1) > _MOST_BINS:
            voxels, width = None, 1
    counts = np.zeros((len(numbers) + 1) * width, np.int64)
    for part, values in _parts(labels, voxels):
        inside = part != 0
        bins = of_label[part[inside]]
        if values is not None:
            bins *= width
            bins += values[inside]
            bins -= lowest
        counts += np.bincount(bins, minlength=counts.size)
    counts = counts.reshape(-1, width)[:-1]
    return Histograms(rows, counts, None if voxels is None else lowest)


def _parts(labels: NDArray[np.uint16], voxels: NDArray[Any] | None) -> Iterable[tuple[Any, Any]]:
    """Labels and values in parts, in the order of memory."""
    memory = sorted(range(3), key=lambda axis: -abs(labels.strides[axis]))
    labels = labels.transpose(memory)
    voxels = None if voxels is None else voxels.transpose(memory)
    step = max(1, _AT_ONCE * labels.shape[0] // max(1, labels.size))
    for start in range(0, labels.shape[0], step):
        yield labels[start : start + step], None if voxels is None else voxels[start : start + step]


def _counted(counts: NDArray[Any], lowest: int) -> Distribution:
    """The distribution of values that were counted, from `lowest` on."""
    used = np.flatnonzero(counts)
    values, times = used + lowest, counts[used]
    total = int(times.sum())
    mean = int((times * values).sum()) / total
    variance = float((times * (values - mean) ** 2).sum()) / total
    up_to = np.cumsum(times)

    def percentile(part: float) -> float:
        place = part * (total - 1)
        below = int(place)
        low, high = values[np.searchsorted(up_to, [below, min(below + 1, total - 1)], side="right")].tolist()
        return float(low + (high - low) * (place - below))

    return Distribution(
        total, mean, float(np.sqrt(variance)), percentile(0.5), percentile(0.05), percentile(0.95)
    )
