"""Whether the pixel data of a file are as long as they say, without reading them (PS3.5 8, A.4)."""

from typing import Final, NamedTuple

from heltig.dicom.cell import UNDEFINED_LENGTH, Fault
from heltig.dicom.part10.layout import (
    ELEMENT_LIMIT,
    EXPLICIT_HEADER,
    IMPLICIT_HEADER,
    ITEM,
    LENGTH_32,
    LONG_VRS,
    SEQUENCE_END,
    SHORT_VRS,
    tag_name,
)
from heltig.dicom.part10.window import Window

_DELIMITER: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"
_LATER_GROUPS: Final = range(0x7FE0, 0xFFFD)


class PixelValue(NamedTuple):
    """Where the value of a pixel data element starts in the object.

    Attributes:
        tag: Which of the three elements it is.
        place: Offset of the value.
        length: Bytes that it declares.
        explicit: The element is written with its VR.
    """

    tag: str
    place: int
    length: int
    explicit: bool


def pixel_faults(window: Window, value: PixelValue) -> list[Fault]:
    """Say what is missing from the pixel data, and what stands after them that is no element.

    Encapsulated pixel data, and what follows any, are looked at only where that costs no reading.
    """
    size = window.source.size
    if size is None:
        return []
    there = size - value.place
    if value.length == UNDEFINED_LENGTH:
        return _encapsulated(window, value, there)
    if value.length > there:
        return [Fault("truncated", f"{value.tag} declares {value.length} bytes, {max(there, 0)} are there")]
    if value.length == there or not window.source.seekable:
        return []
    position, _ = window.skip(value.place - window.base, value.length)
    return _after(window, position, there - value.length, explicit=value.explicit)


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
            return _after(window, position, left, explicit=True)
        if number != ITEM:
            place = window.base + position - 8
            return [Fault("unreadable", f"{value.tag}: no fragment at offset {place}")]
        position, passed = window.skip(position, length)
        if passed < length:
            detail = f"a fragment of {value.tag} declares {length} bytes, {passed} are there"
            return [Fault("truncated", detail)]


def _after(window: Window, position: int, left: int, *, explicit: bool) -> list[Fault]:
    """What is wrong with the bytes after the pixel data: they are no elements, or the last of them is cut.

    Data Set Trailing Padding (PS3.10 7.2) and digital signatures may stand there.
    """
    for _ in range(ELEMENT_LIMIT):
        if not left:
            break
        position = window.reach(position, 12)
        header = window.data[position : position + 12]
        if len(header) < 8 or int.from_bytes(header[:2], "little") not in _LATER_GROUPS:
            return [Fault("trailing", f"{left} bytes after the pixel data")]
        number, vr, short = EXPLICIT_HEADER(header, 0)
        head = 12 if explicit and vr in LONG_VRS else 8
        if len(header) < head:
            return [Fault("truncated", f"{tag_name(number)} after the pixel data has no whole header")]
        length = short
        if head == 12 or not explicit:
            (length,) = LENGTH_32(header, head - 4)
        elif vr not in SHORT_VRS:
            break
        if length == UNDEFINED_LENGTH:
            break
        left -= head
        if length > left:
            detail = f"{tag_name(number)} declares {length} bytes, {left} are there"
            return [Fault("truncated", detail)]
        position, _ = window.skip(position + head, length)
        left -= length
    return []
