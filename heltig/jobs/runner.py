"""Works jobs off in this process."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from heltig.errors import StorageError
from heltig.jobs.attempt import Attempt, Handler, rings, try_again
from heltig.jobs.claiming import Claim
from heltig.jobs.owner import Owner
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import Retries
from heltig.jobs.slow import SlowLanes
from heltig.logs import described
from heltig.seldom import seldom
from heltig.store import claims, leases, waiting
from heltig.store.jobs import Job
from heltig.store.shares import Share
from heltig.store.transaction import ReadTransaction, WriteTransaction

T = TypeVar("T")

POLL: Final = timedelta(seconds=5)
"""How often to look for jobs that other processes added, where nobody rings."""

logger = logging.getLogger(__name__)


class Runner:
    """Does some jobs at a time.

    A job is leased: the lease is extended while its handler runs. When a process dies, its jobs are found
    again: at once by the next runner to start on this host, else when the leases are over.

    Attributes:
        owner: Who this runner is.
        poll: How often to look for jobs that other processes added; it may be changed at any time.
    """

    def __init__(
        self,
        queue: JobQueue,
        handlers: Mapping[str, Handler],
        *,
        places: int = 2,
        shares: Sequence[Share] = (),
        retries: Retries | None = None,
        lease: timedelta = timedelta(seconds=60),
        poll: timedelta = POLL,
        owner: Owner | None = None,
    ) -> None:
        """Makes a runner; `run` starts it.

        Args:
            queue: The jobs.
            handlers: Who does what, by kind. Jobs of other kinds are left to other runners.
            places: Jobs at a time, those in slow lanes not counted.
            shares: What some kinds of jobs may take of these.
            retries: When to try again.
            lease: How long a job stays with a process that is not heard of.
            poll: How often to look for jobs that other processes added, and for leases that are over.
            owner: Who this runner is.
        """
        self.owner = owner or Owner.here()
        self.poll = poll
        self._queue = queue
        self._handlers = dict(handlers)
        self._places = places
        self._shares = tuple(shares)
        self._retries = retries or Retries()
        self._lease = lease
        self._attempts: set[Attempt] = set()
        self._lanes = SlowLanes(shares, self._attempts, clock=queue.clock, changed=self.wake)
        self._in_doubt: list[Job] = []
        self._bell = asyncio.Event()
        self._told: list[Callable[[Sequence[Job]], None]] = []
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._stopped.set()
        queue.on_work(self._rung)

    @property
    def has_room(self) -> bool:
        """Whether it could do another job now."""
        return len(self._lanes.in_places()) < self._places and not self._stopping.is_set()

    def has_room_for(self, kind: str) -> bool:
        """Whether it could do a job of that kind now."""
        at_work = [attempt.kind for attempt in self._lanes.in_places()]
        return (
            self.has_room
            and kind in self._handlers
            and all(share.room(at_work) for share in self._shares if kind in share.kinds)
        )

    @property
    def kinds(self) -> list[str]:
        """The kinds of jobs that it has a handler for."""
        return list(self._handlers)

    def wake(self) -> None:
        """Has it look for jobs at once."""
        self._bell.set()

    def on_look(self, told: Callable[[Sequence[Job]], None]) -> None:
        """Has `told` called after each look for jobs, with those that were found and are started."""
        self._told.append(told)

    async def run(self) -> None:
        """Works until `stop`; cancelled, it puts back what it had begun."""
        self._stopped.clear()
        try:
            await self._sweep()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sweep_now_and_then())
                await self._keep_busy(group)
        finally:
            self._stopped.set()

    async def drain(self) -> None:
        """Works off what is due now, and returns: for a command, which does not stay.

        Jobs whose worker is gone are taken back first: perhaps there is no other who would do it.

        Raises:
            StorageError: The database failed.
        """
        await self._take_lost_back()
        while found := await self._queue.store.write(
            self._claim().make, limit=1, beside=self._lanes.beside()
        ):
            await self._do(self._attempt(found[0]))  # and what follows it

    async def stop(self, *, grace: timedelta = timedelta(seconds=10)) -> None:
        """Starts no more jobs; those at work get some time to finish, and are put back otherwise."""
        self._stopping.set()
        self.wake()
        if not await rings(self._stopped, grace):
            for attempt in self._attempts:
                attempt.interrupt()
            await self._stopped.wait()

    async def _keep_busy(self, group: asyncio.TaskGroup) -> None:
        while not self._stopping.is_set():
            self._bell.clear()  # before the look: what is added after it rings again
            room = self._places - len(self._lanes.in_places())
            found = await self._look_out(room) if room > 0 else []
            for job in found:
                group.create_task(self._do(self._attempt(job)))
            for told in self._told:
                told(found)
            if self.has_room:
                await rings(self._bell, await self._pause())
            else:
                await self._bell.wait()

    async def _look_out(self, room: int) -> list[Job]:
        """Jobs to start. Cancelled, it puts back what it claims: nobody would start it."""
        looking = asyncio.create_task(self._look(room))
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            for job in await looking:
                await _unless_it_fails(self._queue.store.write(self._put_back, job))
            raise

    def _put_back(self, transaction: WriteTransaction, job: Job) -> None:
        owner = str(self.owner)
        leases.put_back(transaction, job.id, owner=owner, not_before=None, attempts=job.attempts - 1)

    async def _look(self, room: int) -> list[Job]:
        """Jobs to start; none where the database failed."""
        claim = self._claim()
        claim.jobs, self._in_doubt = self._in_doubt, []
        looking = self._queue.store.write(claim.make, limit=room, beside=self._lanes.beside())
        found = await _unless_it_fails(looking)
        if found is None:
            self._in_doubt += claim.jobs
        return found or []

    def _attempt(self, job: Job) -> Attempt:
        attempt = Attempt(
            self._queue,
            job,
            self._handlers[job.kind],
            owner=str(self.owner),
            lease=self._lease,
            retries=self._retries,
        )
        self._lanes.begin(attempt)
        self._attempts.add(attempt)
        if self._stopping.is_set():  # while it was claimed
            attempt.interrupt()
        return attempt

    async def _do(self, attempt: Attempt) -> None:
        """Does a job, and those that follow in its place: each is claimed as the one before it ends."""
        next_one: Attempt | None = attempt
        while next_one is not None:
            next_one = await self._do_one(next_one)

    async def _do_one(self, attempt: Attempt) -> Attempt | None:
        found: list[Job] | None = None
        claim = self._claim()
        try:
            with self._lanes.watch(attempt):
                found = await attempt.run(partial(self._claim_next, claim, attempt))
        finally:
            self._attempts.discard(attempt)
            if found is None:
                self._in_doubt += claim.jobs
            if not found:
                self.wake()
        if not found:
            return None
        following = self._attempt(found[0])
        for told in self._told:
            told(found)
        return following

    async def _pause(self) -> timedelta:
        """How long nothing is due, as far as is known."""
        now = self._queue.clock()
        due = await _unless_it_fails(self._queue.store.read(claims.next_due, now=now))
        return self.poll if due is None else min(self.poll, max(due - now, timedelta(milliseconds=1)))

    async def _sweep_now_and_then(self) -> None:
        while not await rings(self._stopping, min(self.poll, POLL)):
            await self._sweep()

    async def _sweep(self) -> None:
        await self._take_lost_back()
        ahead = await _unless_it_fails(self._queue.store.read(waiting.ahead, now=self._queue.clock()))
        if ahead:
            await _unless_it_fails(self._queue.store.write(waiting.bring_forward, ahead))
            self.wake()

    async def _take_lost_back(self) -> None:
        lost = await _unless_it_fails(self._queue.store.read(self._lost))
        if lost:
            await _unless_it_fails(self._queue.store.write(self._take_back, lost))
            self.wake()

    def _claim_next(self, claim: Claim, ended: Attempt) -> Callable[[WriteTransaction], list[Job]]:
        """What to do in place of an attempt that ends; one that was in a slow lane may leave no place."""
        others = sum(one is not ended for one in self._lanes.in_places())
        limit = int(others < self._places and not self._stopping.is_set())
        return partial(claim.make, limit=limit, beside=self._lanes.beside())

    def _claim(self) -> Claim:
        return Claim(
            self._handlers,
            owner=str(self.owner),
            lease=self._lease,
            clock=self._queue.clock,
            shares=self._shares,
        )

    def _rung(self, kind: str) -> None:
        if kind in self._handlers:
            self.wake()

    def _lost(self, transaction: ReadTransaction) -> list[Job]:
        """The jobs that it could do, and whose worker is gone."""
        now = self._queue.clock()
        return [
            job
            for job in leases.running(transaction)
            if job.kind in self._handlers
            and (
                job.lease_until is None
                or job.lease_until <= now
                or self.owner.outlived(job.lease_owner or "")
            )
        ]

    def _take_back(self, transaction: WriteTransaction, lost: list[Job]) -> None:
        """Takes jobs back, each the first time at once."""
        now = self._queue.clock()
        for job in lost:
            wait = self._retries.wait(job.attempts) if job.attempts > 1 else timedelta(0)
            error = f"Attempt {job.attempts}: its worker was not heard of any more."
            try_again(transaction, job, error=error, wait=wait, now=now)


async def _unless_it_fails(call: Awaitable[T]) -> T | None:
    """What a call to the store gives, or None: a runner outlives a database that is away for a while."""
    try:
        return await call
    except StorageError as error:
        seldom.error(logger, "The runner waits", described(error))
        return None
