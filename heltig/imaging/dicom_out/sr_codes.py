"""Which coded concept stands for what in a report: a standard one where PS3.16 has just that.

Everything else is named by Heltig's own words, as docs/measurements.md has them, under the coding scheme
99HELTIG: names of measurements, statuses, reasons, warnings, contrast phases and regions of the body.
"""

from typing import Final, NamedTuple

from heltig.imaging.metrics.measurement import CM2, CM3, HU, MM, Measurement
from heltig.imaging.segment.naming import OWN_SCHEME
from heltig.imaging.volume import Code

REPORT: Final = Code("126000", "DCM", "Imaging Measurement Report")
COMMENT: Final = Code("121106", "DCM", "Comment")

PROCEDURES: Final = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
}
PROCEDURE: Final = Code("363679005", "SCT", "Imaging procedure")
"""CID 100: by modality, and where the images do not say theirs."""

_VOLUME: Final = Code("118565006", "SCT", "Volume")  # CID 7472
_AREA: Final = Code("42798000", "SCT", "Area")  # CID 7471
_DIAMETER: Final = Code("81827009", "SCT", "Diameter")  # CID 7470
_ATTENUATION: Final = Code("112031", "DCM", "Attenuation Coefficient")  # CID 7180
_QUANTITIES: Final = {CM3: _VOLUME, CM2: _AREA, MM: _DIAMETER}

_MEAN: Final = Code("373098007", "SCT", "Mean")  # CID 7464
_SD: Final = Code("386136009", "SCT", "Standard Deviation")
_DERIVATIONS: Final = {
    "attenuation_mean": _MEAN,
    "attenuation_mean_eroded": _MEAN,
    "attenuation_sd": _SD,
    "attenuation_median": Code("373099004", "SCT", "Median"),
    "attenuation_p5": Code("371888009", "SCT", "5th Percentile Value of population"),
    "attenuation_p95": Code("371889001", "SCT", "95th Percentile Value of population"),
    "SMD": _MEAN,
    "SMD_sd": _SD,
}
"""Of attenuation, by name, or by the end of it."""

_PLAIN: Final = frozenset({"volume", *_DERIVATIONS} - {"attenuation_mean_eroded", "SMD", "SMD_sd"})
_SHORTER: Final = {
    "attenuation": "att",
    "hemorrhage": "hem",
    "component": "part",
    "observed": "obs",
    "contrast": "con",
    "vertebral": "vert",
    "vertebra": "vert",
    "hounsfield_units": "hu",
    "subcutaneous": "subcut",
    "unclassified": "other",
    "estimate": "est",
    "muscle": "musc",
    "median": "med",
    "volume": "vol",
    "window": "win",
    "with_": "",
    "above": "up",
    "below": "low",
}
"""Parts of words, in this order, as long as a word has more than 16 letters."""

_MOST_LETTERS: Final = 16  # of VR SH

_UNITS: Final = {"1": "no units", "%": "percent"}


class Concept(NamedTuple):
    """How a number is named.

    Attributes:
        name: The quantity.
        derivation: Which statistic of it.
        method: How it was measured, where the quantity alone does not say it: the measurement's own name.
    """

    name: Code
    derivation: Code | None = None
    method: Code | None = None


def own_code(word: str) -> Code:
    """A word of Heltig's as a code: shortened to 16 letters, since few programs read longer values."""
    value = word
    for long, short in _SHORTER.items():
        if len(value) > _MOST_LETTERS:
            value = value.replace(long, short)
    return Code(value, OWN_SCHEME, word.replace("_", " "))


def concept_of(measurement: Measurement) -> Concept:
    """The concept of a measurement.

    What is seen of a structure that is cut off is no volume or area of it, and has a name of its own.
    """
    name = measurement.name
    method = None if is_plain(measurement) else own_code(name)
    if measurement.unit == HU:
        derivation = next((code for end, code in _DERIVATIONS.items() if name.endswith(end)), None)
        return Concept(_ATTENUATION, derivation, method) if derivation else Concept(own_code(name))
    if measurement.unit in _QUANTITIES and not name.startswith("observed_"):
        return Concept(_QUANTITIES[measurement.unit], method=method)
    return Concept(own_code(name))


def is_plain(measurement: Measurement) -> bool:
    """It is of all voxels of a structure: the quantity and its derivation say how it is measured."""
    return measurement.name in _PLAIN


def unit_code(unit: str) -> Code:
    """A unit of UCUM as a code (CID 7181)."""
    return Code(unit, "UCUM", _UNITS.get(unit, unit))
