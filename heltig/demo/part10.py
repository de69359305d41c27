"""Data sets in DICOM JSON written as Part 10 files, broken values as they are (PS3.10 7, PS3.5 7)."""

import base64
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pydicom.charset import convert_encodings, encode_string
from pydicom.valuerep import PersonName

from heltig.demo.pixels import pixel_data

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLEMENTATION_CLASS = "2.25.222905428173650924563894135236671914512"
IMPLEMENTATION_VERSION = "HELTIG DEMO"

Element: TypeAlias = Mapping[str, Any]
Encodings: TypeAlias = list[str]

_LONG = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
"""VRs whose length takes four bytes after two reserved ones (PS3.5 7.1.2)."""
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
_LOCALISED = frozenset(["LO", "LT", "PN", "SH", "ST", "UC", "UT"])
"""VRs whose text is in the Specific Character Set (PS3.5 6.2)."""


def part10(dataset: Mapping[str, Element], file_values: Mapping[str, bytes]) -> bytes:
    """Write one instance in Explicit VR Little Endian; Pixel Data is made up.

    Args:
        dataset: The instance in DICOM JSON.
        file_values: Value bytes, by tag, that the file has instead of those that the text would give.
    """
    charset = [term or "" for term in dataset.get("00080005", {}).get("Value", [])] or [""]
    encodings = convert_encodings(charset)
    written = b"".join(
        _element(tag, element, encodings, file_values.get(tag), lambda: pixel_data(dataset))
        for tag, element in dataset.items()
    )
    return bytes(128) + b"DICM" + _file_meta(dataset) + written


def _file_meta(dataset: Mapping[str, Element]) -> bytes:
    elements: dict[str, Element] = {
        "00020001": {"vr": "OB", "InlineBinary": base64.b64encode(b"\0\1").decode()},
        "00020002": {"vr": "UI", "Value": dataset.get("00080016", {}).get("Value", [])},
        "00020003": {"vr": "UI", "Value": dataset.get("00080018", {}).get("Value", [])},
        "00020010": {"vr": "UI", "Value": [EXPLICIT_LITTLE_ENDIAN]},
        "00020012": {"vr": "UI", "Value": [IMPLEMENTATION_CLASS]},
        "00020013": {"vr": "SH", "Value": [IMPLEMENTATION_VERSION]},
    }
    body = b"".join(_element(tag, element, ["ascii"], None, bytes) for tag, element in elements.items())
    length: Element = {"vr": "UL", "Value": [len(body)]}
    return _element("00020000", length, ["ascii"], None, bytes) + body


def _element(
    tag: str, element: Element, encodings: Encodings, value: bytes | None, pixels: Callable[[], bytes]
) -> bytes:
    vr: str = element["vr"]
    if value is None:
        value = pixels() if "BulkDataURI" in element else _value(vr, element, encodings)
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    length = struct.pack("<2xI" if vr in _LONG else "<H", len(value))
    return _tag(tag) + vr.encode() + length + value


def _value(vr: str, element: Element, encodings: Encodings) -> bytes:
    if "InlineBinary" in element:
        return base64.b64decode(element["InlineBinary"])
    values = element.get("Value", [])
    if vr == "SQ":
        return b"".join(_item(item, encodings) for item in values)
    if vr in _NUMBERS:
        return struct.pack(f"<{len(values)}{_NUMBERS[vr]}", *values)
    if vr == "AT":
        return b"".join(map(_tag, values))
    return b"\\".join(_text(vr, value, encodings) for value in values)


def _item(item: Mapping[str, Element], encodings: Encodings) -> bytes:
    body = b"".join(_element(tag, element, encodings, None, bytes) for tag, element in item.items())
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(body)) + body


def _tag(tag: str) -> bytes:
    return struct.pack("<HH", int(tag[:4], 16), int(tag[4:], 16))


def _text(vr: str, value: Any, encodings: Encodings) -> bytes:
    if value is None:
        return b""
    if vr == "PN":
        groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
        encoded: bytes = PersonName("=".join(groups).rstrip("=")).encode(encodings)
        return encoded
    if vr in _LOCALISED:
        text: bytes = encode_string(str(value), encodings)
        return text
    return str(value).encode("ascii")
