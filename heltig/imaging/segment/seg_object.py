"""One DICOM SEG (PS3.3 A.51, A.97), read with care: which segments it has, and where each of its frames lies.

Frames are placed one by one, by their own position: a structure whose slices are not adjacent stays so. Where
frames are not on the voxels of the volume, the segment is made a volume of its own first and resampled.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

import highdicom
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from heltig.imaging.labels import TISSUE
from heltig.imaging.reading import MOST_VOXELS
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.layers import Mask, Patch, cropped
from heltig.imaging.segment.naming import BACKGROUND, Named, by_code
from heltig.imaging.segment.placement import Placement, placement_in
from heltig.imaging.segment.recording import Recording
from heltig.imaging.segment.segmenter import Note
from heltig.imaging.volume import Code

Kind: TypeAlias = Literal["BINARY", "FRACTIONAL", "LABELMAP"]
T = TypeVar("T")

THRESHOLD: Final = 0.5
"""From this part of Maximum Fractional Value (0062,000E) on, a voxel is inside."""

_SIDES: Final = {"7771000", "24028007", "51440002", "G-A100", "G-A101", "G-A102"}
"""Codes of CID 247 Laterality in SNOMED CT and RT; other modifiers of a type are no side."""

_MOST_FRACTION: Final = 255
"""Pixels of fractions have 8 bits."""

_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])


class Segment(NamedTuple):
    """One segment.

    Attributes:
        number: Segment Number (0062,0004).
        named: Its structure.
    """

    number: int
    named: Named


class Frame(NamedTuple):
    """One frame.

    Attributes:
        number: Counted from 1.
        segment: Its Referenced Segment Number (0062,000B); None in label maps, whose frames hold several.
        affine: 4 × 4, from (column, row, 0) to RAS millimetres; its third column is the normal.
    """

    number: int
    segment: int | None
    affine: NDArray[np.float64]


class SegObject:
    """A segmentation object.

    Args:
        source: Its file or bytes.

    Raises:
        Refused: It is none, it is damaged, or it is not placed in the patient.
    """

    def __init__(self, source: Path | bytes) -> None:
        self.source = source
        read = _guarded(lambda: dcmread(BytesIO(source) if isinstance(source, bytes) else source))
        _check(read)
        self._seg: Any = _guarded(lambda: highdicom.seg.Segmentation.from_dataset(read, copy=False))
        self.kind: Kind = _guarded(lambda: self._seg.segmentation_type.value)
        self.sop_instance_uid = _guarded(lambda: str(self._seg.SOPInstanceUID))
        self.study_instance_uid = _guarded(lambda: str(self._seg.StudyInstanceUID))
        self.frame_of_reference_uid = str(self._seg.get("FrameOfReferenceUID", ""))
        self.referenced_series: frozenset[str] = _guarded(
            lambda: frozenset(
                str(one.SeriesInstanceUID) for one in self._seg.get("ReferencedSeriesSequence", ())
            )
        )

    @cached_property
    def _described(self) -> frozenset[int]:
        """Numbers that mean something: its segments, and in a label map background and padding."""
        numbers = _guarded(lambda: [int(item.SegmentNumber) for item in self._seg.SegmentSequence])
        if self.kind != "LABELMAP":
            return frozenset(numbers) - {0}
        return frozenset((*numbers, 0, int(self._seg.get("PixelPaddingValue", 0))))

    @cached_property
    def segments(self) -> Sequence[Segment]:
        """Its segments but for the background."""
        found = _guarded(lambda: [_segment(item) for item in self._seg.SegmentSequence])
        return [one for one in found if one is not None]

    def masks(self, structures: Sequence[Any], recording: Recording) -> list[Mask]:
        """Masks of its segments under the structures given, in the order of `segments`.

        Raises:
            Refused: A frame says neither where it lies nor whose it is, or nothing describes its segment.
        """
        placements = self._placements(recording)
        there = (
            frozenset[int]().union(*self._labels)
            if self.kind == "LABELMAP"
            else {frame.segment for frame in self.frames}
        )
        if not there <= self._described:
            raise Refused("MASKS_UNREADABLE", "a segment that is not described")
        return [
            Mask(structure, partial(self._patches, segment.number, placements, recording))
            for segment, structure in zip(self.segments, structures, strict=True)
        ]

    # -- frames

    @cached_property
    def _size(self) -> tuple[int, int]:
        return _guarded(lambda: (int(self._seg.Columns), int(self._seg.Rows)))

    @cached_property
    def frames(self) -> Sequence[Frame]:
        """All frames.

        Raises:
            Refused: One of them says neither where it lies nor whose it is.
        """
        columns, rows = self._size
        count = _guarded(lambda: int(self._seg.number_of_frames))
        if rows * columns * count > MOST_VOXELS * 8:  # a bit each, as a rule
            raise Refused("MASKS_TOO_LARGE", f"{count} frames of {columns} × {rows}")
        return _guarded(lambda: list(self._read_frames()))

    def _read_frames(self) -> Iterator[Frame]:
        (shared,) = self._seg.SharedFunctionalGroupsSequence
        for number, own in enumerate(self._seg.PerFrameFunctionalGroupsSequence, 1):
            segment = None
            if self.kind != "LABELMAP":
                segment = int(_macro(own, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)
            position = _macro(own, shared, "PlanePositionSequence").ImagePositionPatient
            directions = _macro(own, shared, "PlaneOrientationSequence").ImageOrientationPatient
            between_rows, between_columns = _macro(own, shared, "PixelMeasuresSequence").PixelSpacing
            affine = np.eye(4)
            affine[:3, 0] = np.asarray(directions[:3], float) * float(between_columns)
            affine[:3, 1] = np.asarray(directions[3:], float) * float(between_rows)
            affine[:3, 2] = np.cross(np.asarray(directions[:3], float), np.asarray(directions[3:], float))
            affine[:3, 3] = np.asarray(position, float)
            if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
                raise Refused("MASKS_GRID")
            yield Frame(number, segment, _LPS @ affine)

    def _placements(self, recording: Recording) -> Sequence[Placement | None] | None:
        """Where each frame lies in the volume, None beside it; no list if one is on no voxels of it."""
        found = []
        for frame in self.frames:
            placement = placement_in(recording.volume, frame.affine, self._size)
            if placement == "astray":
                return None
            found.append(placement)
        if not any(found):
            raise Refused("MASKS_ELSEWHERE")
        if None in found:
            recording.notes.append(Note("BESIDE_VOLUME", f"{found.count(None)} of {len(found)} frames"))
        return found

    # -- pixels

    def _patches(
        self, segment: int, placements: Sequence[Placement | None] | None, recording: Recording
    ) -> list[Patch]:
        if placements is None:
            return self._resampled(segment, recording)
        found = []
        for frame, placement in zip(self.frames, placements, strict=True):
            if placement is None or frame.segment not in (None, segment):
                continue
            if frame.segment is None and segment not in self._labels[frame.number - 1]:
                continue
            found.append(placement.patch(self._inside(self._pixels(frame.number), segment)))
        return found

    def _inside(self, pixels: NDArray[Any], segment: int) -> NDArray[np.bool_]:
        if self.kind == "LABELMAP":
            return np.asarray(pixels == segment)
        if self.kind == "FRACTIONAL":
            most = _guarded(lambda: int(self._seg.MaximumFractionalValue))
            if pixels.max(initial=0) > most:
                raise Refused("MASKS_VALUES", "fractions above their maximum")
            return np.asarray(pixels >= THRESHOLD * most)
        return np.asarray(pixels != 0)

    def _pixels(self, number: int) -> NDArray[Any]:
        return _guarded(lambda: np.asarray(self._seg.get_stored_frame(number)))

    @cached_property
    def _labels(self) -> Sequence[frozenset[int]]:
        """The labels in each frame of a label map."""
        return [frozenset(np.unique(self._pixels(frame.number)).tolist()) for frame in self.frames]

    def _resampled(self, segment: int, recording: Recording) -> list[Patch]:
        """The segment on a grid of its own, put on the volume's."""
        geometry = _guarded(self._seg.get_volume_geometry)
        if geometry is None:
            raise Refused("MASKS_GRID", "frames at uneven places")
        if int(np.prod(geometry.spatial_shape, dtype=object)) > MOST_VOXELS:
            raise Refused("MASKS_TOO_LARGE", f"{geometry.spatial_shape} voxels")
        own = _guarded(lambda: self._seg.get_volume(segment_numbers=[segment]))
        values = own.array[..., 0].astype(np.float32)
        inside = values >= THRESHOLD if self.kind == "FRACTIONAL" else values != 0
        placed = recording.placed(inside.astype(np.uint8), _LPS @ own.affine)
        box = cropped(placed)
        return [] if box is None else [Patch(box, placed[box] != 0)]


def _check(read: Dataset) -> None:
    """Find what would give wrong masks, before memory is taken for as many frames as it says it has."""
    count = _guarded(lambda: int(read.get("NumberOfFrames", 1)))
    groups = len(read.get("PerFrameFunctionalGroupsSequence") or ())
    if count != groups:
        raise Refused("MASKS_UNREADABLE", f"{count} frames, and {groups} of them with a place")
    numbers = [item.get("SegmentNumber") for item in read.get("SegmentSequence") or ()]
    if len(set(numbers)) < len(numbers):
        raise Refused("MASKS_UNREADABLE", "several segments of one number")
    most = _guarded(lambda: int(read.get("MaximumFractionalValue") or 0))
    if read.get("SegmentationType") == "FRACTIONAL" and not 0 < most <= _MOST_FRACTION:
        raise Refused("MASKS_VALUES", f"fractions of {most}")


def _segment(item: Any) -> Segment | None:
    number = int(item.get("SegmentNumber", 0))
    kind = _code(item.SegmentedPropertyTypeCodeSequence[0])
    if number == 0 or (kind.value, kind.scheme) == BACKGROUND:
        return None
    categories = item.get("SegmentedPropertyCategoryCodeSequence") or ()
    modifiers = item.SegmentedPropertyTypeCodeSequence[0].get("SegmentedPropertyTypeModifierCodeSequence")
    sides = [code for code in map(_code, modifiers or ()) if code.value in _SIDES]
    return Segment(
        number,
        by_code(
            _code(categories[0]) if categories else TISSUE,
            kind,
            laterality=sides[0] if sides else None,
            label=str(item.get("SegmentLabel", "") or ""),
        ),
    )


def _code(item: Any) -> Code:
    """A code (PS3.3 8.8), whichever of its attributes holds the value."""
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or ""
    return Code(str(value), str(item.get("CodingSchemeDesignator", "")), str(item.get("CodeMeaning", "")))


def _macro(own: Any, shared: Any, name: str) -> Any:
    """A functional group of a frame, or of all frames."""
    return (own.get(name) or shared.get(name))[0]


def _guarded(read: Callable[[], T]) -> T:
    """What a reader gives. What it says of a damaged object may show what is in it."""
    try:
        return read()
    except (Refused, MemoryError):
        raise
    except Exception as problem:  # highdicom raises what it meets on the way
        raise Refused("MASKS_UNREADABLE", type(problem).__name__) from None
