"""The body of an archive's answer on its way through a gate: as it is, or with what has to be another."""

from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Final

from litestar.exceptions import HTTPException
from multipart import parse_options_header  # type: ignore[import-untyped]  # it has no type information

from heltig.api.answers import JSON
from heltig.errors import ArchiveAnswerError, ArchiveUnavailableError
from heltig.gate.pass_through_request import Asked
from heltig.gate.pass_through_rows import StudyRows
from heltig.gate.pass_through_verdict import Verdicts
from heltig.gate.rewriting import JsonAddresses, Roots, Through
from heltig.gate.rewriting_parts import PartLocations
from heltig.http_answer import Head
from heltig.pipeline.publish import MEDIA_TYPE

_XML: Final = ("application/dicom+xml", "application/xml", "text/xml")
_PAGES: Final = ("text/html", "application/xhtml+xml")
_RELATED: Final = "multipart/related"


class Body:
    """A body that goes on as it is.

    Attributes:
        is_rewritten: It may be of another length in the end.
    """

    is_rewritten = False

    async def of(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Gives what to send of what comes.

        Raises:
            ArchiveError: It is not what it should be, or ends before its end.
            StorageError: It is not known how studies stand.
        """
        async for chunk in chunks:
            yield chunk


class JsonBody(Body):
    """A body in DICOM JSON: addresses lead through the gate, rows of studies have their verdicts."""

    is_rewritten = True

    def __init__(self, through: Through, retrieve: Through, rows: StudyRows | None = None) -> None:
        """Makes it; `rows` where it is a search for studies."""
        self._addresses = JsonAddresses(through, retrieve)
        self._rows = rows

    async def of(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """See `Body`."""
        async for chunk in chunks:
            yield self._addresses.feed(chunk if self._rows is None else await self._rows.feed(chunk))
        if self._rows is not None:
            self._rows.close()
        yield self._addresses.close()


class MultipartBody(Body):
    """A body of several parts: their locations lead through the gate."""

    is_rewritten = True

    def __init__(self, boundary: str, through: Through, *, must_close: bool) -> None:
        """Makes it; it must close with its last boundary where nothing else says that it is whole."""
        self._parts = PartLocations(boundary, through)
        self._must_close = must_close

    async def of(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """See `Body`."""
        async for chunk in chunks:
            yield self._parts.feed(chunk)
        yield self._parts.close()
        if self._must_close and not self._parts.is_whole:
            raise ArchiveUnavailableError("The archive's answer ends before its last boundary.")


def body_of(head: Head, asked: Asked, roots: Roots, base: str, verdicts: Verdicts) -> Body:
    """How the body of an answer 2xx goes on.

    Args:
        head: The head of the answer.
        asked: What was asked.
        roots: The archive's, and the gate's.
        base: The address that was asked.
        verdicts: How studies stand.

    Raises:
        ArchiveAnswerError: It cannot go on.
        HTTPException: It is in XML, which does not go on: 406.
    """
    through, media_type = partial(roots.through, base=base), head.media_type
    _, options = parse_options_header(head.headers.get("content-type", ""))
    if media_type in _XML or str(options.get("type", "")).lower() in _XML:
        raise HTTPException(
            status_code=HTTPStatus.NOT_ACCEPTABLE,
            detail="XML does not go through a gate. Ask for application/dicom+json.",
        )
    if media_type in (MEDIA_TYPE, JSON) or (asked.media_type and not media_type):
        has_studies = asked.resource.has_studies
        rows = StudyRows(verdicts, with_findings=asked.with_findings) if has_studies else None
        return JsonBody(through, partial(roots.retrieve, base=base), rows)
    if asked.media_type or (media_type in _PAGES and not asked.resource.is_rendered):
        shown = media_type or "no media type"
        raise ArchiveAnswerError(f"{head.place}: the answer is {shown}: perhaps a page to log in.")
    is_related = media_type == _RELATED
    if "content-range" in head.headers and (is_related or is_encoded(head)):
        raise ArchiveAnswerError(
            f"{head.place}: the answer is a range of something that cannot be passed on."
        )
    boundary = str(options.get("boundary", ""))
    if is_related and boundary and boundary.isascii():
        is_framed = "content-length" in head.headers or "transfer-encoding" in head.headers
        return MultipartBody(boundary, through, must_close=not is_framed)
    return Body()


def is_encoded(head: Head) -> bool:
    """Whether an answer comes in another coding than it goes on."""
    return head.headers.get("content-encoding", "identity").strip().lower() != "identity"
