"""Sends objects from their files to an archive by STOW-RS (PS3.18 10.5); no file is ever held in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from connectors.storing import OUT_OF_RESOURCES, SYNTAX_NOT_SUPPORTED, UNKNOWN, Outcome, StoreAnswer, Stored
from connectors.stow.answer import outcomes_of
from heltig import http
from heltig.errors import ArchiveError
from heltig.http_answer import Head

ACCEPT: Final = "application/dicom+json"
MOST_ANSWER: Final = 64 * 1024 * 1024  # bytes
PIECE: Final = 1024 * 1024  # bytes that are read at once


async def store(client: http.Client, objects: Sequence[Stored]) -> StoreAnswer:
    """Sends objects in one request; in several where that is more than the archive takes (413).

    Args:
        client: A client whose root is that of STOW-RS.
        objects: Of any studies; no two with one SOP Instance UID.

    Raises:
        ArchiveError: There is no answer, or one that says nothing of any object. Its `did_nothing` says
            whether nothing was taken, or nobody knows what became of them.
        OSError: A file cannot be read.
    """
    body = _Body(objects)
    head, answer = await http.post(
        client,
        "studies",
        body,
        length=body.length,
        content_type=f'multipart/related; type="application/dicom"; boundary={body.boundary}',
        accept=ACCEPT,
        max_bytes=MOST_ANSWER,
    )
    told = outcomes_of(answer)
    if not told and not 200 <= head.status < 300:
        return await _refused(client, objects, head)
    return StoreAnswer({one.sop_instance_uid: told.get(one.sop_instance_uid, UNKNOWN) for one in objects})


async def _refused(client: http.Client, objects: Sequence[Stored], head: Head) -> StoreAnswer:
    """What an answer means that names no object."""
    match head.status:
        case 413 if len(objects) > 1:
            half = len(objects) // 2
            first = await store(client, objects[:half])
            try:
                second = await store(client, objects[half:])
            except ArchiveError as error:
                error.did_nothing = False  # with the first half it did
                raise
            return StoreAnswer({**first.outcomes, **second.outcomes})
        case 413:
            outcome = Outcome("failure", OUT_OF_RESOURCES)
        case 415:
            outcome = Outcome("failure", SYNTAX_NOT_SUPPORTED)
        case 400 | 409 | 422:
            outcome = UNKNOWN
        case _:
            raise head.error()
    return StoreAnswer({one.sop_instance_uid: outcome for one in objects})


class _Body:
    """The multipart body, read from the files while it is sent; again from its start where that is needed.

    Attributes:
        boundary: Between the parts.
        length: In bytes.
    """

    def __init__(self, objects: Sequence[Stored]) -> None:
        self.boundary = f"heltig-{secrets.token_hex(16)}"
        self._objects = objects
        self._before = f"--{self.boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._end = f"--{self.boundary}--\r\n".encode()
        each = len(self._before) + len(b"\r\n")
        self.length = sum(one.size + each for one in objects) + len(self._end)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = self._pieces()
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece

    def _pieces(self) -> Iterator[bytes]:
        """The body in pieces of about `PIECE`: small files go together."""
        waiting = bytearray()
        for one in self._objects:
            waiting += self._before
            left = one.size
            with one.path.open("rb", buffering=0) as file:
                while left:
                    data = file.read(min(left, PIECE))
                    if not data:
                        raise OSError(
                            f"A file of the spool is shorter than it was: {left:,} bytes are absent."
                        )
                    left -= len(data)
                    waiting += data
                    if len(waiting) >= PIECE:
                        yield bytes(waiting)
                        waiting.clear()
            waiting += b"\r\n"
        yield bytes(waiting) + self._end
