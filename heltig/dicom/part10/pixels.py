"""Whether the pixel data of a file are as long as they say, without reading them (PS3.5 8, A.4)."""

from collections.abc import Sequence
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
from heltig.dicom.part10.order import order_faults
from heltig.dicom.part10.streams import SIGNATURE_BYTES, Family, family_of, kind_of
from heltig.dicom.part10.window import Window

TRANSFER_SYNTAX_UID: Final = "00020010"
_NUMBER_OF_FRAMES: Final = "00280008"
_DIGITS: Final = 12  # of an IS value, and of any number of frames (PS3.5 6.2)
_OFFSET_BYTES: Final = 4
_FRAGMENT_START: Final = 8 + SIGNATURE_BYTES
_COUNTED: Final = 1_000  # frames: each costs a look at another place of the file, and a slide has many more
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


class _Image(NamedTuple):
    """What the header says of compressed pixel data.

    Attributes:
        family: None where nothing can be told of the streams.
        frames: None where their number cannot be read, or is none.
    """

    family: Family | None
    frames: int | None


def pixel_faults(
    window: Window, value: PixelValue, tags: Sequence[str], raws: Sequence[bytes]
) -> list[Fault]:
    """Say what is missing from the pixel data, and what stands after them that is no element.

    Encapsulated pixel data, and what follows any, are looked at only where that costs little reading: of a
    stream that is read forward, and of a very long one, only the first fragment is.

    Args:
        window: Where the header was read.
        value: The pixel data.
        tags: Of the header's elements.
        raws: Their raw cells.
    """
    size = window.source.size
    if size is None:
        return []
    there = size - value.place
    if value.length == UNDEFINED_LENGTH:
        return _encapsulated(window, value, there, _image(tags, raws))
    if value.length > there:
        return [Fault("truncated", f"{value.tag} declares {value.length} bytes, {max(there, 0)} are there")]
    if value.length == there or not window.source.seekable:
        return []
    position, _ = window.skip(value.place - window.base, value.length)
    return _after(window, position, there - value.length, value)


def text_of(tag: str, tags: Sequence[str], raws: Sequence[bytes]) -> str:
    """The text of an element such as a UID, of whose raw cell four bytes stand before it; empty for none."""
    if tag not in tags:
        return ""
    return bytes(raws[tags.index(tag)])[4:].decode("ascii", "replace").strip(" \0")


def _image(tags: Sequence[str], raws: Sequence[bytes]) -> _Image:
    frames = text_of(_NUMBER_OF_FRAMES, tags, raws) or "1"
    is_number = frames.isascii() and frames.isdigit() and len(frames) <= _DIGITS
    family = family_of(text_of(TRANSFER_SYNTAX_UID, tags, raws))
    return _Image(family, (int(frames) or None) if is_number else None)


def _encapsulated(window: Window, value: PixelValue, there: int, image: _Image) -> list[Fault]:
    """Walk from fragment to fragment as far as something is to be learnt from it."""
    source = window.source
    is_closed = not source.seekable or source.tail(len(_DELIMITER)) == _DELIMITER
    frames = image.frames or 1
    is_counted = source.seekable and image.family is not None and frames <= _COUNTED
    enough = frames if is_counted else 1
    position = value.place - window.base
    offsets, fragments = -1, 0
    faults: list[Fault] = []
    while True:
        position = window.reach(position, _FRAGMENT_START, ahead=_FRAGMENT_START)
        if len(window.data) - position < 8:
            return [*faults, Fault("truncated", f"{value.tag} has no end, {there} bytes are there")]
        number, length = IMPLICIT_HEADER(window.data, position)
        position += 8
        if number == SEQUENCE_END:
            faults += _lacking(image, offsets, fragments)
            if source.seekable:
                left = (source.size or 0) - window.base - position
                faults += _after(window, position, left, value)
            return faults
        if number != ITEM:
            place = window.base + position - 8
            return [*faults, Fault("unreadable", f"{value.tag}: no fragment at offset {place}")]
        if offsets < 0:
            offsets = length // _OFFSET_BYTES
        elif length:
            fragments += 1
            if fragments == 1:
                faults += _of_other_kind(image, window.data[position : position + SIGNATURE_BYTES])
        if fragments >= enough and is_closed:
            break
        position, passed = window.skip(position, length)
        if passed < length:
            detail = f"a fragment of {value.tag} declares {length} bytes, {passed} are there"
            return [*faults, Fault("truncated", detail)]
    return [*faults, *_lacking(image, offsets, fragments if is_counted else frames)]


def _lacking(image: _Image, offsets: int, fragments: int) -> list[Fault]:
    """What is wrong with the numbers of fragments and offsets: each frame has one or more (PS3.5 A.4)."""
    if not fragments:
        return [Fault("fragments", "no fragment has anything in it")]
    if image.family is None or image.frames is None:
        return []
    wanted = f"for {image.frames} frame" + "s" * (image.frames > 1)
    if fragments < image.frames:
        return [Fault("fragments", f"{fragments} fragments {wanted}")]
    if offsets not in (0, image.frames):
        return [Fault("fragments", f"{offsets} offsets {wanted}")]
    return []


def _of_other_kind(image: _Image, start: bytes) -> list[Fault]:
    kind = kind_of(start)
    if image.family is None or kind in image.family.kinds:
        return []
    return [Fault("compression", f"{kind or 'no known kind'} where {image.family.name} is declared")]


def _after(window: Window, position: int, left: int, value: PixelValue) -> list[Fault]:
    """What is wrong with the bytes after the pixel data: they are no elements, or the last of them is cut.

    Data Set Trailing Padding (PS3.10 7.2) and digital signatures may stand there.
    """
    last = value.tag
    for _ in range(ELEMENT_LIMIT):
        if not left:
            break
        position = window.reach(position, 12)
        header = window.data[position : position + 12]
        if len(header) < 8 or int.from_bytes(header[:2], "little") not in _LATER_GROUPS:
            return [Fault("trailing", f"{left} bytes after the pixel data")]
        number, vr, short = EXPLICIT_HEADER(header, 0)
        name, before, last = tag_name(number), last, tag_name(number)
        if name <= before:
            return order_faults([before, name])
        head = 12 if value.explicit and vr in LONG_VRS else 8
        if len(header) < head:
            return [Fault("truncated", f"{name} after the pixel data has no whole header")]
        length = short
        if head == 12 or not value.explicit:
            (length,) = LENGTH_32(header, head - 4)
        elif vr not in SHORT_VRS:
            break
        if length == UNDEFINED_LENGTH:
            break
        left -= head
        if length > left:
            return [Fault("truncated", f"{name} declares {length} bytes, {left} are there")]
        position, _ = window.skip(position + head, length)
        left -= length
    return []
