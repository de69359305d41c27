"""How long an attempt to look at an archive, or to read a study, goes on while it gives next to nothing.

An attempt has a place that others wait for. Each request has limits of its own (`heltig.http`), but there may
be many, each just within them. So the waits of an attempt count together. What the archive gives makes up for
them: a large study, or a long list, of a slow archive is read for as long as it comes.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias

from connectors.base import Archive, Capabilities, ChangeFeed, FeedPage, Page
from heltig.dicom.cell import DataSet
from heltig.errors import ArchiveSilentError
from heltig.settings import Settings
from heltig.store.archives import ArchiveOptions

SECONDS: Final = 60.0
"""How long to wait until `LEAST_BYTES` or `LEAST_ANSWERS` have come: as long as a slice of any other job."""

LEAST_BYTES: Final = 60 * 1024
"""Some twenty instances of metadata: 1 KiB a second."""

LEAST_ANSWERS: Final = 2
"""Whole ones, however small: some archives give metadata a series or an instance at a time only."""

LONGEST: Final = 3600.0
"""Seconds after which an attempt ends, whatever came: 70 MB at 20 KB a second."""

LONGEST_PACED: Final = 12 * LONGEST
"""The same where limits of ours make an archive slow."""

What: TypeAlias = Literal["search", "read"]
"""What is waited for. An archive that is slow to give a study may still say that it answers otherwise."""


class TooSlowError(ArchiveSilentError):
    """An archive had its time: nothing more is asked of it in this attempt."""


class Patience:
    """How long one attempt waits for its archive.

    Since that last gave something: `seconds_of`, for searches and for metadata each. Waits that it asks for
    (Retry-After) are left out. And in all, these too: `LONGEST`, or `LONGEST_PACED`.
    """

    def __init__(self) -> None:
        """Makes it; nothing was waited for."""
        self._waited: dict[What, float] = {"search": 0.0, "read": 0.0}
        self._bytes: dict[What, int] = {"search": 0, "read": 0}
        self._answers: dict[What, int] = {"search": 0, "read": 0}
        self._limit: asyncio.Timeout | None = None
        self._asked_for = 0.0
        self._waited_in_all = 0.0

    @asynccontextmanager
    async def wait(
        self, archive: str, what: What, *, most: float, paced: bool = False
    ) -> AsyncIterator[None]:
        """While an archive is waited for.

        Args:
            archive: Its name.
            what: For what.
            most: Seconds after which it is too slow.
            paced: A limit of ours makes it slow.

        Raises:
            TooSlowError: It is.
        """
        if self._waited[what] >= most:
            raise _too_slow(archive, most)
        longest = LONGEST_PACED if paced else LONGEST
        if self._waited_in_all >= longest:
            raise _too_slow(archive, longest, came="not all", paced=paced)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        limit = self._limit = asyncio.timeout(most - self._waited[what])
        self._asked_for = 0.0
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            self._waited[what] = most
            raise _too_slow(archive, most) from error
        finally:
            self._limit = None
            spent = loop.time() - begun
            self._waited[what] += max(spent - self._asked_for, 0.0)
            self._waited_in_all += spent

    def came(self, what: What, *, size: int = 0, answers: int = 0) -> None:
        """Takes note of what an archive gave."""
        self._bytes[what] += size
        self._answers[what] += answers
        if self._bytes[what] >= LEAST_BYTES or self._answers[what] >= LEAST_ANSWERS:
            self._bytes[what] = self._answers[what] = 0
            self._waited[what] = 0.0

    def leave_out(self, seconds: float) -> None:
        """Does not count a wait that begins now: the archive asks for it."""
        self._asked_for += seconds
        if self._limit is not None and (when := self._limit.when()) is not None:
            self._limit.reschedule(when + seconds)


_ATTEMPT: Final[ContextVar[Patience | None]] = ContextVar("attempt", default=None)


@contextmanager
def attempt() -> Iterator[None]:
    """While an archive is asked in one attempt: those of `OpenArchives` have to keep to its time."""
    token = _ATTEMPT.set(Patience())
    try:
        yield
    finally:
        _ATTEMPT.reset(token)


def wait_as_asked(seconds: float) -> None:
    """Takes note of a wait that the archive asks for (Retry-After), before it begins."""
    if (patience := _ATTEMPT.get()) is not None:
        patience.leave_out(seconds)


def seconds_of(options: ArchiveOptions, settings: Settings) -> float:
    """How long to wait for an archive that gives next to nothing: a single answer may take as long, too."""
    of_an_answer = settings.archive_connect_seconds + 2 * settings.archive_read_seconds
    waits_of_ours = LEAST_ANSWERS / options.requests_per_second if options.requests_per_second else 0.0
    if options.bytes_per_second:
        waits_of_ours += LEAST_BYTES / options.bytes_per_second
    return max(SECONDS, of_an_answer) + waits_of_ours


class PatientArchive:
    """An `Archive` that keeps to the time of an attempt, where it is asked in one."""

    def __init__(self, archive: Archive, *, seconds: float, paced: bool = False) -> None:
        """Makes it.

        Args:
            archive: The archive.
            seconds: From `seconds_of`.
            paced: It is asked slowly, as it is configured.
        """
        self._archive = archive
        self._seconds = seconds
        self._paced = paced

    @property
    def id(self) -> str:
        """The archive's name."""
        return self._archive.id

    async def search_studies(self, query: Mapping[str, str], *, limit: int, offset: int) -> Page:
        """One page of study rows, see `connectors.base.Archive.search_studies`."""
        async with self._answer("search"):
            page = await self._archive.search_studies(query, limit=limit, offset=offset)
        if (patience := _ATTEMPT.get()) is not None:
            patience.came("search", size=sum(len(row) for row in page))
        return page

    async def search_series(self, study: str) -> list[bytes]:
        """Every series row, see `connectors.base.Archive.search_series`."""
        async with self._answer("search"):
            return await self._archive.search_series(study)

    async def search_instances(self, study: str, series: str) -> list[bytes]:
        """Every instance row, see `connectors.base.Archive.search_instances`."""
        async with self._answer("search"):
            return await self._archive.search_instances(study, series)

    async def retrieve_metadata(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """A metadata body in chunks, see `connectors.base.Archive.retrieve_metadata`."""
        patience = _ATTEMPT.get() or Patience()
        async with aclosing(self._archive.retrieve_metadata(study, series, instance)) as chunks:
            while True:
                async with self._wait("read"):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                patience.came("read", size=0 if chunk.isspace() else len(chunk))
                yield chunk
        patience.came("read", answers=1)

    async def retrieve_header(self, study: str, series: str, instance: str) -> DataSet:
        """The elements of an instance, see `connectors.base.Archive.retrieve_header`."""
        async with self._answer("read"):
            return await self._archive.retrieve_header(study, series, instance)

    async def probe(self) -> Capabilities:
        """Finds out how the archive behaves, in the time that a probe has of its own."""
        return await self._archive.probe()

    @asynccontextmanager
    async def _answer(self, what: What) -> AsyncIterator[None]:
        async with self._wait(what):
            yield
        if (patience := _ATTEMPT.get()) is not None:
            patience.came(what, answers=1)

    @asynccontextmanager
    async def _wait(self, what: What) -> AsyncIterator[None]:
        patience = _ATTEMPT.get()
        if patience is None:
            yield
            return
        async with patience.wait(self.id, what, most=self._seconds, paced=self._paced):
            yield


class PatientFeed:
    """A `ChangeFeed` that keeps to the time of an attempt, where it is asked in one.

    A page is one answer, however many requests it is made of: feeds hand out what they have after a while.
    """

    def __init__(self, feed: ChangeFeed, *, archive: str, seconds: float) -> None:
        """Makes it.

        Args:
            feed: The archive's.
            archive: Its name.
            seconds: From `seconds_of`.
        """
        self._feed = feed
        self._archive = archive
        self._seconds = seconds

    async def start(self) -> str:
        """A cursor before everything that changes from now on, see `connectors.base.ChangeFeed.start`."""
        async with self._page():
            return await self._feed.start()

    async def read(self, cursor: str, *, limit: int) -> FeedPage:
        """What changed since a cursor, see `connectors.base.ChangeFeed.read`."""
        async with self._page():
            return await self._feed.read(cursor, limit=limit)

    @asynccontextmanager
    async def _page(self) -> AsyncIterator[None]:
        patience = _ATTEMPT.get()
        if patience is None:
            yield
            return
        async with patience.wait(self._archive, "search", most=self._seconds):
            yield
        patience.came("search", answers=LEAST_ANSWERS)


def is_paced(options: ArchiveOptions) -> bool:
    """Whether an archive is asked slowly, as it is configured: it is not blamed for what comes slowly."""
    return bool(options.requests_per_second or options.bytes_per_second)


def _too_slow(
    archive: str, seconds: float, *, came: str = "next to nothing", paced: bool = False
) -> TooSlowError:
    advice = (
        "Limits of ours make it slow (requestsPerSecond, bytesPerSecond): see whether they may be higher."
        if paced
        else "Have its administrator see why searches or metadata take so long."
    )
    return TooSlowError(f"Archive {archive} answers too slowly: in {seconds:,.0f} s {came} came. {advice}")
