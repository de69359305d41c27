"""Specific Character Set (0008,0005): bytes to text (PS3.3 C.12.1.1.2, PS3.5 6.1).

Every text is readable afterwards: bytes that the declared character set does not have become U+FFFD, bytes
above 0x7F where none is declared are read as ISO 8859-1, and a fault says so.
"""

import re
from functools import lru_cache
from typing import Final

from heltig.dicom.cell import Fault
from heltig.dicom.iso2022 import ESC_BYTE, SINGLE_BYTE, CharacterSet, Faults, decode_escaped, decode_run
from heltig.standard.value_representations import CHARSET_VRS, VRS

SINGLE_VALUED_VRS: Final = frozenset(name for name, vr in VRS.items() if vr.text and not vr.multiple)
"""Text VRs in which a backslash is a character and not a delimiter (PS3.5 6.4)."""

DEFINED_TERMS: Final[dict[str, str]] = (
    {"ISO_IR 6": "ascii", "ISO 2022 IR 6": "ascii"}
    | {f"ISO_IR {number}": codec for number, (codec, _) in SINGLE_BYTE.items()}
    | {f"ISO 2022 IR {number}": codec for number, (codec, _) in SINGLE_BYTE.items()}
    | {"ISO 2022 IR 87": "ascii", "ISO 2022 IR 159": "ascii"}  # nothing but an escape sequence brings them in
    | {"ISO 2022 IR 149": "euc_kr", "ISO 2022 IR 58": "gb2312"}
    | {"ISO_IR 192": "utf_8", "GB18030": "gb18030", "GBK": "gbk"}
)
"""Defined terms of PS3.3 tables C.12-2 to C.12-5, each with Python's codec before any escape sequence."""

SINGLE_VALUE_TERMS: Final = frozenset({"ISO_IR 192", "GB18030", "GBK"})
"""Terms that allow no other value beside them (PS3.3 table C.12-5)."""

MULTI_BYTE_TERMS: Final = frozenset(
    {"ISO 2022 IR 87", "ISO 2022 IR 159", "ISO 2022 IR 149", "ISO 2022 IR 58"}
)
"""Multi-byte sets, for value 2 and further (PS3.3 table C.12-4)."""

_DEFAULT = "ISO_IR 6"
_EXTENDED_DEFAULT = "ISO 2022 IR 6"

_CONTROLS = re.compile(rb"[\t\n\f\r]")
_DELIMITERS = re.compile(rb"[\t\n\f\r\\]")
_NAME_DELIMITERS = re.compile(rb"[\t\n\f\r\\^=]")

# What other worlds call the sets, in capitals and without what stands between letters and digits.
_OTHER_NAMES = {
    "ASCII": _DEFAULT,
    "USASCII": _DEFAULT,
    "ISO646": _DEFAULT,
    "UTF8": "ISO_IR 192",
    "UNICODE": "ISO_IR 192",
    "ISO10646": "ISO_IR 192",
    "ISO2022IR192": "ISO_IR 192",
    "WINDOWS1252": "ISO_IR 100",
    "CP1252": "ISO_IR 100",
    "LATIN1": "ISO_IR 100",
    "LATIN2": "ISO_IR 101",
    "TIS620": "ISO_IR 166",
    "SHIFTJIS": "ISO_IR 13",
    "SJIS": "ISO_IR 13",
    "ISO2022JP": "ISO 2022 IR 87",
    "ISO2022KR": "ISO 2022 IR 149",
    "EUCKR": "ISO 2022 IR 149",
    "GB2312": "GB18030",
    "ISO2022GBK": "GBK",
    "ISO202258": "ISO 2022 IR 58",
}
_PARTS_OF_8859 = ("100", "101", "109", "110", "144", "127", "126", "138", "148")
_SPELLINGS = (
    {re.sub("[ _]", "", term): term for term in DEFINED_TERMS}
    | {f"ISO8859{part}": f"ISO_IR {number}" for part, number in enumerate(_PARTS_OF_8859, 1)}
    | {"ISO885911": "ISO_IR 166", "ISO885915": "ISO_IR 203"}
    | _OTHER_NAMES
)


def decode_text(data: bytes, charset: tuple[str, ...], *, vr: str) -> tuple[str, tuple[Fault, ...]]:
    """Decode the value field of a text VR.

    Args:
        data: The bytes as they stand, padding and delimiters included.
        charset: Values of Specific Character Set (0008,0005) as written; `()` for the default repertoire.
        vr: The VR; one outside `CHARSET_VRS` is read with the default repertoire.

    Returns:
        The text, and at most one fault each of the kinds `charset-undecodable` (the first such byte) and
        `charset-escape`. The faults of the terms themselves come from `normalise_charset`.
    """
    if data.isascii() and ESC_BYTE not in data:
        return data.decode("ascii"), ()
    initial, declared = _repertoire(charset if vr in CHARSET_VRS else ())
    faults = Faults()
    if ESC_BYTE in data:
        text = decode_escaped(data, initial, declared=declared, delimiters=_delimiters(vr), faults=faults)
    else:
        text = decode_run(data, initial, faults=faults)
    return text, tuple(faults.values())


def split_values(text: str, *, vr: str) -> tuple[str, ...]:
    """Split a decoded value field into its values.

    Bytes cannot be split: 0x5C, the backslash, is also a byte of characters in GB18030, GBK and the Japanese
    sets of two bytes.
    """
    return (text,) if vr in SINGLE_VALUED_VRS else tuple(text.split("\\"))


def normalise_charset(values: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Fault, ...]]:
    """Give the defined terms that a Specific Character Set means.

    Args:
        values: Values of (0008,0005) as written; an empty first value is the default repertoire.

    Returns:
        The defined terms to read by, `()` for the default repertoire alone, and a fault `charset-term` for
        each value that is no defined term or may not stand where it does (PS3.3 C.12.1.1.2).
    """
    terms: list[str] = []
    faults: list[Fault] = []
    for number, value in enumerate(values, 1):
        written = value.strip(" ")
        term = _meant(written) if written or number > 1 else _DEFAULT
        fault = None
        if term != written and (written or number > 1):
            fault = f"is no defined term, {f'read as {term}' if term else 'ignored'}"
        elif len(values) > 1 and term in SINGLE_VALUE_TERMS:
            fault = f"({term}) allows no other value beside it"
        elif len(values) > 1 and written.startswith("ISO_IR "):
            fault = f"({term}) is for a single value, read as {_extended(term)}"
        elif number == 1 and term in MULTI_BYTE_TERMS:
            fault = f"({term}) may stand from value 2 on only"
        if fault:
            faults.append(Fault("charset-term", f"value {number} {fault}"))
        terms.append(term or (_DEFAULT if number == 1 else ""))
    return _effective(terms), tuple(faults)


def _meant(value: str) -> str:
    """The defined term that a value is, or most likely means; empty where it means none."""
    if value in DEFINED_TERMS:
        return value
    return _SPELLINGS.get(re.sub("[^A-Z0-9]", "", value.upper()), "")


def _extended(term: str) -> str:
    return term.replace("ISO_IR ", "ISO 2022 IR ")


def _effective(terms: list[str]) -> tuple[str, ...]:
    """The terms that can be in force together."""
    if len(terms) < 2 or terms[0] in SINGLE_VALUE_TERMS:
        return () if terms[:1] == [_DEFAULT] else tuple(terms[:1])
    return tuple([_extended(term) for term in terms if term and term not in SINGLE_VALUE_TERMS])


@lru_cache(maxsize=256)
def _repertoire(charset: tuple[str, ...]) -> tuple[CharacterSet, frozenset[str]]:
    """The set at the start of a text, and the terms that its escape sequences may switch to."""
    terms, _ = normalise_charset(charset)
    first = terms[0] if terms else _DEFAULT
    declared = frozenset(term for term in terms if term.startswith("ISO 2022 "))
    if declared:
        declared |= {_EXTENDED_DEFAULT}  # G0 of nearly every set: there to come back to, named or not
    return CharacterSet(first, DEFINED_TERMS[first]), declared


def _delimiters(vr: str) -> re.Pattern[bytes]:
    """What brings the initial set back (PS3.5 6.1.2.5.3): ends of lines and pages, tabs, delimiters."""
    if vr == "PN":
        return _NAME_DELIMITERS
    return _CONTROLS if vr in SINGLE_VALUED_VRS else _DELIMITERS
