"""Phantoms as one enhanced object: the slices are frames with functional groups (PS3.3 C.7.6.16)."""

from collections.abc import Sequence

import numpy as np
from imaging.phantom import Phantom, put_pixels, series
from pydicom.dataset import Dataset

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"

_IN_GROUPS = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "ConvolutionKernel",
    "KVP",
    "InstanceNumber",
    "AcquisitionNumber",
)


def enhanced(
    phantoms: Sequence[Phantom],
    *,
    modality: str = "CT",
    slopes: Sequence[float] = (1.0,),
    frame_order: Sequence[int] | None = None,
) -> Dataset:
    """One object with the slices of some phantoms of one grid, each a position in time.

    Args:
        phantoms: One or several.
        modality: CT or MR.
        slopes: Rescale Slope, one for all frames, in the shared groups, or one for each in its own.
        frame_order: The order of frames; as they come where None.
    """
    frames = []
    for time, phantom in enumerate(phantoms, start=1):
        slices = phantom.shape[2]
        own = slopes[(time - 1) * slices : time * slices] if len(slopes) > 1 else slopes[0]
        for place, single in enumerate(series(phantom, modality=modality, slope=own), start=1):
            frames.append((single, _own_groups(single, place=place, time=time, rescaled=len(slopes) > 1)))
    frames = [frames[number] for number in frame_order or range(len(frames))]
    first = frames[0][0]
    ds = Dataset()
    ds.file_meta = first.file_meta
    ds.update({element.tag: element for element in first if element.keyword not in _IN_GROUPS})
    ds.SOPClassUID = ENHANCED_CT if modality == "CT" else ENHANCED_MR
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.InstanceNumber, ds.NumberOfFrames = 1, len(frames)
    ds.SharedFunctionalGroupsSequence = [_shared_groups(first, rescaled=len(slopes) == 1)]
    ds.PerFrameFunctionalGroupsSequence = [groups for _, groups in frames]
    shape = (first.Rows, first.Columns)
    stored = [np.frombuffer(single.PixelData, "<u2").reshape(shape) for single, _ in frames]
    put_pixels(ds, np.stack(stored))
    return ds


def _own_groups(single: Dataset, *, place: int, time: int, rescaled: bool) -> Dataset:
    groups = Dataset()
    groups.PlanePositionSequence = [_item(single, "ImagePositionPatient")]
    content = Dataset()
    content.StackID, content.InStackPositionNumber, content.TemporalPositionIndex = "1", place, time
    groups.FrameContentSequence = [content]
    if rescaled:
        groups.PixelValueTransformationSequence = [_rescale(single)]
    return groups


def _shared_groups(single: Dataset, *, rescaled: bool) -> Dataset:
    groups = Dataset()
    groups.PlaneOrientationSequence = [_item(single, "ImageOrientationPatient")]
    groups.PixelMeasuresSequence = [_item(single, "PixelSpacing", "SliceThickness")]
    if "KVP" in single:
        groups.CTXRayDetailsSequence = [_item(single, "KVP")]
        groups.CTReconstructionSequence = [_item(single, "ConvolutionKernel")]
    if rescaled and "RescaleSlope" in single:
        groups.PixelValueTransformationSequence = [_rescale(single)]
    return groups


def _rescale(single: Dataset) -> Dataset:
    item = _item(single, "RescaleSlope", "RescaleIntercept")
    item.RescaleType = "HU" if single.Modality == "CT" else "US"
    return item


def _item(single: Dataset, *keywords: str) -> Dataset:
    item = Dataset()
    for keyword in keywords:
        setattr(item, keyword, single[keyword].value)
    return item
