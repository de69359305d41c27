"""Finished analyses of phantoms, as every writer of an output is given them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imaging.phantom import Phantom, encode, series
from pydicom.dataset import Dataset

from heltig.imaging.analysis import Analysis
from heltig.imaging.labels import STRUCTURES
from heltig.imaging.metrics import measure
from heltig.imaging.order import Order, SegmenterOrder
from heltig.imaging.reading import read_volume, survey
from heltig.imaging.segment.segmenter import Input, Provenance
from heltig.imaging.segmentation import Segmentation
from heltig.imaging.selection.selecting import select_series
from heltig.imaging.volume import LabelMap, Volume

STARTED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
FINGERPRINT = "5a" * 32


def analysis_of(
    phantom: Phantom,
    *,
    fingerprint: str = FINGERPRINT,
    started: datetime = STARTED,
    images: Callable[[Phantom], Sequence[Dataset]] = series,
    maps: Callable[[Volume], Sequence[LabelMap]] | None = None,
    **measured: Any,
) -> Analysis:
    """An analysis of the series of a phantom, with its own labels unless there are others.

    Args:
        phantom: The body.
        fingerprint: See `Analysis`.
        started: See `Analysis`.
        images: Makes its series.
        maps: Makes the label maps on its volume.
        measured: For `measure`.
    """
    return analysis_of_files(
        [encode(ds) for ds in images(phantom)], phantom, fingerprint, started, maps, measured
    )


def analysis_of_files(
    files: Sequence[bytes | Path],
    phantom: Phantom,
    fingerprint: str = FINGERPRINT,
    started: datetime = STARTED,
    maps: Callable[[Volume], Sequence[LabelMap]] | None = None,
    measured: Mapping[str, Any] | None = None,
) -> Analysis:
    """An analysis of files of which a phantom says the labels."""
    found = survey(files).series
    (stack,) = (stack for one in found for stack in one.stacks)
    volume = read_volume(stack)
    segmentation = Segmentation(volume, list(maps(volume)) if maps else [phantom.label_map(STRUCTURES)])
    return Analysis(
        order=Order(
            analysis_id="case-1",
            objects=Path("objects"),
            output=Path("output"),
            segmenters=(SegmenterOrder(id="byo-nifti"),),
        ),
        fingerprint=fingerprint,
        stack=stack,
        selection=select_series(found),
        volume=volume,
        segmentation=segmentation,
        provenance=(
            Provenance(tool="byo-nifti", version="1", inputs=(Input("ab" * 32),), arguments={}, seconds=0.5),
        ),
        notes=(),
        results=measure(segmentation, **(measured or {})),
        seconds={"measuring": 1.0},
        started=started,
    )
