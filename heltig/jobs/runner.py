"""Works jobs off in this process."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import TypeVar

from heltig.errors import StorageError
from heltig.jobs.attempt import Attempt, Handler, rings, try_again
from heltig.jobs.owner import Owner
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import Retries
from heltig.store import claims
from heltig.store.jobs import Job
from heltig.store.transaction import WriteTransaction

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Runner:
    """Some workers in this process.

    A job is leased: its worker extends the lease while the handler runs. When a process dies, its jobs are
    found again: at once by the next runner to start on this host, else when the leases are over.
    """

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Handler],
        *,
        workers: int = 2,
        retries: Retries | None = None,
        lease: timedelta = timedelta(seconds=60),
        poll: timedelta = timedelta(seconds=5),
        owner: Owner | None = None,
    ) -> None:
        """Makes a runner; `run` starts it.

        Args:
            queue: The jobs.
            handlers: Who does what, by kind. Jobs of other kinds are left to other runners.
            workers: Jobs at a time.
            retries: When to try again.
            lease: How long a job stays with a process that is not heard of.
            poll: How often to look for jobs that other processes added, and for leases that are over.
            owner: Who this runner is.
        """
        self.owner = owner or Owner.here()
        self._queue = queue
        self._handlers = dict(handlers)
        self._bells = [asyncio.Event() for _ in range(workers)]
        self._retries = retries or Retries()
        self._lease = lease
        self._poll = poll
        self._attempts: set[Attempt] = set()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._stopped.set()
        queue.on_work(lambda kind: self._wake())

    async def run(self) -> None:
        """Works until `stop`; cancelled, it puts back what it had begun."""
        self._stopped.clear()
        try:
            await self._sweep()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sweep_now_and_then())
                for bell in self._bells:
                    group.create_task(self._worker(bell))
        finally:
            self._stopped.set()

    async def drain(self) -> None:
        """Works off what is due now, and returns: for a command, which does not stay.

        Raises:
            StorageError: The database failed.
        """
        while (job := await self._queue.store.write(self._claim)) is not None:
            await self._do(job)

    async def stop(self, *, grace: timedelta = timedelta(seconds=10)) -> None:
        """Starts no more jobs; those at work get some time to finish, and are put back otherwise."""
        self._stopping.set()
        self._wake()
        if not await rings(self._stopped, grace):
            for attempt in self._attempts:
                attempt.interrupt()
            await self._stopped.wait()

    async def _worker(self, bell: asyncio.Event) -> None:
        while not self._stopping.is_set():
            bell.clear()  # before the look: what is added after it rings again
            job = await _unless_it_fails(self._queue.store.write(self._claim))
            if job is not None:
                await self._do(job)
            else:
                await rings(bell, await self._pause())

    async def _do(self, job: Job) -> None:
        attempt = Attempt(
            self._queue,
            job,
            self._handlers[job.kind],
            owner=str(self.owner),
            lease=self._lease,
            retries=self._retries,
        )
        self._attempts.add(attempt)
        try:
            await attempt.run()
        finally:
            self._attempts.discard(attempt)

    async def _pause(self) -> timedelta:
        """How long nothing is due, as far as is known."""
        due = await _unless_it_fails(self._queue.store.read(claims.next_due))
        if due is None:
            return self._poll
        return min(self._poll, max(due - self._queue.clock(), timedelta(milliseconds=1)))

    async def _sweep_now_and_then(self) -> None:
        while not await rings(self._stopping, self._poll):
            await self._sweep()

    async def _sweep(self) -> None:
        if await _unless_it_fails(self._queue.store.write(self._take_back)):
            self._wake()

    def _wake(self) -> None:
        for bell in self._bells:
            bell.set()

    def _claim(self, transaction: WriteTransaction) -> Job | None:
        now = self._queue.clock()
        until = now + self._lease
        return claims.claim(transaction, kinds=self._handlers, owner=str(self.owner), now=now, until=until)

    def _take_back(self, transaction: WriteTransaction) -> int:
        """Takes back the jobs whose worker is gone, the first time at once; returns their number."""
        now = self._queue.clock()
        found = 0
        for job in claims.running(transaction):
            if job.lease_until and job.lease_until > now and not self.owner.outlived(job.lease_owner or ""):
                continue
            wait = self._retries.wait(job.attempts) if job.attempts > 1 else timedelta(0)
            error = f"Attempt {job.attempts}: its worker was not heard of any more."
            found += try_again(transaction, job, error=error, wait=wait, now=now)
        return found


async def _unless_it_fails(call: Awaitable[T]) -> T | None:
    """What a call to the store gives, or None: a runner outlives a database that is away for a while."""
    try:
        return await call
    except StorageError as error:
        logger.error("The runner waits: %s", error)
        return None
