"""The one way to ask archives: every request that Heltig makes goes through here.

Nobody else chooses timeouts, retries, redirects, proxies or certificates, and no error text or log line holds
the query of a URL: QIDO-RS queries name patients.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager

from heltig.errors import ArchiveAnswerTooLargeError, ArchiveError, ArchiveUnavailableError
from heltig.exchange import Exchange, Operation
from heltig.http_answer import Decompression, Head
from heltig.http_client import (
    Auth,
    BasicAuth,
    Client,
    Request,
    Response,
    client,
    get_request,
    head_of,
    post_request,
    received,
    send,
)
from heltig.retry import Retry
from heltig.setting_types import Size
from heltig.tls import Tls

__all__ = [
    "Auth",
    "BasicAuth",
    "Client",
    "Request",
    "Response",
    "Tls",
    "client",
    "get",
    "post",
    "post_form",
    "stream",
]

# Below this an archive counts as silent, though each byte comes before the read timeout.
MIN_BYTES_PER_SECOND = 1024
RATE_WINDOW_SECONDS = 30.0

STORE_SECONDS = 300.0
"""How long an archive may be at what it was sent before it answers: it may have to write all of it down."""


async def get(
    client: Client,
    path: str,
    *,
    accept: str,
    max_bytes: int,
    retry: Retry | None = None,
    operation: Operation = "search",
    check: Callable[[Head, bytes], None] | None = None,
) -> tuple[Head, bytes]:
    """Asks for a whole body; where it breaks off, from the start again.

    Args:
        client: From `client`.
        path: Relative to the client's root, percent-encoded, with its query. `*` and `,` in a query are sent
            as they are, since Orthanc does not decode them.
        accept: Media types for the Accept header.
        max_bytes: Limit of the decompressed body.
        retry: Other than the default.
        operation: What it is for.
        check: Raises an ArchiveUnavailableError for a body that did not come whole, though nothing else says
            so: it is asked for again.

    Raises:
        ArchiveUnavailableError: No answer, even after retries.
        ArchiveError: The other ones, for an answer that is not 2xx, too large or broken.
        UsageError: The path is not one.
    """
    policy = retry or Retry()

    async def attempt() -> tuple[Head, bytes]:
        answer = await _send(client, path, accept=accept, operation=operation, clock=policy.clock)
        try:
            chunks = [chunk async for chunk in answer.body(max_bytes)]
        finally:
            await answer.close()
        body = b"".join(chunks)
        if check is not None:
            check(answer.head, body)
        return answer.head, body

    return await policy.run(attempt)


@asynccontextmanager
async def stream(
    client: Client,
    path: str,
    *,
    accept: str,
    max_bytes: int,
    retry: Retry | None = None,
    operation: Operation = "metadata",
) -> AsyncIterator[tuple[Head, AsyncIterator[bytes]]]:
    """Asks for a body that is read as it comes, decompressed.

    Arguments and errors are those of `get`. It retries until the head of a good answer is there. A body that
    breaks off after that raises ArchiveUnavailableError while it is read: its beginning has been handed out,
    so only the reader can ask again.
    """
    policy = retry or Retry()
    answer = await policy.run(
        lambda: _send(client, path, accept=accept, operation=operation, clock=policy.clock)
    )
    try:
        async with aclosing(answer.body(max_bytes)) as chunks:
            yield answer.head, chunks
    finally:
        await answer.close()


async def post(
    client: Client,
    path: str,
    body: AsyncIterable[bytes],
    *,
    length: int,
    content_type: str,
    accept: str,
    max_bytes: int,
) -> tuple[Head, bytes]:
    """Sends a body once, never again by itself, and returns the answer whatever its status.

    Args:
        client: From `client`.
        path: Relative to the client's root.
        body: See `heltig.http_client.post_request`.
        length: Bytes of it.
        content_type: What it is.
        accept: Media types for the answer.
        max_bytes: Limit of the answer's decompressed body.

    Raises:
        ArchiveError: No answer, or one that is too large or broken: nobody knows what became of the body.
    """
    await client.pace.turn()
    started = time.monotonic()
    request = post_request(
        client,
        path,
        body,
        length=length,
        content_type=content_type,
        accept=accept,
        silence_seconds=STORE_SECONDS,
    )
    try:
        response = await send(client, request)
    except ArchiveError as error:
        seconds = time.monotonic() - started
        client.observe(Exchange(operation="store", error=error, is_begun=False, seconds=seconds, received=0))
        raise
    answer = _Answer(client, "store", response, clock=time.monotonic, started=started)
    try:
        return answer.head, b"".join([chunk async for chunk in answer.body(max_bytes)])
    finally:
        await answer.close()


async def post_form(
    client: Client, url: str, form: Mapping[str, str], *, max_bytes: int
) -> tuple[Head, bytes]:
    """Sends a form once, and returns the answer whatever its status.

    Args:
        client: From `client`; its root is on the same server.
        url: The whole address.
        form: Names and values.
        max_bytes: Limit of the decompressed body.

    Raises:
        ArchiveError: No answer, or one that is too large or broken.
    """
    started = time.monotonic()
    request = client.build_request("POST", url, data=dict(form))
    response = await send(client, request, head_seconds=client.head_seconds)
    answer = _Answer(client, "search", response, clock=time.monotonic, started=started)
    try:
        return answer.head, b"".join([chunk async for chunk in answer.body(max_bytes)])
    finally:
        await answer.close()


async def _send(
    client: Client, path: str, *, accept: str, operation: Operation, clock: Callable[[], float]
) -> "_Answer":
    """Asks once. The body of the answer is still to be read."""
    request = get_request(client, path, accept=accept)
    await client.pace.turn()
    started = time.monotonic()
    try:
        response = await send(client, request, head_seconds=client.head_seconds)
        if not response.is_success:
            await response.aclose()
            raise head_of(response).error()
    except ArchiveError as error:
        seconds = time.monotonic() - started
        client.observe(
            Exchange(operation=operation, error=error, is_begun=False, seconds=seconds, received=0)
        )
        raise
    return _Answer(client, operation, response, clock=clock, started=started)


class _Answer:
    """A good answer whose body is still to be read."""

    def __init__(
        self,
        client: Client,
        operation: Operation,
        response: Response,
        *,
        clock: Callable[[], float],
        started: float,
    ) -> None:
        self.head = head_of(response)
        self._client = client
        self._operation = operation
        self._response = response
        self._clock = clock
        self._started = started
        self._received = 0
        self._held_up = 0.0
        self._error: ArchiveError | None = None

    async def body(self, max_bytes: int) -> AsyncGenerator[bytes, None]:
        """The body: decompressed, up to a limit, and not for ever."""
        try:
            async with aclosing(self._chunks(max_bytes)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ArchiveError as error:
            self._error = error
            raise

    async def close(self) -> None:
        """Says that nobody reads any more."""
        await self._response.aclose()
        seconds = max(0.0, time.monotonic() - self._started - self._held_up)
        self._client.observe(
            Exchange(
                operation=self._operation,
                error=self._error,
                is_begun=True,
                seconds=seconds,
                received=self._received,
            )
        )

    async def _chunks(self, max_bytes: int) -> AsyncGenerator[bytes, None]:
        place = self.head.place
        decompression = Decompression(self.head)
        handed_out = arrived = 0
        waited = 0.0
        before = self._clock()
        async with aclosing(received(self._response)) as pieces:
            async for packed in pieces:
                # Only time spent waiting for the archive counts, not what our reader does between two pieces.
                waited += self._clock() - before
                came = time.monotonic()
                arrived += len(packed)
                self._received += len(packed)
                if waited >= RATE_WINDOW_SECONDS:
                    if arrived < MIN_BYTES_PER_SECOND * waited:
                        raise ArchiveUnavailableError(
                            f"{place}: the archive sends less than {MIN_BYTES_PER_SECOND} bytes a second. "
                            "Try again later."
                        )
                    waited, arrived = 0.0, 0
                await self._client.pace.received(len(packed))
                for piece in decompression.feed(packed):
                    handed_out += len(piece)
                    if handed_out > max_bytes:
                        raise ArchiveAnswerTooLargeError(
                            f"{place}: the answer is over the limit of {Size(max_bytes)}."
                        )
                    yield piece
                self._held_up += time.monotonic() - came
                before = self._clock()
        decompression.close()
