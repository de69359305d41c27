"""The service that watches archives and pulls what changed: its jobs, and what has to happen now and then."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from heltig.errors import ConfigurationError
from heltig.jobs.attempt import Handler
from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.discovery.discover import Discovery
from heltig.pipeline.discovery.schedule import DISCOVER, PULL, tick
from heltig.pipeline.keep import Processes, ProfileOf
from heltig.pipeline.profiles import ProfileFile
from heltig.pipeline.pull.job import PullDesk
from heltig.pipeline.pull.settle import settle
from heltig.rules.profile import Profile
from heltig.store import archives
from heltig.store.engine import Store
from heltig.store.records import Location

JITTER: Final = random.SystemRandom().uniform

LOOKED_UP: Final = timedelta(seconds=10)
"""How often an archive's entry is looked up for its profile, and the profile for a change."""

logger = logging.getLogger(__name__)


class PullService:
    """Watches archives and pulls what changed. Any number of processes may have one."""

    def __init__(
        self,
        opens: OpenArchives,
        queue: JobQueue,
        processes: Processes,
        *,
        profile_of: ProfileOf,
        clock: Callable[[], datetime],
        queue_most: int,
    ) -> None:
        """Makes it.

        Args:
            opens: The archives.
            queue: Its jobs.
            processes: Where judging is done.
            profile_of: Gives the profile of an archive.
            clock: The time.
            queue_most: Pull jobs that may be queued at a time.
        """
        self._queue = queue
        self._clock = clock
        self._queue_most = queue_most
        self._discovery = Discovery(opens, queue, clock=clock, jitter=JITTER)
        self._pulls = PullDesk(opens, queue, processes, profile_of=profile_of, clock=clock)

    def handlers(self) -> Mapping[str, Handler]:
        """Who does the jobs of each kind."""
        return {DISCOVER: self._discovery.run, PULL: self._pulls.run}

    async def look(self) -> None:
        """Queues what is due: every few seconds.

        Raises:
            StorageError: The database failed.
        """
        now = self._clock()
        await tick(self._queue.store, self._queue, now=now, queue_most=self._queue_most)
        await settle(self._queue.store, self._queue, now=now, queue_most=self._queue_most)

    async def see_to_the_rest(self) -> None:
        """Sees to what no job will do: every minute or so.

        Raises:
            StorageError: The database failed, or a process that judged died.
        """
        await self._pulls.sweep()


class ArchiveProfiles:
    """The profile that the studies of each location are judged with."""

    def __init__(self, store: Store, default: Profile, *, clock: Callable[[], datetime]) -> None:
        """Makes it.

        Args:
            store: Where archives are configured.
            default: For those that name none of their own, and for what is no archive's.
            clock: The time.
        """
        self._store = store
        self._default = default
        self._clock = clock
        self._read: dict[str, ProfileFile] = {}
        self._reading = asyncio.Lock()
        self._known: dict[Location, tuple[Profile, datetime]] = {}

    async def of(self, location: Location) -> Profile:
        """The profile of a location, of a gate that of its archive.

        A file that changed is read again after `LOOKED_UP` at most, unlike that of the site. Where it cannot
        be read any more, what was read last holds.

        Raises:
            ConfigurationError: The profile of an archive cannot be read, and never could.
            StorageError: The database failed.
        """
        if location.kind == "upload":
            return self._default
        now = self._clock()
        known, until = self._known.get(location, (self._default, now))
        if until <= now:
            known = await self._find(location)
            self._known[location] = known, now + LOOKED_UP
        return known

    async def _find(self, location: Location) -> Profile:
        entry = await self._store.read(archives.find, location.name)
        named = entry.options.profile if entry else None
        if named is None:
            return self._default
        async with self._reading:
            try:
                return await asyncio.to_thread(self._read.setdefault(named, ProfileFile(named)).read)
            except ConfigurationError as wrong:
                raise ConfigurationError(f"{location}: {wrong.detail}") from wrong

    async def tell_what_is_wrong(self) -> None:
        """Writes a line to the log for each archive whose profile cannot be read.

        A start is not refused for it: all other archives, and who asks for verdicts, need the service. The
        archive's studies stay PENDING.

        Raises:
            StorageError: The database failed.
        """
        for entry in await self._store.read(archives.every):
            try:
                await self.of(archives.location_of(entry.name))
            except ConfigurationError as wrong:
                said = wrong.detail.replace("\n", "; ")
                logger.error("A profile cannot be read; studies of its archive stay PENDING: %s", said)
