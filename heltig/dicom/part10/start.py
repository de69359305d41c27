"""Where a data set starts and how it is written, told from its first bytes.

Used for files without preamble, without file meta or with a transfer syntax that cannot be believed. A start
is believed when several elements follow one another in ascending order.
"""

import struct
from typing import Literal, TypeAlias

from heltig.dicom.cell import UNDEFINED_LENGTH
from heltig.dicom.part10.layout import (
    EXPLICIT_HEADER,
    IMPLICIT_HEADER,
    LENGTH_32,
    LONG_VRS,
    SHORT_VRS,
    is_letters,
    tag_order,
)

Writing: TypeAlias = Literal["explicit", "implicit", "big endian"]

_ENOUGH = 4
_FIRST_GROUPS = range(0x0002, 0x0021)
_BIG_HEADER = struct.Struct(">HH2sH").unpack_from
_BIG_LENGTH = struct.Struct(">I").unpack_from


def writing_at(data: bytes, position: int) -> Writing | None:
    """How the elements that start at a place are written; `None` where no data set starts there."""
    for writing in _WRITINGS:
        if _is_data_set(data, position, writing):
            return writing
    return None


def first_element_is_explicit(data: bytes) -> bool:
    """Whether the element that data start with has a VR.

    An implicit VR element seems to have one only when it is longer than 16 KiB, which no first element is.
    """
    return is_letters(int.from_bytes(data[4:6], "little"))


_WRITINGS: tuple[Writing, ...] = ("explicit", "big endian", "implicit")


def _is_data_set(data: bytes, position: int, writing: Writing) -> bool:
    """Whether up to `_ENOUGH` elements follow one another; fewer only where they end with the data."""
    last = -1
    for count in range(_ENOUGH):
        if position == len(data):
            return count > 1
        try:
            order, end, open_end = _element(data, position, writing)
        except (struct.error, ValueError):
            return False
        if order <= last or (last < 0 and order >> 16 not in _FIRST_GROUPS):
            return False
        if open_end or end > len(data):
            return count > 0
        last, position = order, end
    return True


def _element(data: bytes, position: int, writing: Writing) -> tuple[int, int, bool]:
    """Tag in the standard's order, end, and whether the length is undefined.

    Raises:
        ValueError: No defined VR where there must be one.
        struct.error: The data end inside the header.
    """
    if writing == "implicit":
        number, length = IMPLICIT_HEADER(data, position)
        return tag_order(number), position + 8 + length, length == UNDEFINED_LENGTH
    if writing == "explicit":
        number, vr, length = EXPLICIT_HEADER(data, position)
        order, length_32 = tag_order(number), LENGTH_32
    else:
        group, element, name, length = _BIG_HEADER(data, position)
        order, vr, length_32 = group << 16 | element, int.from_bytes(name, "little"), _BIG_LENGTH
    if vr in SHORT_VRS:
        return order, position + 8 + length, False
    if vr not in LONG_VRS:
        raise ValueError("no VR")
    (length,) = length_32(data, position + 8)
    return order, position + 12 + length, length == UNDEFINED_LENGTH
