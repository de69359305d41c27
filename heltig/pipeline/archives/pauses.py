"""Work on an archive ends soon after it is paused or removed, and with its hours."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from heltig.errors import ArchivePausedError, ArchiveRestingError, NotFoundError, StorageError
from heltig.store import archives
from heltig.store.archives import Archive
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction
from heltig.work_hours import WorkHours

KNOWN_FOR: Final = timedelta(seconds=1)
"""How long it may take until a process sees that an archive is not to be asked any more."""


class Permission:
    """Whether one archive may be asked, as its entry says; what one process knows of it."""

    def __init__(self, store: Store, name: str, *, clock: Callable[[], datetime]) -> None:
        """Makes it.

        Args:
            store: Where it is configured.
            name: The archive's name.
            clock: The time.
        """
        self._store = store
        self._name = name
        self._clock = clock
        self._asked: datetime | None = None

    async def insist(self) -> None:
        """Insists that it is there, not paused, and within its hours; looked up once in `KNOWN_FOR`.

        Raises:
            NotFoundError: It was removed.
            ArchivePausedError: It is paused, or its entry cannot be read.
            ArchiveRestingError: It is outside its hours.
            StorageError: The database failed.
        """
        now = self._clock()
        if self._asked is not None and timedelta(0) <= now - self._asked < KNOWN_FOR:
            return
        entry = await self._store.look_up(archives.find, self._name)
        if entry is None:
            raise NotFoundError(f"Archive {self._name} was removed.")
        insist_on_time(entry, now)
        self._asked = now


def insist_on_time(entry: Archive, now: datetime) -> None:
    """Insists that an archive is not paused, and within its hours.

    Raises:
        ArchivePausedError: It is paused, or its entry cannot be read.
        ArchiveRestingError: It is outside its hours; `retry_after` says for how long.
    """
    if entry.broken:
        raise ArchivePausedError(f"Archive {entry.name} is not asked. {entry.broken}")
    if entry.paused:
        raise paused(entry.name)
    opens = WorkHours(entry.options.hours, entry.options.timezone).opens(now)
    if opens is not None:
        raise ArchiveRestingError(
            f"Archive {entry.name} is outside its hours. They begin at {opens:%Y-%m-%d %H:%M} UTC.",
            retry_after=(opens - now).total_seconds(),
        )


@asynccontextmanager
async def unless_paused(store: Store, entry: Archive) -> AsyncIterator[None]:
    """Ends what is done within when an archive is paused that was not.

    Raises:
        ArchivePausedError: It was.
    """
    if entry.paused:  # a person asks all the same
        yield
        return
    watching: asyncio.Task[None] | None = None
    limit = asyncio.timeout(None)
    try:
        async with limit:
            watching = asyncio.create_task(_watch(store, entry.name, limit))
            yield
    except TimeoutError as error:
        if limit.expired():
            raise paused(entry.name) from error
        raise
    finally:
        if watching is not None:
            watching.cancel()


def paused(name: str) -> ArchivePausedError:
    """What is said of an archive that is paused."""
    return ArchivePausedError(f"Archive {name} is paused. `heltig archives resume {name}` goes on.")


async def _watch(store: Store, name: str, limit: asyncio.Timeout) -> None:
    while True:
        await asyncio.sleep(KNOWN_FOR.total_seconds())
        with suppress(StorageError):
            if await store.read(_is_paused, name):
                limit.reschedule(asyncio.get_running_loop().time())
                return


def _is_paused(transaction: ReadTransaction, name: str) -> bool:
    entry = archives.find(transaction, name)
    return entry is not None and entry.paused
