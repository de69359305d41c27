"""How the bytes of elements are laid out (PS3.5 7.1): structs, VRs, delimiters and the names of tags.

A tag is read as one little endian number, so that one look-up names it; its group is the low half.
"""

from collections.abc import Callable
from struct import Struct, pack
from typing import Final

from heltig.standard.value_representations import VRS

KEPT_BYTES: Final = 65_535
"""A binary value longer than this is kept as its VR and length only."""

HEADER_LIMIT: Final = 128 * 1024 * 1024
"""Bytes of one header that are held or inflated before reading stops with a fault."""

ELEMENT_LIMIT: Final = 50_000
"""Elements of one data set or item after which reading stops with a fault."""

NESTING_LIMIT: Final = 64
"""How deep sequences of undefined length may be nested to be kept."""

ITEM_LIMIT: Final = 100_000
"""How many items of one sequence are read."""

EXPLICIT_HEADER: Final[Callable[[bytes, int], tuple[int, int, int]]] = Struct("<IHH").unpack_from
"""Tag, VR and the 16-bit length (or the two reserved bytes) of an explicit VR element."""

IMPLICIT_HEADER: Final[Callable[[bytes, int], tuple[int, int]]] = Struct("<II").unpack_from
"""Tag and length of an implicit VR element, an item or a delimiter."""

LENGTH_32: Final[Callable[[bytes, int], tuple[int]]] = Struct("<I").unpack_from

ITEM: Final = 0xE000FFFE
ITEM_END: Final = 0xE00DFFFE
SEQUENCE_END: Final = 0xE0DDFFFE


def vr_code(vr: str) -> int:
    """The two letters of a VR as the number that `EXPLICIT_HEADER` reads."""
    return int.from_bytes(vr.encode("ascii"), "little")


SHORT_VRS: Final = frozenset(vr_code(name) for name, entry in VRS.items() if not entry.long)
"""VRs with a 16-bit length (PS3.5 table 7.1-2)."""

LONG_VRS: Final = frozenset(vr_code(name) for name, entry in VRS.items() if entry.long)
"""VRs with two reserved bytes and a 32-bit length (PS3.5 table 7.1-1)."""

KEPT_NAMES: Final = frozenset({"SQ"} | {name for name, entry in VRS.items() if entry.text})
"""VRs whose values are kept whatever their length: sequences and text."""

KEPT_VRS: Final = frozenset(map(vr_code, KEPT_NAMES))

UN: Final = vr_code("UN")

SPECIFIC_CHARACTER_SET: Final = 0x00050008
PIXEL_REPRESENTATION: Final = 0x01030028
PIXEL_TAGS: Final = frozenset((0x00087FE0, 0x00097FE0, 0x00107FE0))
"""Float Pixel Data, Double Float Pixel Data and Pixel Data: what a header ends before."""

_COMMON_LIMIT = 65_536

COMMON_TAGS: Final[dict[int, str]] = {0x00000002: "00020000"}
"""Names of tags that need no attention of their own, as they come to be seen.

Group lengths, pixel data, delimiters and the two elements that say how to read others are never here: that
they are missing is how the walk notices them at no cost.
"""

_OTHER_TAGS: Final[dict[int, str]] = {}
_TAGS_REMEMBERED: Final = 65_536


def tag_name(number: int) -> str:
    """The eight hex digits of a tag; remembered, within bounds, since tags come from untrusted files."""
    return COMMON_TAGS.get(number) or _OTHER_TAGS.get(number) or _new_name(number)


def _new_name(number: int) -> str:
    name = f"{number & 0xFFFF:04X}{number >> 16:04X}"
    names = _OTHER_TAGS if _needs_attention(number) else COMMON_TAGS
    if len(names) < _TAGS_REMEMBERED:
        names[number] = name
    return name


def _needs_attention(number: int) -> bool:
    return (
        number >> 16 == 0
        or number & 0xFFFF == 0xFFFE
        or number in PIXEL_TAGS
        or number in (SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION)
    )


def is_letters(vr: int) -> bool:
    """Whether two bytes are capital letters, as every VR is, defined or not."""
    return 0x41 <= vr & 0xFF <= 0x5A and 0x41 <= vr >> 8 <= 0x5A


def tag_order(number: int) -> int:
    """A tag as the number that the standard sorts by."""
    return (number & 0xFFFF) << 16 | number >> 16


def explicit_cell(vr: str, value: bytes) -> bytes:
    """The raw cell of an element that was written without its VR.

    A value too long for its VR's 16-bit length is UN (PS3.5 6.2.2).
    """
    if vr_code(vr) in SHORT_VRS and len(value) <= 0xFFFF:
        return pack("<2sH", vr.encode("ascii"), len(value)) + value
    name = b"UN" if vr_code(vr) in SHORT_VRS else vr.encode("ascii")
    return pack("<2sHI", name, 0, len(value)) + value
