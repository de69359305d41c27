"""Header fields of the parts of a multipart body, rewritten as it comes (PS3.18 8.6.1.2, RFC 2046 5.1).

Boundaries and the contents of parts stay as they are, byte for byte.
"""

import re
from typing import Final

from heltig.gate.rewriting import Through

_MOST_HEADER: Final = 16 * 1024
_HEADER_END: Final = b"\r\n\r\n"
_LOCATION: Final = re.compile(rb"(?i)(\r\nContent-Location[ \t]*:[ \t]*)([!-~]+)(?=[ \t]*\r\n)")


class PartLocations:
    """Leads the Content-Location of each part through the gate.

    Attributes:
        is_whole: The last boundary came.
    """

    def __init__(self, boundary: str, through: Through) -> None:
        """Makes it.

        Args:
            boundary: From the body's Content-Type.
            through: Gives the address to write.
        """
        self.is_whole = False
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        self._through = through
        self._held = b"\r\n"  # the first boundary may have no line before it
        self._is_first = True
        self._in_header = False

    def feed(self, data: bytes) -> bytes:
        """Takes some bytes; returns what can be sent by now."""
        data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            at = self._header(data, at, pieces) if self._in_header else self._content(data, at, pieces)
        return self._sent(b"".join(pieces))

    def close(self) -> bytes:
        """Says that nothing more comes; returns the rest."""
        rest, self._held = self._held, b""
        return self._sent(rest)

    def _sent(self, data: bytes) -> bytes:
        """What goes on, without the line end that was put before the first boundary."""
        if self._is_first and data:
            self._is_first = False
            return data.removeprefix(b"\r\n")
        return data

    def _content(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        found = -1 if self.is_whole else data.find(self._delimiter, at)
        if found >= 0:
            self._in_header = True
            end = found + len(self._delimiter)
            pieces.append(data[at:end])
            return end
        keep = len(data) if self.is_whole else max(at, _last_line(data, len(self._delimiter)))
        pieces.append(data[at:keep])
        self._held = data[keep:]
        return len(data)

    def _header(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """The header of a part; after the last boundary, or where it is none, the rest is content."""
        start = data[at : at + 2]
        end = data.find(_HEADER_END, at, at + _MOST_HEADER)
        if len(start) < 2 or (end < 0 and start != b"--" and len(data) - at < _MOST_HEADER):
            self._held = data[at:]
            return len(data)
        self._in_header = False
        if start == b"--":
            self.is_whole = True
            return at
        if end < 0:
            return at
        end += len(_HEADER_END)
        pieces.append(_LOCATION.sub(self._led, data[at:end]))
        return end

    def _led(self, found: "re.Match[bytes]") -> bytes:
        name, address = found.groups()
        return bytes(name) + self._through(address.decode("ascii")).encode()


def _last_line(data: bytes, length: int) -> int:
    """Where the end of some bytes may be the beginning of a delimiter of so many."""
    found = data.find(b"\r", max(0, len(data) - length + 1))
    return len(data) if found < 0 else found
