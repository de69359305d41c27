"""Why a backfill that is under way stands still for now, though nothing has failed."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from heltig.pipeline.archives.breaker import PULLING
from heltig.store import archives, backfill_studies, breakers, workers
from heltig.store.archives import Archive
from heltig.store.backfills import Backfill
from heltig.store.transaction import ReadTransaction
from heltig.work_hours import WorkHours

HEARD: Final = timedelta(seconds=30)
"""Who was heard of in this time works: it says so every ten seconds."""


class Waiting(msgspec.Struct, frozen=True):
    """What a backfill waits for.

    Attributes:
        reason: In words, as the end of a sentence.
        until: When that is over at the earliest; None where nobody knows.
    """

    reason: str
    until: datetime | None = None


def is_worked_on(transaction: ReadTransaction, *, now: datetime) -> bool:
    """Whether a server or a worker of this database was heard of lately."""
    return bool(workers.heard_of(transaction, since=now - HEARD))


def waiting(transaction: ReadTransaction, known: Backfill, *, now: datetime) -> Waiting | None:
    """What a backfill waits for; None where it goes on, has ended, or its error says why it does not.

    That studies are not quiet yet holds up a service alone: a command pulls them as they are.
    """
    entry = archives.find(transaction, known.location.name)
    if known.finished or entry is None:
        return None
    return _closed(transaction, entry, known, now) or _not_quiet(transaction, entry, known, now)


def _closed(transaction: ReadTransaction, entry: Archive, known: Backfill, now: datetime) -> Waiting | None:
    if entry.paused or entry.broken:
        return Waiting("the archive is paused" if entry.paused else "the archive's entry cannot be read")
    opens = WorkHours(entry.options.hours, entry.options.timezone).opens(now)
    if opens is not None:
        return Waiting("the archive is outside its hours", opens)
    ever_opened = breakers.of(transaction, known.location)
    open_until = [
        one.until for operation in PULLING if (one := ever_opened.get(operation)) and one.state == "open"
    ]
    left_alone = [until for until in open_until if until and until > now]
    if left_alone:
        return Waiting("the archive failed too often and is left alone", max(left_alone))
    return None


def _not_quiet(
    transaction: ReadTransaction, entry: Archive, known: Backfill, now: datetime
) -> Waiting | None:
    if known.listed is None or not is_worked_on(transaction, now=now):
        return None
    due = backfill_studies.all_wait_until(transaction, known.id, now=now)
    if due is None:
        return None
    quiet = f"{entry.options.quiet_seconds:g} s"
    return Waiting(f"the studies that are left are not quiet yet (no change for {quiet})", due)
