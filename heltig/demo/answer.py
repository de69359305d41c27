"""How the loopback archive answers: the faults it can play, and an answer sent as well as they let it."""

import asyncio
import re
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import chain
from typing import Any, TypeAlias

import msgspec

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DICOM_JSON = "application/dicom+json"
_CHUNK = 64 * 1024
_LOGIN_PAGE = "<!doctype html><title>Sign in</title><form method=post><input name=user></form>"


@dataclass
class Faults:
    """What the archive does wrong; everything is off by default.

    The first group changes what is answered. The second spoils how: only for requests whose path matches
    `only`, after the first `after` of them, and for `times` of them (all when `None`).

    Attributes:
        ignore_offset: Every page is the first.
        page_cap: Most rows in one answer, whatever `limit` says.
        warn_of_more: Send Warning 299 when rows remain (PS3.18 8.3.4.4).
        too_large_above: 413 for more rows or instances than this.
        empty_status: Status of a search without results: 204, or 200 with `[]`.
        omit_counts: Leave the numbers of related series and instances out.
        rows_by_patient: A study row for each Patient ID in the study.
        withheld: SOP Instance UIDs that searches count and metadata lacks.
        status: Answer with this status and no data set, such as 429, 500 or 503.
        retry_after: Value of Retry-After beside `status`, in seconds or as an HTTP date; empty for none.
        login_page: 200 with an HTML page.
        object_not_array: The data set of an answer that has one only, without the array around it.
        gzip_lie: Content-Encoding says gzip, the body is plain.
        cut_after: Close the connection after so many bytes of the body.
        drip_seconds: Pause before each 1,024 bytes of the body.
        clock_skew: Seconds that the archive's clock, as Date shows it, is ahead.
        only: Regular expression to be found in the path (`r"/metadata$"`).
        after: Number of requests spared first (401 in the middle of a run: `status=401, after=3`).
        times: Number of requests spoilt, then the archive is well again.
    """

    ignore_offset: bool = False
    page_cap: int | None = None
    warn_of_more: bool = True
    too_large_above: int | None = None
    empty_status: int = 204
    omit_counts: bool = False
    rows_by_patient: bool = False
    withheld: frozenset[str] = frozenset()

    status: int | None = None
    retry_after: str = ""
    login_page: bool = False
    object_not_array: bool = False
    gzip_lie: bool = False
    cut_after: int | None = None
    drip_seconds: float = 0.0
    clock_skew: float = 0.0
    only: str = ""
    after: int = 0
    times: int | None = None
    _met: int = field(default=0, init=False, repr=False)

    def strike(self, path: str) -> bool:
        """Count a request and tell whether its answer is to be spoilt."""
        if not re.search(self.only, path):
            return False
        self._met += 1
        return self._met > self.after and (self.times is None or self._met <= self.after + self.times)


WELL = Faults()


@dataclass(frozen=True)
class Answer:
    """What to send: data sets as JSON, or a status with a line of text."""

    status: int = 200
    datasets: Iterable[Mapping[str, Any]] | None = None
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()


async def send_answer(answer: Answer, send: Send, *, spoilt: Faults, gzip: bool) -> None:
    """Send an answer, spoilt by the transport faults of `spoilt`.

    Args:
        answer: What to say.
        send: The ASGI channel.
        spoilt: The faults to play on this answer, `WELL` for none.
        gzip: The client accepts gzip.
    """
    headers = [("date", formatdate(time.time() + spoilt.clock_skew, usegmt=True)), *answer.headers]
    if spoilt.login_page:
        answer = Answer(200, text=_LOGIN_PAGE)
        headers.append(("content-type", "text/html; charset=utf-8"))
    elif answer.datasets is not None:
        headers.append(("content-type", DICOM_JSON))
    elif answer.text:
        headers.append(("content-type", "text/plain; charset=utf-8"))
    compressed = gzip and answer.datasets is not None and not spoilt.gzip_lie
    if compressed or spoilt.gzip_lie:
        headers.append(("content-encoding", "gzip"))
    await send({
        "type": "http.response.start", "status": answer.status,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    })  # fmt: skip
    left = spoilt.cut_after
    for chunk in _body(answer, compressed=compressed, bare_object=spoilt.object_not_array):
        for piece in _pieces(chunk, 1024 if spoilt.drip_seconds else len(chunk)):
            if spoilt.drip_seconds:
                await asyncio.sleep(spoilt.drip_seconds)
            if left is not None and left <= len(piece):
                await send({"type": "http.response.body", "body": piece[:left], "more_body": True})
                return  # an answer without its end: the server closes the connection
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            left = None if left is None else left - len(piece)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _pieces(chunk: bytes, size: int) -> Iterable[bytes]:
    return (chunk[start : start + size] for start in range(0, len(chunk), size or 1))


def _body(answer: Answer, *, compressed: bool, bare_object: bool) -> Iterable[bytes]:
    chunks = _array(answer.datasets, bare_object=bare_object) if answer.datasets is not None else None
    if chunks is None:
        yield answer.text.encode()
    elif compressed:
        packer = zlib.compressobj(1, wbits=31)
        yield from map(packer.compress, chunks)
        yield packer.flush()
    else:
        yield from chunks


def _array(datasets: Iterable[Mapping[str, Any]], *, bare_object: bool) -> Iterable[bytes]:
    """JSON in chunks of about 64 KiB, so that a study of any size is never held whole as text."""
    texts = map(msgspec.json.encode, datasets)
    first = next(texts, b"")
    second = next(texts, None)
    if bare_object and first and second is None:
        yield first
        return
    chunk = bytearray(b"[" + first)
    for text in chain([second] if second is not None else [], texts):
        chunk += b"," + text
        if len(chunk) >= _CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk + b"]")
