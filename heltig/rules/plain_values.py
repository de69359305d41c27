"""What plain values look like in a raw cell: regular expressions over bytes, by VR (PS3.5 6.2, PS3.18 F.2).

They are narrower than the standard: a value that does not match may still be right; one that matches has
nothing that a rule on its VR could object to. No quantifier gives back what it took, so that a long hostile
cell costs no more than reading it once.
"""

import re
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from heltig.dicom.values import NUMBER_VRS
from heltig.standard.value_representations import VRS


class Plain(NamedTuple):
    """One plain value.

    Attributes:
        tokens: In JSON; white space may stand between them.
        field: In Part 10, without padding.
    """

    tokens: tuple[bytes, ...]
    field: bytes


# ASCII without control characters, quotes, backslash (it delimits) and tilde (an overline in Japan).
_VISIBLE = rb"[!#-\[\]-}]"
_CHARACTER = rb"[ !#-\[\]-}]"
_LONG = 2**16


def _line(limit: int) -> bytes:
    """Text that begins with something visible."""
    return _VISIBLE + _CHARACTER + (b"{0,%d}+" % (limit - 1) if limit < _LONG else b"*+")


_DAY = (
    rb"[12][0-9]{3}(?:(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])"
    rb"|(?:0[13-9]|1[0-2])(?:29|30)|(?:0[13578]|1[02])31)"
)
_CLOCK = rb"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:[0-5][0-9](?:\.[0-9]{1,6}+)?+)?+)?+"
_OFFSET = rb"(?:\+(?:0[0-9]|1[0-3])[0-5][0-9]|-(?:0[1-9]|1[01])[0-5][0-9])"
_EXPONENT = rb"(?:[eE][-+]?+[0-9]{1,2}+)?+"
_AT_MOST_16 = rb"(?<![-+.0-9Ee]{17})"
# Under 2.25 stands the number of a UUID, below 2**128, which is 3.40e38.
_UID_ROOT = (
    rb"(?:1\.[1-3]?[0-9](?![0-9])|2\.(?:0(?![0-9])|[1-9][0-9]*+)(?<!2\.25)"
    rb"|2\.25\.(?:[1-9][0-9]{0,37}+|[12][0-9]{38}|3[0-3][0-9]{37})(?![0-9]))"
)
_UID = _UID_ROOT + rb"(?:(?:\.[1-9][0-9]*+)++|\.0(?![0-9]))*+(?<![0-9.]{65})"

_TEXTS: Final = {name: _line(entry.limit) for name, entry in VRS.items() if entry.text} | {
    "AS": rb"[0-9]{3}[DWMY]",
    "CS": rb"[A-Z0-9_][A-Z0-9_ ]{0,15}+",
    "DA": _DAY,
    "DS": rb"[-+]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)" + _EXPONENT + _AT_MOST_16,
    "DT": _DAY + rb"(?:" + _CLOCK + rb")?+(?:" + _OFFSET + rb")?+",
    "IS": rb"[-+]?+[0-9]{1,9}+",
    # One component group, so no equals sign; a question mark is often a lost character.
    "PN": rb"[!#-<>@-\[\]-}][ !#-<>@-\[\]-}]{0,63}+",
    "TM": _CLOCK,
    "UI": _UID,
    "UR": _VISIBLE + rb"++",
}

_UNSIGNED = rb"(?:0|[1-9][0-9]{0,8}+)"
_DECIMAL = rb"-?+(?:0|[1-9][0-9]{0,15}+)(?:\.[0-9]{1,20}+)?+" + _EXPONENT
_NEAR_DECIMAL = rb"-?+(?:0|[1-9][0-9]{0,3}+)(?:\.[0-9]{1,20}+)?+"
_POSITIVE_DECIMAL = rb"(?:[1-9][0-9]{0,15}+(?:\.[0-9]{1,20}+)?+|0\.0{0,15}+[1-9][0-9]{0,15}+)"

_JSON_NUMBERS: Final = (
    dict.fromkeys(("DS", "FD", "FL"), _DECIMAL)
    | dict.fromkeys(("IS", "SL", "SV"), rb"-?+" + _UNSIGNED)
    | dict.fromkeys(("UL", "UV"), _UNSIGNED)
    | {"SS": rb"-?+(?:[12][0-9]{4}|[1-9][0-9]{0,3}+|0)", "US": rb"(?:[1-5][0-9]{4}|[1-9][0-9]{0,3}+|0)"}
)


def plain_value(vr: str) -> Plain:
    """Any plain value of a VR that holds text, binary numbers or tags."""
    if vr in NUMBER_VRS:
        return Plain((_JSON_NUMBERS.get(vr, rb'"[0-9A-F]{8}"'),), rb"(?s:.{%d})" % VRS[vr].size)
    quoted = _quoted(_TEXTS[vr])
    if vr == "PN":
        return Plain((rb"\{", rb'"Alphabetic"', rb":", quoted, rb"\}"), _TEXTS[vr])
    if vr in _JSON_NUMBERS:
        return Plain((rb"(?:" + _JSON_NUMBERS[vr] + rb"|" + quoted + rb")",), _TEXTS[vr])
    return Plain((quoted,), _TEXTS[vr])


def listed_value(vr: str, values: Iterable[str | int]) -> Plain:
    """One of some values of CS, US or SS."""
    listed = sorted(values, key=str)
    written = _any_of(str(value).encode() for value in listed)
    if vr == "CS":
        return Plain((_quoted(written),), written)
    return Plain((written,), _any_of(struct.pack("<" + NUMBER_VRS[vr], value) for value in listed))


def positive_value(vr: str) -> Plain:
    """A plain value above zero of DS, IS or US."""
    if vr == "DS":
        text = rb"\+?+(?:[1-9][0-9]*+(?:\.[0-9]*+)?+|0*+\.0*+[1-9][0-9]*+)" + _AT_MOST_16
        return Plain((rb"(?:" + _POSITIVE_DECIMAL + rb"|" + _quoted(text) + rb")",), text)
    if vr == "IS":
        return Plain((rb"[1-9][0-9]{0,8}+",), rb"[1-9][0-9]{0,8}+")
    return Plain((rb"(?:[1-5][0-9]{4}|[1-9][0-9]{0,3}+)",), rb"(?!\x00\x00)(?s:..)")


def near_value() -> Plain:
    """A plain DS value between -10000 and 10000."""
    text = rb"[-+]?+[0-9]{1,4}+(?:\.[0-9]*+)?+" + _AT_MOST_16
    return Plain((rb"(?:" + _NEAR_DECIMAL + rb"|" + _quoted(text) + rb")",), text)


def instance_uid() -> Plain:
    """A plain UID that is not under the root of the DICOM standard."""
    text = rb"(?!1\.2\.840\.10008\.)" + _UID
    return Plain((_quoted(text),), text)


def _quoted(pattern: bytes) -> bytes:
    return rb'"' + pattern + rb'"'


def _any_of(values: Iterable[bytes]) -> bytes:
    return rb"(?:" + rb"|".join(map(re.escape, values)) + rb")"
