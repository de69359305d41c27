"""What a run of a backend leaves behind: inputs, grids, notes and time."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heltig.imaging.segment.grid import covers, onto_volume
from heltig.imaging.segment.layers import Mask, label_maps
from heltig.imaging.segment.naming import Named, told_apart
from heltig.imaging.segment.segmenter import Grid, Input, Note, Provenance, SegmentationResult
from heltig.imaging.volume import LabelMap, Structure, Volume


@dataclass
class Recording:
    """One run on one volume.

    Attributes:
        volume: The volume.
        inputs: What was read.
        notes: What should be known.
        resampled_from: Grids that were not the volume's.
    """

    volume: Volume
    inputs: list[Input] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    resampled_from: list[Grid] = field(default_factory=list)
    _started: float = field(default_factory=perf_counter)

    def read(self, source: Path | bytes, sop_instance_uid: str | None = None, *, structure: str = "") -> None:
        """Record that a file was read.

        Args:
            source: The file, or its bytes.
            sop_instance_uid: See `Input`.
            structure: See `Input`.

        Raises:
            OSError: It cannot be read.
        """
        if isinstance(source, bytes):
            digest = hashlib.sha256(source)
        else:
            with source.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
        self.inputs.append(Input(digest.hexdigest(), sop_instance_uid, structure))

    def placed(self, values: NDArray[Any], affine: NDArray[np.float64]) -> NDArray[Any]:
        """Values on the grid of the volume; another grid is recorded.

        Raises:
            Refused: The grids have nothing in common.
        """
        found, grid = onto_volume(values, affine, self.volume)
        if grid and grid not in self.resampled_from:
            self.resampled_from.append(grid)
            self.notes.append(Note("RESAMPLED", " × ".join(map(str, grid.shape))))
        return found

    def compare(self, size: tuple[int, ...], affine: NDArray[np.float64]) -> None:
        """Record that a grid of that size is only about a part of the volume, if it is.

        Raises:
            Refused: The affine is none.
        """
        note = Note("PART_OF_VOLUME", " × ".join(map(str, size)))
        if note not in self.notes and not covers(size, affine, self.volume):
            self.notes.append(note)

    def structures(self, named: Sequence[Named]) -> list[Structure]:
        """Structures with a key each, in the order given; what is unknown or doubled is noted."""
        found, doubled = told_apart([one.structure for one in named])
        self.notes += [
            Note("UNMAPPED", structure.key)
            for structure, one in zip(found, named, strict=True)
            if not one.known
        ]
        self.notes += doubled
        return found

    def result(
        self,
        masks: Sequence[Mask],
        *,
        tool: str,
        version: str,
        wanted: Collection[str] | None,
        arguments: Mapping[str, str],
        synthetic: bool = False,
    ) -> SegmentationResult:
        """Label maps of the masks, with all that was recorded.

        Raises:
            Refused: Masks cannot be read or placed.
        """
        asked = [mask for mask in masks if wanted is None or mask.structure.key in wanted]
        maps = label_maps(self.volume.shape, asked)
        return self.result_of(maps, tool=tool, version=version, arguments=arguments, synthetic=synthetic)

    def result_of(
        self,
        maps: tuple[LabelMap, ...],
        *,
        tool: str,
        version: str,
        arguments: Mapping[str, str],
        synthetic: bool = False,
    ) -> SegmentationResult:
        """Label maps with all that was recorded."""
        provenance = Provenance(
            tool=tool,
            version=version,
            inputs=tuple(self.inputs),
            arguments=arguments,
            seconds=perf_counter() - self._started,
            resampled_from=tuple(self.resampled_from),
            synthetic=synthetic,
        )
        return SegmentationResult(maps, provenance, tuple(self.notes))
