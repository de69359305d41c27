"""A body of type multipart/related, read as it comes (RFC 2046 5.1, PS3.18 8.6.1.2).

The library `multipart` reads forms: it insists on a name for each part. Parts of STOW-RS have none.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, TypeAlias

import msgspec

from heltig.errors import UsageError

MOST_PREAMBLE: Final = 64 * 1024
"""Bytes before the first part."""

_MOST_PADDING: Final = 256
"""White space between a boundary and the end of its line."""

_LINE_END: Final = b"\r\n"
# RFC 2046 allows 70 characters; Orthanc sends 73.
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]")
_FOLDED: Final = re.compile(rb"\r\n[ \t]+")


class MultipartError(UsageError):
    """The body is not what its Content-Type says, or ends before its end."""


class PartStart(msgspec.Struct, frozen=True):
    """A part begins.

    Attributes:
        headers: By name in lower case.
    """

    headers: Mapping[str, str]


class PartEnd(msgspec.Struct, frozen=True):
    """A part is whole."""


Event: TypeAlias = PartStart | bytes | PartEnd
"""What comes in turn: the start of a part, its bytes in pieces of any size, its end."""

END: Final = PartEnd()


class _At(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    CONTENT = auto()
    EPILOGUE = auto()


class MultipartReader:
    """Takes a body in pieces of any size. Keeps no more of it than a header or a boundary is long.

    Attributes:
        parts: How many parts began.
        is_whole: The last boundary came; what follows has no meaning.
    """

    def __init__(self, boundary: str, *, most_parts: int, most_header: int = 16 * 1024) -> None:
        """Makes it.

        Args:
            boundary: From the body's Content-Type.
            most_parts: After so many the body is refused.
            most_header: Bytes of all header fields of one part.

        Raises:
            MultipartError: There is no such boundary (RFC 2046 5.1.1).
        """
        if not _BOUNDARY.fullmatch(boundary):
            raise MultipartError("The Content-Type has no boundary, or one that is not allowed.")
        self.parts = 0
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._most_parts = most_parts
        self._most_header = most_header
        self._unread = bytearray(_LINE_END)  # the first boundary needs no line before it
        self._at = _At.PREAMBLE
        self._passed = 0

    @property
    def is_whole(self) -> bool:
        """Whether the last boundary came; what follows it has no meaning."""
        return self._at is _At.EPILOGUE

    def feed(self, data: bytes | bytearray) -> list[Event]:
        """What these bytes complete.

        Raises:
            MultipartError: The body is broken, or over a limit.
        """
        events: list[Event] = []
        if self._at is _At.EPILOGUE:
            return events
        self._unread += data
        while self._step(events):
            pass
        return events

    def close(self) -> None:
        """Says that nothing more comes.

        Raises:
            MultipartError: More should have come.
        """
        if self._at is _At.EPILOGUE:
            return
        if self._at is _At.PREAMBLE:
            raise MultipartError("The body has no part with the boundary that its Content-Type names.")
        raise MultipartError("The body ends before its last boundary. Send it again.")

    def _step(self, events: list[Event]) -> bool:
        """Goes one step further, where what came is enough for it."""
        match self._at:
            case _At.HEADERS:
                return self._headers(events)
            case _At.EPILOGUE:
                self._unread.clear()
                return False
            case _:
                return self._content(events)

    def _content(self, events: list[Event]) -> bool:
        """Takes the content of a part, or what stands before the first one, as far as it surely is that."""
        unread, start = self._unread, 0
        while True:
            found = unread.find(self._delimiter, start)
            if found < 0:
                self._give(max(0, len(unread) - len(self._delimiter) + 1), events)
                return False
            after = found + len(self._delimiter)
            line = bytes(unread[after : after + _MOST_PADDING])
            if line.startswith(b"--"):
                self._end_part(found, events)
                self._at = _At.EPILOGUE
                return True
            padding = len(line) - len(line.lstrip(b" \t"))
            if line.startswith(_LINE_END, padding):
                self._end_part(found, events)
                del unread[: after + padding - found + len(_LINE_END)]
                self._at = _At.HEADERS
                return True
            if _may_go_on(line[padding:]) and len(line) < _MOST_PADDING:
                self._give(found, events)
                return False
            start = found + len(_LINE_END)  # a line that only begins like a boundary

    def _end_part(self, found: int, events: list[Event]) -> None:
        """Gives what stands before a boundary; what is unread begins with that boundary then."""
        is_part = self._at is _At.CONTENT
        self._give(found, events)
        if is_part:
            events.append(END)

    def _give(self, count: int, events: list[Event]) -> None:
        if not count:
            return
        if self._at is _At.CONTENT:
            events.append(bytes(memoryview(self._unread)[:count]))
        else:
            self._passed += count
            if self._passed > MOST_PREAMBLE:
                raise MultipartError("No part begins where one should: see the boundary in the Content-Type.")
        del self._unread[:count]

    def _headers(self, events: list[Event]) -> bool:
        unread = self._unread
        if unread.startswith(_LINE_END):
            block, length = b"", len(_LINE_END)
        else:
            end = unread.find(b"\r\n\r\n", 0, self._most_header + 4)
            if end < 0:
                if len(unread) > self._most_header:
                    raise MultipartError(f"The header of a part is over {self._most_header:,} bytes.")
                return False
            block, length = bytes(unread[:end]), end + 4
        headers = _fields(block)
        self.parts += 1
        if self.parts > self._most_parts:
            raise TooManyPartsError(
                f"The body has more than {self._most_parts:,} parts. Send less at a time."
            )
        del unread[:length]
        events.append(PartStart(headers))
        self._at = _At.CONTENT
        return True


class TooManyPartsError(MultipartError):
    """The body has more parts than is allowed."""

    status = 413
    problem_type = "/problems/input-too-large"
    title = "Input too large"


def _may_go_on(line: bytes) -> bool:
    """Whether the rest of a line might still become the end of a boundary's line."""
    return line in (b"", b"-", b"\r")


def _fields(block: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in _FOLDED.sub(b" ", block).split(_LINE_END) if block else ():
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name.strip():
            raise MultipartError("The header of a part has a line that is no field.")
        fields[name.strip().lower()] = value.strip()
    return fields
