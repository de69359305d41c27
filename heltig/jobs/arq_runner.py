"""Works jobs off in a fleet: Redis wakes a worker that has room, by a message of arq's.

What a message starts is a look into the database by the claim function that every runner uses. The work
itself is not arq's: it goes on under its lease when Redis is emptied, started again or away, and a message
that is lost costs time, never a job.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any, Final

from arq.worker import Worker, func

from heltig.errors import StorageError
from heltig.jobs.doorbell import QUEUE, UNREACHABLE, Doorbell, pack, redis_at, unpack
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import POLL, Runner
from heltig.store import claims
from heltig.store.jobs import Job

RECONCILE: Final = timedelta(seconds=30)
"""How often to look for work that nobody rang for, and to ring for it."""

_ANSWER_SECONDS: Final = 5
_POLL_SECONDS: Final = 0.1
_AGAIN_SECONDS: Final = 1.0

logger = logging.getLogger(__name__)


class ArqRunner:
    """A runner that is woken by Redis, and while that is away looks for work as any other."""

    def __init__(
        self,
        runner: Runner,
        queue: JobQueue,
        *,
        url: str,
        reconcile: timedelta = RECONCILE,
        beside: Runner | None = None,
    ) -> None:
        """Makes it; `run` starts it.

        Args:
            runner: Does the work.
            queue: The jobs.
            url: The Redis.
            reconcile: How often to look for work that nobody rang for.
            beside: Does other kinds of jobs, in places of its own; it looks for work as any other, too.
        """
        self._runner = runner
        self._runners = (runner,) if beside is None else (runner, beside)
        self._queue = queue
        self._url = url
        self._reconcile = reconcile
        self._doorbell = Doorbell(url)
        self._worker: Worker | None = None
        self._hears = True  # until the contrary is known
        runner.on_look(self._looked)
        queue.on_work(self._added)

    async def run(self) -> None:
        """Works until `stop`; cancelled, it puts back what it had begun."""
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(self._listen()),
                group.create_task(self._doorbell.run()),
                group.create_task(self._ring_now_and_then()),
            ]
            try:
                async with asyncio.TaskGroup() as working:
                    for runner in self._runners:
                        working.create_task(runner.run())
            finally:
                for task in beside:
                    task.cancel()

    async def stop(self, *, grace: timedelta) -> None:
        """Starts no more jobs; those at work get some time to finish, and are put back otherwise."""
        for runner in self._runners:
            await runner.stop(grace=grace)

    def _added(self, kind: str) -> None:
        """This process added a job; it does it itself where it can."""
        if not any(runner.has_room_for(kind) for runner in self._runners):
            self._doorbell.ring(kind)

    def _looked(self, found: Sequence[Job]) -> None:
        """Others may have room for what is left, and no message is for us while we have none."""
        if self._worker is not None:
            self._worker.allow_pick_jobs = self._runner.has_room
        for kind in {job.kind for job in found}:
            if not self._runner.has_room_for(kind):
                self._doorbell.ring(kind)

    async def _listen(self) -> None:
        """Takes messages; starts again when Redis is there again."""
        logging.getLogger("arq").setLevel(logging.ERROR)  # it tells of every message
        while True:
            self._worker = self._new_worker()
            try:
                await self._worker.async_run()
            except Exception as error:  # arq ends with whatever Redis did to it
                if self._hears:
                    reason = type(error).__name__
                    logger.warning("Redis is away (%s): looking for work every few seconds.", reason)
            finally:
                self._hears = False
                self._runner.poll = POLL
                self._runner.wake()  # it may be in the middle of a long pause
                worker, self._worker = self._worker, None
                await _close(worker)
            await asyncio.sleep(_AGAIN_SECONDS)

    def _new_worker(self) -> Worker:
        async def connected(ctx: dict[Any, Any]) -> None:
            logger.info("Redis wakes this process when there is work.")
            self._hears = True
            self._runner.poll = self._reconcile
            await self._ring_for_all()

        async def answer(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> None:
            for runner in self._runners:
                runner.wake()

        return Worker(
            functions=[func(answer, name=kind) for runner in self._runners for kind in runner.kinds],
            queue_name=QUEUE,
            redis_pool=redis_at(self._url),
            on_startup=connected,
            handle_signals=False,
            max_jobs=1,
            max_tries=1,
            keep_result=0,
            job_timeout=_ANSWER_SECONDS,
            poll_delay=_POLL_SECONDS,
            health_check_interval=15,
            log_results=False,
            timezone=UTC,
            job_serializer=pack,
            job_deserializer=unpack,
        )

    async def _ring_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._reconcile.total_seconds())
            await self._ring_for_all()

    async def _ring_for_all(self) -> None:
        """Rings for all that could be done now, whether or not somebody rang for it before."""
        self._runner.wake()
        try:
            kinds = await self._queue.store.read(claims.ready_kinds, now=self._queue.clock())
        except StorageError as error:
            logger.error("Nobody is rung for: %s", error)
            return
        for kind in kinds:
            self._doorbell.ring(kind)


async def _close(worker: Worker) -> None:
    """Ends a worker of arq's without a word to Redis, which may be away: `Worker.close` would wait for it."""
    for answering in worker.tasks.values():
        answering.cancel()
    await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
    with contextlib.suppress(*UNREACHABLE):
        await worker.pool.aclose(close_connection_pool=True)
