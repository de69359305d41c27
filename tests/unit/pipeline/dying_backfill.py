"""A backfill that is killed (SIGKILL, by itself) at a stage of its work, for a test to start.

Arguments: the database, who does it (`service` or `alone`), the stage, and which time it is reached.
"""

import asyncio
import sys
from datetime import timedelta
from typing import Any, cast

from servers.dicomweb import study
from unit.clock import Clock
from unit.pipeline.dying_service import DyingStore
from unit.pipeline.scoring import ThisProcess
from unit.pipeline.watched import BEGIN, QUIET, Site

from connectors.base import InMemoryArchive
from heltig.pipeline.backfill import walking as backfill
from heltig.pipeline.backfill.alone import BackfillAlone
from heltig.pipeline.backfill.walking import BACKFILL, Backfilling
from heltig.pipeline.keep import Scoring
from heltig.pipeline.publish import render
from heltig.rules.profile import DEFAULT
from heltig.store import backfills
from heltig.store.backfills import Backfill
from heltig.store.engine import Store

STUDIES = 6
NAME = "memory"


class BackfillSite(Site):
    """A site with an archive that is not watched, of six studies on three days."""

    def __init__(self, store: Store, **more: Any) -> None:
        self.archive = InMemoryArchive()
        for n in range(STUDIES):
            for one in study(f"1.2.{n}", series=1, instances=2, patient=f"P{n}", date=f"2026010{1 + n % 3}"):
                self.archive.store(one)
        super().__init__(store, self.archive, **more)
        self.backfilling = Backfilling(cast(Any, self.opens), self.queue, clock=self.clock)
        self.handlers[BACKFILL] = self.backfilling.run

    async def start(self, dates: str = "", *, again: bool = False) -> Backfill:
        known, _ = await backfill.start(
            self.queue, NAME, dates=dates, again=again, actor="test", origin="cli"
        )
        return known

    async def work(self, *kinds: str) -> None:
        await self.backfilling.sweep()
        await super().work(*kinds)

    async def end(self, known: Backfill) -> Backfill:
        """Works until it is finished."""
        for _ in range(20):
            await self.pass_time(timedelta(minutes=1))
            found = await self.find(known)
            if found.finished:
                return found
        raise AssertionError("It never ends.")

    async def alone(self, known: Backfill, **more: Any) -> Backfill:
        """Does it as a command does; `more` is of `BackfillAlone`."""
        scoring = Scoring(self.store, ThisProcess(), profile=DEFAULT, clock=self.clock, actor="cli")
        doing = BackfillAlone(
            cast(Any, self.opens),
            scoring,
            **{"concurrency": 1, "told": lambda _: None, "pulled": lambda _: None, **more},
        )
        await doing.run(known)
        return await self.find(known)

    async def find(self, known: Backfill) -> Backfill:
        found = await self.store.read(backfills.find, known.id)
        assert found is not None
        return found


async def main(url: str, who: str, stage: str, which: int) -> None:
    store = await DyingStore.open(url, render=render)
    assert isinstance(store, DyingStore)
    site = BackfillSite(store, clock=Clock(BEGIN))
    known = await site.start()
    store.stage, store.left = stage, which
    if who == "alone":
        await site.alone(known)
    else:
        await site.work()
        await site.pass_time(QUIET + timedelta(minutes=1))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
