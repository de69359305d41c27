"""Ultrasound and gamma camera: US, US multi-frame and NM (PS3.3 A.6, A.7, A.5)."""

from heltig.demo.attributes import Attributes, code
from heltig.demo.exam import Series, pixels

US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
NM_IMAGE = "1.2.840.10008.5.1.4.1.1.20"

_REGION: Attributes = {
    "RegionSpatialFormat": 1,
    "RegionDataType": 1,
    "RegionFlags": 0,
    "RegionLocationMinX0": 4,
    "RegionLocationMinY0": 4,
    "RegionLocationMaxX1": 43,
    "RegionLocationMaxY1": 43,
    "PhysicalUnitsXDirection": 3,
    "PhysicalUnitsYDirection": 3,
    "PhysicalDeltaX": 0.35,
    "PhysicalDeltaY": 0.35,
}
"""A calibrated two-dimensional tissue region, in centimetres (PS3.3 C.8.5.5)."""


def us_image(series: Series, number: int, *, frames: int = 0) -> Attributes:
    """An ultrasound image in colour, or a cine loop of 25 frames a second.

    Args:
        series: The series.
        number: Instance Number.
        frames: Number of Frames; 0 for a single image.
    """
    cine = {
        "NumberOfFrames": frames, "FrameIncrementPointer": "00181063", "FrameTime": 40.0,
        "CineRate": 25, "RecommendedDisplayFrameRate": 25, "StartTrim": 1, "StopTrim": frames,
    }  # fmt: skip
    return {
        **series.image(number, US_MULTIFRAME if frames else US_IMAGE, seconds=number * 25.0),
        **pixels(48, 48, stored=8, allocated=8, photometric="RGB"),
        **(cine if frames else {}),
        "ImageType": ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"],
        "PatientOrientation": "",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "UltrasoundColorDataPresent": 0,
        "TransducerType": "CURVED LINEAR",
        "TransducerData": ["C5-1", "SN80417", "3.5 MHz"],
        "ProcessingFunction": "B-Mode",
        "SequenceOfUltrasoundRegions": [_REGION],
    }


def nm_whole_body(series: Series) -> Attributes:
    """A bone scan: two whole-body frames, from the front and from behind (PS3.3 C.8.4)."""
    exam = series.exam
    supine = {
        **code("102538003", "SCT", "recumbent")[0],
        "PatientOrientationModifierCodeSequence": code("40199007", "SCT", "supine"),
    }
    detectors = [
        {
            "CollimatorGridName": "LEHR",
            "CollimatorType": "PARA",
            "FieldOfViewShape": "RECTANGLE",
            "FieldOfViewDimensions": [530, 390],
            "FocalDistance": 0,
            "XFocusCenter": 0.0,
            "YFocusCenter": 0.0,
            "ZoomCenter": [0.0, 0.0],
            "ZoomFactor": [1.0, 1.0],
            "CenterOfRotationOffset": 0.0,
            "GantryDetectorTilt": 0.0,
            "StartAngle": angle,
            "ViewCodeSequence": code(*view),
            "ImagePositionPatient": "",
            "ImageOrientationPatient": "",
        }
        for angle, view in [
            (0.0, ("399033003", "SCT", "frontal")),
            (180.0, ("399136007", "SCT", "posterior projection")),
        ]
    ]
    tracer: Attributes = {
        "RadionuclideCodeSequence": code("72454001", "SCT", "^99m^Technetium"),
        "RadiopharmaceuticalRoute": "IV",
        "AdministrationRouteCodeSequence": code("47625008", "SCT", "Intravenous route"),
        "RadiopharmaceuticalVolume": "",
        "RadiopharmaceuticalStartTime": f"{exam.at(-10800):%H%M%S}",
        "RadiopharmaceuticalStopTime": "",
        "RadionuclideTotalDose": 660.0,
        "Radiopharmaceutical": "Tc-99m MDP",
    }
    return {
        **series.image(1, NM_IMAGE, seconds=0),
        **pixels(64, 32, stored=16),
        "ImageType": ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"],
        "PatientOrientation": "",
        "PatientOrientationCodeSequence": [supine],
        "PatientGantryRelationshipCodeSequence": code("102540008", "SCT", "headfirst"),
        "PixelSpacing": [31.25, 18.75],
        "NumberOfFrames": 2,
        "FrameIncrementPointer": ["00540010", "00540020"],
        "EnergyWindowVector": [1, 1],
        "NumberOfEnergyWindows": 1,
        "DetectorVector": [1, 2],
        "NumberOfDetectors": 2,
        "LossyImageCompression": "00",
        "CountsAccumulated": 1874000,
        "TableHeight": 780.0,
        "TableTraverse": 0.0,
        "ActualFrameDuration": 1020000,
        "WholeBodyTechnique": "1PS",
        "ScanVelocity": 2.0,
        "ScanLength": 2000,
        "BodyPartExamined": "WHOLEBODY",
        "EnergyWindowInformationSequence": [
            {
                "EnergyWindowName": "Tc99m",
                "EnergyWindowRangeSequence": [
                    {"EnergyWindowLowerLimit": 130.0, "EnergyWindowUpperLimit": 151.0}
                ],
            }
        ],
        "RadiopharmaceuticalInformationSequence": [tracer],
        "DetectorInformationSequence": detectors,
    }
