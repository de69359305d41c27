"""Archives kept open between jobs: connections of one process, made anew when an archive's entry changes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors.base import Archive as ArchivePort
from connectors.base import Capabilities, ChangeFeed
from connectors.dicomweb import DicomWebArchive
from connectors.dimse.target import Target
from heltig import http
from heltig.errors import ArchiveClosedError, ArchivePausedError
from heltig.pipeline.archives import find_archive
from heltig.pipeline.breaker import PULLING, Breakers
from heltig.pipeline.connecting import Connected, connect, pace_of, tls_of
from heltig.pipeline.guarded import Guard, GuardedArchive, GuardedFeed, Measuring, observer
from heltig.pipeline.probing import capabilities_to_go_by, last_capabilities
from heltig.pipeline.sharers import Sharers
from heltig.settings import Settings
from heltig.store.archives import Archive, ArchiveOptions, location_of
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.work_hours import WorkHours

STORES: Final = 4
"""Requests that bring objects to an archive at the same time, at least: senders wait for them."""

READS: Final = 16
"""Requests on behalf of others at the same time: a viewer makes some at once, and people wait."""

PATIENCE: Final = 10.0
"""Seconds that such a request waits for its place."""


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """An archive that may be asked now.

    Attributes:
        entry: As it is configured.
        options: Those of the entry.
        archive: To ask it by: paced, measured, and left alone where it fails too often.
        dicomweb: The connector beneath, for what no `Archive` can do.
        feed_client: A client of what tells of changes, where that is known.
        guard: For what is asked by these two.
        capabilities: What the last probe found.
        location: Where its studies are.
    """

    entry: Archive
    options: ArchiveOptions
    archive: ArchivePort
    dicomweb: DicomWebArchive
    feed_client: http.Client | None
    guard: Guard
    capabilities: Capabilities
    location: Location

    def guarded(self, feed: ChangeFeed) -> GuardedFeed:
        """A feed made of `dicomweb` and `feed_client`, behind the archive's guard."""
        return GuardedFeed(feed, self.guard)


class OpenedToStore(msgspec.Struct, frozen=True, kw_only=True):
    """An archive that objects are sent to.

    Attributes:
        client: To send them by: paced and measured.
        target: Where to send them by C-STORE instead.
        guard: For each request by it.
        archive: To ask for what it has of them, behind the same guard.
    """

    client: http.Client
    target: Target | None
    guard: Guard
    archive: ArchivePort


class OpenedToRead(msgspec.Struct, frozen=True, kw_only=True):
    """An archive that others are let through to.

    Attributes:
        options: Those of its entry.
        qido: To search it by: paced and measured.
        wado: To retrieve from it by.
        guard: For each request.
    """

    options: ArchiveOptions
    qido: http.Client
    wado: http.Client
    guard: Guard


class OpenArchives:
    """The archives that this process asks. Close it in the end."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        clock: Callable[[], datetime],
        measurements: Measuring | None = None,
    ) -> None:
        """Makes it; nothing is opened yet.

        Args:
            store: Where archives are configured.
            settings: Limits and timeouts.
            environ: Where `env:` looks for secrets.
            clock: The time.
            measurements: Told of every request.
        """
        self._store = store
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._measurements = measurements
        self._open: dict[str, _Open] = {}
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Opened]:
        """An archive that may be asked now; it stays open for the next one who needs it.

        Raises:
            NotFoundError: There is no archive of that name.
            ArchivePausedError: It is paused, or its entry cannot be read.
            ArchiveClosedError: It is outside its hours, or failed too often; `retry_after` says how long.
            ArchiveError: It was never probed before, and cannot be.
            ConfigurationError: A secret or a certificate cannot be read.
        """
        entry = await find_archive(self._store, name)
        self._insist_on_time(entry)
        async with self._in_use(entry) as opened:
            await opened.breakers.admit(*PULLING)
            yield Opened(
                entry=entry,
                options=entry.options,
                archive=opened.archive,
                dicomweb=opened.connected.dicomweb,
                feed_client=opened.connected.feed,
                guard=opened.guard,
                capabilities=await capabilities_to_go_by(
                    self._store, entry, opened.archive, clock=self._clock, probing=opened.probing
                ),
                location=location_of(name),
            )

    @asynccontextmanager
    async def use_to_store(self, name: str) -> AsyncIterator[OpenedToStore]:
        """An archive that objects are sent to, at any hour, and though nothing is pulled from it for now.

        Raises:
            NotFoundError: There is no archive of that name.
            ArchivePausedError: Its entry cannot be read.
            ConfigurationError: A secret or a certificate cannot be read.
        """
        entry = await find_archive(self._store, name)
        if entry.broken:
            raise ArchivePausedError(f"Nothing is sent to archive {name}. {entry.broken}")
        async with self._in_use(entry) as opened:
            yield OpenedToStore(
                client=opened.connected.stow,
                target=opened.connected.target,
                guard=opened.storing,
                archive=GuardedArchive(opened.connected.once, opened.storing),
            )

    @asynccontextmanager
    async def use_to_read(self, name: str) -> AsyncIterator[OpenedToRead]:
        """An archive that others are let through to now.

        Raises:
            NotFoundError: There is no archive of that name.
            ArchivePausedError: It is paused, or its entry cannot be read.
            ArchiveClosedError: It is outside its hours.
            ConfigurationError: A secret or a certificate cannot be read.
        """
        entry = await find_archive(self._store, name)
        self._insist_on_time(entry)
        async with self._in_use(entry) as opened:
            yield OpenedToRead(
                options=entry.options,
                qido=opened.connected.qido,
                wado=opened.connected.wado,
                guard=opened.reading,
            )

    async def close(self) -> None:
        """Closes what is open."""
        opened, self._open = list(self._open.values()), {}
        for one in opened:
            one.is_retired = True
            await one.close_if_unused()

    def _insist_on_time(self, entry: Archive) -> None:
        name = entry.name
        if entry.broken:
            raise ArchivePausedError(f"Archive {name} is not asked. {entry.broken}")
        if entry.paused:
            raise ArchivePausedError(f"Archive {name} is paused. `heltig archives resume {name}` goes on.")
        now = self._clock()
        opens = WorkHours(entry.options.hours, entry.options.timezone).opens(now)
        if opens is not None:
            raise ArchiveClosedError(
                f"Archive {name} is outside its hours. They begin at {opens:%Y-%m-%d %H:%M} UTC.",
                retry_after=(opens - now).total_seconds(),
            )

    @asynccontextmanager
    async def _in_use(self, entry: Archive) -> AsyncIterator["_Open"]:
        opened = await self._opened(entry)
        opened.users += 1
        try:
            yield opened
        finally:
            opened.users -= 1
            await opened.close_if_unused()

    async def _opened(self, entry: Archive) -> "_Open":
        async with self._opening:
            made_of = _made_of(entry)
            known = self._open.get(entry.name)
            if known is not None and known.made_of == made_of:
                return known
            made = self._open[entry.name] = await self._make(entry, made_of)
        if known is not None:
            known.is_retired = True
            await known.close_if_unused()
        return made

    async def _make(self, entry: Archive, made_of: object) -> "_Open":
        pace = pace_of(entry.options, sharers=Sharers(self._store, entry.name, clock=self._clock).count)
        told = observer(entry.name, self._measurements) if self._measurements else lambda exchange: None
        found = last_capabilities(entry)
        stack = AsyncExitStack()
        connected = await stack.enter_async_context(
            connect(
                entry,
                self._settings,
                environ=self._environ,
                pace=pace,
                observe=told,
                feed_root=found.feed_root if found else None,
            )
        )
        breakers = Breakers(
            self._store,
            location_of(entry.name),
            clock=self._clock,
            trial=lambda: connected.once.search_studies({}, limit=1, offset=0),
        )
        guard = Guard(breakers, concurrency=entry.options.concurrency)
        return _Open(
            made_of=made_of,
            stack=stack,
            breakers=breakers,
            guard=guard,
            archive=GuardedArchive(connected.dicomweb, guard),
            connected=connected,
            storing=Guard(breakers, concurrency=max(entry.options.concurrency, STORES)),
            reading=Guard(breakers, concurrency=READS, patience_seconds=PATIENCE),
        )


class _Open(msgspec.Struct, kw_only=True):
    """What is open of one archive, as it was configured then."""

    made_of: object
    stack: AsyncExitStack
    breakers: Breakers
    guard: Guard
    archive: GuardedArchive
    connected: Connected
    storing: Guard
    reading: Guard
    probing: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    users: int = 0
    is_retired: bool = False

    async def close_if_unused(self) -> None:
        if self.is_retired and not self.users:
            await self.stack.aclose()


def _made_of(entry: Archive) -> tuple[Any, ...]:
    """What connections are made of: where any of it is another, they are made anew."""
    files = [_stamp(file) for file in tls_of(entry.options).files]
    feed_root = found.feed_root if (found := last_capabilities(entry)) else None
    return msgspec.structs.replace(entry, capabilities=None, probed=None), feed_root, files


def _stamp(file: Path) -> tuple[str, int]:
    try:
        return str(file), file.stat().st_mtime_ns
    except OSError:
        return str(file), 0
