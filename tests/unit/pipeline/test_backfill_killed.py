"""A backfill that is killed at any stage, and gone on with by the same command or by a service."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from unit.clock import Clock
from unit.pipeline.dying_backfill import STUDIES, BackfillSite
from unit.pipeline.test_watching_killed import taken_back
from unit.pipeline.watched import BEGIN
from unit.store.databases import SERVER, database_url

from heltig.pipeline.publish import render
from heltig.store import backfill_studies, changes
from heltig.store.backfill_figures import figures_of
from heltig.store.engine import Store

HERE = Path(__file__).parent
ARRIVED, PUBLISHED = ("arrive", "publish_current") if SERVER else ("arrive_and_publish",) * 2
STAGES = [
    ("service", "before _take", 1, "service"),
    ("service", "after _take", 1, "alone"),
    ("service", f"after {PUBLISHED}", 3, "alone"),
    ("service", "after say_done", 1, "service"),
    ("alone", f"after {ARRIVED}", 2, "service"),
    ("alone", f"after {PUBLISHED}", 4, "alone"),
    ("alone", "before finish", 1, "alone"),
]
"""Who is killed where, the how manieth time, and who goes on."""


async def killed(url: str, who: str, stage: str, which: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "dying_backfill.py"),
        url,
        who,
        stage,
        str(which),
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    async with asyncio.timeout(120):
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(("who", "stage", "which", "next_one"), STAGES)
async def test_whoever_goes_on_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, who: str, stage: str, which: int, next_one: str
) -> None:
    async with database_url(tmp_path) as url:
        store = await Store.open(url, render=render)
        site = BackfillSite(store, clock=Clock(BEGIN + timedelta(minutes=10)))
        try:
            await site.register(strategy="none")
            await killed(url, who, stage, which)
            await store.write(taken_back)
            known = await site.start()
            assert known.id == 1  # the one that was begun
            ended = await (site.alone(known) if next_one == "alone" else site.end(known))
            assert ended.finished
            counts = await store.read(backfill_studies.counts, 1, now=site.clock())
            assert (counts.studies, counts.outcomes) == (STUDIES, {"judged": STUDIES})
            assert counts.instances == 2 * STUDIES
            for number in range(STUDIES):
                found = await site.study(f"1.2.{number}")
                assert found is not None
                assert (found.state, found.revision, found.instances) == ("JUDGED", 1, 2)
            assert await store.read(changes.latest) == STUDIES
            figures = await store.read(figures_of, 1, shown=sorted)
            assert figures.total.studies == STUDIES
            assert figures.total.without_verdict == 0
        finally:
            await store.close()
