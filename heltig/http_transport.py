"""What httpx sends requests with: HTTP/1.1 as h11 speaks it, over connections of asyncio that are kept.

What httpx comes with does the same for any event loop, and takes twice the time of all the rest of a request.
"""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias, cast

import h11
import httpx

from heltig.http_network import Connection, connect

IDLE_SECONDS: Final = 5.0
"""A connection that is not used is given up then: many servers close it soon after, just when we send."""

LONGEST_HEAD: Final = 100 * 1024

_Origin: TypeAlias = tuple[str, str, int]
_Seconds: TypeAlias = dict[str, float | None]
_PORTS: Final = {"http": 80, "https": 443}


class Transport(httpx.AsyncBaseTransport):
    """Sends requests, where there is no proxy between."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Makes it.

        Args:
            context: For `https`.
        """
        context.set_alpn_protocols(["http/1.1"])
        self._context = context
        self._idle: dict[_Origin, list[_Line]] = defaultdict(list)
        self._busy: set[_Line] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request; the body of the response is still to be read.

        Raises:
            httpx.TransportError: There is no answer.
        """
        url = request.url
        origin = url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]
        seconds: _Seconds = request.extensions.get("timeout", {})
        line, response = await self._answer(request, origin, seconds)
        return httpx.Response(
            response.status_code,
            headers=response.headers.raw_items(),
            stream=_Body(self, line, seconds.get("read")),
            extensions={
                "http_version": b"HTTP/" + response.http_version,
                "reason_phrase": response.reason,
                "network_stream": line.connection,
            },
        )

    async def _answer(
        self, request: httpx.Request, origin: _Origin, seconds: _Seconds
    ) -> "tuple[_Line, h11.Response]":
        kept = self._kept(origin)
        line = kept or await self._connected(origin, seconds.get("connect"))
        self._busy.add(line)
        try:
            return line, await line.ask(request, seconds)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            self._give_up(line)
            if kept is None or kept.has_begun or request.method != "GET":
                raise
        except BaseException:
            self._give_up(line)
            raise
        # It had been idle, and was closed while we sent: that says nothing of the request (RFC 9112, 9.3.1).
        return await self._answer(request, origin, seconds)

    async def aclose(self) -> None:
        """Closes all connections."""
        for line in [*self._busy, *(one for idle in self._idle.values() for one in idle)]:
            line.connection.abort()
        self._busy.clear()
        self._idle.clear()
        await asyncio.sleep(0)  # they are closed in the next round of the event loop

    def release(self, line: "_Line") -> None:
        """Takes a connection back whose answer nobody reads any more."""
        if line not in self._busy:
            return
        if not line.begin_again():
            self._give_up(line)
            return
        self._busy.discard(line)
        self._idle[line.origin].append(line)

    def _give_up(self, line: "_Line") -> None:
        self._busy.discard(line)
        line.connection.abort()

    def _kept(self, origin: _Origin) -> "_Line | None":
        """The connection that was used last, where it can still be used."""
        idle = self._idle[origin]
        while idle and idle[0].is_over:
            idle.pop(0).connection.abort()
        while idle:
            line = idle.pop()
            if not line.is_over:
                return line
            line.connection.abort()
        return None

    async def _connected(self, origin: _Origin, seconds: float | None) -> "_Line":
        scheme, host, port = origin
        connection: Connection | None = None
        with _saying(httpx.ConnectTimeout, httpx.ConnectError):
            try:
                async with asyncio.timeout(seconds):
                    connection = await connect(host, port)
                    if scheme == "https":
                        await connection.encrypt(self._context, host)
            except BaseException:
                if connection is not None:
                    connection.abort()
                raise
        return _Line(connection, origin)


class _Line:
    """A connection with what was said over it.

    Attributes:
        connection: The connection.
        origin: With whom.
        has_begun: Something came of the answer to the last request.
    """

    def __init__(self, connection: Connection, origin: _Origin) -> None:
        self.connection = connection
        self.origin = origin
        self._said = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
        self.has_begun = False
        self._since = 0.0

    @property
    def is_over(self) -> bool:
        """Whether it can be used no more: it has been idle for long, was closed, or is out of step."""
        return self.connection.has_news or time.monotonic() - self._since > IDLE_SECONDS

    async def ask(self, request: httpx.Request, seconds: _Seconds) -> h11.Response:
        """Sends a request, and reads the head of the answer."""
        with _saying(httpx.WriteTimeout, httpx.WriteError):
            try:
                async with asyncio.timeout(seconds.get("write")):
                    await self._send(request)
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
                # It may have refused the request before it had all of it: then an answer is there.
        while True:
            event = await self._event(seconds.get("read"))
            if isinstance(event, h11.Response):
                return event

    async def body(self, seconds: float | None) -> AsyncIterator[bytes]:
        """The body of the answer as it comes."""
        while isinstance(event := await self._event(seconds), h11.Data):
            yield bytes(event.data)

    def begin_again(self) -> bool:
        """Gets ready for the next request; whether that can be."""
        if self._said.our_state is not h11.DONE or self._said.their_state is not h11.DONE:
            return False
        self._said.start_next_cycle()
        self.has_begun = False
        self._since = time.monotonic()
        return not self.connection.has_news

    async def _send(self, request: httpx.Request) -> None:
        head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        waiting = self._said.send(head) or b""
        async for piece in cast(httpx.AsyncByteStream, request.stream):
            if piece:
                await self.connection.write(waiting + (self._said.send(h11.Data(piece)) or b""))
                waiting = b""
        waiting += self._said.send(h11.EndOfMessage()) or b""
        if waiting:
            await self.connection.write(waiting)

    async def _event(self, seconds: float | None) -> h11.Event:
        with _saying(httpx.ReadTimeout, httpx.ReadError):
            while (event := self._said.next_event()) is h11.NEED_DATA:
                if self.connection.has_news:
                    data = await self.connection.read()
                else:
                    async with asyncio.timeout(seconds):
                        data = await self.connection.read()
                if not data and self._said.their_state is h11.SEND_RESPONSE:
                    raise httpx.RemoteProtocolError("the connection was closed without an answer")
                self.has_begun = self.has_begun or bool(data)
                self._said.receive_data(data)
        if isinstance(event, h11.Event):
            return event
        raise httpx.RemoteProtocolError("the answer goes on in another protocol")


class _Body(httpx.AsyncByteStream):
    """The body of a response; whoever has had enough of it closes it."""

    def __init__(self, transport: Transport, line: _Line, seconds: float | None) -> None:
        self._transport = transport
        self._line = line
        self._seconds = seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._line.body(self._seconds):
            yield piece

    async def aclose(self) -> None:
        self._transport.release(self._line)


@contextmanager
def _saying(on_timeout: type[httpx.TransportError], on_error: type[httpx.TransportError]) -> Iterator[None]:
    """Says what goes wrong in the words of httpx."""
    try:
        yield
    except TimeoutError as error:
        raise on_timeout(str(error)) from error
    except OSError as error:  # ssl.SSLError is one
        raise on_error(str(error)) from error
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError(str(error)) from error
