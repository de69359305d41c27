"""Backfills: a whole archive, or a range of study dates, listed, and pulled by and by.

What is listed is written down as discovery does it (`heltig.pipeline.backfill.listing`), so that it is pulled
by the jobs that pull all studies. A backfill keeps which studies are its own, and what became of them.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final

from heltig import audit
from heltig.errors import (
    ArchiveClosedError,
    ArchiveError,
    ArchivePausedError,
    ConfigurationError,
    NotFoundError,
)
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.administration import found_archive
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.backfill.done import say_what_is_done
from heltig.pipeline.backfill.listing import list_on
from heltig.pipeline.discovery.schedule import STEPS, may_be_asked
from heltig.store import archives, backfills, observations
from heltig.store.archives import location_of
from heltig.store.backfills import Backfill
from heltig.store.jobs import NewJob
from heltig.store.locations import ensure
from heltig.store.transaction import ReadTransaction, WriteTransaction

BACKFILL: Final = "backfill"
"""The kind of job that goes on with a backfill."""

SLICE: Final = timedelta(seconds=45)
"""After so long a job begins no further batch: another one goes on from there."""

LOOK: Final = timedelta(seconds=10)
"""How long after it was looked at a backfill that is listed is looked at again."""

SELDOM: Final = 10
"""Looks are so many times as far apart as one takes, when hundreds of thousands of studies wait."""

FAILED: Final = timedelta(minutes=1)
"""How long an archive that does not answer is left alone, unless it asks for more."""


def range_of(first: date | None, last: date | None) -> str:
    """A range of study dates as PS3.4 C.2.2.2.5 writes it; empty for all studies."""
    if not first and not last:
        return ""
    # strftime does not fill up years below 1000.
    start, end = (day.isoformat().replace("-", "") if day else "" for day in (first, last))
    return start if start == end else f"{start}-{end}"


async def start(
    queue: JobQueue, archive: str, *, dates: str, again: bool = False, actor: str, origin: str
) -> tuple[Backfill, bool]:
    """Starts a backfill, unless one of the same studies is under way; `Backfilling.sweep` goes on with it.

    Args:
        queue: The store's.
        archive: The archive's name.
        dates: A range of StudyDate (`range_of`); empty for all studies.
        again: Studies that did not change are pulled, too.
        actor: Who starts it, for the audit trail.
        origin: From where.

    Returns:
        The one that is under way now, and whether it is new.

    Raises:
        NotFoundError: There is no archive of that name.
    """
    return await queue.store.write_durably(
        _start, queue, archive, dates=dates, again=again, actor=actor, origin=origin
    )


async def cancel(queue: JobQueue, id: int, *, actor: str, origin: str) -> Backfill:
    """Ends a backfill; what it came to stays. One that had ended is left as it is.

    Raises:
        NotFoundError: There is none of this id.
    """
    now = queue.clock()

    def write(transaction: WriteTransaction) -> None:
        known = found_backfill(transaction, id)
        if backfills.cancel(transaction, id, now=now):
            _record(transaction, "backfill.cancel", known, at=now, actor=actor, origin=origin)

    await queue.store.write_durably(write)
    return await queue.store.read(found_backfill, id)


def found_backfill(transaction: ReadTransaction, id: int) -> Backfill:
    """A backfill by its id.

    Raises:
        NotFoundError: There is none.
    """
    known = backfills.find(transaction, id) if 0 < id < 2**31 else None
    if known is None:
        raise NotFoundError("There is no backfill of this id. /api/v1/backfills lists them.")
    return known


class Backfilling:
    """Handles jobs of kind `backfill`."""

    def __init__(self, opens: OpenArchives, queue: JobQueue, *, clock: Callable[[], datetime]) -> None:
        """Makes it.

        Args:
            opens: The archives.
            queue: The store's.
            clock: The time.
        """
        self._opens = opens
        self._queue = queue
        self._store = queue.store
        self._clock = clock

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Goes on with the backfill that the job names: lists for a while, and sees what has been pulled.

        Raises:
            StorageError: The database failed.
        """
        id, begun = int(context.payload["backfill"]), self._clock()
        known = await self._store.read(backfills.find, id)
        if known is None or known.finished:
            return {"outcome": "ended"}
        error = None if known.listed else await self._list(known, begun)
        looks = self._clock()
        await say_what_is_done(self._store, known, clock=self._clock)
        now = self._clock()
        if await self._store.write(backfills.finish, id, now=now):
            return {"outcome": "finished"}
        if error is None:
            is_listed = (await self._store.read(found_backfill, id)).listed is not None
            wait = max(LOOK, SELDOM * (now - looks)) if is_listed else timedelta(0)
            await self._store.write(backfills.put_off, id, due=now + wait)
        return {"outcome": error or "looked"}

    async def sweep(self) -> None:
        """Queues the backfills that are to go on, every few seconds, in any number of processes.

        Raises:
            StorageError: The database failed.
        """
        now = self._clock()
        for job, gone in await self._store.read(_to_go_on, now):
            if job:
                await self._store.write(self._queue.enqueue, job)
            else:
                await self._store.write(backfills.cancel, gone, now=now)

    async def _list(self, known: Backfill, begun: datetime) -> str | None:
        """Lists for a while; returns why that is to go on later, and None where nothing is in its way."""
        try:
            async with self._opens.use(known.location.name) as opened:
                await list_on(self._store, opened, known, clock=self._clock, until=begun + SLICE)
        except NotFoundError:
            return "no archive"
        except ArchivePausedError:
            return "paused"
        except (ArchiveError, ConfigurationError) as error:
            wait = max(timedelta(seconds=error.retry_after or 0), FAILED)
            due = self._clock() + wait
            await self._store.write(backfills.put_off, known.id, due=due, error=error.detail)
            return "closed" if isinstance(error, ArchiveClosedError) else "failed"
        return None


def job_of(known: Backfill, priority: int) -> NewJob:
    """The job that goes on with a backfill; `priority` is its archive's."""
    return NewJob(
        kind=BACKFILL,
        key=str(known.id),
        group=str(known.location),
        priority=priority * STEPS,
        payload={"backfill": known.id},
    )


def _start(
    transaction: WriteTransaction,
    queue: JobQueue,
    archive: str,
    *,
    dates: str,
    again: bool,
    actor: str,
    origin: str,
) -> tuple[Backfill, bool]:
    found_archive(archives.find(transaction, archive), archive)
    location, now = location_of(archive), queue.clock()
    row = ensure(transaction, location)
    observations.lock_location(transaction, row)  # so that two do not start one each
    known = backfills.same(transaction, location, dates=dates, again=again)
    is_new = known is None
    if known is None:
        id = backfills.add(transaction, row, dates=dates, again=again, actor=actor, now=now)
        known = found_backfill(transaction, id)
        _record(transaction, "backfill.start", known, at=now, actor=actor, origin=origin)
    return known, is_new


def _to_go_on(transaction: ReadTransaction, now: datetime) -> list[tuple[NewJob | None, int]]:
    """The jobs of backfills that are to go on; without a job those whose archive is no more."""
    going: list[tuple[NewJob | None, int]] = []
    for known in backfills.unfinished(transaction):
        entry = archives.find(transaction, known.location.name)
        if entry is None:
            going.append((None, known.id))
        elif known.due <= now and (known.listed or may_be_asked(entry, now)):
            going.append((job_of(known, entry.options.priority), known.id))
    return going


def _record(
    transaction: WriteTransaction,
    action: audit.Action,
    known: Backfill,
    *,
    at: datetime,
    actor: str,
    origin: str,
) -> None:
    audit.record(
        transaction,
        at=at,
        actor=actor,
        action=action,
        subject=str(known.location),
        outcome="success",
        origin=origin,
        detail={"backfill": known.id, "dates": known.dates, "again": known.again},
    )
