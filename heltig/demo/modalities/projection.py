"""Projection images: CR, DX, mammography and angiography (PS3.3 A.2, A.26, A.27, A.14)."""

from heltig.demo.attributes import Attributes, code
from heltig.demo.exam import Series, pixels

CR_IMAGE = "1.2.840.10008.5.1.4.1.1.1"
DX_IMAGE = "1.2.840.10008.5.1.4.1.1.1.1"
MG_IMAGE = "1.2.840.10008.5.1.4.1.1.1.2"
XA_IMAGE = "1.2.840.10008.5.1.4.1.1.12.1"

MLO = code("399368009", "SCT", "medio-lateral oblique")
CC = code("399162004", "SCT", "cranio-caudal")
_VIEWS = {
    "PA": code("272479007", "SCT", "postero-anterior"),
    "AP": code("399348003", "SCT", "antero-posterior"),
}


def cr_image(series: Series, number: int, *, view: str, orientation: list[str]) -> Attributes:
    """A computed radiograph.

    Args:
        series: The series.
        number: Instance Number.
        view: View Position, such as `PA` or `LL`.
        orientation: Patient Orientation, such as `["L", "F"]`.
    """
    return {
        **series.image(number, CR_IMAGE, seconds=number * 30.0),
        **pixels(64, 64, photometric="MONOCHROME1"),
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "PatientOrientation": orientation,
        "ViewPosition": view,
        "KVP": 125.0,
        "Exposure": 2,
        "PlateID": "P0417",
        "PlateType": "ST-VI",
        "CassetteOrientation": "PORTRAIT",
        "CassetteSize": "35CMX43CM",
        "ImagerPixelSpacing": [5.46875, 5.46875],
        "BurnedInAnnotation": "NO",
        "WindowCenter": 2048.0,
        "WindowWidth": 4096.0,
    }


def _digital_x_ray(series: Series, number: int, sop_class: str) -> Attributes:
    """What DX and mammography share (PS3.3 C.8.11.1 to C.8.11.5)."""
    return {
        **series.image(number, sop_class, seconds=number * 40.0),
        **pixels(64, 64, stored=14),
        "PresentationIntentType": "FOR PRESENTATION",
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": -1,
        "RescaleIntercept": 0,
        "RescaleSlope": 1,
        "RescaleType": "US",
        "PresentationLUTShape": "IDENTITY",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "WindowCenter": 8192.0,
        "WindowWidth": 16384.0,
        "DetectorType": "SCINTILLATOR",
        "DetectorConfiguration": "AREA",
        "DetectorID": "DET-20817",
        "DetectorTemperature": 31.5,
        "AcquisitionContextSequence": [],
    }


def dx_image(
    series: Series,
    number: int,
    *,
    view: str,
    orientation: list[str],
    laterality: str,
    region: list[Attributes],
) -> Attributes:
    """A digital radiograph for presentation.

    Args:
        series: The series.
        number: Instance Number.
        view: View Position, `PA` or `AP`.
        orientation: Patient Orientation.
        laterality: Image Laterality: `L`, `R`, `B` or `U`.
        region: Anatomic Region Sequence.
    """
    return {
        **_digital_x_ray(series, number, DX_IMAGE),
        "ImageType": ["ORIGINAL", "PRIMARY", ""],
        "ImageLaterality": laterality,
        "AnatomicRegionSequence": region,
        "PatientOrientation": orientation,
        "ViewPosition": view,
        "ViewCodeSequence": _VIEWS[view],
        "PositionerType": "NONE",
        "ImagerPixelSpacing": [3.125, 3.125],
        "DistanceSourceToDetector": 1100.0,
    }


def mg_image(series: Series, number: int, *, laterality: str, view: list[Attributes]) -> Attributes:
    """A mammogram for presentation (PS3.3 C.8.11.7).

    Args:
        series: The series.
        number: Instance Number.
        laterality: Image Laterality, `L` or `R`.
        view: View Code Sequence: `CC` or `MLO`.
    """
    oblique = view is MLO
    rows = "A" if laterality == "L" else "P"
    return {
        **_digital_x_ray(series, number, MG_IMAGE),
        "ImageType": ["ORIGINAL", "PRIMARY", ""],
        "OrganExposed": "BREAST",
        "ImageLaterality": laterality,
        "AnatomicRegionSequence": code("76752008", "SCT", "Breast"),
        "ViewCodeSequence": [{**view[0], "ViewModifierCodeSequence": []}],
        "PatientOrientation": [rows, "F" if oblique else ("R" if laterality == "L" else "L")],
        "PositionerType": "MAMMOGRAPHIC",
        "PositionerPrimaryAngle": 45.0 if oblique else 0.0,
        "BreastImplantPresent": "NO",
        "PartialView": "NO",
        "ImagerPixelSpacing": [3.75, 3.75],
        "KVP": 28.0,
        "BodyPartThickness": 52.0,
        "CompressionForce": 110.0,
        "AnodeTargetMaterial": "TUNGSTEN",
        "FilterMaterial": "RHODIUM",
        "OrganDose": 0.014,
        "EntranceDoseInmGy": 5.6,
    }


def xa_run(series: Series, number: int, *, frames: int, primary: float, secondary: float) -> Attributes:
    """A coronary angiogram, 15 frames a second (PS3.3 C.8.7).

    Args:
        series: The series.
        number: Instance Number.
        frames: Number of Frames.
        primary: Positioner angle in degrees, LAO positive.
        secondary: Positioner angle in degrees, cranial positive.
    """
    return {
        **series.image(number, XA_IMAGE, seconds=number * 45.0),
        **pixels(32, 32, stored=8, allocated=8),
        "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
        "PatientOrientation": ["L", "F"],
        "PixelIntensityRelationship": "LIN",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "NumberOfFrames": frames,
        "FrameIncrementPointer": "00181063",
        "FrameTime": 66.667,
        "CineRate": 15,
        "RecommendedDisplayFrameRate": 15,
        "StartTrim": 1,
        "StopTrim": frames,
        "RadiationSetting": "GR",
        "KVP": 82.0,
        "XRayTubeCurrent": 640,
        "ExposureTime": 7,
        "AveragePulseWidth": 7.0,
        "PositionerMotion": "STATIC",
        "PositionerPrimaryAngle": primary,
        "PositionerSecondaryAngle": secondary,
        "DistanceSourceToDetector": 1050.0,
        "DistanceSourceToPatient": 765.0,
        "ImagerPixelSpacing": [5.5, 5.5],
        "IntensifierSize": 200.0,
        "ContrastBolusAgent": "Iomeprol 350",
        "ContrastBolusRoute": "IA",
        "WindowCenter": 128.0,
        "WindowWidth": 256.0,
        "AcquisitionNumber": number,
    }
