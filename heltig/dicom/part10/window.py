"""The part of a source that is in memory while its elements are walked."""

from typing import Final

from heltig.dicom.part10.layout import HEADER_LIMIT
from heltig.dicom.part10.source import CHUNK, HeaderSource, PushedBackSource

_LARGEST_READ: Final = HEADER_LIMIT // 4


class Window:
    """The part of a source that is in memory: it grows forward and forgets what is done with.

    Never asks for more than twice what has really come, so that a length field cannot make it allocate.

    Attributes:
        data: The bytes in memory.
        base: Offset in the object of the first of them.
        full: The limit of held bytes was reached; what follows is not read.
        source: Where the bytes come from.
    """

    __slots__ = ("_ended", "_held", "base", "data", "full", "source")

    def __init__(self, source: HeaderSource, *, base: int = 0) -> None:
        self.source = source
        self.base = base
        self.data = source.read(CHUNK)
        self.full = False
        self._held = len(self.data)
        self._ended = not self.data

    def reach(self, position: int, need: int, *, ahead: int = CHUNK) -> int:
        """Read on until `need` bytes from `position` on are in memory, or the source ends.

        Returns the new place of what was at `position`: what lies before it may be forgotten.

        Args:
            position: A place in `data`.
            need: Bytes.
            ahead: Bytes that a read asks for at least.
        """
        have = len(self.data) - position
        if have >= need or self._ended:
            return position
        chunks = [self.data[position:]]
        while have < need:
            chunk = b"" if self.full else self.source.read(min(max(ahead, have), _LARGEST_READ))
            if not chunk:
                self._ended = True
                break
            chunks.append(chunk)
            have += len(chunk)
            self._held += len(chunk)
            self.full = self._held > HEADER_LIMIT
        self.base += position
        self.data = b"".join(chunks)
        return 0

    def peek(self, count: int) -> bytes:
        """Up to `count` bytes from the first in memory on; what is not in memory is read once more later."""
        ahead = self.source.read(count - len(self.data))
        self.source = PushedBackSource(ahead, self.source)
        return self.data + ahead

    def skip(self, position: int, count: int) -> tuple[int, int]:
        """Pass over `count` bytes from `position` on.

        Returns the place of the next byte, and how many of the `count` were there.
        """
        have = len(self.data) - position
        if count <= have:
            return position + count, count
        passed = have + self.source.skip(count - have)
        self.base += position + passed
        self.data = b""
        return 0, passed
