"""Studies that have come to rest: handed on to be pulled, and what is to become of those that have not."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from heltig.jobs.queue import JobQueue
from heltig.pipeline.discovery.schedule import PULL, STEPS, may_be_asked
from heltig.pipeline.pull import events
from heltig.store import archives, handing_on, jobs
from heltig.store.archives import Archive, ArchiveOptions, location_of
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.locations import row_of
from heltig.store.observations import Observation
from heltig.store.transaction import ReadTransaction, WriteTransaction


class Rest(msgspec.Struct, frozen=True):
    """Whether a study that was just read has come to rest.

    Attributes:
        state: It has (`settled`); it has not (`waiting`); or it has not for longer than is waited for
            (`overdue`): it is judged, but not as a whole study.
        due: When to read it again, unless it is settled.
    """

    state: Literal["settled", "waiting", "overdue"]
    due: datetime


def rest_of(known: Observation, *, agrees: bool, now: datetime, options: ArchiveOptions) -> Rest:
    """Whether a study that was just read has come to rest.

    It has where it was listed alike for the quiet period, and all counts agree. Where they do not agree, and
    it was listed alike for as long as is waited for, it is whole too: what is missing then is missing.

    Args:
        known: How it was listed, before it was read.
        agrees: What came is as much as is listed (`heltig.pipeline.pull.counts`).
        now: The time.
        options: The archive's.
    """
    quiet = timedelta(seconds=options.quiet_seconds)
    most = timedelta(seconds=options.settle_seconds)
    since = known.unsettled_since or now
    alike = max(now - (known.changed or since), timedelta(0))  # the clock may have been ahead then
    if (agrees and alike >= quiet) or (not agrees and alike >= most):
        return Rest("settled", now)
    again = now + max(quiet - alike, timedelta(0)) if agrees else now + max(quiet, alike)
    if now - since >= most:
        return Rest("overdue", again)
    return Rest("waiting", min(again, since + most))


async def settle(store: Store, queue: JobQueue, *, now: datetime, queue_most: int) -> int:
    """Queues the pulls of studies that are due; returns their number. Any number of processes may do so.

    What was written down by a clock that was ahead is taken for having been written now.

    Where more studies are due than may be queued, archives share the queue evenly.

    Args:
        store: Where observations are.
        queue: Takes the jobs.
        now: The time.
        queue_most: Pull jobs that may be queued at a time, of all archives; what is due beyond waits.

    Raises:
        StorageError: The database failed.
    """
    for archive, rows in await store.read(_ahead, now):
        due = now + timedelta(seconds=archive.options.quiet_seconds)
        await store.write(handing_on.put_right, rows, now=now, due=due)
    room = await store.read(_room, now, queue_most)
    added = 0
    for archive, most in room:
        added += await store.write(_hand_on, archive, most, now)
    if added:
        events.settle(added)
        queue.ring(PULL)
    return added


def pull_of(archive: Archive, study_key: str, *, priority: int, at_once: bool = False) -> NewJob:
    """The job that pulls a study.

    Args:
        archive: Its archive.
        study_key: The study, as it is stored.
        priority: Among the studies of the archive: the lower the sooner.
        at_once: It is judged as it is found, where its counts agree, and not left to come to rest first.
    """
    location = location_of(archive.name)
    return NewJob(
        kind=PULL,
        key=handing_on.job_key(location, study_key),
        group=str(location),
        priority=archive.options.priority * STEPS + priority,
        payload={"archive": archive.name, "study": study_key} | ({"atOnce": True} if at_once else {}),
    )


def _ahead(transaction: ReadTransaction, now: datetime) -> list[tuple[Archive, list[int]]]:
    """The archives with studies of which something is said to have been after now, and the rows of these."""
    found = []
    for entry in archives.every(transaction):
        location = row_of(transaction, location_of(entry.name))
        rows = handing_on.ahead(transaction, location, now=now) if location else []
        if rows:
            found.append((entry, rows))
    return found


def _room(transaction: ReadTransaction, now: datetime, queue_most: int) -> list[tuple[Archive, int]]:
    """The archives that have something due, and how many more pulls of each may be queued."""
    due = [
        entry
        for entry in archives.every(transaction)
        if may_be_asked(entry, now) and handing_on.is_due(transaction, location_of(entry.name), now=now)
    ]
    queued = handing_on.queued(transaction, kind=PULL) if due else {}
    # Not less the jobs of other archives: those of one that is paused or out of order stay, and block nobody.
    shares = ((one, queue_most // len(due) - queued.get(str(location_of(one.name)), 0)) for one in due)
    return [(one, most) for one, most in shares if most > 0]


def _hand_on(transaction: WriteTransaction, archive: Archive, most: int, now: datetime) -> int:
    location = row_of(transaction, location_of(archive.name))
    if location is None:
        return 0
    handed_on: list[int] = []
    for row, study_key, priority in handing_on.next_due(transaction, location, now=now, limit=most):
        _, is_new = jobs.enqueue(transaction, pull_of(archive, study_key, priority=priority), now=now)
        if is_new:  # else one that is under way is to end first
            handed_on.append(row)
    handing_on.hand_on(transaction, handed_on)
    return len(handed_on)
