"""Why a gate refuses an object, in the codes of DICOM (PS3.18 I.2.2, PS3.4 B.2.3).

Those of `Cxxx` and `A9xx` beyond the standard's own are ours, and stand in the conformance statement.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from connectors.storing import DUPLICATE

SUCCESS: Final = 0x0000
PROCESSING_FAILURE: Final = 0x0110
OUT_OF_RESOURCES: Final = 0xA700
NO_MATCH: Final = 0xA900
OTHER_STUDY: Final = 0xA901
UNREADABLE: Final = 0xC001
NO_IDENTITY: Final = 0xC002
NOT_DICOM: Final = 0xC003
SITE_RULE: Final = 0xC3F0

MEANINGS: Final[Mapping[int, str]] = {
    PROCESSING_FAILURE: "it could not be judged, or the archive did not say what became of it",
    DUPLICATE: "the archive has other bytes under this UID",
    OUT_OF_RESOURCES: "it is larger than a part may be (HELTIG_MEMBER_MAX_SIZE)",
    NO_MATCH: "rules of conformance (IOD) refuse it; or its C-STORE request has other SOP UIDs",
    OTHER_STUDY: "its StudyInstanceUID is not that of the URL",
    UNREADABLE: "no DICOM object can be read from it",
    NO_IDENTITY: "it has no SOP Instance or Study Instance UID that it can be named by",
    NOT_DICOM: "a part that is not application/dicom",
}

FAMILIES: Final[Mapping[str, int]] = {
    "IOD": NO_MATCH,
    "ENC": 0xC310,
    "CHR": 0xC320,
    "VAL": 0xC330,
    "UID": 0xC340,
    "PAT": 0xC350,
    "STU": 0xC360,
    "SER": 0xC361,
    "INS": 0xC362,
    "PIX": 0xC370,
    "WAV": 0xC371,
    "GEO": 0xC380,
    "REF": 0xC390,
    "IOCM": 0xC391,
    "TGT": 0xC392,
    "DEI": 0xC3A0,
    "SRC": 0xC3B0,
}
"""The code of a rule that refuses, by what its id begins with."""


def code_of(rules: Sequence[str]) -> int:
    """The code for an object that some rules refuse: that of the first of them."""
    return FAMILIES.get(rules[0].partition("-")[0], SITE_RULE) if rules else PROCESSING_FAILURE
