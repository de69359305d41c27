"""All that is known at the end of an analysis: what every writer of an output is given."""

from dataclasses import dataclass
from datetime import datetime

from heltig.imaging.agreement import Agreement
from heltig.imaging.metrics import Results
from heltig.imaging.order import Order
from heltig.imaging.segment.segmenter import Note, Provenance
from heltig.imaging.segmentation import Segmentation
from heltig.imaging.selection.selecting import Selection
from heltig.imaging.stacking import SliceStack
from heltig.imaging.volume import Volume


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Analysis:
    """One finished analysis of one stack of slices.

    Attributes:
        order: What was asked for.
        fingerprint: SHA-256 of all that decides the results, in hexadecimal digits. UIDs of written objects
            are made of it, so that the same analysis writes the same objects.
        stack: The slices that were chosen; their headers are read from its planes.
        selection: Why it was this stack.
        volume: Its voxels.
        segmentation: The volume with all label maps.
        provenance: How the label maps came about, one a backend.
        notes: What should be known about them.
        results: What was measured.
        seconds: How long each stage took, by the name of its state.
        started: When the analysis began, in UTC.
        agreement: What a second converter made of the slices; None where it was not asked for.
    """

    order: Order
    fingerprint: str
    stack: SliceStack
    selection: Selection
    volume: Volume
    segmentation: Segmentation
    provenance: tuple[Provenance, ...]
    notes: tuple[Note, ...]
    results: Results
    seconds: dict[str, float]
    started: datetime
    agreement: Agreement | None = None
