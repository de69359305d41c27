"""Jobs of kind `probe`: every archive is probed once a day."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from heltig.errors import (
    ArchiveClosedError,
    ArchiveError,
    ArchivePausedError,
    ConfigurationError,
    NotFoundError,
)
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.archives.probing import is_due
from heltig.store import archives
from heltig.store.archives import location_of
from heltig.store.jobs import NewJob
from heltig.store.transaction import WriteTransaction

PROBE: Final = "probe"
"""The kind of job that finds out how an archive behaves."""

_PRIORITY: Final = -1000
"""Before every pull: what is pulled depends on it."""


class ProbeDesk:
    """Queues and handles jobs of kind `probe`; wire it as `{PROBE: desk.run}`, and sweep every hour."""

    def __init__(self, archives: OpenArchives, queue: JobQueue, *, clock: Callable[[], datetime]) -> None:
        """Makes it.

        Args:
            archives: The archives.
            queue: The store's.
            clock: The time.
        """
        self._archives = archives
        self._queue = queue
        self._clock = clock

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Probes the archive that the job names. What it does not answer is left to the next sweep.

        Raises:
            ArchiveClosedError: It is not to be asked now; trying again makes sense.
            StorageError: The database failed.
        """
        name = str(context.payload["archive"])
        try:
            async with self._archives.use(name) as opened:
                is_new = await self._archives.renew(opened)
        except ArchiveClosedError:
            raise
        except (NotFoundError, ArchivePausedError):
            return {"outcome": "not asked"}
        except (ArchiveError, ConfigurationError) as error:
            return {"outcome": "failed", "error": error.detail}
        return {"outcome": "probed" if is_new else "known"}

    async def sweep(self) -> int:
        """Queues a probe of each archive whose last one does not hold any more; returns their number.

        Raises:
            StorageError: The database failed.
        """
        every = await self._queue.store.read(archives.every)
        now = self._clock()
        due = [one.name for one in every if not (one.paused or one.broken) and is_due(one, now)]

        def enqueue(transaction: WriteTransaction) -> None:
            for name in due:
                self._queue.enqueue(
                    transaction,
                    NewJob(
                        kind=PROBE,
                        key=name,
                        group=str(location_of(name)),
                        priority=_PRIORITY,
                        payload={"archive": name},
                    ),
                )

        if due:
            await self._queue.store.write(enqueue)
        return len(due)
