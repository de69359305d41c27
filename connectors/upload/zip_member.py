"""The members of one ZIP, read through the entries of its directory.

Only as much of a member is read and inflated as is asked for. A member whose bytes do not unpack never raises
in the middle of a read: it ends there, and says so in `damage`.
"""

import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from struct import Struct
from typing import Final, Self

from connectors.upload.zip_directory import DEFLATED, LOCAL_MAGIC, Entry, widened
from heltig.dicom.part10 import HeaderSource

_LOCAL = Struct("<4s5H3L2H")
_EXTRA_GUESS: Final = 64
_DESCRIPTOR_FLAG: Final = 0x0008
_STORED_AHEAD: Final = 8192
_DEFLATED_AHEAD: Final = 2048
"""Packed bytes of a first read: inflating is what costs. The pieces that follow grow, up to `_WHOLE`."""
_WHOLE: Final = 256 * 1024


class MemberError(Exception):
    """A member that cannot be read; `kind` is one of `connectors.upload.facts.KINDS`."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class MemberSource(HeaderSource):
    """A member of a ZIP from its first byte on.

    Attributes:
        damage: Why the member ends before it should; empty while all is well.
    """

    damage: str = ""


class StoredMember(MemberSource):
    """A member that is stored as it is, so that it can be positioned."""

    seekable = True

    def __init__(self, file: FileIO, start: int, ahead: bytes, entry: Entry) -> None:
        self.size = self._end = entry.size
        self._file = file
        self._start = start
        self._ahead = ahead[: entry.size]
        self._place = 0

    def read(self, count: int) -> bytes:
        """Read from the ZIP, or what was read ahead."""
        data = self._ahead[self._place : self._place + count]
        if not data:
            data = self._at(self._place, min(count, self._end - self._place))
            if not data and self._place < self._end:
                self.damage = f"the ZIP ends after {self._place} of the member's {self._end} bytes"
        self._place += len(data)
        return data

    def skip(self, count: int) -> int:
        """Move on, not past the end."""
        passed = min(count, self._end - self._place)
        self._place += passed
        return passed

    def tail(self, count: int) -> bytes:
        """Read the end of the member."""
        count = min(count, self._end)
        return self._at(self._end - count, count)

    def _at(self, place: int, count: int) -> bytes:
        self._file.seek(self._start + place)
        return self._file.read(count)


class DeflatedMember(MemberSource):
    """A deflated member, inflated as far as it is read and never past the size that the ZIP declares."""

    def __init__(self, file: FileIO, start: int, ahead: bytes, entry: Entry) -> None:
        self.size = self._end = entry.size
        self._file = file
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._packed = ahead[: entry.packed]
        self._next = start + len(self._packed)
        self._left = entry.packed - len(self._packed)
        self._piece = _DEFLATED_AHEAD
        self._given = 0

    def read(self, count: int) -> bytes:
        """Inflate what is read ahead, or a piece more."""
        wanted = min(count, self._end - self._given)
        data = b""
        while not data and wanted > 0 and not self.damage:
            ended = not self._packed and not self._refill()
            try:
                data = self._inflater.decompress(self._packed, wanted)
            except zlib.error:
                self.damage = f"the member's deflated bytes are damaged after {self._given} inflated ones"
                break
            self._packed = self._inflater.unconsumed_tail
            if not data and (ended or self._inflater.eof):
                self.damage = f"the member ends after {self._given} of its {self._end} bytes"
        self._given += len(data)
        return data

    def overflows(self) -> bool:
        """Whether more follows, once all bytes that the ZIP declares have been read."""
        while not self._inflater.eof and (self._packed or self._refill()):
            try:
                if self._inflater.decompress(self._packed, 1):
                    return True
            except zlib.error:
                self.damage = f"the member's deflated bytes are damaged after {self._given} inflated ones"
                break
            self._packed = self._inflater.unconsumed_tail
        return False

    def _refill(self) -> bool:
        self._file.seek(self._next)
        self._packed = self._file.read(min(self._left, self._piece))
        self._piece = min(2 * self._piece, _WHOLE)
        self._next += len(self._packed)
        self._left -= len(self._packed)
        return bool(self._packed)


class Package:
    """One ZIP, open for reading its members."""

    def __init__(self, path: str | Path) -> None:
        """Opens the ZIP.

        Raises:
            OSError: It cannot be opened.
        """
        self._file = FileIO(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the ZIP; its members cannot be read on."""
        self._file.close()

    def member(self, entry: Entry) -> MemberSource:
        """A member from its first byte on.

        Raises:
            MemberError: Its local header is missing or contradicts the directory.
            OSError: The ZIP cannot be read.
        """
        deflated = entry.method == DEFLATED
        ahead = min(entry.packed, _DEFLATED_AHEAD if deflated else _STORED_AHEAD)
        self._file.seek(entry.offset)
        head = self._file.read(_LOCAL.size + len(entry.name) + _EXTRA_GUESS + ahead)
        if (header := _header_length(head)) > len(head):
            self._file.seek(entry.offset)
            head = self._file.read(header)
        start = _data_start(head, entry)
        source: type[StoredMember | DeflatedMember] = DeflatedMember if deflated else StoredMember
        return source(self._file, entry.offset + start, head[start:], entry)

    def whole(self, entry: Entry) -> Iterator[bytes]:
        """Every byte of a member, in chunks.

        Raises:
            MemberError: After the last chunk or before: the bytes do not unpack, are not as many as the
                directory declares, or do not have the checksum that it declares.
            OSError: The ZIP cannot be read.
        """
        member = self.member(entry)
        crc = 0
        while chunk := member.read(_WHOLE):
            crc = zlib.crc32(chunk, crc)
            yield chunk
        overflows = isinstance(member, DeflatedMember) and member.overflows()
        if member.damage:
            raise MemberError("damaged-member", member.damage)
        if overflows:
            raise MemberError("length", f"the member unpacks to more than the {entry.size} bytes declared")
        if crc != entry.crc:
            raise MemberError("checksum", f"CRC-32 is {crc:08X}, the ZIP declares {entry.crc:08X}")


def _header_length(head: bytes) -> int:
    if len(head) < _LOCAL.size:
        return 0
    named, extra = _LOCAL.unpack_from(head)[-2:]
    return _LOCAL.size + int(named) + int(extra)


def _data_start(head: bytes, entry: Entry) -> int:
    """Where the member's data start after its local header, which must say what the directory says."""
    if len(head) < _LOCAL.size or head[:4] != LOCAL_MAGIC:
        raise MemberError("damaged-member", "the member's header is not where the ZIP's directory says")
    _, _, flags, method, _, _, crc, packed, size, named, extra = _LOCAL.unpack_from(head)
    start: int = _LOCAL.size + named + extra
    if head[_LOCAL.size : _LOCAL.size + named] != entry.name:
        raise MemberError("header-mismatch", "the member has another name in the ZIP's directory")
    if method != entry.method or (flags ^ entry.flags) & 1:
        raise MemberError("header-mismatch", "the member is packed otherwise than the ZIP's directory says")
    if not flags & _DESCRIPTOR_FLAG:
        size, packed = widened(head[start - extra : start], size, packed)
        if (size, packed, crc) not in ((entry.size, entry.packed, entry.crc), (0, 0, 0)):
            raise MemberError("header-mismatch", "the member has other sizes in the ZIP's directory")
    return start
