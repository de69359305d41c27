"""The network beneath httpx: connections of asyncio, without the layers that make them fit for other loops.

httpx sends by httpcore, which speaks HTTP and keeps connections. What moves the bytes can be given to it, and
what it comes with costs nearly as much for a small answer as all the rest of a request.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpcore
import httpx

MOST_UNREAD: Final = 1024 * 1024
"""Bytes that wait for the reader, after which no more are taken from the network."""

MOST_CONNECTIONS: Final = 100
IDLE_SECONDS: Final = 5.0
"""A connection that is not used is closed then: many servers close it soon after, just when we send."""

HEAD_START: Final = 0.25
"""Seconds that an address has to itself, before the next one is tried as well."""

_SOCKET: Final = {
    "ssl_object": "ssl_object",
    "client_addr": "sockname",
    "server_addr": "peername",
    "socket": "socket",
}
"""What httpcore asks of a connection, and what asyncio calls it."""


class Transport(httpx.AsyncHTTPTransport):
    """What httpx sends requests with, where there is no proxy between."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Makes it.

        Args:
            context: For `https`.
        """
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=MOST_CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=_Network(),
        )


class _Network(httpcore.AsyncNetworkBackend):
    """Connects."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to a server; of its addresses to the one that answers first."""
        with _raising(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                transport, connection = await _connected(host, port, local_address)
        for option in socket_options or ():
            transport.get_extra_info("socket").setsockopt(*option)
        return _Stream(transport, connection)

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)


async def _connected(host: str, port: int, local: str | None) -> "tuple[asyncio.Transport, _Connection]":
    """Tries the addresses of a host, each a moment after the one before (RFC 8305).

    uvloop cannot do that by itself.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys((family, place[0]) for family, _, _, _, place in found))
    tries: list[asyncio.Task[tuple[asyncio.Transport, _Connection]]] = []
    try:
        for number, (family, address) in enumerate(addresses, 1):
            connecting = loop.create_connection(
                _Connection,
                str(address),
                port,
                family=family,
                local_addr=(local, 0) if local else None,
            )
            tries.append(asyncio.create_task(connecting))
            is_last = number == len(addresses)
            while pending := [one for one in tries if not one.done()]:
                done, _ = await asyncio.wait(
                    pending, timeout=None if is_last else HEAD_START, return_when=asyncio.FIRST_COMPLETED
                )
                if any(one.exception() is None for one in done) or not is_last:
                    break
            made = next((one for one in tries if one.done() and one.exception() is None), None)
            if made is not None:
                tries.remove(made)
                return made.result()
        raise OSError("; ".join(dict.fromkeys(str(one.exception()) for one in tries)) or "no address")
    finally:
        for one in tries:
            one.cancel()
        for late in await asyncio.gather(*tries, return_exceptions=True):
            if not isinstance(late, BaseException):
                late[0].abort()


class _Connection(asyncio.Protocol):
    """Takes what comes and keeps it until it is read.

    Attributes:
        unread: What came.
        has_ended: Nothing more will come.
        error: Why, where that was no good end.
        is_full: More is to be sent than the other side takes.
    """

    def __init__(self) -> None:
        self.unread = deque[bytes]()
        self.has_ended = False
        self.error: Exception | None = None
        self.transport: asyncio.Transport | None = None
        self._size = 0
        self._is_paused = False
        self._news: asyncio.Future[None] | None = None
        self.is_full = False
        self._drained: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.unread.append(data)
        self._size += len(data)
        if self._size > MOST_UNREAD and self.transport and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        _ring(self._news)

    def eof_received(self) -> None:
        self.has_ended = True
        _ring(self._news)

    def connection_lost(self, error: Exception | None) -> None:
        self.has_ended = True
        self.error = error
        _ring(self._news)
        _ring(self._drained)

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        _ring(self._drained)

    def take(self, most: int) -> bytes:
        """Some of what came."""
        data = self.unread.popleft()
        if len(data) > most:
            self.unread.appendleft(data[most:])
            data = data[:most]
        self._size -= len(data)
        if self._is_paused and self._size <= MOST_UNREAD and self.transport:
            self._is_paused = False
            self.transport.resume_reading()
        return data

    async def news(self) -> None:
        """Waits until something came, or nothing more will."""
        if not (self.unread or self.has_ended):
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    async def drained(self) -> None:
        """Waits until there is room for more to send."""
        if self.is_full and not self.has_ended:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained


def _ring(bell: "asyncio.Future[None] | None") -> None:
    if bell is not None and not bell.done():
        bell.set_result(None)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection as httpcore reads and writes it."""

    def __init__(self, transport: asyncio.Transport, connection: _Connection) -> None:
        self._transport = transport
        self._connection = connection
        connection.transport = transport

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """What came; nothing where the other side has ended."""
        connection = self._connection
        if not (connection.unread or connection.has_ended):
            with _raising(httpcore.ReadTimeout, httpcore.ReadError):
                async with asyncio.timeout(timeout):
                    await connection.news()
        if connection.unread:
            return connection.take(max_bytes)
        if connection.error is not None:
            raise httpcore.ReadError(str(connection.error)) from connection.error
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Sends; waits where the other side does not keep up."""
        if self._transport.is_closing():
            raise httpcore.WriteError("the connection is closed") from self._connection.error
        self._transport.write(buffer)
        if self._connection.is_full:
            with _raising(httpcore.WriteTimeout, httpcore.WriteError):
                async with asyncio.timeout(timeout):
                    await self._connection.drained()

    async def aclose(self) -> None:
        """Closes without waiting for the other side."""
        self._transport.close()
        await asyncio.sleep(0)
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """The same connection, encrypted."""
        loop = asyncio.get_running_loop()
        with _raising(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                encrypted = await loop.start_tls(
                    self._transport, self._connection, ssl_context, server_hostname=server_hostname
                )
        if encrypted is None:
            raise httpcore.ConnectError("the connection is closed")
        return _Stream(encrypted, self._connection)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore wants to know."""
        if info == "is_readable":  # while nothing is asked: then it has been closed, or is out of step
            return bool(self._connection.unread) or self._connection.has_ended
        return self._transport.get_extra_info(_SOCKET[info]) if info in _SOCKET else None


@contextmanager
def _raising(on_timeout: type[Exception], on_error: type[Exception]) -> Iterator[None]:
    """Says what happens in the words of httpcore."""
    try:
        yield
    except TimeoutError as error:
        raise on_timeout(str(error)) from error
    except OSError as error:  # ssl.SSLError is one
        raise on_error(str(error)) from error
