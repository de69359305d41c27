"""What an archive answers, before anybody reads data sets in it: whether it is DICOM JSON, and its rows."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime

import msgspec

from connectors.base import Page
from heltig.dicom.cell import DataSet
from heltig.dicom.json_stream import ARRAY_CUT, InstanceSplitter, NotDicomJson
from heltig.errors import ArchiveAnswerError, ArchiveUnavailableError
from heltig.http_answer import NOT_JSON, Head

ACCEPT = "application/dicom+json"

_MORE = re.compile(r"\b299\b[^,]*\badditional results\b", re.IGNORECASE)
"""PS3.18 8.3.4.4; Warning 299 is also what says that names were matched literally."""

_SPACE = b"\xef\xbb\xbf \t\r\n"
_decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode


def rows_of(head: Head, body: bytes) -> list[bytes]:
    """The JSON text of each row of a QIDO-RS answer. No body, as with 204, is no rows; so is `null`.

    Raises:
        ArchiveAnswerError: The answer is something else.
    """
    refuse_other_media(head)
    _refuse_markup(head, body)
    if body.strip(_SPACE) == b"null":
        return []
    try:
        rows = [bytes(row).lstrip(_SPACE) for row in _decode_rows(body)] if body else []
        if all(row.startswith(b"{") for row in rows):
            return rows
    except NOT_JSON:  # one row is damaged, or an object stands where the array belongs
        pass
    splitter = InstanceSplitter()
    try:
        return [_text_of(row) for row in (*splitter.feed(body), *splitter.close())]
    except NotDicomJson as wrong:
        raise ArchiveAnswerError(f"{head.place}: {wrong}.") from wrong


def insist_on_whole_rows(head: Head, body: bytes) -> None:
    """Insists on a QIDO-RS answer that has its end.

    A proxy that passes on half a body may do so without a sign of it. Its rows would be taken for all that
    there are, and the other studies for deleted ones.

    Raises:
        ArchiveUnavailableError: It ends before the end of its array.
    """
    try:
        _decode_rows(body or b"[]")
    except NOT_JSON:
        splitter = InstanceSplitter()
        with suppress(NotDicomJson):  # who reads the rows says so
            found = (*splitter.feed(body), *splitter.close())
            if any(ARRAY_CUT in row.faults for row in found):
                raise ArchiveUnavailableError(
                    f"{head.place}: the answer ends before the end of its array. Try again later."
                ) from None


def page_of(head: Head, body: bytes) -> Page:
    """The rows of a QIDO-RS answer, and what its head says beside them.

    Raises:
        ArchiveAnswerError: The answer is something else.
    """
    warnings = head.headers.get("warning", "")
    return Page(rows_of(head, body), has_more=bool(_MORE.search(warnings)), date=date_of(head))


def date_of(head: Head) -> datetime | None:
    """The time by the archive's clock when it answered; None where it does not say, or no clock can."""
    try:
        date = parsedate_to_datetime(head.headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo and 1990 < date.year < 2200 else None


async def checked(head: Head, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The chunks of a metadata body, once it is clear that they are not a page for people.

    Raises:
        ArchiveAnswerError: They are.
    """
    refuse_other_media(head)
    start = b""
    async for chunk in chunks:
        if not start:
            start = chunk.lstrip(_SPACE)
            _refuse_markup(head, start)
        yield chunk


def refuse_other_media(head: Head) -> None:
    """Refuses an answer whose media type says that it is no JSON; some archives do not say.

    Raises:
        ArchiveAnswerError: It does.
    """
    if head.media_type == "text/html":
        _refuse_markup(head, b"<")
    if head.media_type.startswith("multipart/") or head.media_type.endswith("xml"):
        raise ArchiveAnswerError(f"{head.place}: the answer is {head.media_type}, not {ACCEPT} as asked for.")


def _refuse_markup(head: Head, start: bytes) -> None:
    if start.lstrip(_SPACE).startswith(b"<"):
        raise ArchiveAnswerError(
            f"{head.place}: the archive answers with a web page, perhaps to log in. "
            "Check the address and the credentials."
        )


def _text_of(row: DataSet) -> bytes:
    members = (b'"%s":%s' % (tag.encode(), bytes(raw)) for tag, raw in zip(row.tags, row.raws, strict=True))
    return b"{" + b",".join(members) + b"}"
