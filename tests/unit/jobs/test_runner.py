"""Working jobs off: how they end, what is tried again, and what becomes of them when a worker goes."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from unit.clock import Clock
from unit.store.databases import SERVER, render

from heltig.errors import (
    ArchiveClosedError,
    ArchivePausedError,
    ArchiveRateLimitedError,
    HeltigError,
    StorageError,
)
from heltig.jobs.attempt import Handler, JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import JobFailedError, Retries
from heltig.jobs.runner import Runner
from heltig.store import claims, jobs
from heltig.store.engine import Store
from heltig.store.jobs import Job, JobState, NewJob
from heltig.store.shares import Share

SOON = timedelta(milliseconds=5)
LONG = timedelta(minutes=10)


@asynccontextmanager
async def running(queue: JobQueue, handlers: Mapping[str, Handler], **options: Any) -> AsyncIterator[Runner]:
    runner = Runner(queue, handlers, **{"poll": SOON} | options)
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        await runner.stop(grace=timedelta(0))
        await task


async def add(queue: JobQueue, **fields: Any) -> int:
    return await queue.store.write(queue.enqueue, NewJob(**{"kind": "work"} | fields))


async def found(queue: JobQueue, number: int) -> Job:
    job = await queue.store.read(jobs.find, number)
    assert job is not None
    return job


async def until(queue: JobQueue, number: int, is_so: Callable[[Job], bool]) -> Job:
    """Waits until something is so of a job."""
    async with asyncio.timeout(60):
        while not is_so(job := await found(queue, number)):
            pass
    return job


async def becomes(queue: JobQueue, number: int, *states: JobState) -> Job:
    """Waits until a job has one of these states."""
    return await until(queue, number, lambda job: job.state in states)


async def test_a_job_ends_with_its_handlers_result(queue: JobQueue) -> None:
    async def work(context: JobContext) -> dict[str, Any]:
        return {"studies": context.payload["archive"] * 2}

    async with running(queue, {"work": work}):
        job = await becomes(queue, await add(queue, payload={"archive": 3}), "succeeded")
    assert (job.result, job.error, job.attempts, job.lease_owner) == ({"studies": 6}, None, 1, None)
    assert job.finished == queue.clock()


async def test_a_new_job_is_started_without_waiting_for_the_poll(queue: JobQueue) -> None:
    done = asyncio.Event()

    async def work(context: JobContext) -> None:
        done.set()

    async with running(queue, {"work": work}, poll=LONG), asyncio.timeout(60):
        await becomes(queue, await add(queue), "succeeded")
        done.clear()
        await add(queue)
        await done.wait()


async def test_jobs_of_before_are_found(queue: JobQueue) -> None:
    async def work(context: JobContext) -> None:
        return None

    numbers = [await add(queue) for _ in range(5)]
    async with running(queue, {"work": work}, poll=LONG):
        for number in numbers:
            await becomes(queue, number, "succeeded")


async def test_as_many_jobs_at_a_time_as_there_are_workers(queue: JobQueue) -> None:
    meeting = asyncio.Barrier(3)

    async def work(context: JobContext) -> None:
        await meeting.wait()

    numbers = [await add(queue) for _ in range(3)]
    async with running(queue, {"work": work}, places=3):
        for number in numbers:
            await becomes(queue, number, "succeeded")


class Unsure(Store):
    """A database that commits, and breaks off before it says so, once jobs were claimed.

    Attributes:
        left: So many times.
    """

    left = 0

    async def write(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        found = await super().write(work, *args, **kwargs)
        if self.left and isinstance(found, list) and found and isinstance(found[0], Job):
            self.left -= 1
            raise StorageError("The connection broke.")
        return found


@pytest.mark.parametrize("times", [1, 2, 9])
async def test_jobs_whose_claim_was_not_answered_are_taken_up_before_others(
    url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """The lease would keep them from everybody else; the clock of this test stands still."""
    monkeypatch.setattr("heltig.jobs.attempt._WAITS", (0, 0))
    store = await Unsure.open(url, render=render)
    assert isinstance(store, Unsure)
    queue = JobQueue(store, clock=clock)
    numbers = [await add(queue) for _ in range(4)]
    began: list[int] = []

    async def work(context: JobContext) -> None:
        if not began:
            store.left = times
        began.append(context.job.id)

    async with running(queue, {"work": work}, places=1):
        for number in numbers:
            await becomes(queue, number, "succeeded")
    assert began == numbers
    await store.close()


async def test_the_first_claim_is_taken_up_too(url: str, clock: Clock) -> None:
    store = await Unsure.open(url, render=render)
    assert isinstance(store, Unsure)
    queue = JobQueue(store, clock=clock)
    numbers = [await add(queue) for _ in range(3)]
    began: list[int] = []

    async def work(context: JobContext) -> None:
        began.append(context.job.id)

    store.left = 1
    async with running(queue, {"work": work}, places=2):
        for number in numbers:
            await becomes(queue, number, "succeeded")
    assert sorted(began) == numbers
    await store.close()


async def test_a_failure_is_tried_again_later_and_later_until_the_job_is_dead(
    queue: JobQueue, clock: Clock
) -> None:
    async def work(context: JobContext) -> None:
        raise ValueError("Doe^Jane")

    number = await add(queue)
    waits = []
    async with running(queue, {"work": work}, retries=Retries(attempts=4)):
        for n in range(1, 4):
            job = await until(queue, number, lambda job, n=n: (job.state, job.attempts) == ("queued", n))
            assert job.not_before is not None
            waits.append((job.not_before - clock.now).total_seconds())
            clock.advance(job.not_before - clock.now)
        job = await becomes(queue, number, "dead")
    assert waits == [30, 60, 120]
    assert (job.attempts, job.finished) == (4, clock.now)
    assert job.error is not None
    assert job.error.startswith("ValueError at test_runner.py:")


async def test_nothing_of_a_foreign_exception_but_its_place_is_logged(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(context: JobContext) -> None:
        raise ValueError("Doe^" + "Jane")

    with caplog.at_level(logging.DEBUG, logger="heltig"):
        async with running(queue, {"work": work}, retries=Retries(attempts=1)):
            await becomes(queue, await add(queue), "dead")
    assert "ValueError at test_runner.py" in caplog.text
    assert "Doe^Jane" not in caplog.text


async def test_an_error_that_says_when_decides_when(queue: JobQueue, clock: Clock) -> None:
    async def work(context: JobContext) -> None:
        raise ArchiveRateLimitedError("Archive main asks for a pause.", retry_after=500)

    number = await add(queue)
    async with running(queue, {"work": work}):
        job = await until(queue, number, lambda job: job.not_before is not None)
    assert job.not_before == clock.now + timedelta(seconds=500)
    assert job.error == "Archive main asks for a pause."


async def test_an_end_that_cannot_be_written_down_does_not_stop_the_runner(queue: JobQueue) -> None:
    async def work(context: JobContext) -> None:
        if context.payload:
            raise ArchiveRateLimitedError("Archive main asks for a pause.", retry_after=1e20)

    number = await add(queue, payload={"asks": "too much"})
    async with running(queue, {"work": work}):
        await becomes(queue, await add(queue), "succeeded")
        assert (await found(queue, number)).state == "running"  # until its lease is over


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ArchiveClosedError("Archive main is outside its hours.", retry_after=1800), 1800),
        (ArchivePausedError("Archive main is paused."), 60),
    ],
)
async def test_an_archive_that_is_not_to_be_asked_costs_no_attempt(
    queue: JobQueue, clock: Clock, error: HeltigError, seconds: float
) -> None:
    async def work(context: JobContext) -> None:
        raise error

    number = await add(queue)
    async with running(queue, {"work": work}):
        job = await until(queue, number, lambda job: job.not_before is not None)
    assert (job.state, job.attempts, job.error) == ("queued", 0, None)
    assert job.not_before == clock.now + timedelta(seconds=seconds)


async def test_the_first_error_stays(queue: JobQueue, clock: Clock) -> None:
    errors = iter(("first", "second", "last"))

    async def work(context: JobContext) -> None:
        raise StorageError(next(errors))

    number = await add(queue)
    async with running(queue, {"work": work}, retries=Retries(attempts=3)):
        for n in (1, 2):
            await until(queue, number, lambda job, n=n: (job.state, job.attempts) == ("queued", n))
            clock.advance(timedelta(minutes=10))
        job = await becomes(queue, number, "dead")
    assert (job.first_error, job.error) == ("first", "last")


async def test_a_handler_can_say_that_trying_again_makes_no_sense(queue: JobQueue) -> None:
    async def work(context: JobContext) -> None:
        raise JobFailedError("The upload was purged.")

    async with running(queue, {"work": work}):
        job = await becomes(queue, await add(queue), "failed", "dead")
    assert (job.state, job.attempts, job.error) == ("failed", 1, "The upload was purged.")


async def test_progress_stands_in_the_job(queue: JobQueue) -> None:
    release = asyncio.Event()

    async def work(context: JobContext) -> None:
        context.progress(done=1, total=2)
        await release.wait()

    number = await add(queue)
    async with running(queue, {"work": work}):
        job = await until(queue, number, lambda job: job.progress is not None)
        release.set()
    assert job.progress == {"done": 1, "total": 2}


async def test_a_heartbeat_keeps_the_lease(queue: JobQueue, clock: Clock) -> None:
    release = asyncio.Event()

    async def work(context: JobContext) -> None:
        await release.wait()

    number = await add(queue)
    lease = timedelta(milliseconds=30)
    async with running(queue, {"work": work}, lease=lease, poll=LONG), asyncio.timeout(60):
        before = (await becomes(queue, number, "running")).lease_until
        clock.advance(lease / 2)
        job = await until(queue, number, lambda job: job.lease_until != before)
        release.set()
        await becomes(queue, number, "succeeded")
    assert job.lease_until == clock.now + lease


async def test_cancelling_a_running_job_stops_its_handler(queue: JobQueue, clock: Clock) -> None:
    stopped = asyncio.Event()

    async def work(context: JobContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    number = await add(queue)
    async with running(queue, {"work": work}, lease=timedelta(milliseconds=30)), asyncio.timeout(60):
        await becomes(queue, number, "running")
        await queue.store.write(jobs.cancel, number, now=clock.now)
        await stopped.wait()
    assert (await found(queue, number)).state == "cancelled"


async def test_stopping_lets_a_job_finish(queue: JobQueue) -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def work(context: JobContext) -> dict[str, Any]:
        begun.set()
        await release.wait()
        return {"finished": True}

    number = await add(queue)
    next_one = await add(queue)
    runner = Runner(queue, {"work": work}, places=1)
    task = asyncio.create_task(runner.run())
    await begun.wait()
    stop = asyncio.create_task(runner.stop(grace=timedelta(seconds=10)))
    release.set()
    await stop
    await task
    assert (await found(queue, number)).result == {"finished": True}
    assert (await found(queue, next_one)).state == "queued"


async def test_stopping_puts_back_what_takes_too_long_and_does_not_count_it(queue: JobQueue) -> None:
    async def work(context: JobContext) -> None:
        await asyncio.Event().wait()

    number = await add(queue)
    async with running(queue, {"work": work}):
        await becomes(queue, number, "running")
    job = await found(queue, number)
    assert (job.state, job.attempts, job.lease_owner) == ("queued", 0, None)


async def test_a_cancelled_runner_puts_back_too(queue: JobQueue) -> None:
    async def work(context: JobContext) -> None:
        await asyncio.Event().wait()

    number = await add(queue)
    task = asyncio.create_task(Runner(queue, {"work": work}).run())
    await becomes(queue, number, "running")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await found(queue, number)).state == "queued"


@pytest.mark.skipif(SERVER is not None, reason="about SQLite: its transactions run in a thread of their own")
async def test_a_runner_that_is_cancelled_while_it_claims_keeps_nothing(
    queue: JobQueue, clock: Clock
) -> None:
    async def work(context: JobContext) -> None:
        await asyncio.Event().wait()

    looked = asyncio.Event()
    armed, claims_now, go_on = threading.Event(), threading.Event(), threading.Event()
    event_loop = threading.get_ident()

    def stops_in_a_transaction() -> datetime:
        if armed.is_set() and threading.get_ident() != event_loop:
            claims_now.set()
            assert go_on.wait(60)
        return clock()

    watched = JobQueue(queue.store, clock=stops_in_a_transaction)
    runner = Runner(watched, {"work": work})
    runner.on_look(lambda jobs: looked.set())
    task = asyncio.create_task(runner.run())
    await looked.wait()
    number = await add(queue)
    armed.set()
    runner.wake()
    assert await asyncio.to_thread(claims_now.wait, 60)
    task.cancel()
    await asyncio.sleep(0)  # it is told, and its claim is not over
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await queue.store.write(lambda transaction: None)  # comes after the claim, whoever waited for that
    job = await found(queue, number)
    assert (job.state, job.attempts) == ("queued", 0)


async def test_a_handler_that_cancels_itself_has_failed(queue: JobQueue) -> None:
    async def work(context: JobContext) -> None:
        raise asyncio.CancelledError

    number = await add(queue)
    async with running(queue, {"work": work}, retries=Retries(attempts=1)):
        job = await becomes(queue, number, "dead")
    assert job.error is not None
    assert job.error.startswith("CancelledError")


async def test_a_job_of_a_silent_worker_is_found_again_when_its_lease_is_over(
    queue: JobQueue, clock: Clock
) -> None:
    async def work(context: JobContext) -> None:
        return None

    number = await add(queue)
    await queue.store.write(
        claims.claim, kinds=["work"], owner="elsewhere/1/x/1", now=clock.now, until=clock.now + LONG
    )
    async with running(queue, {"work": work, "other": work}):
        for _ in range(3):  # the runner is at work, and leaves the job alone
            await becomes(queue, await add(queue, kind="other"), "succeeded")
        assert (await found(queue, number)).state == "running"
        clock.advance(LONG + SOON)
        job = await becomes(queue, number, "succeeded")
    assert job.attempts == 2


async def test_a_job_whose_workers_always_vanish_dies(queue: JobQueue, clock: Clock) -> None:
    """It may be what kills them."""

    async def work(context: JobContext) -> None:
        raise AssertionError("the runner has no place for it")

    number = await add(queue)
    retries = Retries(attempts=3)
    async with running(queue, {"work": work}, retries=retries, places=0):
        for _ in range(3):
            now = clock.now
            await queue.store.write(
                claims.claim, kinds=["work"], owner="elsewhere/1/x/1", now=now, until=now + SOON
            )
            clock.advance(retries.longest)
            await becomes(queue, number, "queued", "dead")
            clock.advance(retries.longest)
    job = await found(queue, number)
    assert (job.state, job.attempts) == ("dead", 3)
    assert job.error is not None
    assert "not heard of" in job.error


async def test_a_job_that_a_clock_put_off_which_was_ahead_is_done_within_the_hour(
    queue: JobQueue, clock: Clock
) -> None:
    async def work(context: JobContext) -> None:
        if context.job.attempts == 1:
            raise ValueError

    number = await add(queue)
    clock.advance(timedelta(days=1))
    async with running(queue, {"work": work}):
        await until(queue, number, lambda job: (job.state, job.attempts) == ("queued", 1))
        clock.advance(timedelta(days=-1))
        limit = clock.now + timedelta(hours=1)
        await until(queue, number, lambda job: job.not_before is not None and job.not_before <= limit)
        clock.advance(timedelta(hours=1))
        await becomes(queue, number, "succeeded")


async def test_jobs_that_hang_leave_a_place_to_others(queue: JobQueue) -> None:
    hang = asyncio.Event()
    looking = 0

    async def look(context: JobContext) -> None:
        nonlocal looking
        looking += 1
        await hang.wait()

    async def work(context: JobContext) -> None:
        pass

    shares = (Share(frozenset({"look"}), 3),)
    async with running(queue, {"look": look, "work": work}, places=4, shares=shares) as runner:
        looks = [await add(queue, kind="look", priority=-1) for _ in range(5)]
        for _ in range(3):
            await becomes(queue, await add(queue), "succeeded")
        assert looking == 3
        assert (runner.has_room_for("look"), runner.has_room_for("work")) == (False, True)
        hang.set()
        for number in looks:
            await becomes(queue, number, "succeeded")
