"""Why a series is not chosen: the codes of images that make no volume, and those of the policy."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from heltig.imaging.planes import LEFT_OUT
from heltig.imaging.refusal import CODES

POLICY_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "OWN_RESULT": "Heltig made it.",
        "MODALITY_NOT_WANTED": "Its modality is not one that is asked for.",
        "IMAGE_DERIVED": "It was calculated from other images: its Image Type is DERIVED and SECONDARY, or "
        "names a map.",
        "IMAGE_REFORMATTED": "Its Image Type names other planes or projections through images.",
        "DESCRIPTION_UNWANTED": "Its description has a word of what is not measured.",
        "DESCRIPTION_LUNG": "Its description has a word for lung, and soft tissue is to be measured.",
        "SLICES_TOO_FEW": "It has fewer slices than the policy asks for.",
        "PIXELS_COARSE": "Its pixels are larger than the policy allows.",
        "SLICES_FAR_APART": "Its slices are further apart than the policy allows.",
        "ORIENTATION_OFF_AXIS": "Its slices are not across the patient, and single slices are to be "
        "measured.",
        "NOT_HOUNSFIELD": "Its values are no Hounsfield units: it is CT without a rescale intercept and with "
        "unsigned values, or of another Rescale Type.",
    }
)
"""What each code of the policy means; in the order in which reasons are given."""

REJECTIONS: Final[Mapping[str, str]] = MappingProxyType({**LEFT_OUT, **CODES, **POLICY_CODES})
"""All codes with which a series may be rejected."""

WARNINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "BODY_PART_DIFFERS": "Body Part Examined names another region than the one asked for; it is often "
        "wrong.",
        "SEQUENCE_OTHER": "A brain is to be measured, and by its names the sequence is not T1-weighted.",
        "SERIES_IN_PARTS": "The series has other stacks too, or images that make no volume.",
    }
)
"""What is said of a series, but rejects nothing."""
