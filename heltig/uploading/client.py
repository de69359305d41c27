"""The client of our own uploads (docs/uploads.md): what breaks off goes on where the server has it.

A server knows an upload that is announced again by its SHA-256, so nothing has to be remembered here.
"""

import asyncio
import random
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from heltig import http
from heltig.errors import (
    ArchiveError,
    AuthenticationError,
    AuthorisationError,
    ConflictError,
    HeltigError,
    InputError,
    InputTooLargeError,
    NotFoundError,
    StorageError,
    UsageError,
)
from heltig.http_answer import Head
from heltig.uploading.packing import Zip

UPLOADS: Final = "api/v1/uploads"
PLAIN: Final = "api/v1/jobs/upload"
PIECE: Final = 64 * 1024 * 1024
"""Bytes of one request: a proxy may keep a request back until it has all of it."""

WAIT: Final = 60
"""Seconds that a request waits for verdicts; then it is asked again."""

MOST_ANSWER: Final = 64 * 1024 * 1024
ENDED: Final = frozenset({"succeeded", "failed", "dead", "cancelled"})

_READ: Final = 256 * 1024
_AGAIN: Final = frozenset({408, 409, 429, 502, 503, 504})
"""Statuses after which the upload is asked for anew."""

_TUS: Final = {"Tus-Resumable": "1.0.0", "Accept": "application/json"}


class ServerError(HeltigError):
    """The server does not answer, or answers what we do not understand."""

    exit_code = 8
    status = 502
    problem_type = "/problems/server"
    title = "Server failed"


class _BrokenError(ServerError):
    """It broke off, or the server cannot now: trying again makes sense."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often is tried again what brought nothing on, and after how long.

    Attributes:
        tries: In all; whatever comes through in between counts anew.
        first: Seconds until the second one; each further one waits twice as long, with chance in it.
        longest: No wait is longer, but for one that the server asks for.
        sleep: Waits some seconds.
    """

    tries: int = 10
    first: float = 0.5
    longest: float = 30.0
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    def wait(self, tries: int, error: HeltigError) -> float:
        """How long to wait after so many tries."""
        longest = min(self.longest, self.first * 2 ** (tries - 1))
        return max(error.retry_after or 0.0, float(longest) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


ONCE: Final = Patience(tries=1)


class Progress:
    """Told how an upload goes; this one tells nobody."""

    def at(self, offset: int) -> None:
        """So many bytes are sent."""

    def broken(self, reason: str, seconds: float) -> None:
        """It broke off, and goes on after some seconds."""


class Uploader:
    """Sends ZIPs to one server."""

    def __init__(
        self, client: http.Client, *, patience: Patience = ONCE, progress: Progress | None = None
    ) -> None:
        """Makes it.

        Args:
            client: Of `heltig.http`, with the server's root.
            patience: With what breaks off; without it, it is tried once.
            progress: Told how it goes.
        """
        self._client = client
        self._patience = patience
        self._progress = progress or Progress()
        self._tries = 0

    async def send(self, package: Zip, *, target: str = "", wait: bool = True) -> dict[str, Any]:
        """Uploads a ZIP; when this returns, the server has it on disk, and a job of it.

        Args:
            package: The ZIP.
            target: The archive that its studies are meant for; empty for none.
            wait: Until it is judged, too.

        Returns:
            What the server says: `upload`, `job` and, once it is judged, `readiness` and `studies`.

        Raises:
            InputError: The server refuses the ZIP.
            ServerError: It is away, or breaks off again and again.
            HeltigError: What else the server says is wrong.
        """
        query = f"?target={quote(target, safe='')}" if target else ""
        first = furthest = -1
        while True:
            try:
                head = await self._begin(package, query)
                if head is None:
                    return await self._send_plainly(package, target, query, wait=wait)
                offset, place = int(head.headers["upload-offset"]), head.headers["location"].lstrip("/")
                first = offset if furthest < 0 else first
                if offset > furthest:
                    self._tries, furthest = 0, offset
                self._progress.at(offset)
                await self._send_rest(package, place, offset)
                said = await self._result(place, wait=wait)
                said["upload"]["repeat"] |= first == package.size  # all came before this
                return said
            except _BrokenError as error:
                await self._be_patient(error, has_begun=furthest >= 0)

    async def _be_patient(self, error: _BrokenError, *, has_begun: bool) -> None:
        self._tries += 1
        is_busy = error.retry_after is not None
        if self._tries >= self._patience.tries or not (has_begun or is_busy):
            raise ServerError(error.detail, retry_after=error.retry_after) from error
        seconds = self._patience.wait(self._tries, error)
        self._progress.broken(error.detail, seconds)
        await self._patience.sleep(seconds)

    async def _begin(self, package: Zip, query: str) -> Head | None:
        """Announces a ZIP; no head where the server knows no such uploads."""
        headers = {
            "Upload-Length": str(package.size),
            "Upload-Metadata": f"sha256 {b64encode(package.digest.encode()).decode()}",
        }
        head, answer = await self._ask("POST", UPLOADS + query, headers)
        if head.status in (404, 405) and "tus-resumable" not in head.headers:
            return None
        if head.status != 201:
            raise _error(head, answer)
        if not head.headers.get("upload-offset", "").isdecimal() or "location" not in head.headers:
            raise ServerError(f"{head.place} answers {head.status}, and not as Heltig does. Is it one?")
        return head

    async def _send_rest(self, package: Zip, place: str, offset: int) -> None:
        while True:
            length = min(PIECE, package.size - offset)
            headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            body = _Piece(package.path, offset, length, self._progress.at)
            head, answer = await self._ask("PATCH", place, headers, body, length)
            if head.status != 204:
                raise _error(head, answer)
            offset += length
            self._tries = 0
            self._progress.at(offset)
            if offset >= package.size:
                return

    async def _result(self, place: str, *, wait: bool) -> dict[str, Any]:
        while True:
            head, answer = await self._ask("GET", f"{place}?wait={WAIT if wait else 0}", {})
            if head.status != 200:
                raise _error(head, answer)
            said = _decoded(head, answer)
            if said["job"] is None:  # it was not taken over: once more
                raise _BrokenError(f"{head.place}: the server has not taken the upload over yet.")
            if not wait or said["readiness"] is not None or said["job"]["state"] in ENDED:
                return said

    async def _send_plainly(self, package: Zip, target: str, query: str, *, wait: bool) -> dict[str, Any]:
        """Uploads to a server that has no uploads in several requests."""
        path = (PLAIN if wait else f"{PLAIN}/async") + query
        self._progress.at(0)
        body = _Piece(package.path, 0, package.size, self._progress.at)
        head, answer = await self._ask("POST", path, {"Content-Type": "application/zip"}, body, package.size)
        if head.status in (404, 405) and not (target and target.encode() in answer):
            raise ServerError(
                f"{head.place} answers {head.status}: no Heltig is there. Check the server's URL and path."
            )
        if not 200 <= head.status < 300:
            raise _error(head, answer)
        return {"readiness": None, "studies": [], **_decoded(head, answer)}

    async def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: "_Piece | None" = None,
        length: int = 0,
    ) -> tuple[Head, bytes]:
        try:
            return await http.send_body(
                self._client,
                method,
                path,
                body or _Piece(),
                length=length,
                headers={**_TUS, **headers},
                max_bytes=MOST_ANSWER,
            )
        except ArchiveError as error:
            raise _BrokenError(of_a_server(error.detail), retry_after=error.retry_after) from error


class _Piece:
    """A part of a file, read while it is sent; again from its start where that is needed."""

    def __init__(
        self,
        path: Path | None = None,
        offset: int = 0,
        length: int = 0,
        sent: Callable[[int], None] = lambda offset: None,
    ) -> None:
        self._path, self._offset, self._length, self._sent = path, offset, length, sent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._path is None or not self._length:
            return
        end, at = self._offset + self._length, self._offset
        with self._path.open("rb", buffering=0) as file:
            file.seek(at)
            while at < end and (piece := await asyncio.to_thread(file.read, min(_READ, end - at))):
                yield piece
                at += len(piece)
                self._sent(at)


def of_a_server(detail: str) -> str:
    """What `heltig.http` says of archives, of which a server is none."""
    return detail.replace("an archive", "a server").replace("archive", "server")


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""


_ERRORS: Final[dict[int, type[HeltigError]]] = {
    400: UsageError,
    401: AuthenticationError,
    403: AuthorisationError,
    404: NotFoundError,
    409: ConflictError,
    413: InputTooLargeError,
    415: UsageError,
    422: InputError,
    500: ServerError,
    503: StorageError,
}


def _error(head: Head, answer: bytes) -> HeltigError:
    """What a server says is wrong."""
    try:
        problem = msgspec.json.decode(answer, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    said = f"{problem.title}: {problem.detail}" if problem.detail else f"{head.place} answers {head.status}."
    if head.status in _AGAIN:
        return _BrokenError(said, retry_after=head.retry_after)
    return _ERRORS.get(head.status, ServerError)(said)


def _decoded(head: Head, answer: bytes) -> dict[str, Any]:
    try:
        said: dict[str, Any] = msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ServerError(
            f"{head.place} answers {head.status}, and not as Heltig does. Is it one?"
        ) from error
    return said
