"""The header of a file for a data set that came by C-STORE: the preamble and the File Meta Information."""

import struct
from typing import Final

IMPLEMENTATION_CLASS: Final = "2.25.160218345931274011596203398710584423761"
IMPLEMENTATION_VERSION: Final = "HELTIG"

_LONG: Final = frozenset({"OB"})


def header_of(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """What stands before a data set in a Part 10 file (PS3.10 7.1).

    The same object gets the same header whoever sends it, and whenever: it is known by its bytes.

    Args:
        sop_class_uid: The Affected SOP Class UID of the request.
        sop_instance_uid: Its Affected SOP Instance UID.
        transfer_syntax_uid: The transfer syntax of its presentation context: that of the data set as it came.
    """
    elements = b"".join(
        (
            _element(0x0001, "OB", b"\x00\x01"),
            _uid(0x0002, sop_class_uid),
            _uid(0x0003, sop_instance_uid),
            _uid(0x0010, transfer_syntax_uid),
            _uid(0x0012, IMPLEMENTATION_CLASS),
            _element(0x0013, "SH", IMPLEMENTATION_VERSION.encode("ascii")),
        )
    )
    return bytes(128) + b"DICM" + _element(0x0000, "UL", struct.pack("<I", len(elements))) + elements


def _uid(element: int, uid: str) -> bytes:
    value = uid.encode("ascii", "replace")
    return _element(element, "UI", value + b"\x00" * (len(value) % 2))


def _element(element: int, vr: str, value: bytes) -> bytes:
    length = struct.pack("<HI", 0, len(value)) if vr in _LONG else struct.pack("<H", len(value))
    return struct.pack("<HH", 0x0002, element) + vr.encode("ascii") + length + value
