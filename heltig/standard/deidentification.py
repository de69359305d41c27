"""What de-identification does to each attribute (PS3.15 annex E).

The Basic Application Level Confidentiality Profile gives every attribute that may identify somebody an
action, and options let some of them be kept or cleaned instead. Attributes not in its table are kept.
"""

from functools import cache
from typing import Final

import msgspec

from heltig.standard.edition import read_table

BASIC_PROFILE: Final = "113100"
"""The code of the Basic Application Confidentiality Profile (PS3.16 CID 7050)."""

OPTIONS: Final = {
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}
"""The options by their code (PS3.16 CID 7050)."""

_NQ: Final = tuple(f"{number:02X}" for number in range(0x01, 0x17))
_SC2000: Final = "SIEMENS ULTRASOUND SC2000"

SAFE_PRIVATE: Final = {
    ("0019", "GEMS_ACQU_01"): ("23", "24", "27", "9E"),
    ("0019", "SIEMENS MR HEADER"): ("0C", "0D", "0E", "27"),
    ("0025", "GEMS_SERS_01"): ("07",),
    ("0043", "GEMS_PARM_01"): ("27", "39", "6F"),
    ("0045", "GEMS_HELIOS_01"): ("01", "02"),
    ("0099", "NQHEADER"): ("01", "02", "04", "05", "10", "20", "21"),
    ("00E1", "ELSCINT1"): ("21", "50"),
    ("0119", _SC2000): (
        *("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "21"),
    ),
    ("0129", _SC2000): (
        *("00", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "20", "21", "22", "29"),
        "30",
    ),
    ("0139", _SC2000): ("01",),
    ("0149", _SC2000): ("01", "02", "03"),
    ("0199", "NQLEFT"): _NQ,
    ("01E1", "ELSCINT1"): ("26",),
    ("01F1", "ELSCINT1"): ("01", "07", "26", "27"),
    ("0299", "NQRIGHT"): _NQ,
    ("0903", "GEIIS PACS"): ("10", "11", "12"),
    ("2001", "PHILIPS IMAGING DD 001"): (
        *("01", "02", "03", "04", "06", "07", "08", "09", "0A", "0B", "0C", "0E", "10", "11", "12", "19"),
        *("1A", "1B", "1C", "1D", "1E", "1F", "21", "22", "23", "24", "26", "2D", "32", "33", "35", "36"),
        *("46", "47", "48", "4B", "4C", "4D", "4E", "55", "56", "61", "62", "63", "69", "6A", "6E", "77"),
        *("7A", "7B", "81", "82", "83", "84", "85", "86", "88", "89", "8A", "9F", "A3", "C1", "CB", "F1"),
        "F2",
    ),
    ("2005", "PHILIPS MR IMAGING DD 001"): ("0D", "0E"),
    ("7053", "PHILIPS PET PRIVATE GROUP"): ("00", "09"),
    ("7E01", "HOLOGIC, INC."): ("01", "02", "10", "11", "12"),
    ("7FD1", _SC2000): ("01", "09", "10", "11"),
    ("7FD1", "SIEMENS SYNGO ULTRA-SOUND TOYON DATA STREAMING"): ("01", "09", "10", "11"),
}
"""Low bytes of the private elements thought to be safe, by group and creator in capitals (PS3.15 E.3.10)."""


class Protection(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the Basic Profile does to one attribute (PS3.15 table E.1-1).

    Attributes:
        tag: Eight hex digits, or a pattern such as `60xx3000`.
        action: `X` remove, `Z` empty or replace, `D` replace with a dummy value, `U` replace the UID, or
            several of them joined with a slash, for different types of the attribute.
        options: Codes of the options under which the attribute is kept or cleaned instead.
    """

    tag: str
    action: str
    options: tuple[str, ...]


def protection(tag: str) -> Protection | None:
    """Return what the Basic Profile does to an attribute; `None` for those that it leaves alone.

    Args:
        tag: Eight upper-case hex digits. Private attributes, which it removes all, are not looked up here.
    """
    by_tag = _by_tag()
    repeating = f"{tag[:2]}xx{tag[4:]}"
    return by_tag.get(tag) or by_tag.get(repeating) or by_tag.get(f"{tag[:2]}xxxxxx")


def entries() -> tuple[Protection, ...]:
    """Return the whole table, in the order of its tags."""
    return tuple(_by_tag().values())


@cache
def _by_tag() -> dict[str, Protection]:
    return {row.tag: row for row in read_table("deidentification", list[Protection]).rows}
