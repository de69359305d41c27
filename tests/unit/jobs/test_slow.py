"""Jobs that wait long for an archive go on beside the places, a few at a time."""

import asyncio
from datetime import timedelta
from typing import Any

from unit.jobs.conftest import Clock
from unit.jobs.test_runner import add, becomes, found, running, until

from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.store.jobs import SLOW, Job
from heltig.store.shares import Share, SlowLane

AFTER = 0.2


class Archives:
    """Archives of which some give nothing until the test says so."""

    def __init__(self, *slow: str) -> None:
        self.slow = set(slow)
        self.gives = asyncio.Event()
        self.at_work: list[str] = []

    async def pull(self, context: JobContext) -> dict[str, Any]:
        group = context.job.group
        self.at_work.append(group)
        if group in self.slow:
            await self.gives.wait()
        return {"outcome": "pulled"}


def share(*, most: int = 2, lane: int = 2) -> Share:
    return Share(frozenset({"pull"}), most, None, SlowLane(AFTER, lane))


async def pulls(queue: JobQueue, group: str, number: int = 1) -> list[int]:
    return [await add(queue, kind="pull", group=group) for _ in range(number)]


def is_slow(job: Job) -> bool:
    return bool((job.progress or {}).get(SLOW))


def was_put_off(job: Job) -> bool:
    return job.state == "queued" and job.not_before is not None


async def test_slow_archives_leave_their_places_and_go_on(queue: JobQueue) -> None:
    archives = Archives("slow_1", "slow_2")
    async with running(queue, {"pull": archives.pull}, places=3, shares=[share()]) as runner:
        slow = [*await pulls(queue, "slow_1"), *await pulls(queue, "slow_2")]
        healthy = await pulls(queue, "ok", 3)
        for number in healthy:
            await becomes(queue, number, "succeeded")
        for number in slow:
            assert (await until(queue, number, is_slow)).attempts == 1
        assert runner.has_room_for("pull")
        archives.gives.set()
        for number in slow:
            assert (await becomes(queue, number, "succeeded")).attempts == 1


async def test_a_slow_archive_has_one_place_and_then_those_of_before(queue: JobQueue, clock: Clock) -> None:
    archives = Archives("slow")
    async with running(queue, {"pull": archives.pull}, places=3, shares=[share()]):
        first, second, third = await pulls(queue, "slow", 3)
        await until(queue, first, is_slow)
        put_off = await until(queue, second, was_put_off)
        assert put_off.attempts == 0  # it is not its fault
        for number in await pulls(queue, "ok", 3):
            await becomes(queue, number, "succeeded")
        assert archives.at_work.count("slow") == 2
        assert (await found(queue, third)).state == "queued"
        archives.slow.clear()
        archives.gives.set()
        clock.advance(timedelta(minutes=1))
        for number in (first, second, third):
            await becomes(queue, number, "succeeded")


async def test_the_lane_has_an_end_and_what_is_known_to_be_slow_waits_for_it(
    queue: JobQueue, clock: Clock
) -> None:
    archives = Archives("slow_1", "slow_2")
    async with running(queue, {"pull": archives.pull}, places=3, shares=[share(lane=1)]):
        numbers = [*await pulls(queue, "slow_1"), *await pulls(queue, "slow_2")]
        both = [await until(queue, one, lambda job: is_slow(job) or was_put_off(job)) for one in numbers]
        waiting = next(job for job in both if was_put_off(job))
        clock.advance(timedelta(minutes=1))
        for number in await pulls(queue, "ok", 3):
            await becomes(queue, number, "succeeded")
        assert (await found(queue, waiting.id)).state == "queued"
        archives.gives.set()
        for number in numbers:
            await becomes(queue, number, "succeeded")


async def test_what_has_come_is_not_slow(queue: JobQueue) -> None:
    judges = asyncio.Event()
    at_work: list[int] = []

    async def pull(context: JobContext) -> None:
        at_work.append(context.job.id)
        context.received()
        await judges.wait()

    async with running(queue, {"pull": pull}, places=2, shares=[share(most=1)]) as runner:
        first, second = await pulls(queue, "large", 2)
        await until(queue, first, lambda job: bool(at_work))
        is_later = asyncio.Event()
        asyncio.get_running_loop().call_later(2 * AFTER, is_later.set)
        await is_later.wait()
        assert at_work == [first]
        assert not runner.has_room_for("pull")
        judges.set()
        for number in (first, second):
            await becomes(queue, number, "succeeded")
