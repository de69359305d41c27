"""Archives that are asked, sent to or read from: within their hours, behind their breakers and guards."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec

from connectors.base import Archive as ArchivePort
from connectors.base import Capabilities, ChangeFeed
from connectors.dicomweb import DicomWebArchive
from connectors.dimse.target import DimseStore
from heltig import http
from heltig.errors import ArchivePausedError
from heltig.pipeline.archives.administration import find_archive
from heltig.pipeline.archives.breaker import PULLING
from heltig.pipeline.archives.connections import Connections
from heltig.pipeline.archives.guarded import Guard, GuardedArchive, GuardedFeed, Measuring
from heltig.pipeline.archives.patience import SECONDS, PatientFeed, seconds_of
from heltig.pipeline.archives.pauses import insist_on_time
from heltig.pipeline.archives.probe_waits import ProbeTurns
from heltig.pipeline.archives.probing import capabilities_to_go_by, renew_if_due
from heltig.settings import Settings
from heltig.store.archives import Archive, ArchiveOptions, location_of
from heltig.store.engine import Store
from heltig.store.records import Location


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
        patience_seconds: How long it is waited for while it gives next to nothing.
    """

    entry: Archive
    options: ArchiveOptions
    archive: ArchivePort
    dicomweb: DicomWebArchive
    feed_client: http.Client | None
    guard: Guard
    capabilities: Capabilities
    location: Location
    patience_seconds: float = SECONDS

    def guarded(self, feed: ChangeFeed) -> GuardedFeed:
        """A feed made of `dicomweb` and `feed_client`, behind its guard, in the time of an attempt."""
        patient = PatientFeed(feed, archive=self.entry.name, seconds=self.patience_seconds)
        return GuardedFeed(patient, self.guard)


class OpenedToStore(msgspec.Struct, frozen=True, kw_only=True):
    """An archive that objects are sent to.

    Attributes:
        client: To send them by: paced and measured.
        dimse: To send them by C-STORE instead.
        guard: For each request by it.
        archive: To ask for what it has of them, behind the same guard.
        wado: To retrieve them by.
    """

    client: http.Client
    dimse: DimseStore | None
    guard: Guard
    archive: ArchivePort
    wado: http.Client


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
        self._clock = clock
        self._settings = settings
        self._turns = ProbeTurns(settings.workers + 1)
        self._connections = Connections(
            store, settings, environ=environ, clock=clock, measurements=measurements
        )

    @asynccontextmanager
    async def use(self, name: str) -> AsyncIterator[Opened]:
        """An archive that may be asked now; it stays open for the next one who needs it.

        Raises:
            NotFoundError: There is no archive of that name.
            ArchivePausedError: It is paused, or its entry cannot be read.
            ArchiveClosedError: It is outside its hours, failed too often, or is to be tried out and others
                are (`ProbeTurnError`); `retry_after` says how long.
            ArchiveError: It was never probed before, and cannot be.
            ConfigurationError: A secret or a certificate cannot be read.
        """
        entry = await find_archive(self._store, name)
        insist_on_time(entry, self._clock())
        async with self._connections.to(entry) as kept:
            await kept.breakers.admit(*PULLING)
            yield Opened(
                entry=entry,
                options=entry.options,
                archive=kept.archive,
                dicomweb=kept.connected.dicomweb,
                feed_client=kept.connected.feed,
                guard=kept.guard,
                capabilities=await capabilities_to_go_by(
                    self._store,
                    entry,
                    kept.archive,
                    clock=self._clock,
                    turns=self._turns,
                ),
                location=location_of(name),
                patience_seconds=seconds_of(entry.options, self._settings),
            )

    async def renew(self, opened: Opened) -> bool:
        """Probes an archive whose last probe does not hold any more; returns whether it was probed.

        Raises:
            ProbeTurnError: It, or others, are probed now.
            ArchiveError: It does not answer; what was known of it stands.
        """
        return await renew_if_due(
            self._store, opened.entry.name, opened.archive, clock=self._clock, turns=self._turns
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
        async with self._connections.to(entry) as kept:
            yield OpenedToStore(
                client=kept.connected.stow,
                dimse=kept.connected.dimse,
                guard=kept.storing,
                archive=GuardedArchive(kept.connected.once, kept.storing),
                wado=kept.connected.wado,
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
        insist_on_time(entry, self._clock())
        async with self._connections.to(entry) as kept:
            yield OpenedToRead(
                options=entry.options,
                qido=kept.connected.qido,
                wado=kept.connected.wado,
                guard=kept.reading,
            )

    async def close(self) -> None:
        """Closes what is open."""
        await self._connections.close()
