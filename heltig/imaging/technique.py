"""How the images of one stack were made, from that stack alone."""

from collections.abc import Sequence
from typing import Final

from heltig.dicom.cell import Cell
from heltig.dicom.table import decoded
from heltig.imaging.planes import Planes
from heltig.imaging.volume import Technique

_TEXTS: Final = {
    "manufacturer": ("Manufacturer", ""),
    "model": ("ManufacturerModelName", ""),
    "kernel": ("ConvolutionKernel", "CTReconstructionSequence"),
    "body_part": ("BodyPartExamined", "FrameAnatomySequence"),
    "series_description": ("SeriesDescription", ""),
    "protocol": ("ProtocolName", ""),
    "patient_position": ("PatientPosition", ""),
    "contrast_start": ("ContrastBolusStartTime", ""),
    "rescale_type": ("RescaleType", "PixelValueTransformationSequence"),
    "scanning_sequence": ("ScanningSequence", ""),
    "mr_acquisition_type": ("MRAcquisitionType", ""),
}
"""The attribute, and the macro that it stands in in enhanced objects."""

_CODE_MEANING: Final = "00080104"
_DATE: Final = 8  # characters of a DT that are its date

_NUMBERS: Final = {
    "kvp": ("KVP", "CTXRayDetailsSequence"),
    "slice_thickness": ("SliceThickness", "PixelMeasuresSequence"),
    "patient_size_m": ("PatientSize", ""),
    "repetition_time": ("RepetitionTime", "MRTimingAndRelatedParametersSequence"),
    "field_strength": ("MagneticFieldStrength", ""),
}


def technique_of(planes: Planes, members: Sequence[int]) -> Technique:
    """The technique of some planes of a series; what they do not agree on is None.

    Args:
        planes: The planes of the series.
        members: Numbers of the planes.
    """

    def one(keyword: str, macro: str = "") -> Cell | None:
        cells = planes.cells(keyword, macro)
        found = {(cells[plane].values, cells[plane].items) for plane in members}
        return cells[members[0]] if len(found) == 1 else None

    def text(keyword: str, macro: str = "") -> str | None:
        cell = one(keyword, macro)
        return cell.shown.strip() or None if cell else None

    def number(keyword: str, macro: str = "") -> float | None:
        cell = one(keyword, macro)
        return (*cell.numbers, None)[0] if cell else None

    each = [
        time or moment[_DATE:]
        for time, moment in zip(
            planes.texts("AcquisitionTime"), planes.texts("AcquisitionDateTime"), strict=True
        )
    ]
    series_number = number("SeriesNumber")
    image_type = one("ImageType")
    times = sorted({each[plane] for plane in members} - {""})
    return Technique(
        modality=text("Modality") or "",
        series_number=None if series_number is None else int(series_number),
        contrast_agent=text("ContrastBolusAgent") or _meaning(one("ContrastBolusAgentSequence")),
        image_type=tuple(map(str, image_type.values)) if image_type else (),
        acquisition_time=times[0] if times else None,
        sequence_name=text("SequenceName") or text("PulseSequenceName"),
        echo_time=_first(number("EchoTime"), number("EffectiveEchoTime", "MREchoSequence")),
        inversion_time=_first(number("InversionTime"), number("InversionTimes", "MRModifierSequence")),
        **{name: text(*where) for name, where in _TEXTS.items()},  # type: ignore[arg-type]  # by name
        **{name: number(*where) for name, where in _NUMBERS.items()},  # type: ignore[arg-type]  # likewise
    )


def _meaning(sequence: Cell | None) -> str | None:
    """The Code Meaning (0008,0104) of the first item that has one: enhanced objects name agents by code."""
    for item in sequence.items if sequence else ():
        if _CODE_MEANING in item.tags:
            raw = item.raws[item.tags.index(_CODE_MEANING)]
            return decoded(_CODE_MEANING, raw, item.encoding).text or None
    return None


def _first(*numbers: float | None) -> float | None:
    return next((found for found in numbers if found is not None), None)
