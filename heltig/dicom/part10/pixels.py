"""Whether the pixel data of a file are as long as they say, without reading them (PS3.5 8, A.4)."""

from typing import Final, NamedTuple

from heltig.dicom.cell import UNDEFINED_LENGTH, Fault
from heltig.dicom.part10.layout import EXPLICIT_HEADER, IMPLICIT_HEADER, ITEM, SEQUENCE_END
from heltig.dicom.part10.window import Window

_DELIMITER: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"
_LATER_GROUPS: Final = range(0x7FE0, 0xFFFD)


class PixelValue(NamedTuple):
    """Where the value of a pixel data element starts in the object, and its declared length."""

    tag: str
    place: int
    length: int


def pixel_faults(window: Window, value: PixelValue) -> list[Fault]:
    """Say what is missing from the pixel data, and what stands after them that is no element.

    Encapsulated pixel data, and what follows native ones, are looked at only where that costs no reading.
    """
    size = window.source.size
    if size is None:
        return []
    there = size - value.place
    if value.length == UNDEFINED_LENGTH:
        return _encapsulated(window, value, there)
    if value.length > there:
        return [Fault("truncated", f"{value.tag} declares {value.length} bytes, {max(there, 0)} are there")]
    return _trailing(window, value.place - window.base, value.length, there - value.length)


def _encapsulated(window: Window, value: PixelValue, there: int) -> list[Fault]:
    if not window.source.seekable or window.source.tail(len(_DELIMITER)) == _DELIMITER:
        return []
    position = value.place - window.base
    while True:
        position = window.reach(position, 8)
        if len(window.data) - position < 8:
            return [Fault("truncated", f"{value.tag} has no end, {there} bytes are there")]
        number, length = IMPLICIT_HEADER(window.data, position)
        position += 8
        if number == SEQUENCE_END:
            left = (window.source.size or 0) - window.base - position
            return _trailing(window, position, 0, left)
        if number != ITEM:
            place = window.base + position - 8
            return [Fault("unreadable", f"{value.tag}: no fragment at offset {place}")]
        position, passed = window.skip(position, length)
        if passed < length:
            detail = f"a fragment of {value.tag} declares {length} bytes, {passed} are there"
            return [Fault("truncated", detail)]


def _trailing(window: Window, position: int, length: int, left: int) -> list[Fault]:
    if not left or not window.source.seekable:
        return []
    position, _ = window.skip(position, length)
    position = window.reach(position, 8)
    header = window.data[position : position + 8]
    if len(header) == 8:
        number, _, _ = EXPLICIT_HEADER(header, 0)
        if number & 0xFFFF in _LATER_GROUPS:
            return []
    return [Fault("trailing", f"{left} bytes after the pixel data")]
