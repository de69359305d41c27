"""The one way to ask archives: every request that Heltig makes goes through here.

Nobody else chooses timeouts, retries, redirects, proxies or certificates, and no error text or log line holds
the query of a URL: QIDO-RS queries name patients.
"""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager

from heltig.errors import ArchiveError
from heltig.exchange import Exchange, Operation
from heltig.http_answer import Head
from heltig.http_body import Answer
from heltig.http_client import (
    Auth,
    BasicAuth,
    Client,
    Request,
    Response,
    body_request,
    client,
    get_request,
    head_of,
    passed_request,
    send,
)
from heltig.retry import Retry
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
    "pass_on",
    "post",
    "post_form",
    "send_body",
    "stream",
]

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
    """Sends a body by POST; see `send_body`.

    Args:
        client: From `client`.
        path: Relative to the client's root.
        body: See `heltig.http_client.body_request`.
        length: Bytes of it.
        content_type: What it is.
        accept: Media types for the answer.
        max_bytes: Limit of the answer's decompressed body.
    """
    headers = {"Accept": accept, "Content-Type": content_type}
    return await send_body(client, "POST", path, body, length=length, headers=headers, max_bytes=max_bytes)


async def send_body(
    client: Client,
    method: str,
    path: str,
    body: AsyncIterable[bytes],
    *,
    length: int,
    headers: Mapping[str, str],
    max_bytes: int,
) -> tuple[Head, bytes]:
    """Sends a body once, never again by itself, and returns the answer whatever its status.

    Raises:
        ArchiveError: No answer, or one that is too large or broken: nobody knows what became of the body.
    """
    await client.pace.turn()
    started = time.monotonic()
    head = asyncio.timeout(STORE_SECONDS)
    request = body_request(
        client,
        method,
        path,
        _Outgoing(body, head),
        length=length,
        headers=headers,
        silence_seconds=STORE_SECONDS,
    )
    try:
        response = await send(client, request, head=head)
    except ArchiveError as error:
        seconds = time.monotonic() - started
        client.observe(Exchange(operation="store", error=error, is_begun=False, seconds=seconds, received=0))
        raise
    answer = Answer(client, "store", response, clock=time.monotonic, started=started)
    try:
        return answer.head, b"".join([chunk async for chunk in answer.body(max_bytes)])
    finally:
        await answer.close()


@asynccontextmanager
async def pass_on(
    client: Client,
    address: str,
    *,
    headers: Mapping[str, str],
    max_bytes: int,
    operation: Operation,
) -> AsyncIterator[tuple[Head, AsyncIterator[bytes]]]:
    """Asks once for somebody else, with what they send of their own; see `stream`.

    Args:
        client: From `client`.
        address: A whole URL below the client's root. It is sent byte for byte.
        headers: Beside the client's own, or in place of them.
        max_bytes: Limit of the decompressed body.
        operation: What it is for.

    Yields:
        The head and the body of an answer 2xx, 304, or of a redirect, which is not followed.

    Raises:
        ArchiveError: As of `get`; also while the body is read.
        UsageError: There is no such address below the root, or it could not be sent as it stands.
    """
    request = passed_request(client, address, headers=headers)
    await client.pace.turn()
    started = time.monotonic()
    try:
        response = await send(client, request, head=asyncio.timeout(client.head_seconds))
        if response.status_code >= 400:
            await response.aclose()
            raise head_of(response).error()
    except ArchiveError as error:
        seconds = time.monotonic() - started
        client.observe(
            Exchange(operation=operation, error=error, is_begun=False, seconds=seconds, received=0)
        )
        raise
    answer = Answer(client, operation, response, clock=time.monotonic, started=started)
    try:
        async with aclosing(answer.body(max_bytes)) as chunks:
            yield answer.head, chunks
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
    response = await send(client, request, head=asyncio.timeout(client.head_seconds))
    answer = Answer(client, "search", response, clock=time.monotonic, started=started)
    try:
        return answer.head, b"".join([chunk async for chunk in answer.body(max_bytes)])
    finally:
        await answer.close()


class _Outgoing:
    """A body to be sent: each piece that is taken gives time for the next one, the last for the answer."""

    def __init__(self, body: AsyncIterable[bytes], head: asyncio.Timeout) -> None:
        self._body = body
        self._head = head

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            self._wait_anew()  # it may have taken us long to read it
            yield piece
            self._wait_anew()

    def _wait_anew(self) -> None:
        self._head.reschedule(asyncio.get_running_loop().time() + STORE_SECONDS)


async def _send(
    client: Client, path: str, *, accept: str, operation: Operation, clock: Callable[[], float]
) -> Answer:
    """Asks once. The body of the answer is still to be read."""
    request = get_request(client, path, accept=accept)
    await client.pace.turn()
    started = time.monotonic()
    try:
        response = await send(client, request, head=asyncio.timeout(client.head_seconds))
        if not response.is_success:
            await response.aclose()
            raise head_of(response).error()
    except ArchiveError as error:
        seconds = time.monotonic() - started
        client.observe(
            Exchange(operation=operation, error=error, is_begun=False, seconds=seconds, received=0)
        )
        raise
    return Answer(client, operation, response, clock=clock, started=started)
