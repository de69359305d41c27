"""All structures of an analysis as one DICOM segmentation (PS3.3 A.51, A.97).

BINARY by default, which all viewers read and which holds structures that overlap. There is a segment for each
structure that has voxels, and a frame for each slice that it is on.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset

from heltig.imaging.analysis import Analysis
from heltig.imaging.dicom_out.headers import SourceImage, source_images
from heltig.imaging.dicom_out.identity import (
    LABEL_MAP,
    SEG,
    code_item,
    legal_text,
    object_of,
    put,
    tracking_uid,
    uid_of,
)
from heltig.imaging.dicom_out.seg_frames import (
    decimal,
    packed,
    per_frame_groups,
    put_pixels,
    reference_to,
)
from heltig.imaging.dicom_out.segments import Layers, Segment, segments_of
from heltig.imaging.labels import STRUCTURES
from heltig.imaging.segment.naming import BACKGROUND, OWN_SCHEME
from heltig.imaging.segment.segmenter import Provenance
from heltig.imaging.stacking import SliceStack
from heltig.imaging.statements import RESEARCH_USE
from heltig.imaging.volume import Code

_SEGMENT_NUMBER: Final = 0x0062000B
_SEGMENT_IDENTIFICATION: Final = 0x0062000A
_POSITION: Final = 0x00200032
_PLANE_POSITION: Final = 0x00209113

_BACKGROUND: Final = Code(*BACKGROUND, "Background")

_LEARNED: Final = Code("123110", "DCM", "Artificial Intelligence")  # CID 7162
_MORPHOLOGY: Final = Code("123104", "DCM", "Morphological Operations")
_SUPPLIED: Final = Code("supplied", OWN_SCHEME, "Masks that were supplied")
_FAMILIES: Final = {"totalsegmentator": _LEARNED, "deepbet": _LEARNED, "classical": _MORPHOLOGY}
"""How the backends that find structures by themselves do it; the others take what they are given."""


def segmentation_object(analysis: Analysis, *, label_map: bool = False) -> Dataset | None:
    """The structures of an analysis as a segmentation; None where there is no voxel of any.

    Pixel Data is a stream, and the frames' functional groups are bytes until somebody looks at them.

    Args:
        analysis: The analysis.
        label_map: As LABELMAP, which few viewers read; where structures overlap it is BINARY all the same.

    Raises:
        Refused: The images do not agree on patient and study, or cannot be referred to.
    """
    segments = segments_of(analysis)
    if not segments:
        return None
    layers = Layers(analysis, segments)
    overlap = layers.overlap
    as_labels = label_map and not overlap
    made = object_of(analysis, LABEL_MAP if as_labels else SEG)
    images = source_images(analysis.stack)
    _image(made, analysis, images)
    _segment_sequence(made, analysis, segments, background=as_labels)
    made.SegmentationType = "LABELMAP" if as_labels else "BINARY"
    made.SegmentsOverlap = "YES" if overlap else "NO"
    columns, rows, _ = analysis.volume.shape
    made.Rows, made.Columns = rows, columns
    _dimensions(made, analysis, by_segment=not as_labels)
    _pixels(made, layers, as_labels=as_labels)
    frames = layers.slices if as_labels else layers.frames
    made.NumberOfFrames = len(frames)
    made.SharedFunctionalGroupsSequence = [_shared_groups(analysis)]
    positions = [one.position for one in analysis.volume.slices]
    groups = per_frame_groups(frames, images, positions)
    made[groups.tag] = groups
    # all is as it is written: pydicom need not look into every frame
    made.set_original_encoding(False, True, convert_encodings(made.SpecificCharacterSet))
    return made


def _image(made: Dataset, analysis: Analysis, images: Sequence[SourceImage]) -> None:
    """General Image, Frame of Reference, Common Instance Reference (PS3.3 C.7.6.1, C.7.4.1, C.12.2)."""
    volume = analysis.volume
    made.ImageType = ["DERIVED", "PRIMARY"]
    made.ImageComments = RESEARCH_USE
    made.ContentLabel = "SEGMENTATION"
    made.ContentDescription = made.SeriesDescription
    made.ContentCreatorName = None
    made.BurnedInAnnotation = "NO"
    _lossy(made, analysis.stack)
    if volume.frame_of_reference_uid:
        made.FrameOfReferenceUID = volume.frame_of_reference_uid
        made.PositionReferenceIndicator = None
    series = Dataset()
    series.SeriesInstanceUID = volume.series_instance_uid
    series.ReferencedInstanceSequence = [
        reference_to(image._replace(frame=None))
        for image in {image.sop_instance_uid: image for image in images}.values()
    ]
    made.ReferencedSeriesSequence = [series]


def _lossy(made: Dataset, stack: SliceStack) -> None:
    """What was made of images that were compressed with loss is lossy, too (PS3.3 C.7.6.1.1.5)."""
    values = stack.planes.texts("LossyImageCompression")
    lossy = next((plane for plane in stack.order if values[plane] == "01"), None)
    made.LossyImageCompression = "00" if lossy is None else "01"
    if lossy is None:
        return
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        value = stack.planes.texts(keyword)[lossy]
        if value:
            put(made, keyword, value)


def _segment_sequence(
    made: Dataset, analysis: Analysis, segments: Sequence[Segment], *, background: bool
) -> None:
    algorithm = _algorithm(analysis.provenance)
    study = analysis.volume.study_instance_uid
    items = [_segment_item(segment, study, algorithm) for segment in segments]
    made.SegmentSequence = [*([_background_item()] if background else []), *items]


def _segment_item(segment: Segment, study_instance_uid: str, algorithm: Dataset) -> Dataset:
    """Segment Description macro (PS3.3 C.8.20.4.1)."""
    structure = segment.structure
    key = structure.key
    item = Dataset()
    item.SegmentNumber = segment.number
    # a structure of the table is found again by its key, any other one by its own name
    item.SegmentLabel = legal_text(key if key in STRUCTURES else structure.name) or key
    item.SegmentDescription = legal_text(structure.name) or key
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = algorithm.AlgorithmName
    item.SegmentationAlgorithmIdentificationSequence = [algorithm]
    item.SegmentedPropertyCategoryCodeSequence = [code_item(structure.category)]
    kind = code_item(structure.type)
    if structure.laterality:
        kind.SegmentedPropertyTypeModifierCodeSequence = [code_item(structure.laterality)]
    item.SegmentedPropertyTypeCodeSequence = [kind]
    item.TrackingID = key
    item.TrackingUID = tracking_uid(study_instance_uid, key)
    return item


def _background_item() -> Dataset:
    """What label 0 of a label map means."""
    item = Dataset()
    item.SegmentNumber = 0
    item.SegmentLabel = _BACKGROUND.meaning
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = _BACKGROUND.meaning
    item.SegmentedPropertyCategoryCodeSequence = [code_item(_BACKGROUND)]
    item.SegmentedPropertyTypeCodeSequence = [code_item(_BACKGROUND)]
    return item


def _algorithm(provenance: Sequence[Provenance]) -> Dataset:
    """Algorithm Identification macro (PS3.3 10.16); several backends are named together."""
    families = [_FAMILIES.get(one.tool, _SUPPLIED) for one in provenance] or [_SUPPLIED]
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = [code_item(families[0])]
    item.AlgorithmName = legal_text(" + ".join(one.tool for one in provenance)) or "none"
    item.AlgorithmVersion = legal_text(" + ".join(one.version for one in provenance)) or "none"
    parameters = [text for one in provenance for text in _parameters(one)]
    if parameters:
        item.AlgorithmParameters = legal_text("; ".join(parameters), most=1024)
    return item


def _parameters(provenance: Provenance) -> Iterator[str]:
    yield f"device={provenance.device}"
    yield from (f"model={model}" for model in provenance.models)
    if provenance.synthetic:
        yield "synthetic"


def _dimensions(made: Dataset, analysis: Analysis, *, by_segment: bool) -> None:
    """Multi-frame Dimension (PS3.3 C.7.6.17): by segment, then by position."""
    uid = uid_of(analysis.fingerprint, f"dimensions {made.SOPClassUID}")
    organization = Dataset()
    organization.DimensionOrganizationUID = uid
    made.DimensionOrganizationSequence = [organization]
    pointers = [(_POSITION, _PLANE_POSITION, "Image Position (Patient)")]
    if by_segment:
        pointers.insert(0, (_SEGMENT_NUMBER, _SEGMENT_IDENTIFICATION, "Referenced Segment Number"))
    made.DimensionIndexSequence = []
    for attribute, group, words in pointers:
        index = Dataset()
        index.DimensionOrganizationUID = uid
        index.DimensionIndexPointer = attribute
        index.FunctionalGroupPointer = group
        index.DimensionDescriptionLabel = words
        made.DimensionIndexSequence.append(index)


def _shared_groups(analysis: Analysis) -> Dataset:
    """Pixel Measures and Plane Orientation (PS3.3 C.7.6.16.2.1, C.7.6.16.2.4)."""
    stack = analysis.stack
    first = stack.order[0]
    orientation, spacing = stack.planes.orientations[first], stack.planes.spacings[first]
    if orientation is None or spacing is None:
        raise ValueError("a stack has an orientation and a spacing")
    step = abs(float(np.dot(analysis.volume.affine[:3, 2], _normal(analysis.volume.affine))))
    measures = Dataset()
    measures.SliceThickness, measures.SpacingBetweenSlices = decimal((step, step))
    measures.PixelSpacing = decimal(spacing)
    directions = Dataset()
    directions.ImageOrientationPatient = decimal((*orientation.row, *orientation.column))
    groups = Dataset()
    groups.PixelMeasuresSequence = [measures]
    groups.PlaneOrientationSequence = [directions]
    return groups


def _normal(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    return normal / np.linalg.norm(normal)


def _pixels(made: Dataset, layers: Layers, *, as_labels: bool) -> None:
    """Image Pixel (PS3.3 C.7.6.3)."""
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    if as_labels:
        small = len(made.SegmentSequence) <= 256
        made.BitsAllocated = made.BitsStored = 8 if small else 16
        made.add_new("PixelPaddingValue", "US", 0)
        parts: Iterator[bytes] = (
            image.astype(np.uint8 if small else "<u2").tobytes() for image in layers.numbers()
        )
    else:
        made.BitsAllocated = made.BitsStored = 1
        parts = packed(layers.masks(), layers.pixels)
    made.HighBit = made.BitsStored - 1
    put_pixels(made, parts, vr="OW" if made.BitsAllocated == 16 else "OB")
