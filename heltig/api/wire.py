"""HTTP/1.1 as it comes in: what is no request, or one that never ends, is refused before there is any.

The parser (llhttp) refuses what two servers could read in two ways: two lengths, a length beside chunks,
white space before a colon, a bare line feed. It sets no bounds of its own; these do.
"""

from asyncio import BaseTransport, TimerHandle, Transport
from typing import Any, Final, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from heltig.api.headers import ALWAYS, UNLESS_SAID, Headers
from heltig.api.joined_writes import JoinedWrites
from heltig.api.problems import MEDIA_TYPE, Problem

LONGEST_HEAD: Final = 64 * 1024
"""Bytes of a request's line and headers together; also of what stands between the chunks of a body."""

MOST_HEADERS: Final = 128
HEAD_SECONDS: Final = 30.0
"""How long a connection may be without a request, and a request without the end of its headers."""

BODY_SECONDS: Final = 120.0
"""How long nothing may come of a body that is not at its end."""

_TOO_LARGE: Final = Problem(
    "/problems/headers",
    "Headers too large",
    431,
    f"The request line and headers have {LONGEST_HEAD // 1024} KiB at most, and there are {MOST_HEADERS} "
    "headers at most.",
)
_TOO_SLOW: Final = Problem(
    "/problems/slow", "Too slow", 408, f"The headers have to be here within {HEAD_SECONDS:.0f} s."
)
_SILENT: Final = Problem(
    "/problems/slow", "Too slow", 408, f"Nothing came of the body for {BODY_SECONDS:.0f} s."
)
_NO_REQUEST: Final = Problem(
    "/problems/bad-request", "Request not understood", 400, "This is no request of HTTP/1.1 (RFC 9112)."
)


class _TooLargeError(Exception):
    """Headers are over a bound."""


class BoundedHttp(HttpToolsProtocol):
    """A connection. Its bounds cost a request nothing but the adding up of its headers."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Begins."""
        super().connection_made(cast("Any", JoinedWrites(cast("Transport", transport), self.loop)))
        self._silent = 0
        self._has_progressed = False
        self._is_in_body = False
        self._head = 0
        self._patience: TimerHandle | None = self.loop.call_later(HEAD_SECONDS, self._lose_patience)
        self._watch: TimerHandle | None = None
        self._heard = 0.0
        self._is_ours = False  # that nothing comes

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends."""
        self._stop_waiting()
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes bytes; those that lead to nothing, however many come, are not kept for ever."""
        self._has_progressed = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        self._silent = 0 if self._has_progressed else self._silent + len(data)
        if self._silent > LONGEST_HEAD:
            self._refuse(_TOO_LARGE)
        elif self._is_in_body:
            self._heard = self.loop.time()
            if self._watch is None:
                self._is_ours = self._waits_for_us()
                self._watch = self.loop.call_later(BODY_SECONDS, self._look_for_silence)
        elif self._patience is None and not self._has_progressed:
            self._patience = self.loop.call_later(HEAD_SECONDS, self._lose_patience)

    def on_url(self, url: bytes) -> None:
        """A part of the request's target."""
        self._head += len(url)
        if self._head > LONGEST_HEAD:
            raise _TooLargeError
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; one that comes after the body is none of the request's (RFC 9110 6.5.1)."""
        self._head += len(name) + len(value)
        if self._head > LONGEST_HEAD:
            raise _TooLargeError
        if not self._is_in_body:
            super().on_header(name, value)
            if len(self.headers) > MOST_HEADERS:
                raise _TooLargeError

    def on_headers_complete(self) -> None:
        """The end of the headers."""
        self._stop_waiting()
        self._has_progressed = self._is_in_body = True
        self._head = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._has_progressed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request."""
        self._has_progressed = True
        self._is_in_body = False
        self._head = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser refused."""
        self._refuse(_TOO_LARGE if self._head > LONGEST_HEAD or self._has_many() else _NO_REQUEST)

    def _has_many(self) -> bool:
        return self.headers is not None and len(self.headers) > MOST_HEADERS

    def _lose_patience(self) -> None:
        self._patience = None
        if self.transport.is_closing():
            return
        if self._silent:
            self._refuse(_TOO_SLOW)
        else:  # a browser opened it in case it would need one
            self.transport.close()

    def _look_for_silence(self) -> None:
        """Refuses a body of which nothing comes, unless it is we who keep it waiting."""
        self._watch = None
        if self.transport.is_closing() or not self._is_in_body:
            return
        was_ours, self._is_ours = self._is_ours, self._waits_for_us()
        if was_ours or self._is_ours:
            self._heard = self.loop.time()  # we may have begun to read just now
        left = self._heard + BODY_SECONDS - self.loop.time()
        if left > 0:
            self._watch = self.loop.call_later(left, self._look_for_silence)
        else:
            self._refuse(_SILENT)

    def _waits_for_us(self) -> bool:
        """A request before it has no answer yet, we do not read it, or did not ask for its body yet."""
        return bool(self.pipeline) or self.flow.read_paused or self.cycle.waiting_for_100_continue

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _refuse(self, problem: Problem) -> None:
        """Answers and closes, unless the request, or one before it, has the beginning of an answer."""
        cycle = self.cycle
        is_next = cycle is None or (cycle.response_complete and not self._is_in_body)
        if (is_next or not cycle.response_started) and not self.pipeline:
            self.transport.write(_answer(problem))
        if cycle is not None:
            cycle.disconnected = True  # what a route still has to say of it is for nobody
            cycle.message_event.set()
        self.transport.close()


def _answer(problem: Problem) -> bytes:
    body = msgspec.json.encode(problem)
    headers: Headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *ALWAYS,
        *UNLESS_SAID,
    ]
    lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
    phrase = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (problem.status, phrase[problem.status], lines, body)
