"""How far a backfill is, and what it came to so far: what the terminal, REST and the reports say."""

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from heltig.pipeline.backfill.waiting import waiting
from heltig.pipeline.backfill.walking import found_backfill
from heltig.pipeline.identifiers.sights import Sight
from heltig.store import backfill_studies, backfills
from heltig.store.backfill_figures import Figures, figures_of
from heltig.store.backfill_studies import RECENTLY, Counts, Outcome
from heltig.store.backfills import Backfill
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction

State: TypeAlias = Literal["listing", "pulling", "finished", "cancelled"]


class Progress(msgspec.Struct, frozen=True, rename="camel"):
    """How far a backfill is.

    Attributes:
        archive: The archive's name.
        dates: A range of StudyDate; empty for all studies.
        again: Studies that did not change are pulled, too.
        state: `listing` until all studies are known, which are pulled meanwhile; then `pulling`.
        studies: Listed so far.
        done: Of these, those of which nothing is left to do.
        outcomes: What became of them: `known` before and not asked for, `judged`, `unchanged`, `gone` from
            the archive, `failed`.
        instances: In those that were pulled.
        per_minute: Studies pulled a minute, over the last ten minutes.
        seconds_left: At this rate; null while studies are listed, or none was pulled lately.
        notes: What the archive did that makes the list less than it should be.
        error: Why listing did not go on last time.
        waits: Why nothing goes on for now, though nothing failed; null while something does.
        waits_until: When that is over at the earliest; null where nobody knows.
    """

    id: int
    archive: str
    dates: str
    again: bool
    actor: str
    state: State
    started: datetime
    listed: datetime | None
    finished: datetime | None
    studies: int
    done: int
    outcomes: dict[Outcome, int]
    instances: int
    per_minute: float
    seconds_left: int | None
    notes: tuple[str, ...]
    error: str | None
    waits: str | None = None
    waits_until: datetime | None = None


class BackfillReport(msgspec.Struct, frozen=True):
    """What a backfill came to.

    Attributes:
        at: When that was so.
    """

    at: datetime
    progress: Progress
    figures: Figures


def progress_of(transaction: ReadTransaction, id: int, *, now: datetime) -> Progress:
    """How far a backfill is.

    Raises:
        NotFoundError: There is none of this id.
    """
    return _progress(transaction, found_backfill(transaction, id), now)


def newest_progress(
    transaction: ReadTransaction,
    *,
    location: Location | None,
    before: int | None,
    limit: int,
    now: datetime,
) -> list[Progress]:
    """How far backfills are, the newest first; see `heltig.store.backfills.newest`."""
    found = backfills.newest(transaction, location=location, before=before, limit=limit)
    return [_progress(transaction, known, now) for known in found]


def report_of(transaction: ReadTransaction, id: int, sight: Sight, *, now: datetime) -> BackfillReport:
    """What a backfill came to so far, as somebody sees it.

    Raises:
        NotFoundError: There is none of this id.
    """
    return BackfillReport(
        now, progress_of(transaction, id, now=now), figures_of(transaction, id, shown=sight.modalities)
    )


def _progress(transaction: ReadTransaction, known: Backfill, now: datetime) -> Progress:
    counts = backfill_studies.counts(transaction, known.id, now=now)
    waits = waiting(transaction, known, now=now)
    rate = _rate(counts, known.started, known.finished or now)
    left = counts.studies - counts.done
    is_told = rate > 0 and known.listed is not None and known.finished is None
    return Progress(
        id=known.id,
        archive=known.location.name,
        dates=known.dates,
        again=known.again,
        actor=known.actor,
        state=_state(known),
        started=known.started,
        listed=known.listed,
        finished=known.finished,
        studies=counts.studies,
        done=counts.done,
        outcomes=counts.outcomes,
        instances=counts.instances,
        per_minute=round(60 * rate, 1),
        seconds_left=round(left / rate) if is_told else None,
        notes=known.notes,
        error=known.error,
        waits=waits.reason if waits else None,
        waits_until=waits.until if waits else None,
    )


def _rate(counts: Counts, started: datetime, now: datetime) -> float:
    """Studies pulled a second: those of the last minutes, since the first of them."""
    since, number = (
        (counts.since, counts.later) if counts.since and counts.later else (started, counts.recently)
    )
    return number / max(1.0, min(RECENTLY, now - since).total_seconds())


def _state(known: Backfill) -> State:
    if known.cancelled:
        return "cancelled"
    if known.finished:
        return "finished"
    return "pulling" if known.listed else "listing"
