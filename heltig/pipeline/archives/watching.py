"""Finds out how each archive stands, and the service that pulls from them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors.base import Capabilities
from heltig.errors import NotFoundError
from heltig.pipeline.archives.answering import answering
from heltig.pipeline.archives.capabilities import described
from heltig.pipeline.archives.position import position_in_words
from heltig.pipeline.archives.state import NEWEST, Pulls, newest, state_of
from heltig.pipeline.archives.status import (
    ArchiveStatus,
    Cursor,
    OperationAnswers,
    Queue,
    ServiceStatus,
)
from heltig.pipeline.discovery.rounds import note_of_size, place_of
from heltig.pipeline.discovery.schedule import PULL
from heltig.store import archives, changes, cursors, measurements, watch, workers
from heltig.store.archives import Archive, location_of
from heltig.store.breakers import Breaker
from heltig.store.jobs import JobState
from heltig.store.measurements import MINUTES_KEPT, Answers, Count
from heltig.store.transaction import ReadTransaction
from heltig.store.watch import Backfill, JobCount, Observed

WINDOWS: Final[Mapping[str, timedelta]] = {"15 min": timedelta(minutes=15), "24 h": timedelta(hours=24)}
"""The spans of time over which answers are summed up."""

ALIVE: Final = timedelta(seconds=60)
"""A worker that was not heard of for so long is gone."""

_ORDER: Final = {name: place for place, name in enumerate((*NEWEST, "warm", "cold"))}


def service_status(
    transaction: ReadTransaction, *, now: datetime, windows: Mapping[str, timedelta] = WINDOWS
) -> ServiceStatus:
    """How everything stands now.

    Args:
        transaction: Any.
        now: The time.
        windows: The spans of time over which answers are summed up.
    """
    unfinished = watch.unfinished_jobs(transaction)
    return ServiceStatus(
        archives=_statuses(transaction, archives.every(transaction), unfinished, windows, now=now),
        workers=workers.heard_of(transaction, since=now - ALIVE),
        jobs=_by_kind(unfinished),
        oldest_queued=watch.oldest_queued(transaction, now),
        changes=changes.latest(transaction),
    )


def archive_status(transaction: ReadTransaction, name: str, *, now: datetime) -> ArchiveStatus:
    """How one archive stands now.

    Raises:
        NotFoundError: There is none of that name.
    """
    entry = archives.find(transaction, name)
    if entry is None:
        raise NotFoundError("There is no archive of this name. /api/v1/archives lists them.")
    return _statuses(transaction, [entry], watch.unfinished_jobs(transaction), WINDOWS, now=now)[0]


def _statuses(
    transaction: ReadTransaction,
    entries: list[Archive],
    jobs: list[JobCount],
    windows: Mapping[str, timedelta],
    *,
    now: datetime,
) -> list[ArchiveStatus]:
    names = [entry.name for entry in entries]
    observed = watch.observed(transaction, now=now)
    answers = {
        window: (minutes, measurements.between(transaction, names, since=since, until=now))
        for window, length in windows.items()
        for since, minutes in [_window(now, length)]
    }
    read_so_far = cursors.every(transaction)
    breakers = watch.known_breakers(transaction)
    slow = watch.slow_groups(transaction, kind=PULL)
    waiting = watch.waiting_groups(transaction, kind=PULL)
    backfills = watch.backfills_under_way(transaction)
    return [
        _status(
            entry,
            read=[cursor for cursor in read_so_far if cursor.location == location_of(entry.name)],
            breakers=breakers.get(entry.name, []),
            backfills=[backfill for backfill in backfills if backfill.archive == entry.name],
            queue=_queue(entry.name, jobs, observed.get(entry.name)),
            answers=list(_answers(entry.name, answers)),
            pulls=Pulls(
                slow=slow.get(str(location_of(entry.name)), {}),
                wait_since=waiting.get(str(location_of(entry.name))),
            ),
            now=now,
        )
        for entry in entries
    ]


def _status(
    entry: Archive,
    *,
    read: list[cursors.Cursor],
    breakers: list[Breaker],
    backfills: list[Backfill],
    queue: Queue,
    answers: list[OperationAnswers],
    pulls: Pulls,
    now: datetime,
) -> ArchiveStatus:
    looked = newest(read)
    lag = (now - looked.covered).total_seconds() if looked and looked.covered else None
    state, why = state_of(entry, read, breakers, pulls, now)
    return ArchiveStatus(
        name=entry.name,
        title=entry.title,
        state=state,
        why=why,
        polled=_latest(moment for c in read for moment in (c.started, c.finished)),
        succeeded=_latest(c.finished for c in read),
        lag_seconds=None if lag is None else max(lag, 0.0),
        queue=queue,
        cursors=[
            Cursor(
                strategy=c.name,
                position=position_in_words(c.name, c.position),
                covered=c.covered,
                started=c.started,
                finished=c.finished,
                due=c.due,
                error=c.error,
            )
            for c in sorted(read, key=lambda cursor: (_ORDER.get(cursor.name, len(_ORDER)), cursor.name))
        ],
        breakers=breakers,
        answers=answers,
        backfills=backfills,
        probed=entry.probed,
        notes=_notes(entry, read),
    )


def _queue(name: str, jobs: list[JobCount], observed: Observed | None) -> Queue:
    counted = {"queued": 0, "running": 0, "failed": 0, "dead": 0}
    for job in jobs:
        if job.group == f"archive:{name}" and job.state in counted:
            counted[job.state] += job.number
    return Queue(
        **counted,
        settling=observed.settling if observed else 0,
        due=observed.due if observed else 0,
    )


def _answers(
    name: str, windows: Mapping[str, tuple[float, Mapping[Answers, Count]]]
) -> Iterable[OperationAnswers]:
    for window, (minutes, found) in windows.items():
        of_it = [(answers, count) for answers, count in found.items() if answers.archive == name]
        yield OperationAnswers(window=window, operation=None, answering=answering(of_it, minutes=minutes))
        for operation in sorted({answers.operation for answers, _ in of_it}):
            some = [(answers, count) for answers, count in of_it if answers.operation == operation]
            yield OperationAnswers(
                window=window, operation=operation, answering=answering(some, minutes=minutes)
            )


def _window(now: datetime, length: timedelta) -> tuple[datetime, float]:
    """The first minute of a span of time that ends now, and how many minutes it has.

    What is counted by the hour is taken from the hour's beginning on.
    """
    since = (now - length).replace(second=0, microsecond=0)
    if length > MINUTES_KEPT:
        since = since.replace(minute=0)
    return since, max((now - since).total_seconds() / 60, 1.0)


def _notes(entry: Archive, read: list[cursors.Cursor]) -> list[str]:
    places = (place_of(cursor.position) for cursor in read if cursor.name != "feed")
    large = sorted({note for place in places if (note := note_of_size(place))})
    try:
        return [*large, *described(msgspec.convert(entry.capabilities or {}, Capabilities))]
    except msgspec.ValidationError:  # written by another version, in another way
        return large


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _by_kind(jobs: list[JobCount]) -> list[JobCount]:
    """Counts of all groups together, by kind and state."""
    numbers: dict[tuple[str, JobState], int] = defaultdict(int)
    for job in jobs:
        numbers[job.kind, job.state] += job.number
    return [
        JobCount(group="", kind=kind, state=state, number=number)
        for (kind, state), number in sorted(numbers.items())
    ]
