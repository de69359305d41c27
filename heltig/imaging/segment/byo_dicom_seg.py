"""Backend `byo-dicom-seg`: masks that were made elsewhere, as DICOM segmentations of the series.

BINARY, FRACTIONAL and LABELMAP. Overlapping segments become several label maps.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import highdicom

from heltig.imaging.refusal import Refused
from heltig.imaging.segment.recording import Recording
from heltig.imaging.segment.seg_object import THRESHOLD, SegObject
from heltig.imaging.segment.segmenter import Availability, Capabilities, Note, SegmentationResult
from heltig.imaging.volume import Volume


@dataclass(frozen=True, slots=True)
class ByoDicomSeg:
    """Masks in DICOM SEG objects.

    All objects that refer to the series are taken (Referenced Series Sequence (0008,1115)); where none does,
    those of its frame of reference.

    Attributes:
        sources: Files or their bytes: segmentations of the study, of this series or of others.
    """

    sources: Sequence[Path | bytes]

    id = "byo-dicom-seg"
    version = f"1 (highdicom {highdicom.__version__})"

    def capabilities(self) -> Capabilities:
        """Any structure, on CT and MR."""
        return Capabilities(frozenset({"CT", "MR"}), None, needs_weights=False, licence="that of the masks")

    def available(self) -> Availability:
        """Whether there are objects."""
        if self.sources:
            return Availability("ok")
        return Availability("no_input", "The study has no DICOM segmentation.")

    def segment(self, volume: Volume, *, wanted: Collection[str] | None = None) -> SegmentationResult:
        """Read the masks; see `Segmenter.segment`."""
        recording = Recording(volume)
        objects = self._of(volume, recording)
        named = [segment.named for found in objects for segment in found.segments]
        structures = iter(recording.structures(named))
        masks = []
        for found in objects:
            recording.read(found.source, found.sop_instance_uid)
            if found.kind == "FRACTIONAL":
                recording.notes.append(Note("THRESHOLD", f"{THRESHOLD:g}"))
            masks += found.masks([next(structures) for _ in found.segments], recording)
        return recording.result(
            masks,
            tool=self.id,
            version=self.version,
            wanted=wanted,
            arguments={"threshold": f"{THRESHOLD:g}"},
        )

    def _of(self, volume: Volume, recording: Recording) -> Sequence[SegObject]:
        """The objects for this volume, in the order of their UIDs."""
        objects = sorted(map(SegObject, self.sources), key=lambda found: found.sop_instance_uid)
        objects = [found for found in objects if found.study_instance_uid == volume.study_instance_uid]
        found = [one for one in objects if volume.series_instance_uid in one.referenced_series]
        if not found and volume.frame_of_reference_uid:
            found = [one for one in objects if one.frame_of_reference_uid == volume.frame_of_reference_uid]
            recording.notes += [Note("BY_FRAME_OF_REFERENCE", one.sop_instance_uid) for one in found]
        if not found:
            raise Refused("MASKS_NOT_FOUND")
        recording.notes += [
            Note("OTHER_FRAME_OF_REFERENCE", one.sop_instance_uid)
            for one in found
            if volume.frame_of_reference_uid
            and one.frame_of_reference_uid not in ("", volume.frame_of_reference_uid)
        ]
        return found
