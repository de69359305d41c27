"""The segmenters of a case: those that can run, one after the other, and their label maps put together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from heltig.imaging.order import Order, SegmenterOrder
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.registry import segmenter
from heltig.imaging.segment.segmenter import Note, Provenance, SegmentationResult
from heltig.imaging.segment.together import together
from heltig.imaging.segmentation import Segmentation
from heltig.imaging.volume import Volume

_NOT_FOR_THIS: Final = frozenset(
    {"MASKS_NOT_FOUND", "SEGMENTER_NOT_READY", "SEGMENTER_MODALITY", "SEGMENTER_COVERAGE"}
)
"""Refusals by which a backend says that it has nothing to do here."""


class Segmented(NamedTuple):
    """What the segmenters gave.

    Attributes:
        segmentation: The volume with all label maps.
        provenance: How they came about, one a backend that ran.
        notes: What should be known about them; which backends did not run, and why.
    """

    segmentation: Segmentation
    provenance: tuple[Provenance, ...]
    notes: tuple[Note, ...]


def segment(order: Order, volume: Volume, *, objects: Sequence[Path], scratch: Path) -> Segmented:
    """Find structures.

    A backend that has nothing to read here, that lacks what it needs or that is not for this modality is
    left out as long as there is another one.

    Args:
        order: Which backends, in their order.
        volume: The volume.
        objects: Files of the images of the volume, and of DICOM segmentations of the study.
        scratch: A folder for what backends need on the way.

    Raises:
        Refused: `NO_SEGMENTER`, or masks that are there cannot be used.
        UsageError: There is no backend of that name, or it does not take these options.
    """
    results: list[SegmentationResult] = []
    left_out: list[Note] = []
    for number, one in enumerate(order.segmenters):
        workdir = scratch / f"segmenter-{number}"
        workdir.mkdir()
        found = _run(one, volume, objects, workdir)
        if isinstance(found, str):
            left_out.append(Note("DID_NOT_RUN", f"{one.id}: {found}"))
        else:
            results.append(found)
    if not results:
        raise Refused("NO_SEGMENTER", ", ".join(note.observed for note in left_out))
    put = together(volume.shape, results)
    return Segmented(
        Segmentation(volume, put.maps),
        tuple(result.provenance for result in results),
        (*left_out, *put.notes),
    )


def _run(
    one: SegmenterOrder, volume: Volume, objects: Sequence[Path], workdir: Path
) -> SegmentationResult | str:
    """What a backend gave, or why it did not run."""
    backend = segmenter(one, objects=objects, workdir=workdir)
    if volume.technique.modality not in backend.capabilities().modalities:
        return "modality"
    condition = backend.available().condition
    if condition != "ok":
        return condition
    try:
        return backend.segment(volume)
    except Refused as reason:
        if reason.code not in _NOT_FOR_THIS:
            raise
        return reason.code
