"""Jobs that wait long for an archive go on beside the places, a few at a time."""

import asyncio
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from unit.clock import Clock
from unit.jobs.test_runner import add, becomes, found, running, until

from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.slow import PUT_OFF, REMEMBERED
from heltig.store import claims
from heltig.store.jobs import SLOW, Job
from heltig.store.shares import Beside, Share, SlowLane
from heltig.store.transaction import WriteTransaction

AFTER = 0.2
LATER = timedelta(seconds=PUT_OFF * AFTER)


class Archives:
    """Archives that give what is long when the test says so, and all else at once."""

    def __init__(self) -> None:
        self.gives = asyncio.Event()
        self.meeting = asyncio.Barrier(2)

    async def pull(self, context: JobContext) -> dict[str, Any]:
        if context.payload.get("is_long"):
            await self.gives.wait()
        context.received()
        if context.payload.get("meets"):
            await self.meeting.wait()
        return {"outcome": "pulled"}

    async def list(self, context: JobContext) -> None:
        """Asks the archive for nothing."""


def share(*, most: int = 2, lane: int = 8) -> Share:
    return Share(frozenset({"pull", "backfill"}), most, None, SlowLane(AFTER, lane))


async def pulls(queue: JobQueue, group: str, number: int = 1, **payload: bool) -> list[int]:
    return [await add(queue, kind="pull", group=group, payload=payload) for _ in range(number)]


def is_slow(job: Job) -> bool:
    return job.state == "running" and bool((job.progress or {}).get(SLOW))


def was_put_off(job: Job) -> bool:
    return job.state == "queued" and job.not_before is not None


async def are(queue: JobQueue, numbers: list[int], *states: Any) -> None:
    for number in numbers:
        await becomes(queue, number, *states)


async def in_the_lane(queue: JobQueue, group: str, number: int = 1) -> list[int]:
    """Long pulls of a group that have left their places."""
    numbers = await pulls(queue, group, number, is_long=True)
    for one in numbers:
        await until(queue, one, is_slow)
    return numbers


async def test_long_pulls_leave_their_places_and_go_on(queue: JobQueue) -> None:
    archives = Archives()
    async with running(queue, {"pull": archives.pull}, places=3, shares=[share()]) as runner:
        long_ones = [*await in_the_lane(queue, "a"), *await in_the_lane(queue, "b")]
        assert runner.has_room_for("pull")
        await are(queue, await pulls(queue, "ok", 2, meets=True), "succeeded")  # both places are free
        archives.gives.set()
        for number in long_ones:
            assert (await becomes(queue, number, "succeeded")).attempts == 1


@pytest.mark.parametrize("long_ones", [1, 3])
async def test_short_pulls_of_an_archive_go_on_beside_its_long_ones(queue: JobQueue, long_ones: int) -> None:
    archives = Archives()
    async with running(queue, {"pull": archives.pull}, places=4, shares=[share(most=3)]):
        numbers = await in_the_lane(queue, "a", long_ones)
        for _ in range(2):
            await are(queue, await pulls(queue, "a", 3), "succeeded")
        await are(queue, await pulls(queue, "a", 2, meets=True), "succeeded")  # at once, as before
        for number in numbers:
            assert is_slow(await found(queue, number))


async def test_pulls_of_an_archive_that_is_always_slow_begin_in_the_lane(queue: JobQueue) -> None:
    archives = Archives()
    handlers = {"pull": archives.pull, "backfill": archives.list}
    async with running(queue, handlers, places=3, shares=[share()]) as runner:
        await in_the_lane(queue, "slow", 2)
        listing = await add(queue, kind="backfill", group="slow")
        await becomes(queue, listing, "succeeded")  # it says nothing of how quickly studies come
        third = await pulls(queue, "slow", is_long=True)
        await are(queue, third, "running")
        await are(queue, await pulls(queue, "ok", 2, meets=True), "succeeded")
        assert runner.has_room_for("pull")
        assert (await found(queue, third[0])).state == "running"


async def test_a_claim_knows_what_was_in_the_lane_when_it_was_made(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs in another thread, while the lane changes."""
    given: list[tuple[Beside, Beside]] = []
    claim = claims.claim

    def spied(transaction: WriteTransaction, *, beside: Beside, **given_too: Any) -> list[Job]:
        given.append((beside, deepcopy(beside)))
        return claim(transaction, beside=beside, **given_too)

    monkeypatch.setattr(claims, "claim", spied)
    archives = Archives()
    async with running(queue, {"pull": archives.pull}, places=3, shares=[share()]):
        long_ones = await in_the_lane(queue, "slow", 2)
        await are(queue, await pulls(queue, "slow"), "succeeded")
        archives.gives.set()
        await are(queue, long_ones, "succeeded")
    assert {len(beside.jobs) for beside, _ in given} >= {0, 2}
    assert {len(beside.groups) for beside, _ in given} == {0, 1}
    assert all(beside == then for beside, then in given)


async def test_a_long_pull_that_finds_no_room_keeps_no_short_one_waiting(
    queue: JobQueue, clock: Clock
) -> None:
    archives = Archives()
    async with running(queue, {"pull": archives.pull}, places=3, shares=[share(lane=2)]):
        full = [*await in_the_lane(queue, "a"), *await in_the_lane(queue, "b")]
        (late,) = await pulls(queue, "lump", is_long=True)
        put_off = await until(queue, late, was_put_off)
        assert put_off.attempts == 0  # it is not its fault
        assert put_off.not_before == clock() + LATER
        assert put_off.progress == {SLOW: True}
        await are(queue, await pulls(queue, "lump", 2, meets=True), "succeeded")
        archives.gives.set()
        await are(queue, full, "succeeded")
        clock.advance(LATER)
        await are(queue, [late], "succeeded")


async def test_a_slow_archive_that_finds_no_room_is_tried_again(queue: JobQueue, clock: Clock) -> None:
    archives = Archives()
    async with running(queue, {"pull": archives.pull}, places=3, shares=[share(lane=2)]):
        await in_the_lane(queue, "a")
        await in_the_lane(queue, "b")
        for number in await pulls(queue, "slow", 2, is_long=True):
            await until(queue, number, was_put_off)
        (short,) = await pulls(queue, "slow")
        await are(queue, await pulls(queue, "ok", 2, meets=True), "succeeded")
        assert (await found(queue, short)).state == "queued"
        clock.advance(timedelta(seconds=REMEMBERED * AFTER))
        await are(queue, [short], "succeeded")


def test_the_lane_is_shared_out() -> None:
    lane = SlowLane(60.0, 16)

    def room(within: list[str], group: str = "a", *, is_slow: bool = True) -> int:
        return lane.room(within, group, is_slow=is_slow)

    assert room([]) == 8  # no group has more than half of it
    assert room(["a"] * 3, is_slow=False) == 5
    assert room(["a"] * 8) == 0
    assert room(["b"] * 8) == 1  # the other half is for groups that have none in it
    assert room([*"bcdefghijkl", "b"]) == 0  # a quarter for those that are not slow
    assert room([*"bcdefghijkl", "b"], is_slow=False) == 1
    assert room([*"abcdefghijkl"], is_slow=False) == 0
    assert room(["b"] * 16, is_slow=False) == 0


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
        await are(queue, [first, second], "succeeded")
