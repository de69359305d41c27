"""Segmentations (PS3.3 A.51)."""

from heltig.demo.attributes import Attributes, code, references
from heltig.demo.exam import Series, pixels
from heltig.demo.modalities.multiframe import dimensions
from heltig.demo.modalities.volume import Grid, frame_of_reference

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"

_BY_SEGMENT = [("0062000B", "0062000A"), ("00200032", "00209113")]
"""The dimensions: Referenced Segment Number and Image Position (Patient), with their groups."""


def segmentation(series: Series, slices: list[Attributes], grid: Grid) -> Attributes:
    """Both lungs as binary segments over a CT series, a frame a slice and lung (PS3.3 C.8.20)."""
    lungs = [(1, "Left lung", "44029006"), (2, "Right lung", "3341006")]
    image = code("121322", "DCM", "Source image for image processing operation")
    derivation = code("113076", "DCM", "Segmentation")
    frames: list[Attributes] = [
        {
            "DerivationImageSequence": [
                {
                    "DerivationCodeSequence": derivation,
                    "SourceImageSequence": [
                        {
                            **references([source])[0],
                            "PurposeOfReferenceCodeSequence": image,
                            "SpatialLocationsPreserved": "YES",
                        }
                    ],
                }
            ],
            "FrameContentSequence": [{"DimensionIndexValues": [number, index + 1]}],
            "PlanePositionSequence": [{"ImagePositionPatient": grid.position(index)}],
            "SegmentIdentificationSequence": [{"ReferencedSegmentNumber": number}],
        }
        for number, *_ in lungs
        for index, source in enumerate(slices)
    ]
    return {
        **series.image(1, SEGMENTATION, seconds=0),
        **frame_of_reference(slices[0]["FrameOfReferenceUID"]),
        **pixels(32, 32, stored=1, allocated=1),
        **dimensions(series.uid("dimensions"), _BY_SEGMENT),
        "ImageType": ["DERIVED", "PRIMARY"],
        "NumberOfFrames": len(frames),
        "LossyImageCompression": "00",
        "ContentLabel": "LUNGS",
        "ContentDescription": "Lungs",
        "ContentCreatorName": series.exam.site.operator,
        "SegmentationType": "BINARY",
        "SegmentSequence": [
            {
                "SegmentNumber": number,
                "SegmentLabel": name,
                "SegmentAlgorithmType": "AUTOMATIC",
                "SegmentAlgorithmName": "Threshold",
                "SegmentedPropertyCategoryCodeSequence": code("123037004", "SCT", "Anatomical Structure"),
                "SegmentedPropertyTypeCodeSequence": code(value, "SCT", name),
            }
            for number, name, value in lungs
        ],
        "ReferencedSeriesSequence": [
            {
                "SeriesInstanceUID": slices[0]["SeriesInstanceUID"],
                "ReferencedInstanceSequence": references(slices),
            }
        ],
        "SharedFunctionalGroupsSequence": [
            {
                "PixelMeasuresSequence": [
                    {
                        "SliceThickness": grid.step,
                        "SpacingBetweenSlices": grid.step,
                        "PixelSpacing": grid.spacing,
                    }
                ],
                "PlaneOrientationSequence": [{"ImageOrientationPatient": grid.cosines}],
            }
        ],
        "PerFrameFunctionalGroupsSequence": frames,
    }
