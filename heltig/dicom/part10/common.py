"""The two loops that take nearly all elements of a header: an element costs a tag look-up and a slice.

They stop at whatever needs thought: a tag not seen before, a long value, an undefined length, an undefined
VR, the end of the bytes in memory.
"""

import struct

from heltig.dicom.part10.layout import (
    COMMON_TAGS,
    EXPLICIT_HEADER,
    IMPLICIT_HEADER,
    KEPT_BYTES,
    LENGTH_32,
    LONG_VRS,
    SHORT_VRS,
)


def common_explicit(data: bytes, position: int, tags: list[str], raws: list[bytes]) -> int:
    """Take explicit VR elements as long as they are whole and common; returns where that ended."""
    add_tag, add_raw = tags.append, raws.append
    header, tag_of, short_vrs = EXPLICIT_HEADER, COMMON_TAGS.get, SHORT_VRS  # locals are faster than globals
    size = len(data)
    try:
        while True:
            number, vr, length = header(data, position)
            tag = tag_of(number)
            if tag is None:
                return position
            if vr in short_vrs:
                end = position + 8 + length
            elif vr in LONG_VRS:
                (length,) = LENGTH_32(data, position + 8)
                if length > KEPT_BYTES:
                    return position
                end = position + 12 + length
            else:
                return position
            if end > size:
                return position
            add_tag(tag)
            add_raw(data[position + 4 : end])
            position = end
    except struct.error:  # the bytes in memory end inside an element's header
        return position


def common_implicit(data: bytes, position: int, tags: list[str], raws: list[bytes]) -> int:
    """Take implicit VR elements as long as they are whole and common; returns where that ended."""
    add_tag, add_raw = tags.append, raws.append
    header, tag_of = IMPLICIT_HEADER, COMMON_TAGS.get
    size = len(data)
    try:
        while True:
            number, length = header(data, position)
            tag = tag_of(number)
            end = position + 8 + length
            if tag is None or length > KEPT_BYTES or end > size:
                return position
            add_tag(tag)
            add_raw(data[position + 4 : end])
            position = end
    except struct.error:  # the bytes in memory end inside an element's header
        return position
