"""Which archive is to be looked at when, and by which strategy."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from heltig.jobs.queue import JobQueue
from heltig.store.engine import Store

DISCOVER: Final = "discover"
"""The kind of job that looks for new, changed and vanished studies of an archive by one strategy."""


async def tick(
    store: Store,
    queue: JobQueue,
    *,
    now: datetime,
    queue_most: int,
    jitter: Callable[[float, float], float],
) -> int:
    """Queues the rounds of discovery that are due; returns their number. Any number of processes may do so.

    Args:
        store: Where archives and cursors are.
        queue: Takes the jobs.
        now: The time.
        queue_most: Pull jobs that may be queued: the longer the queue, the less often cold rounds begin.
        jitter: Gives a number between two, e.g. `random.uniform`.

    Raises:
        StorageError: The database failed.
    """
    raise NotImplementedError
