"""What a job costs beside its work: trivial jobs of ten groups, claimed, done and ended.

Run by hand: `python tests/bench/jobs.py`; for PostgreSQL:
`python tests/servers/postgresql.py python tests/bench/jobs.py`.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.transaction import WriteTransaction

sys.path.append(str(Path(__file__).parents[1]))
from unit.store.databases import database_url, render

JOBS = 2000


async def measure(url: str, places: int) -> tuple[float, float]:
    """Jobs a minute, and microseconds of CPU a job, of one worker."""
    store = await Store.open(url, render=render)
    queue = JobQueue(store)

    def add(transaction: WriteTransaction) -> None:
        for number in range(JOBS):
            queue.enqueue(transaction, NewJob(kind="work", key=str(number), group=f"archive:{number % 10}"))

    await store.write(add)
    left = JOBS
    everything = asyncio.Event()

    def ended(job: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            everything.set()

    async def work(context: JobContext) -> None:
        return None

    queue.on_end(ended)
    runner = Runner(queue, {"work": work}, places=places)
    wall, cpu = time.perf_counter(), time.process_time()
    task = asyncio.create_task(runner.run())
    await everything.wait()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await runner.stop()
    await task
    await store.close()
    return JOBS / wall * 60, cpu / JOBS * 1e6


async def main() -> None:
    for places in (2, 4, 8):
        with tempfile.TemporaryDirectory() as folder:
            async with database_url(Path(folder)) as url:
                rate, cost = await measure(url, places)
        backend = url.partition("+")[0]
        print(f"{backend}, {places} at a time: {rate:,.0f} jobs a minute, {cost:,.0f} µs CPU a job")


asyncio.run(main())
