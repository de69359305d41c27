"""PostgreSQL is started again, or away for a while."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from servers.postgresql import PostgreSQL
from unit.store.databases import postgresql_database, render

from heltig.errors import StorageError
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.store import jobs
from heltig.store.engine import Store
from heltig.store.jobs import NewJob


@pytest.fixture
async def url(postgresql: PostgreSQL) -> AsyncIterator[str]:
    async with postgresql_database(postgresql.url) as made:
        yield made
        if not postgresql.is_running:
            postgresql.start()


async def counted_at_once(store: Store, number: int) -> None:
    """So many transactions side by side: each takes a connection."""
    await asyncio.gather(*(store.read(jobs.counts) for _ in range(number)))


async def test_a_restart_is_not_noticed(store: Store, postgresql: PostgreSQL) -> None:
    await counted_at_once(store, 8)
    postgresql.stop()
    postgresql.start()
    await counted_at_once(store, 8)
    postgresql.stop()
    postgresql.start()
    queue = JobQueue(store)
    await asyncio.gather(*(store.write(queue.enqueue, NewJob(kind="work")) for _ in range(8)))
    assert await store.read(jobs.counts) == {("work", "queued"): 8}


async def test_while_it_is_away_that_is_told_in_our_words(
    store: Store, url: str, postgresql: PostgreSQL
) -> None:
    postgresql.stop()
    with pytest.raises(StorageError, match="PostgreSQL"):
        await store.read(jobs.counts)
    with pytest.raises(StorageError, match="does not answer"):
        await Store.open(url, render=render)
    postgresql.start()
    assert await store.read(jobs.counts) == {}


async def test_a_job_that_ends_meanwhile_is_not_done_again(store: Store, postgresql: PostgreSQL) -> None:
    begun, release, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(context: JobContext) -> None:
        begun.set()
        await release.wait()

    queue = JobQueue(store)
    queue.on_end(lambda job: ended.set())
    number = await store.write(queue.enqueue, NewJob(kind="work"))
    runner = Runner(queue, {"work": work})
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(60):
        await begun.wait()
        postgresql.stop()
        release.set()
        with pytest.raises(StorageError):
            await store.read(jobs.find, number)
        postgresql.start()
        await ended.wait()
        await runner.stop(grace=timedelta(seconds=5))
        await task
    job = await store.read(jobs.find, number)
    assert job is not None
    assert (job.state, job.attempts) == ("succeeded", 1)
