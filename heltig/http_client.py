"""The HTTP client of one archive: what `heltig.http` sends requests with. Only here, and where its
errors are told (`heltig.http_errors`), httpx is imported.

Nobody else chooses timeouts, redirects, proxies or certificates.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from typing import Final, TypeAlias

import httpx

from heltig import __version__
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveSilentError,
    ArchiveUnavailableError,
    ConfigurationError,
    UsageError,
)
from heltig.exchange import Observer
from heltig.http_answer import Head
from heltig.http_errors import transport_error
from heltig.link_local import LINK_LOCAL, Peers, is_link_local
from heltig.pacing import Pace
from heltig.tls import Tls, ssl_context

Auth: TypeAlias = httpx.Auth
BasicAuth: TypeAlias = httpx.BasicAuth
Request: TypeAlias = httpx.Request
Response: TypeAlias = httpx.Response

# httpx logs whole URLs at INFO.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


_HOST: Final = re.compile(rb"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._~-]+)?")
_NAMED: Final = {"studies": "{study}", "series": "{series}", "instances": "{instance}", "frames": "{frames}"}
_RESOURCE: Final = re.compile(rf"/({'|'.join(_NAMED)})/[^/]+")
_UID: Final = re.compile(r"(?<![\w.])\d+(?:\.\d+){4,}(?![\w.])")  # an address of IPv4 has four numbers


class Client(httpx.AsyncClient):
    """A client of one archive, from `client`: paced and observed."""

    pace: Pace
    observe: Observer
    head_seconds: float
    piece_seconds: float
    peers: Peers | None


def client(
    root: str,
    *,
    auth: Auth | None = None,
    tls: Tls | None = None,
    proxy: str | None = None,
    connect_seconds: float = 5.0,
    read_seconds: float = 30.0,
    pace: Pace | None = None,
    observe: Observer = lambda exchange: None,
    allow_link_local: bool = False,
) -> Client:
    """Makes a client of one archive; use it as a context manager, or close it.

    It follows no redirect and takes neither proxy nor credentials from the environment.

    Args:
        root: `http(s)://HOST[:PORT]/PATH`; what is asked later is relative to it.
        auth: Such as `heltig.auth.archives` makes.
        tls: For `https`.
        proxy: URL of an HTTP proxy.
        connect_seconds: For a connection, TLS included.
        read_seconds: For silence in the middle of an answer.
        pace: How fast to ask; as fast as it goes by default.
        observe: Told of each request when it has ended, those that are tried again too.
        allow_link_local: Whether the archive may have a link-local address (RFC 3927, RFC 4291 2.5.6), where
            a cloud tells secrets to whoever asks.

    Raises:
        ConfigurationError: The root is no such URL, or a certificate cannot be read.
    """
    url = checked_root(root, allow_link_local=allow_link_local)
    made = Client(
        base_url=url,
        auth=auth,
        verify=ssl_context(tls or Tls()),
        proxy=proxy,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(read_seconds, connect=connect_seconds, pool=connect_seconds),
        headers={"User-Agent": f"heltig/{__version__}", "Accept-Encoding": "gzip"},
    )
    made.pace = pace or Pace()
    made.observe = observe
    made.head_seconds = connect_seconds + 2 * read_seconds
    made.piece_seconds = 2 * read_seconds
    made.peers = None if allow_link_local else Peers()
    return made


def checked_root(root: str, *, allow_link_local: bool) -> httpx.URL:
    """The address that a client is made for; see `client`.

    Raises:
        ConfigurationError: It is none.
    """
    try:
        url = httpx.URL(root)
        url.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError) as wrong:
        raise ConfigurationError(
            "The archive's address is not a URL, or its host is no host's name."
        ) from wrong
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise ConfigurationError(
            f"{_place(url)}: not an archive's address. Give http(s)://HOST/PATH, without user and query."
        )
    if not _HOST.fullmatch(url.raw_host):
        raise ConfigurationError(f"{_place(url)}: this is no host's name.")
    if url.port is not None and not 0 < url.port < 65536:
        raise ConfigurationError(f"{_place(url)}: {url.port} is no port. Give one of 1 to 65535.")
    if not allow_link_local and is_link_local(url.host):
        raise ConfigurationError(f"{_place(url)}: {LINK_LOCAL}")
    return url


def get_request(client: Client, path: str, *, accept: str) -> Request:
    """A request for what lies at a path.

    Raises:
        UsageError: The path is not one.
    """
    try:
        return client.build_request("GET", path, headers={"Accept": accept})
    except httpx.InvalidURL as wrong:
        raise UsageError("This cannot be part of an address: control characters, or far too long.") from wrong


def body_request(
    client: Client,
    method: str,
    path: str,
    body: AsyncIterable[bytes],
    *,
    length: int,
    headers: Mapping[str, str],
    silence_seconds: float,
) -> Request:
    """A request that brings a body of known length, which is read while it is sent.

    Args:
        client: From `client`.
        method: POST, PATCH …
        path: Relative to its root.
        body: Can be read again from its start, should the archive want other credentials.
        length: Bytes of it.
        headers: Beside the client's own, or in place of them.
        silence_seconds: How long the archive may take for what it was sent, before it answers.
    """
    known = client.timeout
    timeout = httpx.Timeout(
        connect=known.connect, pool=silence_seconds, write=silence_seconds, read=silence_seconds
    )
    told = {**headers, "Content-Length": str(length)}
    return client.build_request(method, path, content=body, headers=told, timeout=timeout)


def passed_request(client: Client, address: str, *, headers: Mapping[str, str]) -> Request:
    """A request on behalf of somebody else, who has a say in its address and headers.

    Args:
        client: From `client`.
        address: The whole URL.
        headers: Beside the client's own, or in place of them.

    Raises:
        UsageError: The address is not below the client's root, or would not be sent as it stands.
    """
    root = str(client.base_url)
    try:
        request = client.build_request("GET", address, headers=dict(headers))
    except (httpx.InvalidURL, UnicodeError) as wrong:
        raise UsageError("This cannot be part of an address: control characters, or far too long.") from wrong
    if str(request.url) != address or not address.startswith(root):
        raise UsageError("This cannot be sent to an archive as it stands: percent-encode what has to be.")
    return request


async def send(client: Client, request: Request, *, head: asyncio.Timeout | None = None) -> Response:
    """Sends a request once. Whatever the status of the response, its body is still to be read.

    Args:
        client: The client.
        request: The request.
        head: How long it may take, sending included, until the head of the response is whole. Each single
            byte of it may come in time, and the last one never.

    Raises:
        ArchiveError: It lies outside the client's root, or there is no answer.
    """
    root = client.base_url
    if (request.url.scheme, request.url.netloc) != (root.scheme, root.netloc):
        # Our credentials are for the archive alone.
        raise ArchiveAnswerError(f"{_place(request.url)}: not asked, since it lies outside {_place(root)}.")
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        async with head or asyncio.timeout(None):
            response = await client.send(request, stream=True)
    except (httpx.TransportError, ssl.SSLError) as wrong:  # of TLS 1.3 after the handshake
        raise transport_error(wrong, _place(request.url)) from wrong
    except TimeoutError as wrong:
        raise ArchiveSilentError(
            f"{_place(request.url)}: after {loop.time() - started:.1f} s the answer has not begun. "
            "Try again later."
        ) from wrong
    except UnicodeError as wrong:  # of the resolver
        error = ArchiveUnavailableError(f"{_place(request.url)}: no such host. Check the address.")
        raise error.having_done_nothing() from wrong
    if client.peers and client.peers.has_link_local(response.extensions.get("network_stream")):
        await response.aclose()
        raise ArchiveAccessError(f"{_place(request.url)}: {LINK_LOCAL}")
    return response


async def received(response: Response, *, piece_seconds: float | None = None) -> AsyncGenerator[bytes, None]:
    """The body of a response as it comes over the network.

    Args:
        response: The response.
        piece_seconds: How long each piece of the body, and what follows the last one, may take. What is in
            between may come a byte at a time and never end: heads of chunks, trailers (RFC 9112, 7.1).

    Raises:
        ArchiveSilentError: Nothing more of it comes.
        ArchiveUnavailableError: It breaks off.
    """
    place = _place(response.request.url)
    pieces = response.aiter_raw()
    while True:
        try:
            async with asyncio.timeout(piece_seconds):
                piece = await anext(pieces, None)
        except (httpx.TransportError, ssl.SSLError) as wrong:  # of TLS 1.3 after the handshake
            raise transport_error(wrong, place, is_begun=True) from wrong
        except TimeoutError as wrong:
            raise ArchiveSilentError(
                f"{place}: for {piece_seconds:g} s nothing of the answer's body has come. Try again later."
            ) from wrong
        if piece is None:
            return
        yield piece


def head_of(response: Response) -> Head:
    """The head of a response."""
    return Head(status=response.status_code, headers=response.headers, place=_place(response.request.url))


def _place(url: httpx.URL) -> str:
    """A URL for messages: without user and query, and without what names a patient's study or a part of it.

    >>> _place(httpx.URL("https://pacs.example/rs/studies/1.2.840.99.7/series/1.2.9.4.1/metadata?limit=1"))
    'https://pacs.example/rs/studies/{study}/series/{series}/metadata'
    """
    path = url.raw_path.partition(b"?")[0].decode("ascii")
    path = _RESOURCE.sub(lambda found: f"/{found.group(1)}/{_NAMED[found.group(1)]}", path)
    return f"{url.scheme}://{url.netloc.decode('ascii')}{_UID.sub('{uid}', path)}"
