"""What was found in an archive, written down: what is new, what changed, what is not listed any more."""

from datetime import datetime

import msgspec

from heltig.jobs.queue import JobQueue
from heltig.pipeline.discovery.batch import Batch
from heltig.store.archives import ArchiveOptions
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch.

    Attributes:
        new: Studies that were never seen at that location: they are PENDING from now on.
        changed: Studies that look otherwise than before: they are PENDING again.
        unchanged: Studies of which nothing was written.
        gone: Studies that are asked for by their UIDs, since they are not listed any more.
        notes: What a person should know of it, in sentences.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    notes: tuple[str, ...] = ()


def observe(
    transaction: WriteTransaction,
    location: Location,
    batch: Batch,
    *,
    strategy: str,
    now: datetime,
    options: ArchiveOptions,
    queue: JobQueue,
) -> Observed:
    """Writes down a batch and its cursor, in one transaction.

    Args:
        transaction: Any that writes.
        location: The archive's location.
        batch: What was found.
        strategy: By what; its cursor is advanced.
        now: The time.
        options: The archive's quiet period and hard stop.
        queue: Takes what has to be done at once.
    """
    raise NotImplementedError
