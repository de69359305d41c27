"""A backfill by a command of its own, where no service works; and how a command watches one that does.

Everything is kept as the service keeps it, so that either goes on where the other was stopped or killed.
Where both work at once a study may be read twice, and is judged once.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from heltig.errors import NotFoundError
from heltig.pipeline.backfill_done import say_what_is_done
from heltig.pipeline.backfill_listing import list_on
from heltig.pipeline.backfill_report import Progress, progress_of
from heltig.pipeline.keep import Scoring
from heltig.pipeline.listing import ListedStudy
from heltig.pipeline.opened import OpenArchives, Opened
from heltig.pipeline.pull_run import PulledStudy, judged_again, pull_archive
from heltig.store import backfill_studies, backfills, workers
from heltig.store.backfill_studies import Done, Undone
from heltig.store.backfills import Backfill
from heltig.store.engine import Store

HEARD: Final = timedelta(seconds=30)
"""Who was heard of in this time works: it says so every ten seconds."""

PAGE: Final = 200
"""Studies that are pulled between two looks at what is done."""

LISTING: Final = timedelta(seconds=5)
"""How often it is told how many studies are listed."""

Told = Callable[[Progress], None]


async def is_somebody_working(store: Store, *, now: datetime) -> bool:
    """Whether a server or a worker of this database was heard of lately."""
    return bool(await store.read(workers.heard_of, since=now - HEARD))


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
    ) -> None:
        """Makes it.

        Args:
            opens: The archives.
            scoring: Judges and keeps studies.
            concurrency: Studies that are asked for at the same time.
            told: Told how far it is, now and then.
            pulled: Told of each study that was pulled.
        """
        self._opens = opens
        self._scoring = scoring
        self._store = scoring.store
        self._clock = scoring.clock
        self._concurrency = concurrency
        self._told = told
        self._pulled = pulled

    async def run(self, known: Backfill) -> None:
        """Does it to its end, from where it was left; studies that failed are tried again once.

        Raises:
            ArchiveError: The archive is out of order, refuses us, or is not to be asked now.
            ConfigurationError: A secret or a certificate cannot be read.
            StorageError: The database failed.
        """
        await self._store.write(backfill_studies.try_again, known.id)
        known = await self._listed(known)
        await say_what_is_done(self._store, known, clock=self._clock)
        after = 0
        while page := await self._store.read(backfill_studies.undone, known.id, after=after, limit=PAGE):
            if (await self._find(known)).finished:  # somebody cancelled it
                break
            try:
                async with self._opens.use(known.location.name) as opened:
                    await self._pull(opened, known, page)
            finally:
                await say_what_is_done(self._store, known, clock=self._clock, after=after, most=PAGE)
            after = page[-1].observation.row
            await self._tell(known)
        await judged_again(known.location.name, self._scoring)
        await self._store.write(backfills.finish, known.id, now=self._clock())
        await self._tell(known)

    async def _listed(self, known: Backfill) -> Backfill:
        while not known.listed and not known.finished:
            async with self._opens.use(known.location.name) as opened:
                until = self._clock() + LISTING
                await list_on(self._store, opened, known, clock=self._clock, until=until)
            known = await self._find(known)
            await self._tell(known)
        return known

    async def _pull(self, opened: Opened, known: Backfill, page: Sequence[Undone]) -> None:
        rows = {one.observation.study_uid or one.observation.study_key: one.observation.row for one in page}
        results = pull_archive(
            opened.archive,
            [ListedStudy(uid, ()) for uid in rows],
            scoring=self._scoring,
            capabilities=opened.capabilities,
            concurrency=self._concurrency,
        )
        failed: list[Done] = []
        try:
            async with aclosing(results):
                async for result in results:
                    self._pulled(result)
                    if result.outcome == "failed":
                        failed.append(Done(row=rows[result.uid], outcome="failed", error=result.error))
        finally:
            await self._store.write(backfill_studies.say_done, known.id, failed, now=self._clock())

    async def _find(self, known: Backfill) -> Backfill:
        found = await self._store.read(backfills.find, known.id)
        if found is None:
            raise NotFoundError(f"Backfill {known.id} is gone.")
        return found

    async def _tell(self, known: Backfill) -> None:
        self._told(await self._store.read(progress_of, known.id, now=self._clock()))
