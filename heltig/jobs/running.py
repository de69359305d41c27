"""Runs what works jobs off in a process, with Redis or without."""

import asyncio

from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner


async def run(runner: Runner, teller: Runner | None, queue: JobQueue, *, redis_url: str | None) -> None:
    """Works until both are stopped; cancelled, they put back what they had begun.

    Args:
        runner: Does most kinds of jobs.
        teller: Does others beside, in places of its own; None where other processes do them, and all kinds
            that this one does not have.
        queue: The jobs.
        redis_url: The Redis that wakes them; None without one.
    """
    if redis_url is None:
        async with asyncio.TaskGroup() as group:
            for one in (runner, teller):
                if one is not None:
                    group.create_task(one.run())
    elif teller is None:  # the messages are for those who do the rest
        from heltig.jobs.doorbell import Doorbell  # brings arq, which those without Redis do not need

        doorbell = Doorbell(redis_url)
        queue.on_work(doorbell.ring)
        async with asyncio.TaskGroup() as group:
            ringing = group.create_task(doorbell.run())
            await runner.run()
            ringing.cancel()
    else:
        from heltig.jobs.arq_runner import ArqRunner  # likewise

        await ArqRunner(runner, queue, url=redis_url, beside=teller).run()
