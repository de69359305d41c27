"""Which archive is to be looked at when, and by which strategy.

What is due stands in the cursors. A strategy that an archive has no cursor for yet gets one from the first
job that opens the archive (`heltig.pipeline.discovery.discover`): only who opens it knows its strategies.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from heltig.jobs.queue import JobQueue
from heltig.store import archives, cursors, handing_on
from heltig.store.archives import Archive, location_of
from heltig.store.cursors import Cursor
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.work_hours import WorkHours

DISCOVER: Final = "discover"
"""The kind of job that looks for new, changed and vanished studies of an archive by one strategy."""

PULL: Final = "pull"
"""The kind of job that pulls one study of an archive and judges it."""

PLAN: Final = "plan"
"""In place of a strategy: to find out by which an archive is to be watched."""

PRIORITIES: Final[Mapping[str, int]] = {"feed": 0, "hot": 0, PLAN: 0, "warm": 1, "cold": 2}
"""How soon what a strategy finds is to be pulled, among the studies of one archive: the lower the sooner."""

STEPS: Final = 10
"""Priorities of jobs that one of an archive's own takes: there is room for `PRIORITIES` in it."""

LONGEST_WAIT: Final = timedelta(minutes=10)
"""So long a round that failed waits at most, whatever the archive asks for; it may ask again then."""

JITTER: Final = 0.1
"""The part of a period by which the next round begins earlier or later."""

_SLIP: Final = timedelta(seconds=5)
"""The clocks of our hosts may differ by so much."""

_NEWEST: Final = -2000
"""The priority of the jobs that see what is new: before every pull."""

_CROWDED: Final[Mapping[str, float]] = {"warm": 1.0, "cold": 0.5}
"""How full the queue of pulls may be for a round of these to begin; a period later it begins all the same."""


async def tick(store: Store, queue: JobQueue, *, now: datetime, queue_most: int) -> int:
    """Queues the rounds of discovery that are due; returns their number. Any number of processes may do so.

    Args:
        store: Where archives and cursors are.
        queue: Takes the jobs.
        now: The time.
        queue_most: Pull jobs that may be queued (`HELTIG_QUEUE_MOST`): while many are, warm and cold rounds
            begin less often.

    Raises:
        StorageError: The database failed.
    """
    due = await store.read(_due, now, queue_most)
    if not due:
        return 0

    def enqueue(transaction: WriteTransaction) -> None:
        for job in due:
            queue.enqueue(transaction, job)

    await store.write(enqueue)
    return len(due)


def may_be_asked(archive: Archive, now: datetime) -> bool:
    """Whether an archive is neither broken, nor paused, nor outside its hours."""
    return (
        not (archive.broken or archive.paused)
        and WorkHours(archive.options.hours, archive.options.timezone).opens(now) is None
    )


def period(archive: Archive, strategy: str) -> timedelta:
    """From the start of one round of a strategy to the start of the next, as far as the options say it."""
    options = archive.options
    match strategy:
        case "warm":
            return timedelta(minutes=options.warm_minutes)
        case "cold":
            return timedelta(hours=options.cold_hours)
        case _:
            return timedelta(seconds=options.poll_seconds)


def _due(transaction: ReadTransaction, now: datetime, queue_most: int) -> list[NewJob]:
    crowd = sum(handing_on.queued(transaction, kind=PULL).values()) / queue_most
    known: dict[str, list[Cursor]] = defaultdict(list)
    for cursor in cursors.every(transaction):
        known[cursor.location.name].append(cursor)
    watched = [entry for entry in archives.every(transaction) if entry.options.strategy != "none"]
    return [
        _job(entry, name)
        for entry in watched
        if may_be_asked(entry, now)
        for name in _strategies(entry, known[entry.name], now, crowd)
    ]


def _strategies(archive: Archive, known: Iterable[Cursor], now: datetime, crowd: float) -> Iterator[str]:
    has_any = False
    for cursor in known:
        has_any = True
        begins = cursor.started is None
        waits = begins and crowd > _CROWDED.get(cursor.name, crowd)
        patience = period(archive, cursor.name) if waits else timedelta(0)
        # No round waits for longer than that: what is due later was written by a clock that was ahead.
        latest = now + max(period(archive, cursor.name) * (1 + JITTER), LONGEST_WAIT) + _SLIP
        if cursor.due + patience <= now or cursor.due > latest:
            yield cursor.name
    if not has_any:
        yield PLAN


def _job(archive: Archive, strategy: str) -> NewJob:
    is_newest = PRIORITIES.get(strategy, 0) == 0
    return NewJob(
        kind=DISCOVER,
        key=f"{archive.name} {strategy}",
        group=str(location_of(archive.name)),
        priority=_NEWEST if is_newest else archive.options.priority * STEPS,
        payload={"archive": archive.name, "strategy": strategy},
    )
