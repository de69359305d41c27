"""Raw cells of Part 10 elements, as tests write them."""

import struct

from heltig.standard.value_representations import VRS

PRIVATE = "00091001"
ITEM = bytes.fromhex("FEFF00E0")
SEQUENCE_END = bytes.fromhex("FEFFDDE000000000")
PATIENT_ID = bytes.fromhex("10002000")


def explicit(vr: str, value: bytes, *, length: int | None = None) -> bytes:
    """A raw cell in explicit VR; its length is the value's unless given."""
    length = len(value) if length is None else length
    head = struct.pack("<HI", 0, length) if VRS[vr].long else struct.pack("<H", length)
    return vr.encode("ascii") + head + value


def implicit(value: bytes, *, length: int | None = None) -> bytes:
    """A raw cell in implicit VR; its length is the value's unless given."""
    return struct.pack("<I", len(value) if length is None else length) + value


def item(content: bytes) -> bytes:
    """An item of defined length (PS3.5 7.5.1)."""
    return ITEM + struct.pack("<I", len(content)) + content
