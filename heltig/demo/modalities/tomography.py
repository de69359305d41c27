"""Slices, an instance each: CT, MR and PET (PS3.3 A.3, A.4, A.21)."""

from collections.abc import Sequence
from dataclasses import dataclass

from heltig.demo.attributes import Attributes, code
from heltig.demo.exam import Series, pixels, stamp
from heltig.demo.modalities.volume import Grid, frame_of_reference

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
PET_IMAGE = "1.2.840.10008.5.1.4.1.1.128"

CT_PIXELS = pixels(32, 32)
MR_PIXELS = pixels(32, 32)
PET_PIXELS = pixels(32, 32, stored=16)


def ct_slices(series: Series, grid: Grid, *, frame: str, contrast: bool = False) -> list[Attributes]:
    """An axial CT series, reconstructed to Hounsfield units.

    Args:
        series: The series.
        grid: Where the slices lie.
        frame: Frame of Reference UID.
        contrast: A contrast agent was given, so the Contrast/Bolus module is there (PS3.3 C.7.6.4).
    """
    bolus = {
        "ContrastBolusAgent": "Iohexol 350",
        "ContrastBolusRoute": "IV",
        "ContrastBolusVolume": 90.0,
        "ContrastFlowRate": 3.5,
        "ContrastBolusIngredient": "IODINE",
    }
    return [
        {
            **series.image(index + 1, CT_IMAGE, seconds=index * 0.25),
            **frame_of_reference(frame),
            **grid.plane(index),
            **CT_PIXELS,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "AcquisitionNumber": 1,
            "ImagesInAcquisition": grid.count,
            "RescaleIntercept": -1024.0,
            "RescaleSlope": 1.0,
            "RescaleType": "HU",
            "WindowCenter": 40.0,
            "WindowWidth": 400.0,
            "KVP": 120.0,
            "XRayTubeCurrent": 210 + index % 7,
            "ExposureTime": 500,
            "Exposure": 105 + index % 4,
            "DataCollectionDiameter": 500.0,
            "ReconstructionDiameter": grid.width,
            "ConvolutionKernel": "STANDARD",
            "FilterType": "BODY",
            "GantryDetectorTilt": 0.0,
            "TableHeight": 152.5,
            "RotationDirection": "CW",
            **(bolus if contrast else {}),
        }
        for index in range(grid.count)
    ]


def ct_localizer(series: Series, *, frame: str) -> list[Attributes]:
    """Two scout views, frontal and lateral."""
    views = [Grid(1, 1.0, 500.0, orientation="coronal"), Grid(1, 1.0, 500.0, orientation="sagittal")]
    return [
        {
            **series.image(index + 1, CT_IMAGE, seconds=index * 8.0),
            **frame_of_reference(frame),
            **grid.plane(0),
            **CT_PIXELS,
            "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
            "AcquisitionNumber": index + 1,
            "RescaleIntercept": 0.0,
            "RescaleSlope": 1.0,
            "RescaleType": "US",
            "WindowCenter": 1024.0,
            "WindowWidth": 1500.0,
            "KVP": 120.0,
            "XRayTubeCurrent": 35,
        }
        for index, grid in enumerate(views)
    ]


@dataclass(frozen=True)
class Weighting:
    """An MR pulse sequence; times in milliseconds."""

    sequence: tuple[str, ...]
    variant: tuple[str, ...]
    repetition: float
    echo: float
    inversion: float | None = None
    train: int = 1
    flip: float = 90.0


T1 = Weighting(("SE",), ("NONE",), repetition=550.0, echo=12.0)
T2 = Weighting(("SE",), ("SK",), repetition=4200.0, echo=98.0, train=15, flip=150.0)
FLAIR = Weighting(("SE", "IR"), ("SK",), repetition=9000.0, echo=110.0, inversion=2500.0, train=17)
DIFFUSION = Weighting(("EP",), ("NONE",), repetition=5200.0, echo=86.0, train=63)


def mr_slices(
    series: Series, grid: Grid, weighting: Weighting, *, frame: str, b_values: Sequence[int] = ()
) -> list[Attributes]:
    """An MR series, each slice once or once for each b-value.

    Args:
        series: The series.
        grid: Where the slices lie.
        weighting: The pulse sequence.
        frame: Frame of Reference UID.
        b_values: Diffusion weightings in s/mm², slices of one b-value together.
    """
    inversion = {} if weighting.inversion is None else {"InversionTime": weighting.inversion}
    made: list[Attributes] = []
    for step, b_value in enumerate(b_values or [None]):
        diffusion = {} if b_value is None else {"DiffusionBValue": float(b_value)}
        made += [
            {
                **series.image(step * grid.count + index + 1, MR_IMAGE, seconds=step * 60 + index * 2.0),
                **frame_of_reference(frame),
                **grid.plane(index),
                **MR_PIXELS,
                "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
                "AcquisitionNumber": step + 1,
                "ScanningSequence": list(weighting.sequence),
                "SequenceVariant": list(weighting.variant),
                "ScanOptions": "",
                "MRAcquisitionType": "2D",
                "RepetitionTime": weighting.repetition,
                "EchoTime": weighting.echo,
                "EchoTrainLength": weighting.train,
                "EchoNumbers": 1,
                "FlipAngle": weighting.flip,
                "MagneticFieldStrength": 3.0,
                "ImagingFrequency": 123.25,
                "ImagedNucleus": "1H",
                "NumberOfAverages": 1.0,
                "SpacingBetweenSlices": grid.step,
                "PixelBandwidth": 220.0,
                "ReceiveCoilName": "HEAD_20",
                "SAR": 0.8,
                "WindowCenter": 900.0,
                "WindowWidth": 1800.0,
                **inversion,
                **diffusion,
            }
            for index in range(grid.count)
        ]
    return made


def pet_slices(series: Series, grid: Grid, *, frame: str) -> list[Attributes]:
    """A whole-body FDG series, attenuation corrected, in Bq/ml (PS3.3 C.8.9)."""
    exam = series.exam
    injected = exam.at(-3600)
    dose: Attributes = {
        "Radiopharmaceutical": "Fluorodeoxyglucose F18",
        "RadiopharmaceuticalRoute": "IV",
        "RadiopharmaceuticalStartTime": stamp("Any", injected)["AnyTime"],
        "RadiopharmaceuticalStartDateTime": f"{injected:%Y%m%d%H%M%S}",
        "RadionuclideTotalDose": 291000000.0,
        "RadionuclideHalfLife": 6586.2,
        "RadionuclidePositronFraction": 0.967,
        "RadionuclideCodeSequence": code("77004003", "SCT", "^18^Fluorine"),
        "RadiopharmaceuticalCodeSequence": code("35321007", "SCT", "Fluorodeoxyglucose F^18^"),
    }
    gantry = code("102540008", "SCT", "headfirst")
    supine = {
        **code("102538003", "SCT", "recumbent")[0],
        "PatientOrientationModifierCodeSequence": code("40199007", "SCT", "supine"),
    }
    return [
        {
            **series.image(index + 1, PET_IMAGE, seconds=index * 5.0),
            **frame_of_reference(frame),
            **grid.plane(index),
            **PET_PIXELS,
            "ImageType": ["ORIGINAL", "PRIMARY"],
            "AcquisitionNumber": 1,
            "Units": "BQML",
            "CountsSource": "EMISSION",
            "SeriesType": ["WHOLE BODY", "IMAGE"],
            "NumberOfSlices": grid.count,
            "CorrectedImage": ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"],
            "RandomsCorrectionMethod": "DLYD",
            "AttenuationCorrectionMethod": "measured, CT",
            "ScatterCorrectionMethod": "model based",
            "DecayCorrection": "START",
            "ReconstructionMethod": "OSEM 3i 21s",
            "CollimatorType": "NONE",
            "RadiopharmaceuticalInformationSequence": [dose],
            "PatientOrientationCodeSequence": [supine],
            "PatientGantryRelationshipCodeSequence": gantry,
            "RescaleIntercept": 0.0,
            "RescaleSlope": 0.75,
            "FrameReferenceTime": 1000.0 * (index * 5 + 2),
            "ActualFrameDuration": 120000,
            "DecayFactor": 1.0157,
            "ImageIndex": index + 1,
        }
        for index in range(grid.count)
    ]
