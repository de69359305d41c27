"""Where the bytes of a header come from.

A header is read from its start and never whole files: eight KiB hold nearly every one. A file can be
positioned, so that long values and pixel data cost nothing; a ZIP member or a network stream is read forward
only.
"""

import io
from abc import ABC, abstractmethod
from typing import Final

CHUNK: Final = 8_192
_SKIP_CHUNK: Final = 65_536


class HeaderSource(ABC):
    """Bytes of one Part 10 object, from its start.

    Attributes:
        size: Bytes of the whole object, `None` where that is not known before its end.
        seekable: Skipping costs nothing and `tail` works.
    """

    size: int | None = None
    seekable: bool = False

    @abstractmethod
    def read(self, count: int) -> bytes:
        """Up to `count` bytes; none only at the end."""

    def skip(self, count: int) -> int:
        """Pass over up to `count` bytes and say how many were there."""
        passed = 0
        while passed < count:
            data = self.read(min(count - passed, _SKIP_CHUNK))
            if not data:
                break
            passed += len(data)
        return passed

    def tail(self, count: int) -> bytes:
        """The last `count` bytes of the object without losing the place; empty where not `seekable`."""
        return b""


class SeekableSource(HeaderSource):
    """An open binary file, best unbuffered: `open(path, "rb", buffering=0)`."""

    seekable = True

    def __init__(self, file: io.BufferedIOBase | io.RawIOBase) -> None:
        self._file = file
        self._end = file.seek(0, io.SEEK_END)
        self.size = self._end
        file.seek(0)

    def read(self, count: int) -> bytes:
        """Read from the file."""
        return self._file.read(count) or b""

    def skip(self, count: int) -> int:
        """Seek forward, not past the end."""
        place = self._file.tell()
        passed = min(count, max(self._end - place, 0))
        self._file.seek(place + passed)
        return passed

    def tail(self, count: int) -> bytes:
        """Read the end of the file and go back."""
        place = self._file.tell()
        self._file.seek(max(self._end - count, 0))
        last = self.read(count)
        self._file.seek(place)
        return last


class ForwardSource(HeaderSource):
    """A stream that is read once, such as `zipfile.ZipFile.open(member)`: only what is read is inflated."""

    def __init__(self, stream: io.BufferedIOBase | io.RawIOBase, *, size: int | None = None) -> None:
        self._stream = stream
        self.size = size

    def read(self, count: int) -> bytes:
        """Read from the stream."""
        return self._stream.read(count) or b""


class BytesSource(HeaderSource):
    """Bytes in memory, from `start` to `end`."""

    seekable = True

    def __init__(self, data: bytes, *, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._place = start
        self._end = len(data) if end is None else min(end, len(data))
        self.size = self._end - start

    def read(self, count: int) -> bytes:
        """Slice the bytes."""
        start = self._place
        self._place = min(start + count, self._end)
        return self._data[start : self._place]

    def skip(self, count: int) -> int:
        """Move on, not past the end."""
        start = self._place
        self._place = min(start + count, self._end)
        return self._place - start

    def tail(self, count: int) -> bytes:
        """Slice the last bytes."""
        return self._data[: self._end][-count:]


class ResumedSource(HeaderSource):
    """The bytes that were read ahead, then the source they came from."""

    def __init__(self, ahead: bytes, source: HeaderSource) -> None:
        self._ahead = ahead
        self._source = source
        self.size = source.size

    def read(self, count: int) -> bytes:
        """Read what is left ahead, then from the source."""
        if self._ahead:
            data, self._ahead = self._ahead[:count], self._ahead[count:]
            return data
        return self._source.read(count)


class PushedBackSource(HeaderSource):
    """A source of which something was read ahead, as if nothing had been."""

    def __init__(self, ahead: bytes, source: HeaderSource) -> None:
        self._ahead = ahead
        self._source = source
        self.size = source.size
        self.seekable = source.seekable

    def read(self, count: int) -> bytes:
        """Read what is left ahead and, where that is less than `count`, on from the source."""
        data, self._ahead = self._ahead[:count], self._ahead[count:]
        return data + self._source.read(count - len(data)) if len(data) < count else data

    def skip(self, count: int) -> int:
        """Pass over what is left ahead, then pass on in the source."""
        passed = min(count, len(self._ahead))
        self._ahead = self._ahead[passed:]
        return passed + self._source.skip(count - passed) if passed < count else passed

    def tail(self, count: int) -> bytes:
        """The source's last bytes."""
        return self._source.tail(count)
