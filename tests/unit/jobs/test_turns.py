"""Whose turn it is: groups have a weight, a limit and a time."""

from collections import Counter
from datetime import timedelta
from itertools import groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from unit.clock import Clock

from heltig.jobs.queue import JobQueue
from heltig.store import claims, leases
from heltig.store.jobs import Job, NewJob
from heltig.store.shares import Share
from heltig.store.transaction import WriteTransaction

MINUTE = timedelta(minutes=1)


async def add(queue: JobQueue, number: int, **fields: Any) -> None:
    def many(transaction: WriteTransaction) -> None:
        for _ in range(number):
            queue.enqueue(transaction, NewJob(kind="pull", **fields))

    await queue.store.write(many)


async def test_a_share_is_never_passed_and_leaves_no_place_empty(queue: JobQueue) -> None:
    shares = (Share(frozenset({"look"}), 3), Share(frozenset({"look", "pull"}), 4))

    async def start(limit: int, owner: str = "me") -> list[Job]:
        now = queue.clock()
        kinds = ["look", "pull", "upload"]
        return await queue.store.write(
            claims.claim, kinds=kinds, owner=owner, now=now, until=now + MINUTE, limit=limit, shares=shares
        )

    def kinds(jobs: list[Job]) -> list[str]:
        return [job.kind for job in jobs]

    for number in range(6):
        await queue.store.write(queue.enqueue, NewJob(kind="look", group=f"archive:{number}", priority=-2000))
    found = await start(5)
    assert kinds(found) == ["look"] * 3
    await add(queue, 3, group="archive:7")
    pulled = await start(2)
    assert kinds(pulled) == ["pull"]
    await queue.store.write(queue.enqueue, NewJob(kind="upload"))
    assert kinds(await start(1)) == ["upload"]

    await queue.store.write(leases.succeed, pulled[0].id, owner="me", result=None, now=queue.clock())
    assert kinds(await start(1)) == ["pull"]  # the looks have what they may
    await queue.store.write(leases.succeed, found[0].id, owner="me", result=None, now=queue.clock())
    assert kinds(await start(1)) == ["look"]
    assert kinds(await start(5, owner="other")) == ["look", "look", "pull"]


async def test_one_group_never_takes_all_of_a_share(queue: JobQueue) -> None:
    share = Share(frozenset({"pull"}), 3, 2)

    async def start(limit: int) -> list[str]:
        now = queue.clock()
        kinds = ["look", "pull"]
        found = await queue.store.write(
            claims.claim, kinds=kinds, owner="me", now=now, until=now + MINUTE, limit=limit, shares=(share,)
        )
        return [f"{job.kind} {job.group}" for job in found]

    await add(queue, 5, group="archive:slow")
    assert await start(5) == ["pull archive:slow"] * 2
    await queue.store.write(queue.enqueue, NewJob(kind="look", group="archive:slow", priority=2000))
    await add(queue, 2, group="archive:other")
    assert sorted(await start(3)) == ["look archive:slow", "pull archive:other"]
    assert await start(3) == []


async def claim(queue: JobQueue, limit: int = 1, owner: str = "me") -> list[Job]:
    now = queue.clock()
    return await queue.store.write(
        claims.claim, kinds=["pull"], owner=owner, now=now, until=now + MINUTE, limit=limit
    )


async def claimed_groups(queue: JobQueue, number: int, *, at_once: int = 1) -> list[str]:
    """The groups of the next jobs; each job ends before the next is claimed."""
    found: list[str] = []
    while len(found) < number and (jobs := await claim(queue, min(at_once, number - len(found)))):
        for job in jobs:
            found.append(job.group)
            await queue.store.write(leases.succeed, job.id, owner="me", result=None, now=queue.clock())
    return found


async def test_several_are_claimed_in_the_order_in_which_one_after_the_other_would_be(
    queue: JobQueue,
) -> None:
    for group in "abc":
        await add(queue, 6, group=group)
    await queue.store.write(claims.set_group, "b", weight=2)
    await add(queue, 2, group="c", priority=-1)
    one_by_one = await claimed_groups(queue, 20)
    for group in "abc":
        await add(queue, 6, group=group)
    await add(queue, 2, group="c", priority=-1)
    assert Counter(await claimed_groups(queue, 20, at_once=7)) == Counter(one_by_one)
    assert one_by_one[:2] == ["c", "c"]


async def test_a_group_of_three_times_the_weight_gets_three_times_the_jobs(queue: JobQueue) -> None:
    await queue.store.write(claims.set_group, "big", weight=3)
    for group in ("big", "small"):
        await add(queue, 40, group=group)
    for at_once in (1, 4):
        found = await claimed_groups(queue, 20, at_once=at_once)
        assert 14 <= found.count("big") <= 16
        assert max(len(list(run)) for _, run in groupby(found)) <= 4


async def test_a_group_that_comes_back_does_not_get_what_it_left_unused(queue: JobQueue) -> None:
    await add(queue, 1, group="rare")
    await add(queue, 60, group="busy")
    await claimed_groups(queue, 40)
    await add(queue, 20, group="rare")
    found = await claimed_groups(queue, 10)
    assert 4 <= found.count("rare") <= 6


async def test_a_new_group_waits_for_nobody(queue: JobQueue) -> None:
    await add(queue, 60, group="busy")
    await claimed_groups(queue, 30)
    await add(queue, 5, group="new")
    assert "new" in await claimed_groups(queue, 2)


async def test_no_more_of_a_group_at_a_time_than_it_may_have(queue: JobQueue, clock: Clock) -> None:
    await queue.store.write(claims.set_group, "archive:a", most=2)
    await add(queue, 5, group="archive:a")
    await add(queue, 1, group="archive:b")
    mine = await claim(queue, 4)
    assert Counter(job.group for job in mine) == {"archive:a": 2, "archive:b": 1}
    assert await claim(queue, 4, owner="other") == []
    of_a = next(job for job in mine if job.group == "archive:a")
    await queue.store.write(leases.succeed, of_a.id, owner="me", result=None, now=clock.now)
    assert [job.group for job in await claim(queue, 4, owner="other")] == ["archive:a"]


async def test_what_does_not_count_is_started_beside_what_a_group_may_have(
    queue: JobQueue, clock: Clock
) -> None:
    await queue.store.write(claims.set_group, "archive:a", most=1)
    await add(queue, 3, group="archive:a")
    for number in range(2):
        look = NewJob(kind="look", key=str(number), group="archive:a", priority=-2000)
        await queue.store.write(queue.enqueue, look)

    async def start() -> list[str]:
        found = await queue.store.write(
            claims.claim,
            kinds=["look", "pull"],
            owner="me",
            now=clock.now,
            until=clock.now + MINUTE,
            limit=4,
            shares=[Share(frozenset({"look"}), 9, is_counted=False)],
        )
        return [job.kind for job in found]

    assert [kind for _ in range(5) for kind in await start()] == ["look", "look", "pull"]
    await queue.store.write(claims.set_group, "archive:a", most=0)
    assert await start() == []
    await queue.store.write(queue.enqueue, NewJob(kind="look", group="archive:a", priority=-2000))
    assert await start() == ["look"]


async def test_nothing_of_a_group_is_started_before_its_time(queue: JobQueue, clock: Clock) -> None:
    await queue.store.write(claims.set_group, "archive:a", not_before=clock.now + MINUTE)
    await add(queue, 1, group="archive:a")
    assert await claim(queue) == []
    assert await queue.store.read(claims.next_due, now=clock.now) == clock.now + MINUTE
    clock.advance(MINUTE)
    assert await queue.store.read(claims.next_due, now=clock.now) is None
    assert len(await claim(queue)) == 1


async def test_a_group_that_a_clock_closed_which_was_ahead_is_open(queue: JobQueue, clock: Clock) -> None:
    await add(queue, 1, group="archive:a")
    for closed, claimed in ((claims.LONGEST_CLOSED, 0), (60 * MINUTE, 1)):
        await queue.store.write(claims.set_group, "archive:a", not_before=clock.now + closed)
        assert len(await claim(queue)) == claimed


async def test_what_is_not_said_of_a_group_stays(queue: JobQueue, clock: Clock) -> None:
    write = queue.store.write
    await write(claims.set_group, "a", most=1)
    await write(claims.set_group, "a", not_before=clock.now + MINUTE)
    await write(claims.set_group, "a", not_before=None)
    await add(queue, 3, group="a")
    assert len(await claim(queue, 3)) == 1
    await write(claims.set_group, "a", most=None)
    assert len(await claim(queue, 3)) == 2


async def test_the_kinds_that_are_ready_are_known(queue: JobQueue, clock: Clock) -> None:
    await add(queue, 3, group="a")
    await queue.store.write(queue.enqueue, NewJob(kind="later", not_before=clock.now + MINUTE))
    assert await queue.store.read(claims.ready_kinds, now=clock.now) == ["pull"]
    assert sorted(await queue.store.read(claims.ready_kinds, now=clock.now + MINUTE)) == ["later", "pull"]


@given(
    weights=st.lists(st.integers(1, 20), min_size=2, max_size=5),
    served=st.lists(st.integers(0, 10**9), min_size=5, max_size=5),
    limit=st.integers(1, 200),
)
def test_however_groups_stand_shares_follow_weights(
    weights: list[int], served: list[int], limit: int
) -> None:
    """Stride scheduling: from any beginning, nobody is more than a job and a bit from their share."""
    turns = [claims.Turn(str(n), served[n], weight, None, []) for n, weight in enumerate(weights)]
    for turn in turns:
        turn.ready = [(0, 0)] * 200
    now_served = max(turn.served - turn.stride for turn in turns)
    got: Counter[str] = Counter()
    for _ in range(limit):
        turn, now_served = claims.next_turn(turns, now_served)
        got[turn.group] += 1
    for n, weight in enumerate(weights):
        assert abs(got[str(n)] - limit * weight / sum(weights)) <= len(weights) + 1
