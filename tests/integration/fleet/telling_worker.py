"""A process that makes deliveries, for a test to kill.

telling_worker.py DATABASE-URL
"""

import asyncio
import os
import sys

from unit.store.databases import render

from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.telling.delivering import RETRIES, DeliveryDesk
from heltig.store.deliveries import KIND
from heltig.store.engine import Store


async def main(url: str) -> None:
    store = await Store.open(url, render=render)
    queue = JobQueue(store)
    desk = DeliveryDesk(store, clock=queue.clock, environ=os.environ)
    await Runner(queue, {KIND: desk.run}, retries=RETRIES).run()


asyncio.run(main(*sys.argv[1:]))
