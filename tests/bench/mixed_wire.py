"""One kept HTTP/1.1 connection of a client, as cheap as may be: the server is what is measured."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final

import httptools

PATIENCE: Final = 330.0
"""Seconds that an answer may take, more is an error: an upload waits five minutes for its verdicts."""


class CutError(Exception):
    """The connection ended before the whole answer had come, or could not be made."""


@dataclass
class Answer:
    """What a server answered."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


class _Protocol(asyncio.Protocol):
    """Takes one answer at a time."""

    def __init__(self) -> None:
        self.is_open = False
        self.answer: asyncio.Future[Answer] | None = None
        self._now = Answer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.is_open = True

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        self.answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._now, self._parts = Answer(), list[bytes]()
        self.transport.write(request)  # type: ignore[attr-defined]
        return self.answer

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(CutError(f"what came is no HTTP: {error}"))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._end(CutError(type(exc).__name__ if exc else "closed"))

    def _end(self, result: Answer | CutError) -> None:
        if self.answer is not None and not self.answer.done():
            if isinstance(result, CutError):
                self.answer.set_exception(result)
            else:
                self.answer.set_result(result)

    # What httptools calls.
    def on_header(self, name: bytes, value: bytes) -> None:
        self._now.headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._now.status = self._parser.get_status_code()
        self._now.body = b"".join(self._parts)
        if not self._parser.should_keep_alive():
            self.is_open = False
            self.transport.close()
        self._end(self._now)


class Wire:
    """A client's connection, made anew when it has ended.

    Attributes:
        headers: Sent with each request.
    """

    def __init__(self, port: int, *, source: str, headers: dict[str, str]) -> None:
        """Makes it.

        Args:
            port: Of the server, at 127.0.0.1.
            source: The loopback address that the client has.
            headers: Sent with each request.
        """
        self.headers = headers
        self._port = port
        self._source = source
        self._protocol: _Protocol | None = None

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Sends a request; gives the answer.

        Args:
            method: The method.
            path: With its query.
            body: What is sent with it.
            **headers: More headers, with `_` for `-`.

        Raises:
            CutError: No whole answer came.
            TimeoutError: It took too long.
        """
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        lines += [f"{name}: {value}" for name, value in (self.headers | more).items()]
        if body is not None or method in ("POST", "PATCH"):
            lines.append(f"Content-Length: {len(body or b'')}")
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")
        async with asyncio.timeout(PATIENCE):
            protocol = self._protocol
            if protocol is None or not protocol.is_open:
                try:
                    _, protocol = await asyncio.get_running_loop().create_connection(
                        _Protocol, "127.0.0.1", self._port, local_addr=(self._source, 0)
                    )
                except OSError as error:
                    raise CutError(type(error).__name__) from error
                self._protocol = protocol
            try:
                return await protocol.ask(request)
            except asyncio.CancelledError:
                protocol.transport.close()
                self._protocol = None
                raise

    def close(self) -> None:
        """Ends the connection."""
        if self._protocol is not None and self._protocol.is_open:
            self._protocol.transport.close()
