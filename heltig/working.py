"""What works jobs off: the same parts in the server and in a worker of a fleet.

Here, and only here, a kind of job gets its handler, and what has to happen now and then gets its turn.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from heltig.errors import HeltigError
from heltig.jobs.attempt import Handler
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.context import REJUDGE
from heltig.pipeline.keep import Scoring
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.publish import render
from heltig.pipeline.rejudge import rejudge
from heltig.pipeline.rescore import KIND as RESCORE
from heltig.pipeline.rescore import RescoreDesk
from heltig.pipeline.spool import Spool
from heltig.pipeline.upload import KIND as UPLOAD
from heltig.pipeline.upload import UploadDesk
from heltig.pipeline.waiving import ENDED, GIVEN, WaiverDesk
from heltig.rules.profile import Profile
from heltig.settings import Settings
from heltig.store.engine import Store
from heltig.store.migrations import upgrade

MINUTE: Final = timedelta(minutes=1)

GRACE: Final = timedelta(seconds=3)
"""How long jobs at work get to finish when the service stops."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Desks:
    """The use cases that take jobs, as far as they keep something between them."""

    uploads: UploadDesk
    waivers: WaiverDesk
    rescoring: RescoreDesk
    scoring: Scoring


@dataclass(frozen=True, kw_only=True)
class Working:
    """The open parts.

    Attributes:
        is_working: Whether jobs are worked off.
    """

    store: Store
    queue: JobQueue
    pool: JudgingPool
    desks: Desks
    is_working: Callable[[], bool]


def handlers_of(desks: Desks) -> dict[str, Handler]:
    """Who does the jobs of each kind."""
    return {
        UPLOAD: desks.uploads.judge,
        REJUDGE: partial(rejudge, scoring=desks.scoring),
        GIVEN: desks.waivers.judge_concerned,
        ENDED: desks.waivers.judge_ended,
        RESCORE: desks.rescoring.run,
    }


def sweeps_of(desks: Desks) -> list[tuple[timedelta, Callable[[], Awaitable[object]]]]:
    """What has to happen now and then, and how often. Any number of processes may do it at the same time."""
    return [
        (MINUTE, desks.waivers.sweep),
        (MINUTE, desks.uploads.sweep),
    ]


@asynccontextmanager
async def working(
    settings: Settings, *, profile: Profile, clock: Callable[[], datetime]
) -> AsyncIterator[Working]:
    """Opens everything, works jobs off meanwhile, and closes everything in the opposite order.

    Args:
        settings: The site's settings.
        profile: What studies are judged with.
        clock: Gives the time, in UTC.

    Raises:
        StorageError: The database cannot be opened.
    """
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.database, render=render)
        stack.push_async_callback(store.close)
        await upgrade(store)
        spool = Spool(settings.home / "spool")
        pool = JudgingPool(settings.workers, scratch=spool.scratch)
        stack.push_async_callback(pool.close)
        queue = JobQueue(store, clock=clock)
        desks = _desks(settings, profile, queue, pool, spool)
        runner = Runner(queue, handlers_of(desks), places=settings.workers)
        running = await stack.enter_async_context(_beside(runner.run()))
        stack.push_async_callback(runner.stop, grace=GRACE)
        for every, sweep in sweeps_of(desks):
            await stack.enter_async_context(_beside(_now_and_then(every, sweep)))
        yield Working(store=store, queue=queue, pool=pool, desks=desks, is_working=lambda: not running.done())


def _desks(settings: Settings, profile: Profile, queue: JobQueue, pool: JudgingPool, spool: Spool) -> Desks:
    clock, workers = queue.clock, settings.workers
    return Desks(
        uploads=UploadDesk(queue, spool, pool, settings=settings, profile=profile, clock=clock),
        waivers=WaiverDesk(queue, pool, profile=profile, clock=clock, workers=workers),
        rescoring=RescoreDesk(queue, pool, profile=profile, clock=clock, workers=workers),
        scoring=Scoring(queue.store, pool, profile=profile, clock=clock, actor=REJUDGE, queue=queue),
    )


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Runs something beside what follows, and ends it after that."""
    task = asyncio.create_task(work)
    task.add_done_callback(_log_failure)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.error("A part of the service failed; /health/ready says so.", exc_info=error)


async def _now_and_then(every: timedelta, sweep: Callable[[], Awaitable[object]]) -> None:
    """Calls something at once and then again and again, whatever becomes of it."""
    while True:
        try:
            await sweep()
        except (HeltigError, OSError) as error:
            logger.error("%s failed: %s", getattr(sweep, "__qualname__", "A sweep"), type(error).__name__)
        await asyncio.sleep(every.total_seconds())
