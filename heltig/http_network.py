"""Connections to servers, over which `heltig.http_transport` speaks HTTP."""

import asyncio
import socket
import ssl
from collections import deque
from typing import Any, Final, cast

MOST_UNREAD: Final = 1024 * 1024
"""Bytes that wait for the reader, after which no more are taken from the network."""

HEAD_START: Final = 0.25
"""Seconds that an address has to itself, before the next one is tried as well."""

_NAMES: Final = {"server_addr": "peername", "ssl_object": "ssl_object", "socket": "socket"}
"""What is asked of a connection by the name that httpx's users know, and what asyncio calls it."""


class Connection(asyncio.Protocol):
    """A connection. Takes what comes and keeps it until it is read.

    Attributes:
        has_ended: Nothing more will come.
    """

    def __init__(self) -> None:
        self.has_ended = False
        self._error: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._unread = deque[bytes]()
        self._size = 0
        self._is_paused = False
        self._is_full = False
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    @property
    def has_news(self) -> bool:
        """Something came that is not read, or nothing more will."""
        return bool(self._unread) or self.has_ended

    async def read(self) -> bytes:
        """What came; nothing where the other side has ended.

        Raises:
            OSError: The connection broke.
        """
        if not self.has_news:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        if self._unread:
            data = self._unread.popleft()
            self._size -= len(data)
            if self._is_paused and self._size <= MOST_UNREAD and self._transport:
                self._is_paused = False
                self._transport.resume_reading()
            return data
        if self._error is not None:
            raise ConnectionResetError(str(self._error)) from self._error
        return b""

    async def write(self, data: bytes) -> None:
        """Sends; waits where the other side does not keep up.

        Raises:
            OSError: The connection broke.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection is closed") from self._error
        self._transport.write(data)
        if self._is_full and not self.has_ended:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def abort(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Goes on in TLS.

        Raises:
            OSError: The other side is not who it should be, or speaks no TLS that we do.
        """
        if self._transport is not None:
            loop = asyncio.get_running_loop()
            self._transport = await loop.start_tls(self._transport, self, context, server_hostname=host)

    def get_extra_info(self, name: str) -> Any:
        """`server_addr`, `ssl_object` or `socket`."""
        known = _NAMES.get(name)
        return self._transport.get_extra_info(known) if known and self._transport else None

    # -- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the transport, by which it can be ended."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Keeps what came."""
        self._unread.append(data)
        self._size += len(data)
        if self._size > MOST_UNREAD and self._transport and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        _ring(self._news)

    def eof_received(self) -> None:
        """Takes note that the other side has ended."""
        self.has_ended = True
        _ring(self._news)

    def connection_lost(self, error: Exception | None) -> None:
        """Takes note that it is over."""
        self.has_ended, self._error = True, error
        _ring(self._news)
        _ring(self._room)

    def pause_writing(self) -> None:
        """Takes note that more is to be sent than the other side takes."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Lets go on who waits to send."""
        self._is_full = False
        _ring(self._room)


def _ring(bell: "asyncio.Future[None] | None") -> None:
    if bell is not None and not bell.done():
        bell.set_result(None)


async def connect(host: str, port: int) -> Connection:
    """Tries the addresses of a host, each a moment after the one before (RFC 8305).

    uvloop cannot do that by itself.

    Raises:
        OSError: None of them answers.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys((family, str(place[0])) for family, _, _, _, place in found))
    tries: list[asyncio.Task[tuple[asyncio.Transport, Connection]]] = []
    try:
        for number, (family, address) in enumerate(addresses, 1):
            connecting = loop.create_connection(Connection, address, port, family=family)
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
                return made.result()[1]
        raise ConnectionError("; ".join(dict.fromkeys(str(one.exception()) for one in tries)) or "no address")
    finally:
        for one in tries:
            one.cancel()
        for late in await asyncio.gather(*tries, return_exceptions=True):
            if not isinstance(late, BaseException):
                late[1].abort()
