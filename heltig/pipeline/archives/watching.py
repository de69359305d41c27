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
from heltig.pipeline.archives.probe_waits import PROBE
from heltig.pipeline.archives.probing import is_tried, last_capabilities
from heltig.pipeline.archives.status import (
    ArchiveState,
    ArchiveStatus,
    Cursor,
    OperationAnswers,
    Queue,
    ServiceStatus,
)
from heltig.pipeline.discovery.rounds import goes_on, note_of_size, place_of
from heltig.pipeline.discovery.schedule import PULL
from heltig.pipeline.profiles import profile_file
from heltig.store import archives, changes, cursors, measurements, watch, workers
from heltig.store.archives import Archive, location_of
from heltig.store.breakers import Breaker
from heltig.store.jobs import JobState
from heltig.store.measurements import MINUTES_KEPT, Answers, Count
from heltig.store.transaction import ReadTransaction
from heltig.store.watch import Backfill, JobCount, Observed
from heltig.work_hours import WorkHours

WINDOWS: Final[Mapping[str, timedelta]] = {"15 min": timedelta(minutes=15), "24 h": timedelta(hours=24)}
"""The spans of time over which answers are summed up."""

ALIVE: Final = timedelta(seconds=60)
"""A worker that was not heard of for so long is gone."""

_NEWEST: Final = ("feed", "hot")
"""Strategies that see what is new, the better one first."""

_ORDER: Final = {name: place for place, name in enumerate((*_NEWEST, "warm", "cold"))}

_BEHIND: Final = 6
"""An archive is behind when it was not read for so many times its `pollSeconds`."""

_SLIP: Final = 5.0
"""So many seconds the clocks of our hosts may differ."""


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
        oldest_queued=watch.oldest_queued(transaction),
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
    backfills = watch.backfills_under_way(transaction)
    return [
        _status(
            entry,
            read=[cursor for cursor in read_so_far if cursor.location == location_of(entry.name)],
            breakers=breakers.get(entry.name, []),
            backfills=[backfill for backfill in backfills if backfill.archive == entry.name],
            queue=_queue(entry.name, jobs, observed.get(entry.name)),
            answers=list(_answers(entry.name, answers)),
            is_slow=str(location_of(entry.name)) in slow,
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
    is_slow: bool,
    now: datetime,
) -> ArchiveStatus:
    newest = _newest(read)
    lag = (now - newest.covered).total_seconds() if newest and newest.covered else None
    state, why = _state(entry, read, breakers, now, is_slow=is_slow)
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


def _state(
    entry: Archive,
    read: list[cursors.Cursor],
    breakers: list[Breaker],
    now: datetime,
    *,
    is_slow: bool,
) -> tuple[ArchiveState, str]:
    """The state of an archive and, in a sentence, why. All by our own clock: the archive's may be off."""
    options = entry.options
    if entry.broken:
        return "failing", entry.broken
    if options.profile and profile_file(options.profile).problem() is not None:
        return "failing", (
            f"Its profile {options.profile} cannot be read: `heltig check --profile` on the server's host "
            "says why. Processes that read it before judge as it was; others leave its studies PENDING."
        )
    if entry.paused:
        return "paused", "It is paused: nothing is asked of it until it is resumed."
    if opens := WorkHours(options.hours, options.timezone).opens(now):
        return "resting", f"It may be asked again from {opens:%Y-%m-%d %H:%M} UTC on."
    probes = next((breaker for breaker in breakers if breaker.operation == PROBE), None)
    if probes is not None and not _is_tried(entry):
        return "failing", f"How it behaves could not be found out: {probes.error}{_next_probe(probes, now)}"
    open_ones = [one for one in breakers if one.state == "open" and one.operation != PROBE]
    if open_ones:
        which = ", ".join(breaker.operation for breaker in open_ones)
        return "stopped", f"It failed too often ({which}), and is left alone for a while."
    if options.strategy == "none":
        return "unwatched", "Nobody looks for new studies in it: its strategy is none."
    newest = _newest(read)
    failed = [cursor for cursor in (newest, *read) if cursor and cursor.error]
    if failed and (newest is None or newest.error):  # perhaps it never answered, and no strategy is known yet
        return "failing", f"The last look at it failed: {failed[0].error}"
    if newest is None:
        return "unwatched", "It was never looked at for new studies."
    if newest.finished is None:
        return "behind", "The first look at it is still under way."
    since = (now - newest.finished).total_seconds()
    if since > _BEHIND * options.poll_seconds:
        return "behind", "It was last read longer ago than it should be."
    if since < -_SLIP:
        return "behind", "Nobody knows when it was last read: our clock was ahead then, or is behind now."
    if lists := [c for c in read if c.name != "feed" and c.started and goes_on(c.position, c.finished)]:
        return "behind", f"A list of its studies ({lists[0].name}) is long and goes on: not all is known."
    if is_slow:
        return "slow", (
            "A study of it has been waited for for more than a minute: it is read one study at a time, and "
            "keeps no other archive waiting. Have its administrator see why metadata takes so long."
        )
    return "current", "All that changed in it is known."


def _next_probe(wait: Breaker, now: datetime) -> str:
    if wait.state != "open" or wait.until is None or wait.until <= now:
        return " It is probed again now, or as soon as others have been."
    return f" It is probed again at {wait.until:%Y-%m-%d %H:%M} UTC, or by `heltig archives test`."


def _is_tried(entry: Archive) -> bool:
    known = last_capabilities(entry)
    return known is not None and is_tried(known)


def _newest(read: Iterable[cursors.Cursor]) -> cursors.Cursor | None:
    """The cursor of the strategy that sees what is new."""
    known = {cursor.name: cursor for cursor in read}
    return next((known[name] for name in _NEWEST if name in known), None)


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
