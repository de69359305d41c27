"""A worker process that is killed in the middle of a job."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from heltig.jobs.attempt import JobContext
from heltig.jobs.owner import Owner
from heltig.jobs.queue import JobQueue, utc_now
from heltig.jobs.runner import Runner
from heltig.store import jobs
from heltig.store.engine import Store
from heltig.store.jobs import Job, NewJob

HERE = Path(__file__).parent


async def killed_while_at_work(url: str, number: int) -> None:
    """Has a process of its own start the job, and kills it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "dying_worker.py"),
        url,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert int(await process.stdout.readline()) == number
    process.kill()
    await process.wait()


async def worked_off(queue: JobQueue, number: int, owner: Owner) -> Job:
    """Runs the job here, and waits for its end."""
    done = asyncio.Event()

    async def work(context: JobContext) -> dict[str, object]:
        done.set()
        return {"by": "the next"}

    runner = Runner(queue, {"work": work}, owner=owner)
    task = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        await done.wait()
    await runner.stop()
    await task
    job = await queue.store.read(jobs.find, number)
    assert job is not None
    return job


async def test_the_next_process_on_the_host_takes_the_job_at_once(store: Store, url: str) -> None:
    queue = JobQueue(store)
    number = await store.write(queue.enqueue, NewJob(kind="work", key="k"))
    await killed_while_at_work(url, number)
    left = await store.read(jobs.find, number)
    assert left is not None
    assert left.state == "running"
    assert left.lease_until is not None
    assert left.lease_until > utc_now()

    job = await worked_off(queue, number, Owner.here())
    assert (job.state, job.result, job.attempts) == ("succeeded", {"by": "the next"}, 2)


async def test_another_host_takes_it_when_the_lease_is_over(store: Store, url: str) -> None:
    number = await store.write(JobQueue(store).enqueue, NewJob(kind="work"))
    await killed_while_at_work(url, number)
    left = await store.read(jobs.find, number)
    assert left is not None
    assert left.lease_until is not None
    over = left.lease_until
    elsewhere = msgspec.structs.replace(Owner.here(), host="elsewhere")
    job = await worked_off(JobQueue(store, clock=lambda: over), number, elsewhere)
    assert (job.state, job.attempts) == ("succeeded", 2)
