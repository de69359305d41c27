"""Values: are the numbers ones that there can be?"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from heltig.rules.rule import Hit, rule
from heltig.rules.value_meanings import NEVER_NEGATIVE
from heltig.rules.views import Place
from heltig.rules.wording import cut


class _Range(NamedTuple):
    """What a number may be, ends included.

    Attributes:
        least: `None` where another rule tells numbers that are too small.
        most: `None` where nobody can say.
        unit: As PS3.3 defines the attribute.
    """

    least: float | None
    most: float | None
    unit: str = ""

    def has(self, number: float) -> bool:
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)

    def __str__(self) -> str:
        unit = self.unit and f" {self.unit}"
        if self.most is None:
            return f"{self.least:g}{unit} or more"
        least = "at most" if self.least is None else f"{self.least:g} to"
        return f"{least} {self.most:,.12g}{unit}"


_HOUR: Final = 3_600_000
"""Milliseconds."""

_RANGES: Final = {
    # The tallest person known was 2.72 m, the heaviest 635 kg; the heaviest horse weighed 1,524 kg.
    "PatientSize": _Range(None, 3, "m"),
    "PatientWeight": _Range(None, 1600, "kg"),
    # Spectra have voxels of some centimetres, detectors pixels of no more than a few millimetres.
    "PixelSpacing": _Range(None, 50, "mm"),
    "ImagerPixelSpacing": _Range(None, 10, "mm"),
    "NominalScannedPixelSpacing": _Range(None, 10, "mm"),
    # Nobody is longer, and no bore, table or tube stand either.
    "SliceThickness": _Range(None, 3000, "mm"),
    "SpacingBetweenSlices": _Range(None, 3000, "mm"),
    "ReconstructionDiameter": _Range(0, 3000, "mm"),
    "DataCollectionDiameter": _Range(0, 3000, "mm"),
    "DistanceSourceToDetector": _Range(0, 20_000, "mm"),
    "DistanceSourceToPatient": _Range(0, 20_000, "mm"),
    "BodyPartThickness": _Range(0, 2000, "mm"),
    # Paddles press with some 200 N.
    "CompressionForce": _Range(0, 2000, "N"),
    # High-speed cameras and plane waves come to some 10,000 a second; nobody films for days.
    "FrameTime": _Range(0, 24 * _HOUR, "ms"),
    "FrameTimeVector": _Range(0, 24 * _HOUR, "ms"),
    "ActualFrameDuration": _Range(0, 48 * _HOUR, "ms"),
    "CineRate": _Range(0, 100_000, "frames a second"),
    "RecommendedDisplayFrameRate": _Range(0, 100_000, "frames a second"),
    # Tubes carry up to some 1,500 mA, for seconds in CT and minutes in fluoroscopy.
    "XRayTubeCurrent": _Range(0, 10_000, "mA"),
    "XRayTubeCurrentInuA": _Range(0, 10_000_000, "µA"),
    "XRayTubeCurrentInmA": _Range(0, 10_000, "mA"),
    "Exposure": _Range(0, 1_000_000, "mAs"),
    "ExposureInuAs": _Range(0, 1_000_000_000, "µAs"),
    "ExposureInmAs": _Range(0, 1_000_000, "mAs"),
    "ExposureTime": _Range(None, 24 * _HOUR, "ms"),
    "ExposureTimeInuS": _Range(0, None, "µs"),
    "ExposureTimeInms": _Range(0, 24 * _HOUR, "ms"),
    "CTDIvol": _Range(0, 10_000, "mGy"),
    "SpiralPitchFactor": _Range(0, 50),
    "RevolutionTime": _Range(0, 3600, "s"),
    "SingleCollimationWidth": _Range(0, 1000, "mm"),
    "TotalCollimationWidth": _Range(0, 1000, "mm"),
    # IEC 60601-2-33 ends at 4 W/kg for the whole body, and at 40 for a part of it.
    "SAR": _Range(0, 200, "W/kg"),
    "PixelBandwidth": _Range(0, 10_000_000, "Hz"),
    "RepetitionTime": _Range(None, _HOUR, "ms"),
    "EchoTime": _Range(None, 0.1 * _HOUR, "ms"),
    "EffectiveEchoTime": _Range(0, 0.1 * _HOUR, "ms"),
    "InversionTime": _Range(0, 0.1 * _HOUR, "ms"),
    "FlipAngle": _Range(-360, 360, "degrees"),
    "EchoTrainLength": _Range(0, 1_000_000),
    "NumberOfAverages": _Range(0, 1_000_000),
    # The strongest gradients come to some 100,000.
    "DiffusionBValue": _Range(0, 1_000_000, "s/mm²"),
    "PercentSampling": _Range(0, 1000, "%"),
    "PercentPhaseFieldOfView": _Range(0, 1000, "%"),
    # The heart of a mouse beats 800 times a minute, that of a shrew 1,500 times.
    "HeartRate": _Range(0, 2000, "beats a minute"),
    # Treatments with iodine come to some 10 GBq, generators to some 100.
    "RadionuclideTotalDose": _Range(0, 1e13, "Bq"),
    "RadionuclideHalfLife": _Range(0, None, "s"),
    "RadiopharmaceuticalVolume": _Range(0, 10_000, "cm³"),
    "ContrastBolusVolume": _Range(0, 10_000, "ml"),
    # Tubes end at some 450 kV; what accelerators image with comes in megavolts, see `_OF_ACCELERATORS`.
    "KVP": _Range(None, 10_000, "kV"),
}  # fmt: skip
"""Generous limits, in the unit of the attribute: what is beyond was written in another one, or is no
measurement."""

_IN_PRIVATE: Final = re.compile(r"(?:^|\.)[0-9A-F]{3}[13579BDF](?:xx|[0-9A-F]{2})[0-9A-F]{2}(?=[ .])")
"""A private sequence on the way to an attribute."""

_OF_TUBES, _OF_ACCELERATORS = 500, 1500


@rule("VAL-RANGE", level="value", severity="review", reads=tuple(_RANGES))
def impossible(at: Place) -> Iterator[Hit]:
    """A number is one that there cannot be.

    Finds: Lengths, times, weights, currents, doses and the like beyond anything that is built or lives: a
        PatientSize above 3 m, a PatientWeight above 1,600 kg, a PixelSpacing above 50 mm, a KVP between tubes
        and accelerators or above both, negative values of Exposure, PixelBandwidth, SAR, FrameTime and
        others; in items of sequences too, other than private ones and the KVP of portal images. What
        VAL-NEGATIVE and GEO-SPACING-ZERO tell is left to them.
    Why: It was written in another unit, or is no measurement. Uptake, dose and sizes that are worked out
        with it are wrong by factors.
    Mend: Have the sender write the value in the unit of the standard, which the finding names, or leave it
        empty.
    Example: PatientSize `180`, in centimetres where metres belong.
    """
    if at.entry is None:
        return
    keyword = at.entry.keyword
    allowed = _RANGES[keyword]
    if at.depth and (keyword == "KVP" or _IN_PRIVATE.search(at.path)):
        return  # the beam of an accelerator, in a portal image; or what only its maker knows
    for number in at.cell.numbers:
        if number is None or (number < 0 and keyword in NEVER_NEGATIVE):
            continue
        if not allowed.has(number) or (keyword == "KVP" and _OF_TUBES < number < _OF_ACCELERATORS):
            yield Hit(observed=cut(at.cell.shown), expected=_said(keyword, allowed))
            return


def _said(keyword: str, allowed: _Range) -> str:
    return f"at most {_OF_TUBES} {allowed.unit}, or megavolts" if keyword == "KVP" else str(allowed)
