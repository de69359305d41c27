"""An archive that is asked with care: some requests at a time, measured, left alone where it fails."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, Protocol

from connectors.base import Archive, Capabilities, ChangeFeed, FeedPage, Page
from heltig.dicom.cell import DataSet
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveNotFoundError,
    ArchiveRateLimitedError,
    BusyError,
)
from heltig.exchange import Exchange, Operation
from heltig.pipeline.archives.breaker import Breakers
from heltig.store.measurements import Outcome

_LISTING: Final = ("search", "changes")
"""Operations that tell what there is."""


class Measuring(Protocol):
    """Who is told of every request, such as `heltig.pipeline.archives.measuring.Measurements`."""

    def record(
        self, archive: str, operation: str, *, outcome: Outcome, seconds: float, received: int
    ) -> None:
        """Takes one request: its archive's name, its operation class, how it ended, and its size in bytes."""
        ...


class Guard:
    """What stands before each operation on one archive: its breakers, and how many may be under way."""

    def __init__(
        self,
        breakers: Breakers,
        *,
        concurrency: int,
        patience_seconds: float | None = None,
        insist: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Makes it.

        Args:
            breakers: Those of the archive.
            concurrency: Operations at the same time; one more that lists where none of them does: reading may
                last, and what is new is to be seen meanwhile.
            patience_seconds: How long an operation waits for its turn; None for as long as it takes.
            insist: Raises where nothing is to be asked any more, such as outside an archive's hours.
        """
        self._breakers = breakers
        self._concurrency = concurrency
        self._under_way: list[Operation] = []
        self._ended = asyncio.Event()
        self._patience_seconds = patience_seconds
        self._insist = insist
        self._inside: set[asyncio.Task[Any] | None] = set()

    @asynccontextmanager
    async def __call__(self, operation: Operation, subject: str = "") -> AsyncIterator[None]:
        """Lets an operation through when it is its turn.

        Args:
            operation: Its class.
            subject: The study that it is about.

        Raises:
            ArchiveClosedError: The archive may not be asked.
            ArchivePausedError: Likewise.
            NotFoundError: It was removed.
            BusyError: Its turn did not come.
        """
        task = asyncio.current_task()
        if task in self._inside:  # it would wait for itself
            async with self._breakers.guard(operation, subject):
                yield
            return
        await self._take_a_place(operation)
        self._inside.add(task)
        try:
            await self.insist()
            async with self._breakers.guard(operation, subject):
                yield
        finally:
            self._inside.discard(task)
            self._under_way.remove(operation)
            self._ended.set()
            self._ended = asyncio.Event()

    async def insist(self) -> None:
        """Insists that the archive may still be asked: for an operation that lasts.

        Raises:
            ArchiveClosedError: It may not.
            ArchivePausedError: Likewise.
            NotFoundError: It was removed.
        """
        if self._insist is not None:
            await self._insist()

    async def _take_a_place(self, operation: Operation) -> None:
        try:
            async with asyncio.timeout(self._patience_seconds):
                while not self._has_room(operation):
                    await self._ended.wait()
        except TimeoutError as error:
            raise BusyError(
                "As many requests to the archive as there may be are under way. Try again in a moment.",
                retry_after=self._patience_seconds,
            ) from error
        self._under_way.append(operation)

    def _has_room(self, operation: Operation) -> bool:
        is_one_more = operation in _LISTING and not any(other in _LISTING for other in self._under_way)
        return len(self._under_way) < self._concurrency or is_one_more


class GuardedArchive:
    """An `Archive` behind a guard."""

    def __init__(self, archive: Archive, guard: Guard) -> None:
        self._archive = archive
        self._guard = guard

    @property
    def id(self) -> str:
        """The archive's name."""
        return self._archive.id

    async def search_studies(self, query: Mapping[str, str], *, limit: int, offset: int) -> Page:
        """One page of study rows, see `connectors.base.Archive.search_studies`."""
        async with self._guard("search"):
            return await self._archive.search_studies(query, limit=limit, offset=offset)

    async def search_series(self, study: str) -> list[bytes]:
        """Every series row, see `connectors.base.Archive.search_series`."""
        async with self._guard("search", study):
            return await self._archive.search_series(study)

    async def search_instances(self, study: str, series: str) -> list[bytes]:
        """Every instance row, see `connectors.base.Archive.search_instances`."""
        async with self._guard("search", study):
            return await self._archive.search_instances(study, series)

    async def retrieve_metadata(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """A metadata body in chunks, see `connectors.base.Archive.retrieve_metadata`."""
        async with (
            self._guard("metadata", study),
            aclosing(self._archive.retrieve_metadata(study, series, instance)) as chunks,
        ):
            async for chunk in chunks:
                await self._guard.insist()
                yield chunk

    async def retrieve_header(self, study: str, series: str, instance: str) -> DataSet:
        """The elements of an instance, see `connectors.base.Archive.retrieve_header`."""
        async with self._guard("retrieve", study):
            return await self._archive.retrieve_header(study, series, instance)

    async def probe(self) -> Capabilities:
        """Finds out how the archive behaves, see `connectors.base.Archive.probe`."""
        async with self._guard("search"):
            return await self._archive.probe()


class GuardedFeed:
    """A `ChangeFeed` behind a guard."""

    def __init__(self, feed: ChangeFeed, guard: Guard) -> None:
        self._feed = feed
        self._guard = guard

    async def start(self) -> str:
        """A cursor before everything that changes from now on, see `connectors.base.ChangeFeed.start`."""
        async with self._guard("changes"):
            return await self._feed.start()

    async def read(self, cursor: str, *, limit: int) -> FeedPage:
        """What changed since a cursor, see `connectors.base.ChangeFeed.read`."""
        async with self._guard("changes"):
            return await self._feed.read(cursor, limit=limit)


def observer(archive: str, measuring: Measuring) -> Callable[[Exchange], None]:
    """Tells of every request of an archive how it ended."""

    def observe(exchange: Exchange) -> None:
        measuring.record(
            archive,
            exchange.operation,
            outcome=_outcome(exchange),
            seconds=exchange.seconds,
            received=exchange.received,
        )

    return observe


def _outcome(exchange: Exchange) -> Outcome:
    match exchange.error:
        case None:
            return "ok"
        case ArchiveNotFoundError():
            return "not-found"
        case ArchiveAccessError() | ArchiveRateLimitedError():
            return "refused"
        case ArchiveAnswerError(answer_status=int(status)) if status < 500:
            does_not_do_it = exchange.is_trial and status >= 400
            return "not-found" if does_not_do_it else "refused"
    return "broken-off" if exchange.is_begun else "failed"
