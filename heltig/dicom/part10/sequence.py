"""Where a value of undefined length ends (PS3.5 7.5): walked from item to item, without decoding."""

import struct

from heltig.dicom.cell import UNDEFINED_LENGTH
from heltig.dicom.part10.layout import (
    EXPLICIT_HEADER,
    IMPLICIT_HEADER,
    ITEM,
    ITEM_END,
    LENGTH_32,
    LONG_VRS,
    SEQUENCE_END,
    SHORT_VRS,
    is_letters,
)


class MoreNeeded(Exception):
    """The bytes in memory end before the value does.

    Attributes:
        size: Bytes that must be in memory to go on.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes are needed")
        self.size = size


class DamagedSequence(Exception):
    """What stands inside the value is neither an item nor an element.

    Attributes:
        position: Where in the bytes given.
        reason: What should stand there.
    """

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"{reason} at {position}")
        self.position = position
        self.reason = reason


def item_is_explicit(data: bytes, position: int, *, explicit: bool) -> bool:
    """Whether the elements of an item have VRs.

    Items inside implicit VR data have none. Inside explicit VR data those of a UN value have none
    (PS3.5 6.2.2), and some writers leave them out elsewhere too.
    """
    if not explicit:
        return False
    number, vr, _ = EXPLICIT_HEADER(data, position)
    return is_letters(vr) or number == ITEM_END


def end_of_sequence(data: bytes, position: int, *, explicit: bool) -> tuple[int, int]:
    """Find the end of the items, or fragments, that start at `position`.

    Returns:
        The place after the sequence delimitation item, and how deep sequences of undefined length are nested.

    Raises:
        MoreNeeded: The bytes in memory end first.
        DamagedSequence: Something else than an item or an element stands inside.
    """
    open_items: list[bool] = []  # whether the elements of each have VRs, outermost first
    depth = 1
    inside_item = False
    try:
        while True:
            if inside_item:
                number, vr, length = EXPLICIT_HEADER(data, position)
                if number == ITEM_END:
                    open_items.pop()
                    inside_item = False
                    position += 8
                    continue
                if number == SEQUENCE_END:
                    raise DamagedSequence(position, "an item that is not ended")
                head = 8
                if not open_items[-1] or not (vr in SHORT_VRS or is_letters(vr)):
                    (length,) = LENGTH_32(data, position + 4)
                elif vr in LONG_VRS:
                    (length,) = LENGTH_32(data, position + 8)
                    head = 12
                position += head
                if length == UNDEFINED_LENGTH:
                    inside_item = False
                    depth = max(depth, len(open_items) + 1)
                else:
                    position += length
            else:
                number, length = IMPLICIT_HEADER(data, position)
                position += 8
                if number == ITEM:
                    if length != UNDEFINED_LENGTH:
                        position += length
                        continue
                    inherited = open_items[-1] if open_items else explicit
                    open_items.append(item_is_explicit(data, position, explicit=inherited))
                    inside_item = True
                elif number == SEQUENCE_END:
                    if not open_items:
                        return position, depth
                    inside_item = True
                else:
                    raise DamagedSequence(position - 8, "no item")
    except struct.error:  # the bytes in memory end inside a header
        raise MoreNeeded(position + (12 if len(data) >= position + 8 else 8)) from None
