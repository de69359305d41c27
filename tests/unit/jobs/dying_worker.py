"""A worker process for a test to kill: takes one job, says so, and never ends."""

import asyncio
import sys

from unit.store.databases import render

from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.store.engine import Store


async def main(url: str) -> None:
    async def work(context: JobContext) -> None:
        sys.stdout.write(f"{context.job.id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    store = await Store.open(url, render=render)
    await Runner(JobQueue(store), {"work": work}).run()


asyncio.run(main(sys.argv[1]))
