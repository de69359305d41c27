"""A job of kind `discover`: one archive looked at by one strategy, for a minute at most."""

import logging
from collections.abc import Callable, Sequence, Set
from contextlib import aclosing
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from msgspec.structs import replace

from heltig.errors import (
    ArchiveClosedError,
    ArchiveError,
    ArchivePausedError,
    ConfigurationError,
    CursorLostError,
    HeltigError,
    NotFoundError,
    StorageError,
)
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import described
from heltig.pipeline.archives.opened import OpenArchives, Opened
from heltig.pipeline.archives.patience import attempt
from heltig.pipeline.archives.probe_waits import ProbeTurnError
from heltig.pipeline.discovery.batch import Batch, Strategy
from heltig.pipeline.discovery.observe import News, Observed, news_in, observe, sightings
from heltig.pipeline.discovery.schedule import JITTER, LONGEST_WAIT, PRIORITIES
from heltig.pipeline.discovery.strategies import strategies_for
from heltig.store import cursors
from heltig.store.archives import location_of
from heltig.store.cursors import Cursor
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction, WriteTransaction

SLICE: Final = timedelta(seconds=45)
"""After so long a job begins no further batch: another one goes on from its cursor."""

FAILED: Final = timedelta(minutes=1)
"""How long an archive that failed is left alone by a strategy, unless it asks for more (`LONGEST_WAIT`)."""

_COLD: Final = "cold"


class Strategies(Protocol):
    """Gives the strategies by which an archive is watched."""

    def __call__(self, opened: Opened, *, today: date) -> Sequence[Strategy]:
        """Does as `strategies_for`."""
        ...


logger = logging.getLogger(__name__)


class Discovery:
    """Handles jobs of kind `discover`."""

    def __init__(
        self,
        archives: OpenArchives,
        queue: JobQueue,
        *,
        clock: Callable[[], datetime],
        jitter: Callable[[float, float], float],
        strategies: Strategies = strategies_for,
    ) -> None:
        """Makes it.

        Args:
            archives: The archives.
            queue: The store's.
            clock: The time.
            jitter: Gives a number between two, e.g. `random.uniform`: archives of one period do not stay in
                step.
            strategies: By which strategies an archive is watched.
        """
        self._archives = archives
        self._strategies = strategies
        self._store = queue.store
        self._clock = clock
        self._jitter = jitter

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Reads some batches of the round that the job names, and keeps each with its cursor.

        What the archive does not answer is written down, and left to the next round.

        Raises:
            ProbeTurnError: The archive is to be tried out, and it is not its turn yet.
            StorageError: The database failed.
        """
        location = location_of(str(context.payload["archive"]))
        name = str(context.payload["strategy"])
        known = await self._store.read(cursors.find, location, name)
        look = _Look(known or Cursor(location=location, name=name, due=self._clock()))
        try:
            async with self._archives.use(location.name) as opened:
                strategies = self._strategies(opened, today=self._clock().date())
                names = {one.name for one in strategies}
                if names != await self._store.read(_planned, location):
                    await self._store.write(_plan, location, names, self._clock())
                strategy = next((one for one in strategies if one.name == name), None)
                if strategy is not None:
                    with attempt():
                        await self._round(opened, strategy, look)
                    context.received()
        except NotFoundError:
            return {"outcome": "no archive"}
        except ArchivePausedError:
            return {"outcome": "paused"}
        except ProbeTurnError:
            raise  # nothing of the archive's: the job waits for its turn
        except CursorLostError as error:
            look.cursor = replace(look.cursor, position=None)
            await self._failed(look, error, everything=True)
        except (ArchiveError, ConfigurationError) as error:
            await self._failed(look, error)
        except StorageError:
            raise
        except (
            Exception
        ) as fault:  # of ours, by what this archive answers: those who look at it are to see it
            logger.exception("%s (%s): a look ended by a fault of our own.", location, name)
            await self._failed(look, HeltigError(f"A fault of Heltig's own: {described(fault)}."))
        return look.result()

    async def _round(self, opened: Opened, strategy: Strategy, look: "_Look") -> None:
        begun = self._clock()
        started = min(look.cursor.started or begun, begun)  # the clock may have been ahead
        look.cursor = replace(look.cursor, started=started)
        batches = strategy.batches(look.cursor.position)
        async with aclosing(batches):
            async for batch in batches:
                now = self._clock()
                ends = batch.is_last or now - begun >= SLICE
                due = self._next(strategy, started, begun) if batch.is_last else self._rest(strategy, begun)
                look.cursor = replace(
                    look.cursor,
                    position=batch.cursor,
                    covered=batch.covered or look.cursor.covered,
                    started=None if batch.is_last else started,
                    finished=now if batch.is_last else look.cursor.finished,
                    due=due,
                    error=None,
                )
                await self._keep(opened, strategy, batch, look, ends=ends)
                if ends:
                    return

    async def _keep(
        self, opened: Opened, strategy: Strategy, batch: Batch, look: "_Look", *, ends: bool
    ) -> None:
        """Writes a batch and its cursor down; nothing where nothing is new and the job goes on."""
        now = self._clock()
        seen = await sightings(batch, self._store.keyed)
        news = await self._store.read(news_in, opened.location, batch, seen, now=now)
        look.take_notes((*batch.notes, *news.notes))
        if not (news.seen or news.gone or batch.has_gap or ends):
            look.count(Observed(unchanged=news.unchanged))
            return
        look.count(
            await self._store.write(
                self._write, opened, news, look.cursor, strategy=strategy.name, has_gap=batch.has_gap
            )
        )

    def _write(
        self,
        transaction: WriteTransaction,
        opened: Opened,
        news: News,
        cursor: Cursor,
        *,
        strategy: str,
        has_gap: bool,
    ) -> Observed:
        now = self._clock()
        observed = Observed(unchanged=news.unchanged)
        if news.seen or news.gone:
            priority = PRIORITIES.get(strategy, 0)
            observed = observe(
                transaction, opened.location, news, priority=priority, now=now, options=opened.options
            )
        cursors.put(transaction, cursor)
        if has_gap and strategy != _COLD:
            cursors.bring_forward(transaction, cursor.location, _COLD, at=now)
        return observed

    async def _failed(self, look: "_Look", error: HeltigError, *, everything: bool = False) -> None:
        """Writes down how far the round came, and why it goes on later."""
        asked_for = min(timedelta(seconds=error.retry_after or 0), LONGEST_WAIT)
        wait = max(asked_for, FAILED * self._jitter(1 - JITTER, 1 + JITTER))
        look.cursor = replace(look.cursor, due=self._clock() + wait, error=error.detail)
        look.outcome = "closed" if isinstance(error, ArchiveClosedError) else "failed"

        def write(transaction: WriteTransaction) -> None:
            cursors.put(transaction, look.cursor)
            if everything:
                cursors.bring_forward(transaction, look.cursor.location, _COLD, at=self._clock())

        await self._store.write(write)

    def _next(self, strategy: Strategy, started: datetime, begun: datetime) -> datetime:
        """When the next round begins, one period after this one did, a little earlier or later."""
        period = strategy.every * self._jitter(1 - JITTER, 1 + JITTER)
        return max(self._rest(strategy, begun), started + period)

    def _rest(self, strategy: Strategy, begun: datetime) -> datetime:
        """When to go on after a job that began at a time: who comes before every pull leaves as much to them.

        Else an archive that is asked for one thing at a time, and lists for as long as a period, would be
        listed for ever and never pulled from.
        """
        now = self._clock()
        return now + max(now - begun, timedelta(0)) if PRIORITIES.get(strategy.name, 0) == 0 else now


class _Look:
    """What one job has seen so far."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.outcome = "looked"
        self._counts = dict.fromkeys(Observed.__struct_fields__, 0)
        self._notes: set[str] = set()

    def count(self, observed: Observed) -> None:
        for field in self._counts:
            self._counts[field] += getattr(observed, field)

    def take_notes(self, notes: tuple[str, ...]) -> None:
        for note in notes:
            if note not in self._notes:
                self._notes.add(note)
                logger.warning("%s (%s): %s", self.cursor.location, self.cursor.name, note)

    def result(self) -> dict[str, Any]:
        return {"outcome": self.outcome, **self._counts, "notes": sorted(self._notes)}


def _planned(transaction: ReadTransaction, location: Location) -> set[str]:
    return {cursor.name for cursor in cursors.every(transaction) if cursor.location == location}


def _plan(transaction: WriteTransaction, location: Location, names: Set[str], now: datetime) -> None:
    """Has a cursor for each strategy of an archive, and for no other."""
    known = _planned(transaction, location)
    for name in names - known:
        cursors.put(transaction, Cursor(location=location, name=name, due=now))
    for name in known - names:
        cursors.remove(transaction, location, name)
