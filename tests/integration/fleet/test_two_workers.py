"""Two workers on one database: neither does what the other has."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from unit.store.databases import render

from heltig.jobs.attempt import Handler, JobContext
from heltig.jobs.queue import JobQueue, utc_now
from heltig.jobs.runner import Runner
from heltig.store import claims, jobs
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.transaction import WriteTransaction


@asynccontextmanager
async def worker(
    url: str, handler: Handler, *, later: timedelta = timedelta(0), places: int = 2
) -> AsyncIterator[JobQueue]:
    """A worker with connections of its own."""
    store = await Store.open(url, render=render)
    queue = JobQueue(store, clock=lambda: utc_now() + later)
    runner = Runner(queue, {"work": handler}, poll=timedelta(milliseconds=20), places=places)
    task = asyncio.create_task(runner.run())
    try:
        yield queue
    finally:
        await runner.stop(grace=timedelta(seconds=10))
        await task
        await store.close()


async def test_each_job_is_done_once(queue: JobQueue, url: str) -> None:
    done: Counter[int] = Counter()
    everything = asyncio.Event()

    async def work(context: JobContext) -> None:
        done[context.job.id] += 1
        if len(done) == 60:
            everything.set()

    def add(transaction: WriteTransaction) -> None:
        for number in range(60):
            queue.enqueue(transaction, NewJob(kind="work", group=str(number % 4)))

    await queue.store.write(add)
    async with worker(url, work), worker(url, work), asyncio.timeout(30):
        await everything.wait()
    assert set(done.values()) == {1}


async def test_both_together_keep_to_the_limit_of_a_group(queue: JobQueue, url: str) -> None:
    at_work, most, left = 0, 0, 30
    everything = asyncio.Event()

    async def work(context: JobContext) -> None:
        nonlocal at_work, most, left
        at_work += 1
        most = max(most, at_work)
        await queue.store.read(jobs.find, context.job.id)
        at_work -= 1
        left -= 1
        if not left:
            everything.set()

    def add(transaction: WriteTransaction) -> None:
        claims.set_group(transaction, "archive:a", most=3)
        for _ in range(30):
            queue.enqueue(transaction, NewJob(kind="work", group="archive:a"))

    await queue.store.write(add)
    async with worker(url, work, places=4), worker(url, work, places=4), asyncio.timeout(30):
        await everything.wait()
    assert 2 <= most <= 3


async def test_who_lost_the_lease_cannot_say_how_the_job_ended(queue: JobQueue, url: str) -> None:
    begun, release = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def slow(context: JobContext) -> dict[str, Any]:
        begun.set()
        await release.wait()
        return {"by": "the first"}

    async def quick(context: JobContext) -> dict[str, Any]:
        return {"by": "the second"}

    number = await queue.store.write(queue.enqueue, NewJob(kind="work"))
    async with asyncio.timeout(30):
        async with worker(url, slow) as first:
            first.on_end(lambda job: ended.append("first"))
            await begun.wait()
            taken = asyncio.Event()
            async with worker(url, quick, later=timedelta(seconds=61)) as second:
                second.on_end(lambda job: taken.set())
                await taken.wait()
            release.set()
        job = await queue.store.read(jobs.find, number)
    assert job is not None
    assert (job.state, job.result, job.attempts, ended) == ("succeeded", {"by": "the second"}, 2, [])
