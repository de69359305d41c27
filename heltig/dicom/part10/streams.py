"""How compressed pixel data start, and what each transfer syntax wants (PS3.5 8.2 and annex A.4)."""

from typing import Final, NamedTuple

_RLE_HEADER: Final = 64
_RLE_SEGMENTS: Final = range(1, 16)
SIGNATURE_BYTES: Final = 12
"""Bytes of a stream that tell its kind."""

_STARTS: Final = (
    (b"\xff\xd8\xff\xf7", "JPEG-LS"),
    *((b"\xff\xd8\xff" + bytes([marker]), "JPEG") for marker in (0xC0, 0xC1, 0xC3, 0xC4, 0xDB)),
    (b"\xff\xd8", "JPEG or JPEG-LS"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),  # in a box of a JP2 file, which decoders take
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
)


class Family(NamedTuple):
    """Transfer syntaxes of which each frame is a stream of one kind, in fragments of its own.

    Attributes:
        name: What the stream is called.
        kinds: What `kind_of` may say of its start.
    """

    name: str
    kinds: frozenset[str]


_JPEG: Final = Family("JPEG", frozenset({"JPEG", "JPEG or JPEG-LS"}))
_JPEG_LS: Final = Family("JPEG-LS", frozenset({"JPEG-LS", "JPEG or JPEG-LS"}))
_JPEG_2000: Final = Family("JPEG 2000", frozenset({"JPEG 2000"}))
_JPEG_XL: Final = Family("JPEG XL", frozenset({"JPEG XL"}))
_RLE: Final = Family("RLE", frozenset({"RLE"}))

_FAMILIES: Final = {
    **{f"1.2.840.10008.1.2.4.{number}": _JPEG for number in range(50, 71)},
    **{f"1.2.840.10008.1.2.4.{number}": _JPEG_LS for number in (80, 81)},
    **{f"1.2.840.10008.1.2.4.{number}": _JPEG_2000 for number in (90, 91, 201, 202, 203)},
    **{f"1.2.840.10008.1.2.4.{number}": _JPEG_XL for number in (110, 111, 112)},
    "1.2.840.10008.1.2.5": _RLE,
}
"""Video, and JPEG 2000 of several components (92, 93), have many frames in one stream, and are not here."""


def family_of(transfer_syntax_uid: str) -> Family | None:
    """The family of a transfer syntax; None where nothing can be told of the streams."""
    return _FAMILIES.get(transfer_syntax_uid)


def kind_of(start: bytes) -> str:
    """What kind of stream starts so; empty for none that is known.

    >>> kind_of(bytes.fromhex("ff4fff51002f"))
    'JPEG 2000'
    >>> kind_of(bytes.fromhex("ffffd8ffdb0043"))
    'JPEG'
    """
    # A marker may come after fill bytes (ISO/IEC 10918-1 B.1.1.2).
    start = b"\xff" + start.lstrip(b"\xff") if start.startswith(b"\xff") else start
    for magic, kind in _STARTS:
        if start.startswith(magic):
            return kind
    segments, offset = int.from_bytes(start[:4], "little"), int.from_bytes(start[4:8], "little")
    return "RLE" if segments in _RLE_SEGMENTS and offset == _RLE_HEADER else ""
