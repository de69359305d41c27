"""The header of an instance out of the answer with the instance itself, of which only the start was read."""

import re
from typing import Final

from heltig.dicom.cell import DataSet
from heltig.dicom.part10 import HeaderSource, NotDicom, UnreadableFile, read_header
from heltig.errors import ArchiveAnswerError
from heltig.http_answer import Head

_BOUNDARY: Final = re.compile(r';\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)


class _Start(HeaderSource):
    """The first bytes of an object whose size is not known.

    Attributes:
        ran_out: More was wanted than there is.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0
        self.ran_out = False

    def read(self, count: int) -> bytes:
        """Slice the bytes."""
        data = self._data[self._place : self._place + count]
        self._place += len(data)
        self.ran_out = self.ran_out or not data
        return data


def header_of(head: Head, start: bytes, *, is_whole: bool) -> DataSet | None:
    """The elements up to the pixel data; None where the start of the answer is not enough for them.

    Args:
        head: Of the answer: an instance as it is, or as the first part of several (RFC 2046 5.1).
        start: The start of its body.
        is_whole: It is the whole body.

    Raises:
        ArchiveAnswerError: It is no instance.
    """
    data, is_whole = _first_part(head, start, is_whole=is_whole)
    source = _Start(data)
    try:
        header = read_header(source)
    except (NotDicom, UnreadableFile) as wrong:
        if source.ran_out and not is_whole:
            return None
        raise ArchiveAnswerError(f"{head.place}: the answer is no DICOM object ({wrong}).") from wrong
    return None if source.ran_out and not is_whole else header


def _first_part(head: Head, body: bytes, *, is_whole: bool) -> tuple[bytes, bool]:
    """The content of the first part, and whether that is all of it."""
    if not head.media_type.startswith("multipart/"):
        return body, is_whole
    found = _BOUNDARY.search(head.headers.get("content-type", ""))
    named = (found[1] or found[2]).encode("latin-1") if found else b""
    delimiter = b"--" + named if named else body.lstrip().partition(b"\r\n")[0]
    _, _, part = body.partition(delimiter + b"\r\n")
    _, _, content = (b"\r\n" + part).partition(b"\r\n\r\n")  # a part may have no header fields
    content, end, _ = content.partition(b"\r\n" + delimiter)
    return content, bool(end)
