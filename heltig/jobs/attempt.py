"""One try at a job: its handler, and beside it the heartbeat that keeps the lease."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from heltig.errors import HeltigError, StorageError
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import NOT_NOW, JobFailedError, NotHereError, Retries, described, not_now_wait
from heltig.store import leases
from heltig.store.jobs import SLOW, Job
from heltig.store.transaction import WriteTransaction

T = TypeVar("T")

logger = logging.getLogger(__name__)

_PROGRESS_SECONDS = 1.0
_WAITS = (0.5, 1, 2, 4, 8)  # seconds; together less than a lease has left after a heartbeat


class JobContext:
    """What a handler gets: its job, and where to say how far it is."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.said: dict[str, Any] | None = None
        self.news = asyncio.Event()
        self.has_received = False

    @property
    def payload(self) -> dict[str, Any]:
        """What the job was added with."""
        return self.job.payload

    def progress(self, **values: Any) -> None:
        """Says how far the work is, e.g. `done=3, total=10`; written within a second. No patient data."""
        self.said = values
        self.news.set()

    def received(self) -> None:
        """Says that what others had to give for the job has come: from now on it works, and waits no more."""
        self.has_received = True


Handler = Callable[[JobContext], Awaitable[dict[str, Any] | None]]
"""Does a job and gives its result, without patient data.

It may be called again for work that is done: a process can die between the work and the row that says so.
"""


class Attempt:
    """One try at a job that `owner` has claimed.

    Attributes:
        in_lane: It has no place of the runner, but goes on in a slow lane (`heltig.jobs.slow`).
        is_slow: It was waited for long.
    """

    def __init__(
        self,
        queue: JobQueue,
        job: Job,
        handler: Handler,
        *,
        owner: str,
        lease: timedelta,
        retries: Retries,
    ) -> None:
        self._queue = queue
        self._job = job
        self._owner = owner
        self._lease = lease
        self._retries = retries
        self._context = JobContext(job)
        self._work = asyncio.ensure_future(handler(self._context))
        self._interrupted = False
        self._put_off: timedelta | None = None
        self.in_lane = False
        self.is_slow = False

    @property
    def job_id(self) -> int:
        """The id of its job."""
        return self._job.id

    @property
    def kind(self) -> str:
        """The kind of its job."""
        return self._job.kind

    @property
    def group(self) -> str:
        """The group of its job."""
        return self._job.group

    @property
    def is_waiting(self) -> bool:
        """Whether it may still be waiting for what others have to give (`JobContext.received`)."""
        return not (self._context.has_received or self._work.done())

    @property
    def was_quick(self) -> bool:
        """Whether what others had to give has come, and soon."""
        return self._context.has_received and not self.is_slow

    async def run(self, then: Callable[[], Callable[[WriteTransaction], T]]) -> T | None:
        """Waits for the handler and writes down how it ended. Cancelled, it puts the job back first.

        Args:
            then: Gives what else to do in the transaction that writes it down, unless this is cancelled. It
                is called before each try to write; what it gives may run in another thread.

        Returns:
            What `then` gives; None where nothing could be written.
        """
        task = asyncio.current_task()
        beat = asyncio.create_task(self._beat())
        end: Callable[[WriteTransaction], bool]
        try:
            result = await self._work
        except asyncio.CancelledError as error:
            asked_to = self._interrupted or (task is not None and task.cancelling())
            end = (
                partial(self._put_back, until=self._until())
                if asked_to
                else partial(self._try_again, error=error)
            )
        except JobFailedError as error:
            end = partial(self._failed, error=described(error))
        except (*NOT_NOW, NotHereError) as error:
            end = partial(self._put_back, until=self._queue.clock() + not_now_wait(error))
        except Exception as error:  # a handler's fault must not stop the runner
            # What we raise on purpose says what to do; where it was raised helps nobody.
            frames = [] if isinstance(error, HeltigError) else traceback.format_tb(error.__traceback__)
            told = "\n".join((described(error), "".join(frames))).rstrip()
            logger.warning("Job %d (%s): %s", self._job.id, self._job.kind, told)
            end = partial(self._try_again, error=error)
        else:
            end = partial(self._succeeded, result=result)
        finally:
            beat.cancel()
        if task is None or not task.cancelling():
            return await self._write(end, then)
        await self._write(end, lambda: lambda transaction: None)
        raise asyncio.CancelledError

    def interrupt(self, *, wait: timedelta | None = None) -> None:
        """Stops the handler; the job is put back for `wait` at least, as if it had not been tried."""
        self._interrupted = True
        self._put_off = wait
        self._work.cancel()

    def say_slow(self) -> None:
        """Says in the job's row that it is waited for long."""
        self.is_slow = True
        self._context.progress(**{**(self._context.said or {}), SLOW: True})

    def _until(self) -> datetime | None:
        return None if self._put_off is None else self._queue.clock() + self._put_off

    async def _write(
        self, end: Callable[[WriteTransaction], bool], then: Callable[[], Callable[[WriteTransaction], T]]
    ) -> T | None:
        """Writes down how it ended, though the database be away for a moment: else it would be done again."""

        def end_and_go_on(transaction: WriteTransaction, go_on: Callable[[WriteTransaction], T]) -> T:
            end(transaction)
            return go_on(transaction)

        for wait in (*_WAITS, None):
            try:
                return await self._queue.store.write(end_and_go_on, then())
            except StorageError as error:
                logger.error("Job %d ended, and that could not be written: %s", self._job.id, error)
                if wait is not None:
                    await asyncio.sleep(wait)
            except Exception:  # nor must a fault of ours in this stop the runner: its lease will run out
                logger.exception("Job %d ended, and that could not be written.", self._job.id)
                return None
        return None

    async def _beat(self) -> None:
        """Keeps the lease and writes down progress; stops the handler when the job is no longer ours."""
        while True:
            await rings(self._context.news, self._lease / 3)
            self._context.news.clear()
            try:
                held = await self._queue.store.write(self._extend)
            except StorageError as error:
                logger.warning("Job %d: no heartbeat: %s", self._job.id, error)
                held = True
            if not held:
                logger.warning("Job %d was cancelled, or its lease was lost; it stops.", self._job.id)
                self.interrupt()
                return
            await asyncio.sleep(min(_PROGRESS_SECONDS, self._lease.total_seconds() / 3))

    def _extend(self, transaction: WriteTransaction) -> bool:
        until = self._queue.clock() + self._lease
        progress = self._context.said
        return leases.extend(transaction, self._job.id, owner=self._owner, until=until, progress=progress)

    def _succeeded(self, transaction: WriteTransaction, result: dict[str, Any] | None) -> bool:
        now = self._queue.clock()
        ended = replace(self._job, state="succeeded", result=result, finished=now)
        is_ours = leases.succeed(transaction, ended.id, owner=self._owner, result=result, now=now)
        return self._told(transaction, is_ours, ended)

    def _failed(self, transaction: WriteTransaction, error: str) -> bool:
        now = self._queue.clock()
        ended = replace(self._job, state="failed", error=error, finished=now)
        is_ours = leases.give_up(
            transaction, ended.id, owner=self._owner, state="failed", error=error, now=now
        )
        return self._told(transaction, is_ours, ended)

    def _try_again(self, transaction: WriteTransaction, error: BaseException) -> bool:
        now, wait = self._queue.clock(), self._retries.wait(self._job.attempts, error)
        is_ours = try_again(transaction, self._job, error=described(error), wait=wait, now=now)
        if wait is not None:
            return is_ours
        return self._told(
            transaction, is_ours, replace(self._job, state="dead", error=described(error), finished=now)
        )

    def _told(self, transaction: WriteTransaction, is_ours: bool, ended: Job) -> bool:
        if is_ours:
            transaction.after_commit(lambda: self._queue.ended(ended))
        return is_ours

    def _put_back(self, transaction: WriteTransaction, until: datetime | None = None) -> bool:
        """As if it had not been tried."""
        attempts = self._job.attempts - 1
        if self.is_slow:  # said until it is tried again
            self._extend(transaction)
        return leases.put_back(
            transaction, self._job.id, owner=self._owner, not_before=until, attempts=attempts
        )


def try_again(
    transaction: WriteTransaction, job: Job, *, error: str, wait: timedelta | None, now: datetime
) -> bool:
    """Puts a running job back for after a wait, or lays it among the dead when there is none."""
    owner = job.lease_owner or ""
    if wait is None:
        return leases.give_up(transaction, job.id, owner=owner, state="dead", error=error, now=now)
    return leases.put_back(transaction, job.id, owner=owner, not_before=now + wait, error=error)


async def rings(bell: asyncio.Event, within: timedelta) -> bool:
    """Waits until a bell rings, or for so long; says whether it rang."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            await bell.wait()
    except TimeoutError:
        return False
    return True
