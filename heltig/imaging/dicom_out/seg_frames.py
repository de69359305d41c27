"""Frames of a segmentation as bytes: their functional groups (PS3.3 C.7.6.16) and their pixels.

A segmentation of a hundred structures has thousands of frames that differ in a few values. To make a data set
of each, and to write it, would take most of a minute; here each part is encoded once and frames are put
together of the parts.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag
from pydicom.valuerep import format_number_as_ds

from heltig.imaging.dicom_out.headers import SourceImage
from heltig.imaging.dicom_out.identity import code_item
from heltig.imaging.volume import Code, LabelMap

_SEGMENTATION: Final = Code("113076", "DCM", "Segmentation")  # CID 7203
_SOURCE: Final = Code("121322", "DCM", "Source image for image processing operation")  # CID 7202

_PER_FRAME: Final = Tag("PerFrameFunctionalGroupsSequence")
LABELS: Final = 1 << 16
"""Labels that a map can have."""

_ITEM: Final = struct.Struct("<HHI")
_INDEX: Final = struct.Struct("<I")


class Frame(NamedTuple):
    """One frame.

    Attributes:
        slice: Which slice of the volume it is on.
        position: The place of the slice among those that have frames, counted from 1.
        segment: Segment Number (0062,0004); None in a label map, whose frames hold several.
    """

    slice: int
    position: int
    segment: int | None


def decimal(numbers: Iterable[float]) -> list[str]:
    """Numbers as values of VR DS, as exactly as its 16 characters allow."""
    return [format_number_as_ds(float(number) + 0.0) for number in numbers]


def per_frame_groups(
    frames: Sequence[Frame], images: Sequence[SourceImage], positions: Sequence[Sequence[float]]
) -> RawDataElement:
    """Per-Frame Functional Groups Sequence (5200,9230), encoded in explicit little endian.

    Args:
        frames: In their order.
        images: The image of each slice.
        positions: Image Position (Patient) of each slice.
    """
    used = sorted({frame.slice for frame in frames})
    derived = {k: _encoded(_derivation(images[k])) for k in used}
    placed = {k: _encoded(_plane_position(positions[k])) for k in used}
    segments = {frame.segment for frame in frames}
    identified = {one: b"" if one is None else _encoded(_identification(one)) for one in segments}
    content = {one: _encoded(_content(one)) for one in segments}
    items = bytearray()
    for k, position, segment in frames:
        indices = content[segment][: -_INDEX.size] + _INDEX.pack(position)
        item = derived[k] + indices + placed[k] + identified[segment]
        items += _ITEM.pack(0xFFFE, 0xE000, len(item)) + item
    return RawDataElement(_PER_FRAME, "SQ", len(items), bytes(items), 0, False, True)


def presence(labels: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Which labels are on which slice, by [slice, label]."""
    slices = range(labels.shape[2])
    return np.stack([np.bincount(labels[:, :, k].ravel(order="K"), minlength=LABELS) > 0 for k in slices])


def by_slices(found: LabelMap) -> NDArray[np.uint16]:
    """The labels of a map with each slice in one piece of memory."""
    return np.asfortranarray(found.labels)


def packed(masks: Iterable[NDArray[np.bool_]], pixels: int) -> Iterator[bytes]:
    """Masks of one bit a pixel, one behind the other without gaps (PS3.5 8.1.1).

    Args:
        masks: Rows × columns each.
        pixels: Of a mask.
    """
    together = 1 if pixels % 8 == 0 else 8  # so many begin at a byte
    waiting = iter(masks)
    while some := [mask.ravel() for mask in islice(waiting, together)]:
        bits = some[0] if len(some) == 1 else np.concatenate(some)
        yield np.packbits(bits, bitorder="little").tobytes()


def put_pixels(made: Dataset, parts: Iterable[bytes], *, vr: str) -> None:
    """Set Pixel Data (7FE0,0010) to some bytes, padded to an even length.

    They are given to pydicom as a stream, which it copies into a file piece by piece: hundreds of structures
    come to hundreds of megabytes.
    """
    stream = BytesIO()
    for part in parts:
        stream.write(part)
    stream.write(b"\0" * (stream.tell() % 2))
    stream.seek(0)
    made.add_new("PixelData", vr, stream)


def _encoded(dataset: Dataset) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, dataset)
    return stream.getvalue()


def _derivation(image: SourceImage) -> Dataset:
    """Derivation Image macro (PS3.3 C.7.6.16.2.6)."""
    item = Dataset()
    item.SourceImageSequence = [source_image(image)]
    item.DerivationCodeSequence = [code_item(_SEGMENTATION)]
    groups = Dataset()
    groups.DerivationImageSequence = [item]
    return groups


def source_image(image: SourceImage) -> Dataset:
    """An item of Source Image Sequence (0008,2112)."""
    item = reference_to(image)
    item.SpatialLocationsPreserved = "YES"
    item.PurposeOfReferenceCodeSequence = [code_item(_SOURCE)]
    return item


def reference_to(image: SourceImage) -> Dataset:
    """Image SOP Instance Reference macro (PS3.3 10.3)."""
    item = Dataset()
    item.ReferencedSOPClassUID = image.sop_class_uid
    item.ReferencedSOPInstanceUID = image.sop_instance_uid
    if image.frame is not None:
        item.ReferencedFrameNumber = image.frame
    return item


def _plane_position(position: Sequence[float]) -> Dataset:
    item = Dataset()
    item.ImagePositionPatient = decimal(position)
    groups = Dataset()
    groups.PlanePositionSequence = [item]
    return groups


def _identification(segment: int) -> Dataset:
    item = Dataset()
    item.ReferencedSegmentNumber = segment
    groups = Dataset()
    groups.SegmentIdentificationSequence = [item]
    return groups


def _content(segment: int | None) -> Dataset:
    """Frame Content macro (PS3.3 C.7.6.16.2.2); the last index, which comes last, is filled in later."""
    item = Dataset()
    item.DimensionIndexValues = 0 if segment is None else [segment, 0]
    groups = Dataset()
    groups.FrameContentSequence = [item]
    return groups
