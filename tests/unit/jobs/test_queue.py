"""Adding jobs, and claiming them: what comes first, and never twice."""

import asyncio
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from unit.clock import Clock
from unit.store.databases import SERVER, render

from heltig.errors import ConflictError, NotFoundError
from heltig.jobs.queue import JobQueue
from heltig.store import claims, jobs, leases, waiting
from heltig.store.engine import Store
from heltig.store.jobs import Job, NewJob
from heltig.store.transaction import WriteTransaction

MINUTE = timedelta(minutes=1)


async def add(queue: JobQueue, kind: str = "pull", **fields: Any) -> int:
    return await queue.store.write(queue.enqueue, NewJob(kind=kind, **fields))


async def claim(queue: JobQueue, *kinds: str, owner: str = "me") -> Job | None:
    now = queue.clock()
    found = await queue.store.write(
        claims.claim, kinds=kinds or ("pull",), owner=owner, now=now, until=now + MINUTE
    )
    return found[0] if found else None


async def claimed(queue: JobQueue) -> list[int]:
    """All that can be claimed, in its order."""
    found = []
    while job := await claim(queue):
        found.append(job.id)
    return found


async def test_a_job_comes_out_as_it_went_in(queue: JobQueue, clock: Clock) -> None:
    number = await add(queue, key="k", group="main", priority=3, payload={"study": 7})
    job = await claim(queue)
    assert job is not None
    assert job == Job(
        id=number,
        kind="pull",
        key="k",
        group="main",
        state="running",
        priority=3,
        attempts=1,
        payload={"study": 7},
        progress=None,
        result=None,
        error=None,
        first_error=None,
        lease_owner="me",
        lease_until=clock.now + MINUTE,
        not_before=None,
        created=clock.now,
        started=clock.now,
        finished=None,
    )
    assert await queue.store.read(jobs.find, number) == job


async def test_a_job_is_there_only_with_what_made_it_necessary(queue: JobQueue) -> None:
    rung: list[str] = []
    queue.on_work(rung.append)

    def breaks(transaction: WriteTransaction) -> None:
        queue.enqueue(transaction, NewJob(kind="pull"))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await queue.store.write(breaks)
    assert (rung, await claim(queue)) == ([], None)
    await add(queue)
    assert rung == ["pull"]


async def test_a_key_is_unique_among_live_jobs_of_a_kind(queue: JobQueue, clock: Clock) -> None:
    rung: list[str] = []
    first = await add(queue, key="k")
    queue.on_work(rung.append)
    assert await add(queue, key="k") == first
    assert (await claim(queue)) is not None
    assert await add(queue, key="k") == first
    assert rung == []
    other_kind = await add(queue, "judge", key="k")
    assert other_kind != first
    await queue.store.write(leases.succeed, first, owner="me", result=None, now=clock.now)
    assert await add(queue, key="k") not in (first, other_kind)


async def test_a_job_that_follows_a_running_one_has_it_run_once_more(queue: JobQueue, clock: Clock) -> None:
    """Whoever is at work may have looked already at what makes it necessary."""
    number = await add(queue, key="k", follows=True)
    assert await add(queue, key="k", follows=True) == number  # which is to be looked at still
    job = await claim(queue)
    assert job is not None
    soon = clock.now + MINUTE
    assert await add(queue, key="k", follows=True, not_before=soon) == number
    assert await add(queue, key="k", follows=True, not_before=soon + MINUTE) == number
    assert await queue.store.write(leases.succeed, number, owner="me", result=None, now=clock.now)
    again = await queue.store.read(jobs.find, number)
    assert again is not None
    assert (again.state, again.attempts, again.not_before, again.finished) == ("queued", 0, soon, None)
    assert await claim(queue) is None
    clock.advance(MINUTE)
    job = await claim(queue)
    assert job is not None
    assert (job.id, job.attempts) == (number, 1)
    await add(queue, key="k", follows=True)
    await queue.store.write(leases.give_up, number, owner="me", state="dead", error="no", now=clock.now)
    job = await claim(queue)
    assert job is not None
    assert (job.id, job.error) == (number, "no")
    await queue.store.write(leases.succeed, number, owner="me", result=None, now=clock.now)
    assert await add(queue, key="k", follows=True) != number


async def test_jobs_without_a_key_are_all_added(queue: JobQueue) -> None:
    assert await add(queue) != await add(queue)


async def test_the_lowest_priority_comes_first_then_the_oldest(queue: JobQueue) -> None:
    late, early, soon, later = [await add(queue, priority=p) for p in (5, 0, 0, 5)]
    assert await claimed(queue) == [early, soon, late, later]


async def test_groups_take_turns(queue: JobQueue) -> None:
    """A long backfill of one archive does not keep the others waiting."""
    backfill = [await add(queue, group="big") for _ in range(4)]
    small = [await add(queue, group="small") for _ in range(2)]
    order = await claimed(queue)
    assert sorted(order) == sorted(backfill + small)
    assert set(order[:4]) >= set(small)
    assert [job for job in order if job in backfill] == backfill


async def test_priority_goes_before_turns(queue: JobQueue) -> None:
    urgent = [await add(queue, group="a") for _ in range(3)]
    patient = await add(queue, group="b", priority=1)
    assert await claimed(queue) == [*urgent, patient]


async def test_kinds_without_a_handler_are_left_to_others(queue: JobQueue) -> None:
    judge = await add(queue, "judge")
    pull = await add(queue, "pull")
    assert await claimed(queue) == [pull]
    job = await claim(queue, "judge")
    assert job is not None
    assert job.id == judge


async def test_a_job_waits_for_its_time(queue: JobQueue, clock: Clock) -> None:
    later = await add(queue, not_before=clock.now + 2 * MINUTE)
    await add(queue, not_before=clock.now + 3 * MINUTE)
    assert await claimed(queue) == []
    assert await queue.store.read(claims.next_due, now=clock.now) == clock.now + 2 * MINUTE
    clock.advance(2 * MINUTE)
    assert await claimed(queue) == [later]


async def test_nobody_gets_what_another_has(queue: JobQueue, url: str) -> None:
    added = [await add(queue, group=str(n % 3)) for n in range(60)]
    other_store = await Store.open(url, render=render)
    queues = [queue, JobQueue(other_store, clock=queue.clock)]
    found = await asyncio.gather(*(claimed(queues[n % 2]) for n in range(8)))
    await other_store.close()
    assert Counter(job for each in found for job in each) == Counter(added)


async def test_who_has_lost_a_job_cannot_end_it(queue: JobQueue, clock: Clock) -> None:
    number = await add(queue)
    await claim(queue, owner="first")
    await queue.store.write(leases.put_back, number, owner="first", not_before=None)
    await claim(queue, owner="second")
    write = queue.store.write
    until = clock.now + MINUTE
    assert not await write(leases.extend, number, owner="first", until=until, progress=None)
    assert not await write(leases.succeed, number, owner="first", result=None, now=clock.now)
    assert not await write(leases.give_up, number, owner="first", state="dead", error="no", now=clock.now)
    assert not await write(leases.put_back, number, owner="first", not_before=None)
    assert await write(leases.succeed, number, owner="second", result={"n": 1}, now=clock.now)
    job = await queue.store.read(jobs.find, number)
    assert job is not None
    assert (job.state, job.result, job.lease_owner, job.attempts) == ("succeeded", {"n": 1}, None, 2)


async def test_a_cancelled_job_is_not_started(queue: JobQueue, clock: Clock) -> None:
    number = await add(queue)
    assert await queue.store.write(jobs.cancel, number, now=clock.now)
    assert not await queue.store.write(jobs.cancel, number, now=clock.now)
    assert await claimed(queue) == []


async def test_what_ended_badly_can_be_retried_by_a_person(queue: JobQueue, clock: Clock) -> None:
    number = await add(queue, key="k")
    await claim(queue)
    await queue.store.write(leases.give_up, number, owner="me", state="dead", error="no luck", now=clock.now)
    await queue.store.write(jobs.retry, number)
    job = await claim(queue)
    assert job is not None
    assert (job.id, job.attempts, job.finished) == (number, 1, None)


async def test_what_did_not_end_badly_cannot_be_retried(queue: JobQueue, clock: Clock) -> None:
    number = await add(queue, key="k")
    with pytest.raises(ConflictError, match=f"Job {number} is queued"):
        await queue.store.write(jobs.retry, number)
    await queue.store.write(jobs.cancel, number, now=clock.now)
    successor = await add(queue, key="k")
    with pytest.raises(ConflictError, match=f"Job {successor} does already"):
        await queue.store.write(jobs.retry, number)
    with pytest.raises(NotFoundError, match="no job 4711"):
        await queue.store.write(jobs.retry, 4711)


async def test_jobs_are_listed_and_counted(queue: JobQueue, clock: Clock) -> None:
    first = await add(queue, group="a")
    second = await add(queue, group="b")
    third = await add(queue, "judge", group="a")
    await queue.store.write(jobs.cancel, second, now=clock.now)
    read = queue.store.read

    async def ids(**filters: Any) -> list[int]:
        return [job.id for job in await read(jobs.newest, **filters)]

    assert await ids() == [third, second, first]
    assert await ids(state="queued") == [third, first]
    assert await ids(kind="pull", group="a") == [first]
    assert await ids(limit=1, before=third) == [second]
    assert await read(jobs.counts) == {
        ("pull", "queued"): 1,
        ("pull", "cancelled"): 1,
        ("judge", "queued"): 1,
    }


async def test_jobs_that_succeeded_are_forgotten_after_a_while(queue: JobQueue, clock: Clock) -> None:
    kept = [await add(queue, "upload"), await add(queue), await add(queue)]
    for number in await claimed(queue):
        await queue.store.write(leases.give_up, number, owner="me", state="dead", error="no", now=clock.now)
    gone = await add(queue)
    await claim(queue)
    await queue.store.write(leases.succeed, gone, owner="me", result=None, now=clock.now)
    await claim(queue, "upload")
    await queue.store.write(leases.succeed, kept[0], owner="me", result=None, now=clock.now)
    forget = partial(queue.store.write, jobs.forget_succeeded, ["pull", "discover"])
    assert await forget(before=clock.now) == 0
    assert await forget(before=clock.now + MINUTE) == 1
    found = await queue.store.read(jobs.newest)
    assert sorted(job.id for job in found) == kept


@pytest.mark.skipif(SERVER is not None, reason="about SQLite")
async def test_a_long_queue_is_not_searched_through(queue: JobQueue) -> None:
    """Every statement finds its rows by an index made for it: a partial one is easily missed."""

    def plans(transaction: WriteTransaction) -> list[str]:
        seen: list[str] = []  # as SQLite reads them, with their values
        driver: Any = transaction.connection.connection.dbapi_connection
        driver.set_trace_callback(seen.append)
        now = queue.clock()
        number = queue.enqueue(transaction, NewJob(kind="pull", key="k"))
        claims.claim(transaction, kinds=["pull"], owner="me", now=now, until=now + MINUTE)
        leases.running(transaction)
        claims.next_due(transaction, now=now)
        claims.ready_kinds(transaction, now=now)
        jobs.newest(transaction, state="dead")
        jobs.cancel(transaction, number, now=now)
        jobs.forget_succeeded(transaction, ["pull"], before=now)
        driver.set_trace_callback(None)
        return [
            str(step[3])
            for statement in seen
            for step in driver.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        ]

    steps = [step for step in await queue.store.write(plans) if " jobs" in step]
    for index in (
        "uq_jobs_live",
        "ix_jobs_ready",
        "ix_jobs_waiting",
        "ix_jobs_running",
        "ix_jobs_ended_badly",
        "ix_jobs_succeeded",
    ):
        assert any(f"INDEX {index}" in step for step in steps), index
    assert [step for step in steps if "INDEX" not in step and "PRIMARY KEY" not in step] == []


async def test_what_a_clock_wrote_that_was_ahead_puts_off_no_job_for_long(
    queue: JobQueue, clock: Clock
) -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)
    tried = await add(queue, key="tried")
    await claim(queue)
    back = partial(queue.store.write, leases.put_back, owner="me", attempts=None)
    await back(tried, not_before=clock.now + day)
    later = await add(queue, key="at a certain time", not_before=clock.now + 30 * day)
    clock.advance(day)
    soon = await add(queue, key="soon", not_before=clock.now + MINUTE)
    clock.advance(-day)
    ahead = await queue.store.read(waiting.ahead, now=clock.now)
    assert ahead == {tried: clock.now + hour, soon: clock.now + MINUTE}
    await queue.store.write(waiting.bring_forward, ahead)
    left = {job.id: job.not_before for job in await queue.store.read(jobs.newest)}
    assert left == {**ahead, later: clock.now + 30 * day}
