"""A worker process for a test to kill: takes one job, goes as far as it is told, says so, and never ends.

dying_worker.py DATABASE-URL REDIS-URL claimed|working|written|ended
"""

import asyncio
import signal
import sys
from collections.abc import Sequence

from unit.store.databases import render

from heltig.jobs.arq_runner import ArqRunner
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.store.engine import Store
from heltig.store.jobs import Job, NewJob


def here(job: Job) -> None:
    """The place to be killed at: nothing goes on in this process."""
    sys.stdout.write(f"{job.id}\n")
    sys.stdout.flush()
    while True:
        signal.pause()


async def main(url: str, redis_url: str, stage: str) -> None:
    store = await Store.open(url, render=render)
    queue = JobQueue(store)

    async def work(context: JobContext) -> None:
        if stage == "working":
            here(context.job)
        await store.write(queue.enqueue, NewJob(kind="result", key=str(context.job.id)))
        if stage == "written":
            here(context.job)

    def claimed(found: Sequence[Job]) -> None:
        if stage == "claimed" and found:
            here(found[0])

    if stage == "ended":
        queue.on_end(here)
    runner = Runner(queue, {"work": work})
    runner.on_look(claimed)
    await (ArqRunner(runner, queue, url=redis_url) if redis_url else runner).run()


asyncio.run(main(*sys.argv[1:]))
