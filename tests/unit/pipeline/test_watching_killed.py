"""A service that is killed at any stage of its work: the next one loses nothing and does nothing twice."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from unit.clock import Clock
from unit.pipeline.dying_service import STUDIES, filled
from unit.pipeline.watched import BEGIN, Site
from unit.store.databases import SERVER, database_url

from heltig.pipeline.publish import render
from heltig.store import changes, cursors, leases
from heltig.store.archives import location_of
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

HERE = Path(__file__).parent
STAGES = [
    ("within observe", 1),
    ("after _write", 1),  # what was observed is committed, with its cursor
    ("after _hand_on", 1),  # the jobs are queued
    ("after make", 5),  # a job is begun
    ("after end_and_go_on", 3),  # one is ended, and the next begun
    *(
        [
            ("after arrive", 2),  # a snapshot without its verdict
            ("before publish_current", 3),
            ("after publish_current", 3),  # a verdict, and its job is not ended
        ]
        if SERVER
        else [
            ("before arrive_and_publish", 3),
            ("after arrive_and_publish", 3),  # a verdict, and its job is not ended
        ]
    ),
]


async def killed(url: str, stage: str, which: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "dying_service.py"),
        url,
        stage,
        str(which),
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    async with asyncio.timeout(120):
        assert await process.wait() == -signal.SIGKILL


def taken_back(transaction: WriteTransaction) -> None:
    for job in leases.running(transaction):
        leases.put_back(transaction, job.id, owner=job.lease_owner or "", not_before=None)


@pytest.mark.parametrize(("stage", "which"), STAGES)
async def test_the_next_process_goes_on(tmp_path: Path, stage: str, which: int) -> None:
    async with database_url(tmp_path) as url:
        store = await Store.open(url, render=render)
        site = Site(store, filled(), clock=Clock(BEGIN + timedelta(minutes=10)))
        try:
            await site.register()
            await killed(url, stage, which)
            if stage == "within observe":
                assert await site.study("1.2.0") is None
                cursor = await store.read(cursors.find, location_of("memory"), "hot")
                assert cursor is not None
                assert cursor.position is None  # neither the studies nor the cursor
            await store.write(taken_back)
            await site.pass_time(timedelta(minutes=10))
            for number in range(STUDIES):
                found = await site.study(f"1.2.{number}")
                assert found is not None
                assert (found.state, found.revision, found.instances) == ("JUDGED", 1, 2)
                seen = await site.observed(f"1.2.{number}")
                assert seen is not None
                assert (seen.due, seen.unsettled_since) == (None, None)
            assert await store.read(changes.latest) == STUDIES
        finally:
            await store.close()
