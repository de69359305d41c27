"""A backfill by a command of its own, where no service works; and how a command watches one that does.

Everything is kept as the service keeps it, so that either goes on where the other was stopped or killed.
Where both work at once a study may be read twice, and is judged once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from typing import Final

from heltig.errors import (
    ArchiveAnswerError,
    ArchiveClosedError,
    ArchiveError,
    ArchiveUnavailableError,
    NotFoundError,
)
from heltig.pipeline.archives.opened import OpenArchives, Opened
from heltig.pipeline.backfill.done import say_what_is_done
from heltig.pipeline.backfill.listing import list_on
from heltig.pipeline.backfill.report import Progress, progress_of
from heltig.pipeline.backfill.waiting import is_worked_on
from heltig.pipeline.keep import Scoring
from heltig.pipeline.pull.listing import ListedStudy
from heltig.pipeline.pull.run import PulledStudy, judged_again, pull_archive
from heltig.store import backfill_studies, backfills
from heltig.store.backfill_studies import Done, Undone
from heltig.store.backfills import Backfill
from heltig.store.engine import Store

PAGE: Final = 200
"""Studies that are pulled between two looks at what is done."""

TELLING: Final = timedelta(seconds=5)
"""How often it is written down and told how many studies are listed, or done."""

PATIENCE: Final = timedelta(minutes=10)
"""How long an archive that does not answer is waited for, since a study last came of it."""

SERVER_ERROR: Final = 500
"""HTTP statuses from here on are a fault of the archive's own, which may pass."""

WAIT: Final = 30.0
"""Seconds until it is asked again, where it or its breaker says nothing else."""

Told = Callable[[Progress], None]


async def is_somebody_working(store: Store, *, now: datetime) -> bool:
    """Whether a server or a worker of this database was heard of lately."""
    return await store.read(is_worked_on, now=now)


async def watch(store: Store, id: int, *, clock: Callable[[], datetime], told: Told) -> Progress:
    """Looks every second how far a backfill is, until it is finished or nobody works any more.

    Args:
        store: Where it is.
        id: The backfill.
        clock: The time.
        told: Told how far it is, each time.

    Returns:
        How far it is then.

    Raises:
        StorageError: The database failed.
    """
    while True:
        progress = await store.read(progress_of, id, now=clock())
        told(progress)
        if progress.finished or not await is_somebody_working(store, now=clock()):
            return progress
        await asyncio.sleep(1)


class BackfillAlone:
    """Does a backfill in this process."""

    def __init__(
        self,
        opens: OpenArchives,
        scoring: Scoring,
        *,
        concurrency: int,
        told: Told,
        pulled: Callable[[PulledStudy], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Makes it.

        Args:
            opens: The archives.
            scoring: Judges and keeps studies.
            concurrency: Studies that are asked for at the same time.
            told: Told how far it is, now and then.
            pulled: Told of each study that was pulled.
            sleep: Waits so many seconds.
        """
        self._opens = opens
        self._scoring = scoring
        self._store = scoring.store
        self._clock = scoring.clock
        self._concurrency = concurrency
        self._told = told
        self._pulled = pulled
        self._sleep = sleep
        self._went_well = scoring.clock()

    async def run(self, known: Backfill) -> None:
        """Does it to its end, from where it was left; studies that failed are tried again once.

        An archive that does not answer for a while is waited for.

        Raises:
            ArchiveError: The archive is out of order for long, refuses us, or is not to be asked now.
            ConfigurationError: A secret or a certificate cannot be read.
            StorageError: The database failed.
        """
        while True:
            await self._store.write(backfill_studies.try_again, known.id)
            try:
                known = await self._listed(known)
                await say_what_is_done(self._store, known, clock=self._clock)
                await self._pull_all(known)
                break
            except ArchiveError as error:
                await self._wait_for_archive(known, error)
        await judged_again(known.location.name, self._scoring)
        await self._store.write(backfills.finish, known.id, now=self._clock())
        await self._tell(known)

    async def _listed(self, known: Backfill) -> Backfill:
        while not known.listed and not known.finished:
            async with self._opens.use(known.location.name) as opened:
                until = self._clock() + TELLING
                await list_on(self._store, opened, known, clock=self._clock, until=until)
            self._went_well = self._clock()
            known = await self._find(known)
            await self._tell(known)
        return known

    async def _pull_all(self, known: Backfill) -> None:
        after = 0
        while page := await self._store.read(backfill_studies.undone, known.id, after=after, limit=PAGE):
            if (await self._find(known)).finished:  # somebody cancelled it
                break
            await self._renew_capabilities(known.location.name)
            async with self._opens.use(known.location.name) as opened:
                await self._pull(opened, known, page, after=after)
            after = page[-1].observation.row

    async def _renew_capabilities(self, name: str) -> None:
        """Probes again what was probed more than a day ago, as the service does.

        Without an answer the last probe holds.
        """
        async with self._opens.use(name) as opened:
            with suppress(ArchiveError):
                await self._opens.renew(opened)

    async def _wait_for_archive(self, known: Backfill, error: ArchiveError) -> None:
        """Waits until an archive may be asked again; raises the error where that makes no sense."""
        is_down = isinstance(error, ArchiveUnavailableError | ArchiveClosedError) or (
            isinstance(error, ArchiveAnswerError) and (error.answer_status or 0) >= SERVER_ERROR
        )
        seconds = error.retry_after or WAIT
        if not is_down or self._clock() + timedelta(seconds=seconds) - self._went_well > PATIENCE:
            raise error
        due = self._clock() + timedelta(seconds=seconds)
        said = f"{error.detail} Asked again in {seconds:,.0f} s."
        await self._store.write(backfills.put_off, known.id, due=due, error=said)
        await self._tell(known)
        await self._sleep(seconds)
        await self._store.write(backfills.put_off, known.id, due=self._clock())

    async def _pull(self, opened: Opened, known: Backfill, page: Sequence[Undone], *, after: int) -> None:
        rows = {one.observation.study_uid or one.observation.study_key: one.observation.row for one in page}
        results = pull_archive(
            opened.archive,
            [ListedStudy(uid, ()) for uid in rows],
            scoring=self._scoring,
            capabilities=opened.capabilities,
            concurrency=self._concurrency,
        )
        failed: list[Done] = []
        told = self._clock()
        try:
            async with aclosing(results):
                async for result in results:
                    self._pulled(result)
                    if result.outcome == "failed":
                        failed.append(Done(row=rows[result.uid], outcome="failed", error=result.error))
                    else:
                        self._went_well = self._clock()
                    if self._clock() - told >= TELLING:
                        await say_what_is_done(self._store, known, clock=self._clock, after=after, most=PAGE)
                        await self._tell(known)
                        told = self._clock()
        finally:  # first what is done, whoever did it: another command may have had more luck
            await say_what_is_done(self._store, known, clock=self._clock, after=after, most=PAGE)
            await self._store.write(backfill_studies.say_done, known.id, failed, now=self._clock())
        await self._tell(known)

    async def _find(self, known: Backfill) -> Backfill:
        found = await self._store.read(backfills.find, known.id)
        if found is None:
            raise NotFoundError(f"Backfill {known.id} is gone.")
        return found

    async def _tell(self, known: Backfill) -> None:
        self._told(await self._store.read(progress_of, known.id, now=self._clock()))
