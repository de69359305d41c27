"""Workers that Redis wakes: when it is emptied, started again or away that costs time, never a job."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from servers.redis import Redis
from unit.store.databases import render

from heltig.jobs import arq_runner
from heltig.jobs.arq_runner import ArqRunner
from heltig.jobs.attempt import Handler, JobContext
from heltig.jobs.doorbell import Doorbell
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.store import jobs
from heltig.store.engine import Store
from heltig.store.jobs import Job, JobState, NewJob

NEVER = timedelta(hours=1)
SOON = timedelta(milliseconds=20)


class WorkerProcess:
    """What a worker process has, in this one."""

    def __init__(self, queue: JobQueue, runner: Runner, beside: ArqRunner) -> None:
        self.runner = runner
        self._queue = queue
        self._idle = asyncio.Event()
        self.arq = beside
        runner.on_look(lambda found: self._idle.set() if not found else self._idle.clear())

    async def hears(self, *, poll: timedelta) -> None:
        """Waits until it relies on Redis, and has looked for work in vain."""
        await true(lambda: self.runner.poll == poll)
        self._idle.clear()
        self.runner.wake()
        await self._idle.wait()


@asynccontextmanager
async def working(
    url: str, redis: Redis, handler: Handler, *, places: int = 1, reconcile: timedelta = NEVER
) -> AsyncIterator[WorkerProcess]:
    store = await Store.open(url, render=render)
    queue = JobQueue(store)
    runner = Runner(queue, {"work": handler}, places=places)
    fleet = ArqRunner(runner, queue, url=redis.url, reconcile=reconcile)
    process = WorkerProcess(queue, runner, fleet)
    task = asyncio.create_task(fleet.run())
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        await fleet.stop(grace=timedelta(0))
        await task
        await store.close()


@asynccontextmanager
async def ringing(queue: JobQueue, redis: Redis) -> AsyncIterator[None]:
    """Has whatever is added from now on rung for."""
    doorbell = Doorbell(redis.url)
    queue.on_work(doorbell.ring)
    task = asyncio.create_task(doorbell.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def true(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


async def becomes(queue: JobQueue, number: int, state: JobState) -> Job:
    async with asyncio.timeout(60):
        while True:
            job = await queue.store.read(jobs.find, number)
            assert job is not None
            if job.state == state:
                return job
            await asyncio.sleep(0.005)


async def add(queue: JobQueue, **fields: Any) -> int:
    return await queue.store.write(queue.enqueue, NewJob(**{"kind": "work"} | fields))


async def done_at_once(context: JobContext) -> None:
    return None


async def test_a_message_wakes_a_worker_elsewhere(url: str, queue: JobQueue, redis: Redis) -> None:
    async with working(url, redis, done_at_once) as worker, ringing(queue, redis):
        await worker.hears(poll=NEVER)
        for _ in range(3):
            await becomes(queue, await add(queue), "succeeded")
            await worker.hears(poll=NEVER)


async def test_nothing_is_in_redis_but_kinds(queue: JobQueue, redis: Redis) -> None:
    async with ringing(queue, redis):
        for number in range(3):
            await add(queue, key=f"secret {number}", group="archive:secret", payload={"study": "secret"})
        await true(lambda: b"heltig:work" in redis.command("KEYS", "*"))
    assert redis.command("ZRANGE", "heltig:doorbell", "0", "-1") == b"*1\r\n$11\r\nheltig:work\r\n"
    _, _, message = redis.command("GET", "arq:job:heltig:work").partition(b"\r\n")
    said = msgspec.msgpack.decode(message.removesuffix(b"\r\n"))
    assert said.pop("et") > 0  # when
    assert said == {"t": None, "f": "work", "a": [], "k": {}}
    assert redis.command("DBSIZE") == b":2\r\n"


async def test_a_worker_without_room_leaves_work_to_others(url: str, queue: JobQueue, redis: Redis) -> None:
    meeting = asyncio.Barrier(3)

    async def work(context: JobContext) -> None:
        await meeting.wait()

    async with (
        working(url, redis, work) as first,
        working(url, redis, work) as second,
        working(url, redis, work) as third,
        ringing(queue, redis),
    ):
        for worker in (first, second, third):
            await worker.hears(poll=NEVER)
        for number in [await add(queue) for _ in range(3)]:
            await becomes(queue, number, "succeeded")


async def test_what_nobody_rang_for_is_found(url: str, queue: JobQueue, redis: Redis) -> None:
    """Redis was emptied, or whoever added it was killed before it rang."""
    async with working(url, redis, done_at_once, reconcile=SOON) as worker:
        await worker.hears(poll=SOON)
        redis.command("FLUSHALL")
        await becomes(queue, await add(queue), "succeeded")


async def test_a_redis_that_was_emptied_carries_on(url: str, queue: JobQueue, redis: Redis) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def work(context: JobContext) -> None:
        begun.set()
        await release.wait()

    async with working(url, redis, work) as worker, ringing(queue, redis):
        await worker.hears(poll=NEVER)
        first = await add(queue)
        await begun.wait()
        redis.command("FLUSHALL")
        release.set()
        assert (await becomes(queue, first, "succeeded")).attempts == 1
        await worker.hears(poll=NEVER)
        await becomes(queue, await add(queue), "succeeded")


async def test_a_redis_that_is_started_again_is_heard_again(url: str, queue: JobQueue, redis: Redis) -> None:
    async with working(url, redis, done_at_once) as worker, ringing(queue, redis):
        await worker.hears(poll=NEVER)
        redis.stop()
        await true(lambda: worker.runner.poll != NEVER)
        redis.start()
        await worker.hears(poll=NEVER)
        await becomes(queue, await add(queue), "succeeded")


async def test_work_goes_on_while_redis_is_away(
    url: str, queue: JobQueue, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arq_runner, "POLL", SOON)
    begun, release = asyncio.Event(), asyncio.Event()

    async def work(context: JobContext) -> None:
        begun.set()
        await release.wait()

    async with working(url, redis, work, places=2) as worker, ringing(queue, redis):
        await worker.hears(poll=NEVER)
        at_work = await add(queue)
        await begun.wait()
        redis.stop()
        await true(lambda: worker.runner.poll == SOON)
        release.set()
        assert (await becomes(queue, at_work, "succeeded")).attempts == 1
        await becomes(queue, await add(queue), "succeeded")
        redis.start()
        await worker.hears(poll=NEVER)
        await becomes(queue, await add(queue), "succeeded")


async def test_a_worker_starts_without_redis(
    url: str, queue: JobQueue, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arq_runner, "POLL", SOON)
    redis.stop()
    async with working(url, redis, done_at_once) as worker, ringing(queue, redis):
        await becomes(queue, await add(queue), "succeeded")
        redis.start()
        await worker.hears(poll=NEVER)
        await becomes(queue, await add(queue), "succeeded")
