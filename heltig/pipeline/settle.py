"""Studies that have come to rest, handed on to be pulled."""

from datetime import datetime
from typing import Final

from heltig.jobs.queue import JobQueue
from heltig.store.engine import Store

PULL: Final = "pull"
"""The kind of job that pulls one study of an archive and judges it."""


async def settle(store: Store, queue: JobQueue, *, now: datetime, queue_most: int) -> int:
    """Queues the pulls of studies that are due; returns their number. Any number of processes may do so.

    Args:
        store: Where observations are.
        queue: Takes the jobs.
        now: The time.
        queue_most: Pull jobs that may be queued at a time, of all archives; what is due beyond waits.

    Raises:
        StorageError: The database failed.
    """
    raise NotImplementedError
