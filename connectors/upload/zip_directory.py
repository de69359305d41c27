"""The central directory of a ZIP (PKWARE APPNOTE 6.3.10), read with nothing but the directory itself.

`zipfile` is not used: it cuts names at a NUL, guesses where prepended data ends, and costs more a member than
reading the member's head.
"""

import struct
from typing import BinaryIO, Final

import msgspec

from connectors.upload.limits import Limits

STORED: Final = 0
DEFLATED: Final = 8
ENCRYPTED_FLAGS: Final = 0x0001 | 0x0040 | 0x2000
"""Encrypted; strong encryption; directory values masked (APPNOTE 4.4.4)."""

LOCAL_MAGIC: Final = b"PK\x03\x04"
CENTRAL_MAGIC: Final = b"PK\x01\x02"
END_MAGIC: Final = b"PK\x05\x06"
"""Of the end record: an empty ZIP has nothing before it."""

_END = struct.Struct("<4s4H2LH")
_END_LONGEST = _END.size + 0xFFFF
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_HEADER = struct.Struct("<4s6H3L5H2L")
_MAXED_16 = 0xFFFF
_MAXED_32 = 0xFFFFFFFF
_ZIP64_FIELD = 0x0001


_SEND_AGAIN: Final = "copy or send it again"
_MAKE_PLAIN: Final = "make a plain ZIP of the files"
IN_FRONT: Final = f"something stands in front of the ZIP, as in a self-extracting program; {_MAKE_PLAIN}"
_MISPLACED: Final = "the ZIP's directory is not where its end record says"


class UnusablePackageError(Exception):
    """A ZIP that cannot be read as a whole; `kind` is one of `connectors.upload.facts.KINDS`."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One member as the central directory declares it.

    Attributes:
        name: Its name as the ZIP's bytes have it.
        offset: Where its local header starts in the ZIP.
        packed: Bytes of its data in the ZIP.
        size: Bytes of its data unpacked.
        crc: CRC-32 of the unpacked data.
        method: Compression method (APPNOTE 4.4.5).
        flags: General purpose bit flag (APPNOTE 4.4.4).
        mode: Unix file type and permissions, 0 where the ZIP was not made on such a system.
    """

    name: bytes
    offset: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int
    mode: int


class Directory(msgspec.Struct, frozen=True):
    """The members of one ZIP, and the offset at which the directory starts and their data must have ended."""

    entries: tuple[Entry, ...]
    start: int


def is_zip(magic: bytes) -> bool:
    """Whether a file that starts with these bytes is a ZIP."""
    return magic.startswith((LOCAL_MAGIC, END_MAGIC))


def ends_like_zip(file: BinaryIO) -> bool:
    """Whether a file has a ZIP's directory and end record at its end, whatever stands in front of them."""
    length = file.seek(0, 2)
    file.seek(max(0, length - _END_LONGEST))
    tail = file.read(_END_LONGEST)
    place = _end_record(tail)
    if place < 0:
        return False
    size = int(_END.unpack_from(tail, place)[5])
    file.seek(max(0, length - len(tail) + place - size))
    return file.read(4) == CENTRAL_MAGIC


def read_directory(file: BinaryIO, limits: Limits) -> Directory:
    """Read the central directory of an open ZIP.

    Raises:
        UnusablePackageError: The ZIP is cut off, damaged, split over disks, or beyond a limit.
        OSError: The file cannot be read.
    """
    file.seek(0)
    magic = file.read(4)
    if not magic:
        raise _damaged("the file is empty")
    if not is_zip(magic):
        raise UnusablePackageError("damaged-package", IN_FRONT)
    count, size, start = _locate(file)
    if count > limits.members:
        raise _too_many(limits)
    if size > limits.directory_bytes:
        raise UnusablePackageError(
            "too-many", f"its directory has {size} bytes, over the limit of {limits.directory_bytes}"
        )
    file.seek(start)
    data = file.read(size)
    if len(data) < size or (count and data[:4] != CENTRAL_MAGIC):
        raise _damaged(_MISPLACED)
    entries = _entries(data, limits)
    if len(entries) != count and len(entries) & _MAXED_16 != count:  # old writers let the count overflow
        raise _damaged(f"the directory lists {len(entries)} members where the end record says {count}")
    return Directory(entries, start)


def _locate(file: BinaryIO) -> tuple[int, int, int]:
    """The number of entries, the size and the start of the directory, from the end records."""
    length = file.seek(0, 2)
    file.seek(max(0, length - _END_LONGEST))
    tail = file.read(_END_LONGEST)
    place = _end_record(tail)
    if place < 0:
        raise _damaged("the ZIP has no end record: it is cut off or damaged")
    _, disk, first_disk, _, count, size, start, _ = _END.unpack_from(tail, place)
    end = length - len(tail) + place
    locator = end - _LOCATOR.size
    if locator >= 0:
        file.seek(locator)
        magic, _, end_64, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
        if magic == b"PK\x06\x07":
            disk, first_disk, count, size, start = _end_64(file, end_64)
            end = end_64
    if disk or first_disk:
        raise _damaged("the ZIP is one part of several", mend="join them first")
    if start + size != end:  # readers would disagree on what it holds
        extra = end - start - size
        if extra < 0:
            raise _damaged(f"{_MISPLACED}: {-extra} bytes are missing")
        raise _damaged(f"{_MISPLACED}: {extra} bytes were put into it or in front of it", mend=_MAKE_PLAIN)
    return count, size, start


def _end_record(tail: bytes) -> int:
    """Where the end record stands; -1 where there is none."""
    place = tail.rfind(END_MAGIC)
    while place >= 0 and not _ends_within(tail, place):
        place = tail.rfind(END_MAGIC, 0, place)
    return place


def _ends_within(tail: bytes, place: int) -> bool:
    if place + _END.size > len(tail):
        return False
    comment: int = _END.unpack_from(tail, place)[-1]
    return place + _END.size + comment <= len(tail)


def _end_64(file: BinaryIO, offset: int) -> tuple[int, int, int, int, int]:
    file.seek(min(offset, file.seek(0, 2)))
    record = file.read(_END_64.size)
    if len(record) < _END_64.size or record[:4] != b"PK\x06\x06":
        raise _damaged("the ZIP64 end record is not where its locator says")
    _, _, _, _, disk, first_disk, _, count, size, start = _END_64.unpack(record)
    return disk, first_disk, count, size, start


def _entries(data: bytes, limits: Limits) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    place, length = 0, len(data)
    while place < length:
        if data[place : place + 4] != CENTRAL_MAGIC or place + _HEADER.size > length:
            raise _damaged(f"entry {len(entries) + 1} of the directory is damaged")
        (
            _,
            made_by,
            _,
            flags,
            method,
            _,
            _,
            crc,
            packed,
            size,
            named,
            extra,
            comment,
            _,
            _,
            external,
            offset,
        ) = _HEADER.unpack_from(data, place)
        name_at = place + _HEADER.size
        extra_at = name_at + named
        place = extra_at + extra + comment
        if place > length:
            raise _damaged(f"entry {len(entries) + 1} of the directory is cut off")
        if _MAXED_32 in (packed, size, offset):
            size, packed, offset = widened(data[extra_at : extra_at + extra], size, packed, offset)
        mode = external >> 16 if made_by >> 8 else 0
        entries.append(Entry(data[name_at:extra_at], offset, packed, size, crc, method, flags, mode))
        if len(entries) > limits.members:
            raise _too_many(limits)
    return tuple(entries)


def widened(extra: bytes, *values: int) -> tuple[int, ...]:
    """Values of 32 bits, those at their maximum replaced from the ZIP64 extra field (APPNOTE 4.5.3)."""
    field = _extra_field(extra, _ZIP64_FIELD)
    wide: list[int] = []
    for value in values:
        if value == _MAXED_32 and len(field) >= 8:
            value, field = int.from_bytes(field[:8], "little"), field[8:]
        wide.append(value)
    return tuple(wide)


def _extra_field(extra: bytes, wanted: int) -> bytes:
    place = 0
    while place + 4 <= len(extra):
        field, length = struct.unpack_from("<2H", extra, place)
        if field == wanted:
            return extra[place + 4 : place + 4 + length]
        place += 4 + length
    return b""


def _damaged(what: str, *, mend: str = _SEND_AGAIN) -> UnusablePackageError:
    return UnusablePackageError("damaged-package", f"{what}; {mend}")


def _too_many(limits: Limits) -> UnusablePackageError:
    return UnusablePackageError("too-many", f"it has more than {limits.members} members")
