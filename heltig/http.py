"""The one HTTP client: every request that Heltig makes goes through here, and only this module imports httpx.

Nobody else chooses timeouts, retries, redirects, proxies or certificates, and no error text or log line holds
the query of a URL: QIDO-RS queries name patients.
"""

import logging
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import httpx
import msgspec

from heltig import __version__
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveAnswerTooLargeError,
    ArchiveError,
    ArchiveUnavailableError,
    ConfigurationError,
    UsageError,
)
from heltig.http_answer import Decompression, Head
from heltig.retry import Retry
from heltig.secret import read_secret
from heltig.setting_types import Size

Auth: TypeAlias = httpx.Auth
Client: TypeAlias = httpx.AsyncClient
AuthKind: TypeAlias = Literal["none", "basic", "bearer"]

# Below this an archive counts as silent, though each byte comes before the read timeout.
MIN_BYTES_PER_SECOND = 1024
RATE_WINDOW_SECONDS = 30.0

# httpx logs whole URLs at INFO.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """Whom we trust and who we are, for `https`.

    Attributes:
        ca_bundle: PEM file of the only authorities to trust; without it, those of the operating system.
        certificate: PEM file of our client certificate, with its chain.
        key: PEM file of its key, where `certificate` does not hold it.
    """

    ca_bundle: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def client(
    root: str,
    *,
    auth: Auth | None = None,
    tls: Tls | None = None,
    proxy: str | None = None,
    connect_seconds: float = 5.0,
    read_seconds: float = 30.0,
) -> Client:
    """Makes a client of one archive; use it as a context manager, or close it.

    It follows no redirect and takes neither proxy nor credentials from the environment.

    Args:
        root: `http(s)://HOST[:PORT]/PATH`; what is asked later is relative to it.
        auth: From `make_auth`.
        tls: For `https`.
        proxy: URL of an HTTP proxy.
        connect_seconds: For a connection, TLS included.
        read_seconds: For silence in the middle of an answer.

    Raises:
        ConfigurationError: The root is no such URL, or a certificate cannot be read.
    """
    try:
        url = httpx.URL(root)
    except httpx.InvalidURL as wrong:
        raise ConfigurationError("The archive's address is not a URL.") from wrong
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise ConfigurationError(
            f"{_place(url)}: not an archive's address. Give http(s)://HOST/PATH, without user and query."
        )
    return httpx.AsyncClient(
        base_url=url,
        auth=auth,
        verify=_ssl_context(tls or Tls()),
        proxy=proxy,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(read_seconds, connect=connect_seconds, pool=connect_seconds),
        headers={"User-Agent": f"heltig/{__version__}", "Accept-Encoding": "gzip"},
    )


async def get(
    client: Client, path: str, *, accept: str, max_bytes: int, retry: Retry | None = None
) -> tuple[Head, bytes]:
    """Asks for a whole body; where it breaks off, from the start again.

    Args:
        client: From `client`.
        path: Relative to the client's root, percent-encoded, with its query. `*` and `,` in a query are sent
            as they are, since Orthanc does not decode them.
        accept: Media types for the Accept header.
        max_bytes: Limit of the decompressed body.
        retry: Other than the default.

    Raises:
        ArchiveUnavailableError: No answer, even after retries.
        ArchiveError: The other ones, for an answer that is not 2xx, too large or broken.
        UsageError: The path is not one.
    """
    policy = retry or Retry()

    async def attempt() -> tuple[Head, bytes]:
        response = await _send(client, path, accept=accept)
        try:
            chunks = [chunk async for chunk in _body(response, max_bytes=max_bytes, clock=policy.clock)]
        finally:
            await response.aclose()
        return _head(response), b"".join(chunks)

    return await policy.run(attempt)


@asynccontextmanager
async def stream(
    client: Client, path: str, *, accept: str, max_bytes: int, retry: Retry | None = None
) -> AsyncIterator[tuple[Head, AsyncIterator[bytes]]]:
    """Asks for a body that is read as it comes, decompressed.

    Arguments and errors are those of `get`. It retries until the head of a good answer is there. A body that
    breaks off after that raises ArchiveUnavailableError while it is read: its beginning has been handed out,
    so only the reader can ask again.
    """
    policy = retry or Retry()
    response = await policy.run(lambda: _send(client, path, accept=accept))
    try:
        async with aclosing(_body(response, max_bytes=max_bytes, clock=policy.clock)) as chunks:
            yield _head(response), chunks
    finally:
        await response.aclose()


def make_auth(
    kind: AuthKind,
    *,
    username: str | None = None,
    secret: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Auth | None:
    """Makes what proves who we are to an archive.

    Args:
        kind: `none`, `basic` or `bearer`.
        username: For `basic`.
        secret: Reference to the password or the token, see `heltig.secret`.
        environ: Where `env:` looks.

    Raises:
        ConfigurationError: A part is missing, or the secret cannot be read or sent.
    """
    if kind == "none":
        return None
    if not secret:
        raise ConfigurationError(f"Authentication {kind} needs a secret: give env:NAME or file:PATH.")
    value = read_secret(secret, environ)
    if kind == "bearer":
        return _Bearer(value)
    if not username or ":" in username:
        raise ConfigurationError("Authentication basic needs a username, without a colon.")
    return httpx.BasicAuth(username, value)


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        if not token.isascii() or " " in token:
            raise ConfigurationError("A bearer token has only ASCII characters and no space.")
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


def _ssl_context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_bundle)
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key)
    except OSError as wrong:  # ssl.SSLError is one
        files = ", ".join(str(file) for file in (tls.ca_bundle, tls.certificate, tls.key) if file)
        raise ConfigurationError(f"{files}: not readable as certificates and key in PEM.") from wrong
    return context


async def _send(client: Client, path: str, *, accept: str) -> httpx.Response:
    """Asks once. The body of the response is still to be read."""
    try:
        request = client.build_request("GET", path, headers={"Accept": accept})
    except httpx.InvalidURL as wrong:
        raise UsageError("This cannot be part of an address: control characters, or far too long.") from wrong
    root = client.base_url
    if (request.url.scheme, request.url.netloc) != (root.scheme, root.netloc):
        # Our credentials are for the archive alone.
        raise ArchiveAnswerError(f"{_place(request.url)}: not asked, since it lies outside {_place(root)}.")
    try:
        response = await client.send(request, stream=True)
    except httpx.TransportError as wrong:
        raise _transport_error(wrong, _place(request.url)) from wrong
    if not response.is_success:
        await response.aclose()
        raise _head(response).error()
    return response


async def _body(
    response: httpx.Response, *, max_bytes: int, clock: Callable[[], float]
) -> AsyncGenerator[bytes, None]:
    """Reads a body: decompressed, up to a limit, and not for ever."""
    head = _head(response)
    decompression = Decompression(head)
    handed_out = arrived = 0
    waited = 0.0
    before = clock()
    try:
        async for received in response.aiter_raw():
            # Only time spent waiting for the archive counts, not what our reader does between two pieces.
            waited += clock() - before
            arrived += len(received)
            if waited >= RATE_WINDOW_SECONDS:
                if arrived < MIN_BYTES_PER_SECOND * waited:
                    raise ArchiveUnavailableError(
                        f"{head.place}: the archive sends less than {MIN_BYTES_PER_SECOND} bytes a second. "
                        "Try again later."
                    )
                waited, arrived = 0.0, 0
            for piece in decompression.feed(received):
                handed_out += len(piece)
                if handed_out > max_bytes:
                    raise ArchiveAnswerTooLargeError(
                        f"{head.place}: the answer is over the limit of {Size(max_bytes)}."
                    )
                yield piece
            before = clock()
    except httpx.TransportError as wrong:
        raise _transport_error(wrong, head.place) from wrong
    decompression.close()


def _head(response: httpx.Response) -> Head:
    return Head(status=response.status_code, headers=response.headers, place=_place(response.request.url))


def _place(url: httpx.URL) -> str:
    """A URL for messages: without user and query."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.raw_path.partition(b'?')[0].decode('ascii')}"


def _transport_error(error: httpx.TransportError, place: str) -> ArchiveError:
    reason = _tls_reason(error)
    if reason:
        return ArchiveAccessError(
            f"{place}: TLS fails ({reason}). Give the archive's CA bundle or our client certificate."
        )
    match error:
        case httpx.ConnectTimeout() | httpx.ConnectError():
            text = "no connection. Check address, port and firewall, and whether the archive runs"
        case httpx.ReadTimeout():
            text = "the archive stays silent. Try again later, or wait longer (HELTIG_ARCHIVE_READ_SECONDS)"
        case httpx.PoolTimeout():
            text = "all our connections to the archive are in use"
        case httpx.RemoteProtocolError():
            text = "the answer breaks off, or is not HTTP. Try again; where it stays, check scheme and port"
        case _:
            text = f"the connection fails ({type(error).__name__}). Try again later"
    return ArchiveUnavailableError(f"{place}: {text}.")


def _tls_reason(error: BaseException) -> str:
    """Why TLS refuses; empty where it does not. A connection that ends without a goodbye is no refusal."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return ""
        if isinstance(cause, ssl.SSLError):
            return getattr(cause, "verify_message", "") or cause.reason or "refused"
        cause = cause.__cause__ or cause.__context__
    return ""
