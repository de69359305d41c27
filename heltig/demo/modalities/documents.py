"""Reports, captured screens and waveforms: SR, SC and ECG (PS3.3 A.35, A.8, A.34)."""

import math
import struct

from heltig.demo.attributes import Attributes, code, references
from heltig.demo.exam import Series, pixels, stamp, without

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
TWELVE_LEAD_ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"

_LEADS = [
    ("2:1", "Lead I"),
    ("2:2", "Lead II"),
    ("2:61", "Lead III"),
    ("2:62", "Lead aVR"),
    ("2:63", "Lead aVL"),
    ("2:64", "Lead aVF"),
    *((f"2:{number + 2}", f"Lead V{number}") for number in range(1, 7)),
]
_NOT_IN_SR = (
    "OperatorsName",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "PerformedProcedureStepID",
)
"""What the SR Document Series module (PS3.3 C.17.1) has not of General Series."""
_SAMPLES_A_SECOND = 200
_WAVES = [(0.18, 120, 0.025), (0.3, -90, 0.008), (0.32, 1100, 0.01), (0.34, -220, 0.01), (0.55, 280, 0.04)]
"""P, Q, R, S and T: place within a beat, height in microvolts, width."""


def text_report(series: Series, images: list[Attributes], finding: str) -> Attributes:
    """A report of one finding with the images it rests on (PS3.3 A.35.1, C.17).

    Args:
        series: The report's series.
        images: The images it names, of one series of the same study.
        finding: The report's text.
    """
    when = series.exam.at(series.seconds)
    evidence = {
        "StudyInstanceUID": images[0]["StudyInstanceUID"],
        "ReferencedSeriesSequence": [
            {
                "SeriesInstanceUID": images[0]["SeriesInstanceUID"],
                "ReferencedSOPSequence": references(images),
            }
        ],
    }
    text: Attributes = {
        "RelationshipType": "CONTAINS",
        "ValueType": "TEXT",
        "ConceptNameCodeSequence": code("121071", "DCM", "Finding"),
        "TextValue": finding,
    }
    shown: list[Attributes] = [
        {"RelationshipType": "CONTAINS", "ValueType": "IMAGE", "ReferencedSOPSequence": [reference]}
        for reference in references(images)
    ]
    return {
        **without(series.document(1, BASIC_TEXT_SR, seconds=0), _NOT_IN_SR),
        **stamp("Content", when),
        "ReferencedPerformedProcedureStepSequence": [],
        "PerformedProcedureCodeSequence": [],
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED",
        "CurrentRequestedProcedureEvidenceSequence": [evidence],
        "ValueType": "CONTAINER",
        "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": code("18748-4", "LN", "Diagnostic imaging report"),
        "ContentSequence": [text, *shown],
    }


def captured_screen(series: Series, number: int) -> Attributes:
    """A secondary capture in colour (PS3.3 A.8.1)."""
    return {
        **series.image(number, SECONDARY_CAPTURE, seconds=number),
        **pixels(48, 48, stored=8, allocated=8, photometric="RGB"),
        "ImageType": ["DERIVED", "SECONDARY"],
        "PatientOrientation": "",
        "ConversionType": "WSD",
        "BurnedInAnnotation": "NO",
    }


def twelve_lead_ecg(series: Series) -> Attributes:
    """Two seconds of a resting ECG, 200 samples a second (PS3.3 A.34.3, C.10.9)."""
    begun = series.exam.at(series.seconds)
    samples = 2 * _SAMPLES_A_SECOND
    channels: list[Attributes] = [
        {
            "ChannelSourceSequence": code(value, "MDC", name),
            "ChannelSensitivity": 5.0,
            "ChannelSensitivityUnitsSequence": code("uV", "UCUM", "microvolt"),
            "ChannelSensitivityCorrectionFactor": 1.0,
            "ChannelBaseline": 0.0,
            "ChannelSampleSkew": 0.0,
            "WaveformBitsStored": 16,
            "FilterLowFrequency": 0.05,
            "FilterHighFrequency": 100.0,
        }
        for value, name in _LEADS
    ]
    rest: Attributes = {
        "WaveformOriginality": "ORIGINAL",
        "NumberOfWaveformChannels": len(_LEADS),
        "NumberOfWaveformSamples": samples,
        "SamplingFrequency": float(_SAMPLES_A_SECOND),
        "MultiplexGroupLabel": "RESTING",
        "ChannelDefinitionSequence": channels,
        "WaveformBitsAllocated": 16,
        "WaveformSampleInterpretation": "SS",
        "WaveformData": struct.pack(
            f"<{samples * len(_LEADS)}h",
            *(_microvolts(sample, lead) // 5 for sample in range(samples) for lead in range(len(_LEADS))),
        ),
    }
    return {
        **series.document(1, TWELVE_LEAD_ECG, seconds=2),
        **stamp("Content", series.exam.at(series.seconds + 2)),
        "AcquisitionDateTime": f"{begun:%Y%m%d%H%M%S}",
        "AcquisitionContextSequence": [],
        "WaveformSequence": [rest],
    }


def _microvolts(sample: int, lead: int) -> int:
    """A heart at 75 beats a minute, each wave a bell curve."""
    phase = (sample / _SAMPLES_A_SECOND * 1.25) % 1.0
    waves = [
        (0.18, 120, 0.025),
        (0.30, -90, 0.008),
        (0.32, 1100, 0.010),
        (0.34, -220, 0.010),
        (0.55, 280, 0.04),
    ]
    height = sum(top * math.exp(-(((phase - at) / width) ** 2)) for at, top, width in waves)
    return round(height * (1 - lead * 0.06) * (-1 if lead == 3 else 1))
