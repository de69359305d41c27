"""Whether an archive has an object byte for byte: what it has under the UID is retrieved and compared.

That it shows a UID proves nothing: what it has there may have come before, with other bytes.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from email.message import Message
from typing import Final, Literal, TypeAlias

from connectors.dicomweb.address import instance_address
from connectors.storing import Stored
from connectors.stow.multipart import MultipartError, MultipartReader
from heltig import http
from heltig.errors import ArchiveAnswerError, ArchiveAnswerTooLargeError, ArchiveNotFoundError
from heltig.http_answer import Head
from heltig.retry import Retry

Found: TypeAlias = Literal["same", "other", "absent"]
"""What an archive has under a UID: these bytes, other ones, or nothing."""

ACCEPT: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
MOST_HEADER: Final = 1024 * 1024
"""Bytes of File Meta Information, and of what is around an object in an answer."""

PIECE: Final = 1024 * 1024
_PREAMBLE: Final = 132
_GROUP_LENGTH: Final = b"\x02\x00\x00\x00UL\x04\x00"
_SYNTAX: Final = b"\x02\x00\x10\x00UI"
_LONG_VRS: Final = frozenset({b"OB", b"OW", b"UN", b"UT"})


class Fingerprint:
    """What an object is known by: its transfer syntax, and a digest of its data set.

    The File Meta Information (PS3.10 7.1) is left out: an archive that an object came to by C-STORE writes
    its own. Where it does not have the length that it says, it counts as a part of the data set.

    Attributes:
        syntax: The transfer syntax UID; empty where there is none.
    """

    def __init__(self) -> None:
        self.syntax = ""
        self._start: bytearray | None = bytearray()
        self._digest = hashlib.sha256()

    def feed(self, piece: bytes) -> None:
        """Takes the next bytes of the file."""
        if self._start is None:
            self._digest.update(piece)
            return
        self._start += piece
        if len(self._start) >= MOST_HEADER:
            self._begin(self._start)

    def close(self) -> tuple[str, bytes]:
        """The transfer syntax and the digest, once all bytes came."""
        if self._start is not None:
            self._begin(self._start)
        return self.syntax, self._digest.digest()

    def _begin(self, start: bytearray) -> None:
        self.syntax, place = _header(bytes(start))
        self._digest.update(memoryview(start)[place:])
        self._start = None


async def compare(wado: http.Client, study_uid: str, series_uid: str, stored: Stored) -> Found:
    """What an archive has under the UID of an object, by the bytes that it gives back (PS3.18 10.4.1.1.1).

    Args:
        wado: A client whose root is that of WADO-RS.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        stored: The object.

    Raises:
        ArchiveError: It does not give them.
        OSError: The file cannot be read.
    """
    theirs = Fingerprint()
    address = instance_address(str(wado.base_url), study_uid, series_uid, stored.sop_instance_uid)
    try:
        async with http.stream(
            wado,
            address,
            accept=ACCEPT,
            max_bytes=stored.size + MOST_HEADER,
            retry=Retry(attempts=1),
            operation="retrieve",
        ) as (head, body):
            async for piece in _object(head, body):
                theirs.feed(piece)
    except ArchiveNotFoundError:
        return "absent"
    except ArchiveAnswerTooLargeError:
        return "other"
    found = theirs.close()
    ours = await asyncio.to_thread(_fingerprint, stored)
    if ours[0] and not found[0]:
        raise ArchiveAnswerError(f"{head.place}: the answer is no DICOM object.")
    return "same" if ours == found else "other"


async def _object(head: Head, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The bytes of the one object in an answer."""
    if not head.media_type.startswith("multipart/"):
        async for piece in body:
            yield piece
        return
    given = Message()
    given["Content-Type"] = head.headers.get("content-type", "")
    try:
        reader = MultipartReader(str(given.get_param("boundary", "")), most_parts=1)
        async for piece in body:
            for event in reader.feed(piece):
                if isinstance(event, bytes):
                    yield event
        reader.close()
    except MultipartError as wrong:
        raise ArchiveAnswerError(f"{head.place}: the answer is not one object in one part.") from wrong


def _fingerprint(stored: Stored) -> tuple[str, bytes]:
    known = Fingerprint()
    with stored.path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE):
            known.feed(piece)
    return known.close()


def _header(start: bytes) -> tuple[str, int]:
    """The transfer syntax of a file, and where its data set begins; without a sound header its start."""
    length = start[_PREAMBLE : _PREAMBLE + 12]
    if start[128:_PREAMBLE] != b"DICM" or not length.startswith(_GROUP_LENGTH):
        return "", 0
    syntax, place = "", _PREAMBLE + 12
    end = place + int.from_bytes(length[8:12], "little")
    while place < end <= len(start) and start.startswith(b"\x02\x00", place):
        if start[place + 4 : place + 6] in _LONG_VRS:
            value, size = place + 12, int.from_bytes(start[place + 8 : place + 12], "little")
        else:
            value, size = place + 8, int.from_bytes(start[place + 6 : place + 8], "little")
        if start.startswith(_SYNTAX, place):
            syntax = start[value : value + size].rstrip(b"\x00 ").decode("ascii", "replace")
        place = value + size
    return (syntax, place) if syntax and place == end else ("", 0)
