"""A worker process that is killed with a job, at every stage: nothing is lost, nothing is done twice."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from heltig.jobs.arq_runner import ArqRunner
from heltig.jobs.attempt import JobContext
from heltig.jobs.owner import Owner
from heltig.jobs.queue import JobQueue, utc_now
from heltig.jobs.runner import Runner
from heltig.store import jobs
from heltig.store.jobs import Job, NewJob

HERE = Path(__file__).parent


async def killed(url: str, redis_url: str, stage: str, number: int) -> None:
    """Has a process of its own take the job, and kills it at a stage."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "dying_worker.py"),
        url,
        redis_url,
        stage,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert int(await process.stdout.readline()) == number
    process.kill()
    await process.wait()


async def worked_off(queue: JobQueue, redis_url: str, number: int, owner: Owner) -> Job:
    """Has a runner of this process do what is left, and waits for the end of the job."""
    done = asyncio.Event()
    queue.on_end(lambda job: done.set())

    async def work(context: JobContext) -> None:
        await queue.store.write(queue.enqueue, NewJob(kind="result", key=str(context.job.id)))

    runner = Runner(queue, {"work": work}, owner=owner)
    fleet = ArqRunner(runner, queue, url=redis_url) if redis_url else runner
    task = asyncio.create_task(fleet.run())
    await queue.store.write(queue.enqueue, NewJob(kind="work", priority=1))  # done after what is left
    async with asyncio.timeout(30):
        await done.wait()
        done.clear()  # before the look: what ends after it is heard
        while (job := await found(queue, number)).state == "running":
            await done.wait()
            done.clear()
    await fleet.stop(grace=timedelta(seconds=5))
    await task
    return job


async def found(queue: JobQueue, number: int) -> Job:
    job = await queue.store.read(jobs.find, number)
    assert job is not None
    return job


@pytest.mark.parametrize("stage", ["claimed", "working", "written", "ended"])
async def test_the_next_process_on_the_host_takes_the_job_at_once(
    queue: JobQueue, url: str, redis_url: str, stage: str
) -> None:
    number = await queue.store.write(queue.enqueue, NewJob(kind="work", key="k"))
    await killed(url, redis_url, stage, number)
    left = await found(queue, number)
    if stage != "ended":
        assert left.state == "running"
        assert left.lease_until is not None
        assert left.lease_until > utc_now()

    job = await worked_off(queue, redis_url, number, Owner.here())
    assert (job.state, job.attempts) == ("succeeded", 1 if stage == "ended" else 2)
    results = await queue.store.read(jobs.newest, kind="result")
    assert [result.key for result in results].count(str(number)) == 1


async def test_another_host_takes_it_when_the_lease_is_over(
    queue: JobQueue, url: str, redis_url: str
) -> None:
    number = await queue.store.write(queue.enqueue, NewJob(kind="work"))
    await killed(url, redis_url, "working", number)
    over = (await found(queue, number)).lease_until
    assert over is not None
    elsewhere = msgspec.structs.replace(Owner.here(), host="elsewhere")
    later = JobQueue(queue.store, clock=lambda: over)
    job = await worked_off(later, redis_url, number, elsewhere)
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert job.first_error is not None
    assert "not heard of" in job.first_error
