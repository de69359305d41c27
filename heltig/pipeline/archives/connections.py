"""Connections of a process to its archives, kept between jobs, made anew where an archive's entry changes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from heltig.pipeline.archives.breaker import Breakers
from heltig.pipeline.archives.connecting import Connected, connect, pace_of, tls_of
from heltig.pipeline.archives.guarded import Guard, GuardedArchive, Measuring, observer
from heltig.pipeline.archives.patience import PatientArchive, is_paced, seconds_of, wait_as_asked
from heltig.pipeline.archives.pauses import Permission
from heltig.pipeline.archives.probing import last_capabilities
from heltig.pipeline.archives.sharers import Sharers
from heltig.settings import Settings
from heltig.store.archives import Archive, location_of
from heltig.store.engine import Store
from heltig.tls import state_of_system

STORES: Final = 4
"""Requests that bring objects to an archive at the same time, at least: senders wait for them."""

READS: Final = 16
"""Requests on behalf of others at the same time: a viewer makes some at once, and people wait."""

PATIENCE: Final = 10.0
"""Seconds that such a request waits for its place."""


_Stamp: TypeAlias = tuple[str, int]
"""A file and when it was last written, in nanoseconds."""


class Kept(msgspec.Struct, kw_only=True):
    """The connections to one archive, as it was configured when they were made.

    Attributes:
        entry: As it was configured when they were last asked for; what they were made of is the same there.
        stamps: Of the files that they were made of, or of the operating system's authorities.
        stack: Closes them.
        breakers: Leave the archive alone where it fails too often.
        guard: For what we ask of it.
        archive: To ask it by, behind `guard`.
        connected: The connections themselves.
        storing: The guard for what brings objects to it.
        reading: The guard for what others ask of it.
        users: How many use them now.
        is_retired: They are closed with their last user.
    """

    entry: Archive
    stamps: tuple[_Stamp, ...]
    stack: AsyncExitStack
    breakers: Breakers
    guard: Guard
    archive: GuardedArchive
    connected: Connected
    storing: Guard
    reading: Guard
    users: int = 0
    is_retired: bool = False

    async def close_if_unused(self) -> None:
        """Closes them, where they are retired and nobody uses them."""
        if self.is_retired and not self.users:
            await self.stack.aclose()


class Connections:
    """The connections of this process. Close them in the end."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        clock: Callable[[], datetime],
        measurements: Measuring | None,
    ) -> None:
        """Makes it; nothing is connected yet. See `heltig.pipeline.archives.opened.OpenArchives`."""
        self._store = store
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._measurements = measurements
        self._kept: dict[str, Kept] = {}
        self._making = asyncio.Lock()

    @asynccontextmanager
    async def to(self, entry: Archive) -> AsyncIterator[Kept]:
        """The connections to an archive as it is configured now: those that there are, or new ones.

        Raises:
            ConfigurationError: A secret or a certificate cannot be read.
        """
        kept = await self._find(entry)
        kept.users += 1
        try:
            yield kept
        finally:
            kept.users -= 1
            await kept.close_if_unused()

    async def close(self) -> None:
        """Closes them all, those in use with their last user."""
        kept, self._kept = list(self._kept.values()), {}
        for one in kept:
            one.is_retired = True
            await one.close_if_unused()

    async def _find(self, entry: Archive) -> Kept:
        async with self._making:
            files = tls_of(entry.options).files
            stamps = tuple(map(_stamp, files)) if files else state_of_system()
            known = self._kept.get(entry.name)
            if known is not None and known.stamps == stamps and _is_made_of(known.entry, entry):
                known.entry = entry
                return known
            made = self._kept[entry.name] = await self._make(entry, stamps)
        if known is not None:
            known.is_retired = True
            await known.close_if_unused()
        return made

    async def _make(self, entry: Archive, stamps: tuple[_Stamp, ...]) -> Kept:
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
                waiting=wait_as_asked,
                feed_root=found.feed_root if found else None,
            )
        )
        breakers = Breakers(
            self._store,
            location_of(entry.name),
            clock=self._clock,
            trial=lambda: connected.once.search_studies({}, limit=1, offset=0),
        )
        permission = Permission(self._store, entry.name, clock=self._clock)
        guard = Guard(breakers, concurrency=entry.options.concurrency, insist=permission.insist)
        patient = PatientArchive(
            connected.dicomweb,
            seconds=seconds_of(entry.options, self._settings),
            paced=is_paced(entry.options),
        )
        return Kept(
            entry=entry,
            stamps=stamps,
            stack=stack,
            breakers=breakers,
            guard=guard,
            archive=GuardedArchive(patient, guard),
            connected=connected,
            storing=Guard(breakers, concurrency=max(entry.options.concurrency, STORES)),
            reading=Guard(breakers, concurrency=READS, patience_seconds=PATIENCE),
        )


def _is_made_of(known: Archive, entry: Archive) -> bool:
    """Whether connections that were made of an entry are those of another one."""
    if known is entry:
        return True
    roots = [found.feed_root if (found := last_capabilities(one)) else None for one in (known, entry)]
    return roots[0] == roots[1] and _without_probe(known) == _without_probe(entry)


def _without_probe(entry: Archive) -> Archive:
    return replace(entry, capabilities=None, probed=None)


def _stamp(file: Path) -> _Stamp:
    try:
        return str(file), file.stat().st_mtime_ns
    except OSError:
        return str(file), 0
