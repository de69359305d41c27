"""Work on an archive ends soon after it is paused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from heltig.errors import ArchivePausedError, StorageError
from heltig.store import archives
from heltig.store.archives import Archive
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

KNOWN_FOR: Final = timedelta(seconds=1)
"""How long it may take until a process sees that an archive was paused."""


class Pauses:
    """Whether one archive is paused, as one process sees it."""

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
        """Insists that it is not paused; looked up once in `KNOWN_FOR`.

        Raises:
            ArchivePausedError: It is.
            StorageError: The database failed.
        """
        now = self._clock()
        if self._asked is not None and timedelta(0) <= now - self._asked < KNOWN_FOR:
            return
        if await self._store.look_up(_is_paused, self._name):
            raise paused(self._name)
        self._asked = now


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
