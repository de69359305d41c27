"""A remote archive over DICOMweb: QIDO-RS searches and WADO-RS metadata."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Final

from connectors.base import Capabilities, Page
from connectors.dicomweb.address import (
    instance_address,
    metadata_address,
    search_address,
    series_address,
)
from connectors.dicomweb.answer import ACCEPT, checked, insist_on_whole_rows, page_of, rows_of
from connectors.dicomweb.object_head import header_of
from connectors.dicomweb.probe import probe
from connectors.paging import UNSEARCHED, Pager
from heltig import http
from heltig.dicom.cell import DataSet
from heltig.errors import ArchiveAnswerError, ArchiveAnswerTooLargeError, ArchiveSilentError
from heltig.exchange import trials
from heltig.http_answer import Head
from heltig.retry import Retry

MIB = 1024 * 1024
MOST_METADATA = 256 * MIB
MOST_ROWS = 64 * MIB
PAGE_ROWS = 1000
MOST_PAGES = 1000

PROBE_SECONDS: Final = 60.0
"""How long all requests of a probe may take together: a job place waits for them, as long as for a look."""

HEADER_STARTS = (256 * 1024, 8 * MIB)
"""Bytes that are read of an instance for its header; all of it where they are not enough."""

_OBJECT = 'multipart/related; type="application/dicom"; transfer-syntax=*'

STUDY_COUNTS = "ModalitiesInStudy,NumberOfStudyRelatedSeries,NumberOfStudyRelatedInstances"
_SERIES_COUNT = "NumberOfSeriesRelatedInstances"
"""Asked for by name, since some archives give them only then."""


class DicomWebArchive:
    """An `Archive` behind DICOMweb services. It does not close the clients it is given."""

    def __init__(
        self,
        id: str,
        *,
        qido: http.Client,
        wado: http.Client,
        feed: http.Client | None = None,
        most_metadata: int = MOST_METADATA,
        retry: Retry | None = None,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        """Makes it; nothing is asked yet.

        Args:
            id: The archive's name.
            qido: A client whose root is that of QIDO-RS.
            wado: A client whose root is that of WADO-RS; may be the same.
            feed: A client whose root is that of what tells of changes, where that is elsewhere.
            most_metadata: Bytes of one metadata answer, decompressed.
            retry: How often to ask again, other than `heltig.http` does by itself.
            probe_seconds: How long a whole probe may take.
        """
        self._id = id
        self._qido = qido
        self._wado = wado
        self._feed = feed
        self._most_metadata = most_metadata
        self._retry = retry
        self._probe_seconds = probe_seconds
        self._pager = Pager(page_rows=PAGE_ROWS, most_pages=MOST_PAGES)
        self._pager.saw(2)  # no archive gives one row at a time: where one comes, there are no more

    @property
    def id(self) -> str:
        """The archive's name."""
        return self._id

    @property
    def root(self) -> str:
        """The root of its WADO-RS."""
        return str(self._wado.base_url)

    @property
    def search_root(self) -> str:
        """The root of its QIDO-RS, without a slash at the end."""
        return str(self._qido.base_url).rstrip("/")

    @property
    def feed_root(self) -> str | None:
        """The root of what tells of changes, without a slash at the end, where that is configured."""
        return None if self._feed is None else str(self._feed.base_url).rstrip("/")

    async def search_studies(self, query: Mapping[str, str], *, limit: int, offset: int) -> Page:
        """One page of study rows, see `connectors.base.Archive.search_studies`."""
        head, body = await self.ask_for_studies(query, limit=limit, offset=offset)
        page = page_of(head, body)
        self._pager.saw(min(len(page), limit))
        return page

    async def ask_for_studies(
        self, query: Mapping[str, str], *, limit: int, offset: int
    ) -> tuple[Head, bytes]:
        """The answer that `search_studies` reads; `includefield` in the query replaces the usual one."""
        return await self._search(
            {"includefield": STUDY_COUNTS, **query}, limit, offset, study=None, series=None
        )

    async def ask_as_written(self, query: str) -> tuple[Head, bytes]:
        """The answer to a search for studies whose query is sent as it stands."""
        address = f"{self.search_root}/studies?{query}"
        return await http.get(self._qido, address, accept=ACCEPT, max_bytes=MOST_ROWS, retry=self._retry)

    async def ask_beside(self, address: str) -> tuple[Head, bytes]:
        """The JSON of an interface that an archive has beside DICOMweb, such as its changes.

        Args:
            address: A whole URL at the origin of its QIDO-RS, or of `feed_root`.

        Raises:
            ArchiveError: There is no such answer.
        """
        client = self._feed or self._qido
        return await http.get(
            client,
            address,
            accept="application/json",
            max_bytes=MOST_ROWS,
            retry=self._retry,
            operation="changes",
        )

    async def search_series(self, study: str) -> list[bytes]:
        """Every series row, see `connectors.base.Archive.search_series`."""
        page = partial(self._page, {"includefield": _SERIES_COUNT}, study, None)
        return list((await self._pager.all(page)).rows)

    async def search_instances(self, study: str, series: str) -> list[bytes]:
        """Every instance row, see `connectors.base.Archive.search_instances`."""
        page = partial(self._page, {}, study, series)
        return list((await self._pager.all(page)).rows)

    async def retrieve_metadata(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """A metadata body in chunks, see `connectors.base.Archive.retrieve_metadata`."""
        address = metadata_address(self.root, study, series, instance)
        async with (
            http.stream(
                self._wado, address, accept=ACCEPT, max_bytes=self._most_metadata, retry=self._retry
            ) as (head, body),
            aclosing(checked(head, body)) as chunks,
        ):
            async for chunk in chunks:
                yield chunk

    async def retrieve_head(self, study: str, series: str, instance: str, *, most: int) -> tuple[Head, bytes]:
        """The first bytes of the answer with an instance itself (PS3.18 10.4.1.1.1).

        Args:
            study: Study Instance UID.
            series: Series Instance UID.
            instance: SOP Instance UID.
            most: Bytes after which the answer is left.

        Raises:
            ArchiveError: There is no such answer.
        """
        address = instance_address(self.root, study, series, instance)
        start = bytearray()
        async with http.stream(
            self._wado,
            address,
            accept=_OBJECT,
            max_bytes=self._most_metadata,
            retry=self._retry,
            operation="retrieve",
        ) as (head, body):
            async for chunk in body:
                start += chunk
                if len(start) >= most:
                    break
        return head, bytes(start[:most])

    @asynccontextmanager
    async def retrieve_series(
        self, study: str, series: str, *, max_bytes: int
    ) -> AsyncIterator[tuple[Head, AsyncIterator[bytes]]]:
        """The answer with all instances of a series as they are (PS3.18 10.4.1.1.1), as it comes.

        Args:
            study: Study Instance UID.
            series: Series Instance UID.
            max_bytes: Limit of the body.

        Yields:
            Its head, and its body: parts of type `application/dicom`.

        Raises:
            ArchiveError: There is no such answer; also while the body is read.
        """
        address = series_address(self.root, study, series)
        async with http.stream(
            self._wado,
            address,
            accept=_OBJECT,
            max_bytes=max_bytes,
            retry=self._retry,
            operation="retrieve",
        ) as answer:
            yield answer

    async def retrieve_header(self, study: str, series: str, instance: str) -> DataSet:
        """The elements of an instance up to its pixel data, see `connectors.base.Archive.retrieve_header`."""
        for most in (*HEADER_STARTS, self._most_metadata):
            head, start = await self.retrieve_head(study, series, instance, most=most)
            header = header_of(head, start, is_whole=len(start) < most)
            if header is not None:
                return header
        raise ArchiveAnswerTooLargeError(
            f"{head.place}: the header of the instance is larger than {self._most_metadata:,} bytes."
        )

    async def probe(self) -> Capabilities:
        """Finds out how the archive behaves, see `connectors.base.Archive.probe`.

        Raises:
            ArchiveSilentError: It did not answer all of it in time.
            ArchiveError: It does not answer a search for studies.
        """
        try:
            async with asyncio.timeout(self._probe_seconds):
                with trials():
                    return await probe(self)
        except TimeoutError as error:
            raise ArchiveSilentError(
                f"{self.root}: the archive answers too slowly to be tried out: some twenty small requests "
                f"did not come to an end within {self._probe_seconds:,.0f} s. Have its administrator see why "
                "searches or metadata take so long."
            ) from error

    async def _page(
        self, parameters: Mapping[str, str], study: str, series: str | None, limit: int, offset: int
    ) -> list[bytes]:
        return rows_of(*await self._search(parameters, limit, offset, study=study, series=series))

    async def _search(
        self, parameters: Mapping[str, str], limit: int, offset: int, *, study: str | None, series: str | None
    ) -> tuple[Head, bytes]:
        page = {"limit": str(limit), "offset": str(offset)}
        asked = {**parameters, **page}
        address = search_address(str(self._qido.base_url), asked, study=study, series=series)
        try:
            return await http.get(
                self._qido,
                address,
                accept=ACCEPT,
                max_bytes=MOST_ROWS,
                retry=self._retry,
                check=insist_on_whole_rows,
            )
        except ArchiveAnswerError as refusal:
            if refusal.answer_status not in UNSEARCHED:
                raise
            raise ArchiveAnswerError(
                f"{refusal.detail} It may also refuse just this search: one with {', '.join(sorted(asked))}.",
                answer_status=refusal.answer_status,
            ) from refusal
