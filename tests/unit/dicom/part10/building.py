"""Part 10 bytes, built by hand so that a test shows every one of them."""

import struct

from heltig.dicom.cell import DataSet
from heltig.dicom.part10 import BytesSource, HeaderSource, read_header

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
MPEG_4 = "1.2.840.10008.1.2.4.102"
RLE = "1.2.840.10008.1.2.5"
UNDEFINED = 0xFFFFFFFF

LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
ITEM_END = bytes.fromhex("FEFF0DE000000000")
SEQUENCE_END = bytes.fromhex("FEFFDDE000000000")


def tag_bytes(tag: str, order: str = "<") -> bytes:
    return struct.pack(order + "HH", int(tag[:4], 16), int(tag[4:], 16))


def explicit(tag: str, vr: str, value: bytes = b"", *, length: int | None = None, order: str = "<") -> bytes:
    """An explicit VR element; `length` lies about the value's."""
    length = len(value) if length is None else length
    head = struct.pack(order + "HI", 0, length) if vr in LONG else struct.pack(order + "H", length)
    return tag_bytes(tag, order) + vr.encode("latin-1") + head + value


def implicit(tag: str, value: bytes = b"", *, length: int | None = None) -> bytes:
    return tag_bytes(tag) + struct.pack("<I", len(value) if length is None else length) + value


def item(content: bytes) -> bytes:
    return implicit("FFFEE000", content)


JPEG_STREAM = b"\xff\xd8\xff\xdb" + bytes(46)
"""The start of one, and nothing that could be decoded."""


def fragments(*contents: bytes, offsets: int = 0) -> bytes:
    """Pixel Data in fragments after a Basic Offset Table, its delimiter included."""
    items = item(bytes(4 * offsets)) + b"".join(map(item, contents))
    return explicit("7FE00010", "OB", items + SEQUENCE_END, length=UNDEFINED)


def open_item(content: bytes) -> bytes:
    return implicit("FFFEE000", length=UNDEFINED) + content + ITEM_END


def open_items(*contents: bytes) -> bytes:
    """The value of a sequence of undefined length with items of undefined length, its delimiter included."""
    return b"".join(map(open_item, contents)) + SEQUENCE_END


def meta(syntax: str | None = EXPLICIT, *, version: bool = True, length: int | None = None) -> bytes:
    """File meta; `length` lies about the group length."""
    body = explicit("00020001", "OB", b"\0\1") if version else b""
    body += explicit("00020002", "UI", b"1.2.840.10008.5.1.4.1.1.2\0")
    if syntax is not None:
        body += explicit("00020010", "UI", even(syntax.encode(), b"\0"))
    return explicit("00020000", "UL", struct.pack("<I", len(body) if length is None else length)) + body


def even(value: bytes, padding: bytes = b" ") -> bytes:
    return value + padding * (len(value) % 2)


def part10(data_set: bytes, syntax: str = EXPLICIT, *, preamble: bytes = b"") -> bytes:
    return preamble.ljust(128, b"\0") + b"DICM" + meta(syntax) + data_set


def read(data: bytes) -> DataSet:
    return read_header(BytesSource(data))


def cells(data_set: DataSet) -> dict[str, bytes]:
    """The raw cells by tag, file meta left out."""
    pairs = zip(data_set.tags, data_set.raws, strict=True)
    return {tag: bytes(raw) for tag, raw in pairs if not tag.startswith("0002")}


def kinds(data_set: DataSet) -> list[str]:
    return [fault.kind for fault in data_set.faults]


def details(data_set: DataSet) -> list[str]:
    return [fault.detail for fault in data_set.faults]


class CountedSource(HeaderSource):
    """A forward-only source that knows what was asked of it."""

    def __init__(self, data: bytes) -> None:
        self._inner = BytesSource(data)
        self.size = len(data)
        self.asked = 0
        self.given = 0

    def read(self, count: int) -> bytes:
        data = self._inner.read(count)
        self.asked += count
        self.given += len(data)
        return data


PATIENT = explicit("00100020", "LO", b"ID01")
"""An element that follows others in a data set."""

FIRST = explicit("00080060", "CS", b"CT") + PATIENT
"""A small explicit VR data set."""

FIRST_IMPLICIT = implicit("00080060", b"CT") + implicit("00100020", b"ID01") + implicit("0020000D", b"1.20")
