"""One element of DICOM JSON as a `Cell` (PS3.18 F.2.2).

Most elements are `{"vr":"XX","Value":[…]}` with values of the type that the VR asks for: they are decoded in
one step. That the text from `[` to the last `]` is one JSON array proves that the element has no other
members. Archives that write the members in the other order, or with spaces, are read as fast but for one
regular expression.
"""

import re
from collections.abc import Callable
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.json import Decoder

from heltig.dicom.cell import Cell, Value
from heltig.dicom.json_element import VRS, read_element
from heltig.dicom.json_members import REFUSALS
from heltig.dicom.json_values import EITHER_VRS, FLOAT_VRS, INTEGER_RANGES
from heltig.dicom.values import TEXT_VRS

_Values: TypeAlias = tuple[Value, ...]
_Reader: TypeAlias = Callable[[bytes], _Values | None]
"""Reads the text of an array; gives nothing, or raises one of `REFUSALS`, where the long way must be gone."""


class _Person(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A person name (PS3.18 F.2.4); no escapes are in its text."""

    Alphabetic: str | UnsetType = UNSET
    Ideographic: str | UnsetType = UNSET
    Phonetic: str | UnsetType = UNSET


_decode_texts = Decoder(tuple[str, ...]).decode
_decode_texts_or_numbers = Decoder(tuple[str | int | float, ...]).decode
_decode_persons = Decoder(tuple[_Person, ...]).decode


def _texts(array: bytes) -> _Values | None:
    if b"\\" in array:  # an escape, or values that are joined
        return None
    values = _decode_texts(array)
    for value in values:
        if value[-1:] <= " ":  # empty, or padded
            return None
    return values


def _texts_or_numbers(array: bytes) -> _Values | None:
    if b"\\" in array:
        return None
    values = _decode_texts_or_numbers(array)
    for value in values:
        if isinstance(value, str) and value[-1:] <= " ":
            return None
    return values


def _persons(array: bytes) -> _Values | None:
    if b"\\" in array:
        return None
    values: list[str] = []
    groups = 0
    for person in _decode_persons(array):
        written = [person.Alphabetic or "", person.Ideographic or "", person.Phonetic or ""]
        groups += 3 - (person.Alphabetic, person.Ideographic, person.Phonetic).count(UNSET)
        value = "=".join(written).rstrip("=")
        if value[-1:] <= " ":
            return None
        values.append(value)
    # Two strings a group, two quotes a string: more would be a group that stands twice.
    return tuple(values) if array.count(b'"') == 4 * groups else None


def _integers(lowest: int, highest: int) -> _Reader:
    value = Annotated[int, msgspec.Meta(ge=lowest, le=highest)]
    return Decoder(tuple[value, ...]).decode


_floats: _Reader = Decoder(tuple[float, ...]).decode
_tags: _Reader = Decoder(tuple[Annotated[str, msgspec.Meta(pattern=r"^[0-9A-F]{8}\Z")], ...]).decode
_READERS: dict[str, _Reader] = (
    dict.fromkeys(TEXT_VRS, _texts)
    | {vr: _integers(*limits) for vr, limits in INTEGER_RANGES.items() if vr not in EITHER_VRS}
    | dict.fromkeys(FLOAT_VRS, _floats)
    | {"DS": _texts_or_numbers, "IS": _texts_or_numbers, "PN": _persons}
    | {"AT": _tags}
)
_EMPTY = {f'{{"vr":"{vr}"}}'.encode(): Cell(vr) for vr in _READERS}
_STARTS = {f'{{"vr":"{vr}","Value":['.encode(): (vr, reader) for vr, reader in _READERS.items()}
_START = slice(20)
_ARRAY = slice(19, -1)


# The same with spaces or with the members in the other order, and addresses of bulk data.
_SPACE = r"[ \t\r\n]*+"
_VR = rf'"vr"{_SPACE}:{_SPACE}"([A-Z]{{2}})"'
_MEMBER = rf'(?:"Value"{_SPACE}:{_SPACE}(\[.*\])|"(BulkDataURI)"{_SPACE}:{_SPACE}"[ !#-\[\]-~]*+"){_SPACE}'
_MEMBERS = rf"{_VR}{_SPACE}(?:,{_SPACE}{_MEMBER})?|{_MEMBER},{_SPACE}{_VR}{_SPACE}"
_OTHERWISE = re.compile(rf"{_SPACE}\{{{_SPACE}(?:{_MEMBERS})\}}{_SPACE}".encode(), re.DOTALL)


def decode_json_element(tag: str, raw: bytes) -> Cell:
    """Decode the raw cell of a DICOM JSON element.

    Never raises: what is not JSON, or is JSON but not the DICOM JSON model, is read as far as its meaning is
    clear, and the cell's faults say what is wrong.

    Args:
        tag: Eight upper-case hex digits; gives the VR where the element has none.
        raw: The element's JSON text: an object, or a bare value as some archives send it.

    Returns:
        The cell. A single empty value (`[null]`, `[""]`) is the same as none. IS and DS stay text or number
        as sent; the other numeric VRs are numbers, NaN and infinities of FL and FD among them.
    """
    start = _STARTS.get(raw[_START])
    if start is not None and raw.endswith(b"]}"):
        vr, reader = start
        cell = _valued(vr, reader, raw[_ARRAY])
    else:
        cell = _EMPTY.get(raw) or _written_otherwise(raw)
    return cell or read_element(tag, raw)


def _written_otherwise(raw: bytes) -> Cell | None:
    """The cell of an element that differs from the usual text by spaces, order or a bulk data address."""
    written = _OTHERWISE.fullmatch(raw)
    if written is None:
        return None
    first, array, bulk, other_array, other_bulk, last = written.groups()
    vr = (first or last).decode()
    array = array or other_array
    if array is None:
        return Cell(vr, bulk=bool(bulk or other_bulk)) if vr in VRS else None
    reader = _READERS.get(vr)
    return _valued(vr, reader, array) if reader else None


def _valued(vr: str, reader: _Reader, array: bytes) -> Cell | None:
    """The cell with the values of an array; `None` where they have to be looked at one by one."""
    try:
        values = reader(array)
    except REFUSALS:
        return None
    return None if values is None else Cell(vr, values)
