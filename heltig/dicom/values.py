"""The values of Part 10 elements: raw cells in explicit or implicit VR little endian (PS3.5 6.2, 7.1).

Nothing raises: bytes that do not fit their VR stay bytes, and a fault says why. Text is parsed into numbers,
dates and ages by the `parse_*` functions, when somebody asks.
"""

from collections.abc import Callable, Mapping
from struct import Struct, unpack
from typing import Final, TypeAlias

from heltig.dicom.cell import UNDEFINED_LENGTH, Cell, Encoding, Fault, Value
from heltig.dicom.charset import decode_text, split_values
from heltig.dicom.dates import as_fault, da_fault, dt_fault, parse_as, parse_da, parse_dt, parse_tm, tm_fault
from heltig.dicom.numbers import ds_fault, is_fault, parse_ds, parse_is
from heltig.standard.dictionary import lookup
from heltig.standard.value_representations import VRS

__all__ = [
    "BYTE_VRS",
    "NUMBER_VRS",
    "TEXT_VRS",
    "as_fault",
    "da_fault",
    "decode_element",
    "ds_fault",
    "dt_fault",
    "is_fault",
    "parse_as",
    "parse_da",
    "parse_ds",
    "parse_dt",
    "parse_is",
    "parse_tm",
    "tm_fault",
]

TEXT_VRS: Final = frozenset(name for name, vr in VRS.items() if vr.text)
BYTE_VRS: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))

NUMBER_VRS: Final = {
    "AT": "HH",
    "FD": "d",
    "FL": "f",
    "SL": "i",
    "SS": "h",
    "SV": "q",
    "UL": "I",
    "US": "H",
    "UV": "Q",
}
"""VRs of binary values, each with the `struct` format of one value."""

_Decoded: TypeAlias = tuple[tuple[Value, ...], tuple[Fault, ...]]

_FILE_META = Encoding("explicit")
_SEQUENCE_END = bytes.fromhex("FEFF DDE0 00000000")
_LENGTH_OF_UN_READ = 0xFFFF
_LUT_DATA = "00283006"
_LUT_DESCRIPTORS = ("00281101", "00281102", "00281103", "00283002")
_ONE_NUMBER = {vr: Struct(f"<{code}") for vr, code in NUMBER_VRS.items()}


def decode_element(tag: str, raw: bytes, encoding: Encoding) -> Cell:
    """Decode the raw cell of a Part 10 element.

    Args:
        tag: Eight upper-case hex digits. Group 0002 is always explicit, with the default repertoire.
        raw: In explicit VR from the VR on, in implicit VR from the length on. A cell that ends after a length
            other than zero had a value that was not kept.
        encoding: `explicit` or `implicit`, the character set, the signedness.

    Returns:
        The cell. Where the data set gives no VR, or says that it does not know it (`UN`), it is the
        dictionary's, and `UN` where that has none. Of the dictionary's alternatives, `US or SS` follows the
        signedness, and `OW` is taken before the others (PS3.5 A.1).
    """
    if tag[:4] == "0002":
        encoding = _FILE_META
    elif encoding.syntax == "implicit":
        return _decode_implicit(tag, raw, encoding)
    form = _EXPLICIT.get(raw[:2])
    if form is None:
        return _decode_unknown(raw)
    vr, header = form
    if len(raw) < header:
        return _headless(vr, len(raw))
    if header == 4:
        return _decode(tag, raw, vr=vr, head=4, length=raw[2] | raw[3] << 8, encoding=encoding)
    length = int.from_bytes(raw[4:8], "little")
    if vr == "UN" and _is_readable(tag, length):
        vr = _implicit_vr(tag, length, encoding)
    return _decode(tag, raw, vr=vr, head=8, length=length, encoding=encoding)


def _decode_implicit(tag: str, raw: bytes, encoding: Encoding) -> Cell:
    if len(raw) < 4:
        return _headless(_implicit_vr(tag, 0, encoding), len(raw))
    length = int.from_bytes(raw[:4], "little")
    vr = _implicit_vr(tag, length, encoding)
    return _decode(tag, raw, vr=vr, head=4, length=length, encoding=encoding)


def _decode_unknown(raw: bytes) -> Cell:
    """Decode a cell whose VR bytes are none of PS3.5's; its size tells which place its length has."""
    if len(raw) < 4:
        return _headless("", len(raw))
    vr = raw[:2].decode("latin_1")
    fault = Fault("vr-unknown", f"VR bytes {raw[:2].hex(' ').upper()}")
    long = len(raw) >= 8 and raw[2:4] == b"\0\0"
    length = int.from_bytes(raw[4:8] if long else raw[2:4], "little")
    value = raw[8 if long else 4 :]
    return Cell(
        vr if vr.isascii() and vr.isalpha() else "",
        (value,) if value else (),
        (fault,),
        length,
        bulk=not value and length > 0,
    )


def _headless(vr: str, size: int) -> Cell:
    return Cell(vr, (), (Fault("truncated", f"the cell ends after {size} bytes, inside its header"),))


def _decode(tag: str, raw: bytes, *, vr: str, head: int, length: int, encoding: Encoding) -> Cell:
    """Decode a cell of which the VR is known, the length as written, and that the value starts at `head`."""
    value = raw[head:]
    faults: tuple[Fault, ...] = ()
    if length & 1 and length != UNDEFINED_LENGTH:
        faults = (Fault("odd-length", f"{length} bytes"),)
    if vr == "SQ" and value:
        from heltig.dicom.part10 import read_items  # here: nothing but sequences needs the file reader

        items, found = read_items(raw, encoding)
        return Cell("SQ", (), faults + found, length, items=items)
    if len(value) != length:
        if not value:
            return Cell(vr, (), faults, length, bulk=True)
        if length == UNDEFINED_LENGTH:
            value = value.removesuffix(_SEQUENCE_END)
        elif len(value) < length:
            faults = (*faults, Fault("truncated", f"{len(value)} of {length} bytes are there"))
        else:
            faults = (*faults, Fault("trailing", f"{len(value) - length} bytes after the value"))
            value = value[:length]
    if not value:
        return Cell(vr, (), faults, length)
    values, found = _DECODERS[vr](value, vr, encoding)
    if vr == "SS" and tag in _LUT_DESCRIPTORS:
        values = _lut_descriptor(values)
    return Cell(vr, values, faults + found if found else faults, length)


def _decode_text(value: bytes, vr: str, encoding: Encoding) -> _Decoded:
    text, faults = decode_text(value, encoding.charset, vr=vr)
    if "\\" in text or "\0" in text:
        values, paddings = _split(text, vr)
        if "\0" in "".join(paddings):
            faults = (*faults, Fault("padding", "NULL where a space belongs"))
        return values, faults
    text = _stripped(text, vr)
    return ((text,) if text else ()), faults


def _decode_uids(value: bytes, vr: str, encoding: Encoding) -> _Decoded:
    text, faults = decode_text(value, (), vr=vr)
    uid = text.removesuffix("\0")
    if uid and uid[-1] not in " \0" and "\\" not in uid:
        return (uid,), faults
    values, paddings = _split(text, vr)
    fault = _uid_padding_fault(paddings)
    return values, (*faults, fault) if fault else faults


def _split(text: str, vr: str) -> tuple[tuple[Value, ...], list[str]]:
    """Split a value field into its values and what pads each of them."""
    pieces = split_values(text, vr=vr)
    values = tuple([_stripped(piece, vr) or None for piece in pieces])
    paddings = [piece[len(piece.rstrip(" \0")) :] for piece in pieces]
    return (() if values == (None,) else values), paddings


def _stripped(text: str, vr: str) -> str:
    """A value without what pads it at its end, a name without empty component groups there (PS3.5 6.2.1)."""
    text = text.rstrip(" \0")
    return text.rstrip("=") if vr == "PN" else text


def _uid_padding_fault(paddings: list[str]) -> Fault | None:
    """UI is padded with a single NULL at the very end (PS3.5 9.1)."""
    padding = "".join(paddings)
    if " " in padding:
        return Fault("padding", "a space where NULL belongs")
    if len(padding) > 1 or padding != paddings[-1]:
        return Fault("padding", f"{len(padding)} NULL, where at most one belongs at the very end")
    return None


def _decode_numbers(value: bytes, vr: str, encoding: Encoding) -> _Decoded:
    one = _ONE_NUMBER[vr]
    count, rest = divmod(len(value), one.size)
    if rest:
        detail = f"{len(value)} bytes are no whole number of {vr} values of {one.size} bytes"
        return (value,), (Fault("number", detail),)
    return (one.unpack(value) if count == 1 else unpack(f"<{count}{NUMBER_VRS[vr]}", value)), ()


def _decode_tags(value: bytes, vr: str, encoding: Encoding) -> _Decoded:
    if len(value) % 4:
        return (value,), (Fault("number", f"{len(value)} bytes are no whole number of tags"),)
    return tuple([f"{group:04X}{element:04X}" for group, element in _ONE_NUMBER["AT"].iter_unpack(value)]), ()


def _decode_bytes(value: bytes, vr: str, encoding: Encoding) -> _Decoded:
    return (value,), ()


def _lut_descriptor(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """The number of entries is unsigned even where the VR is SS (PS3.3 C.7.6.3.1.5, C.11.1.1.1)."""
    first = values[0]
    return (first + 65_536, *values[1:]) if isinstance(first, int) and first < 0 else values


def _implicit_vr(tag: str, length: int, encoding: Encoding) -> str:
    vr = _dictionary_vr(tag)
    if len(vr) == 2:
        # Only a sequence can have an undefined length where nothing is known of the element (PS3.5 6.2.2).
        return "SQ" if vr == "UN" and length == UNDEFINED_LENGTH else vr
    if vr == "US or SS":
        return "SS" if encoding.signed else "US"
    # LUT Data of a single entry is US (PS3.3 C.11.1.1.1): an entry has two bytes.
    return "US" if tag == _LUT_DATA and length == 2 else "OW"


def _dictionary_vr(tag: str) -> str:
    entry = lookup(tag)
    return entry.vr or "UN" if entry else "UN"


def _is_readable(tag: str, length: int) -> bool:
    """Whether a UN value is read as implicit VR (PS3.5 6.2.2): a sequence, or known and short."""
    return length == UNDEFINED_LENGTH or (length < _LENGTH_OF_UN_READ and _dictionary_vr(tag) != "UN")


_DECODERS: Mapping[str, Callable[[bytes, str, Encoding], _Decoded]] = {
    **dict.fromkeys(TEXT_VRS, _decode_text),
    "UI": _decode_uids,
    **dict.fromkeys(NUMBER_VRS, _decode_numbers),
    "AT": _decode_tags,
    **dict.fromkeys(BYTE_VRS, _decode_bytes),
}
_EXPLICIT = {name.encode("ascii"): (name, 8 if vr.long else 4) for name, vr in VRS.items()}
