"""Purges by age, daily or when somebody asks.

Each is a job, so that it is gone on with when its process dies; `purging` does the work.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from heltig import audit
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.pipeline.retention.ages import PurgeReport, Retention
from heltig.pipeline.retention.purging import Purging
from heltig.store import jobs, old_entries, removal
from heltig.store.jobs import NewJob
from heltig.store.purging import KINDS
from heltig.store.transaction import WriteTransaction

KIND: Final = "purge"
"""The kind of job."""

EVERY: Final = timedelta(days=1)
"""How often the service purges of itself."""

SETTLED: Final = timedelta(minutes=30)
"""How long a process leaves it at that when it starts: there is more urgent work then."""

SLICE: Final = timedelta(seconds=60)
"""How long a purge works at a time."""

ENTRIES: Final = 20_000
"""Entries of the audit trail that one transaction verifies and removes."""

_PRIORITY: Final = 20
"""After everything else."""


class PurgeDesk:
    """Queues and does purges."""

    def __init__(self, queue: JobQueue, retention: Retention, *, clock: Callable[[], datetime]) -> None:
        self._queue = queue
        self._store = queue.store
        self._retention = retention
        self._clock = clock
        self._made = clock()

    async def would_purge(self) -> PurgeReport:
        """What a purge would remove now. Nothing is changed.

        Raises:
            StorageError: The database failed.
        """
        now = self._clock()
        purging = Purging(self._queue, self._retention.ages(now))
        done: dict[str, tuple[int, int]] = {}
        for kind in KINDS:
            found = await purging.found(kind)
            done[kind] = (found.id, found.size)
        before = self._retention.audit.before(now)
        if before is not None:
            done["audit"] = (await self._store.read(old_entries.older, before=before))[:2]
        return self._retention.report(now, done, dry_run=True)

    async def start(self, *, dry_run: bool, actor: str, origin: str) -> int:
        """Queues a purge, unless one is queued or running; returns the job's id."""
        return await self._store.write(self._enqueue, dry_run, actor, origin)

    async def sweep(self) -> None:
        """Queues a purge where the last one was queued a day ago: every hour, in any number of processes."""
        if self._clock() - self._made >= SETTLED:
            await self._store.write(self._enqueue_daily)

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`: its result is the report.

        Raises:
            NotNowError: A slice is over; the job goes on at once, with what others left it.
            StorageError: The database failed, or the audit trail was altered; what is left is due next time.
        """
        given = msgspec.convert(context.payload, _Payload)
        if given.dry_run:
            report = await self.would_purge()
        else:
            await Purging(
                self._queue,
                self._retention.ages(given.at),
                note=_Notes(context.job.id, given),
                slice_seconds=SLICE.total_seconds(),
            ).purge()
            if given.done and not given.recorded:
                await self._store.write_durably(self._record, context.job.id, given)
            await self._purge_audit(context.job.id, given)
            report = self._retention.report(given.at, given.done, dry_run=False)
        result: dict[str, Any] = msgspec.to_builtins(report)
        return result

    def _enqueue(self, transaction: WriteTransaction, dry_run: bool, actor: str, origin: str) -> int:
        payload = {"dryRun": dry_run, "at": self._clock().isoformat(), "actor": actor, "origin": origin}
        key = "dry-run" if dry_run else "purge"
        return self._queue.enqueue(
            transaction, NewJob(kind=KIND, key=key, group=KIND, priority=_PRIORITY, payload=payload)
        )

    def _enqueue_daily(self, transaction: WriteTransaction) -> None:
        newest = jobs.newest(transaction, kind=KIND, limit=20)
        last = next((job.created for job in newest if not job.payload["dryRun"]), None)
        if last is None or last <= self._clock() - EVERY:
            self._enqueue(transaction, False, KIND, "")

    async def _purge_audit(self, job: int, given: "_Payload") -> None:
        before = self._retention.audit.before(given.at)
        while before is not None:
            if not await self._store.write_durably(self._purge_entries, before, job, given):
                return

    def _purge_entries(
        self, transaction: WriteTransaction, before: datetime, job: int, given: "_Payload"
    ) -> bool:
        _, size, through = old_entries.older(transaction, before=before, most=ENTRIES)
        if through is None:
            return False
        made = audit.checkpoint(
            transaction, through=through, at=self._clock(), actor=given.actor, origin=given.origin
        )
        _Notes(job, given)(transaction, "audit", made.count, size)
        return True

    def _record(self, transaction: WriteTransaction, job: int, given: "_Payload") -> None:
        """Tells the audit trail, once, whatever becomes of the rest."""
        audit.record(
            transaction,
            at=self._clock(),
            actor=given.actor,
            action="retention.purge",
            subject=f"job {job}",
            outcome="success",
            origin=given.origin,
            detail={kind: {"count": count, "bytes": size} for kind, (count, size) in given.done.items()},
        )
        recorded = msgspec.structs.replace(given, recorded=True)
        removal.note(transaction, job, msgspec.to_builtins(recorded))


class _Payload(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """The arguments of a purge's job.

    Attributes:
        at: Ages are counted from then, however often it is begun again.
        done: What was removed: number and bytes by kind.
        recorded: The audit trail says so.
    """

    dry_run: bool
    at: datetime
    actor: str
    origin: str
    done: dict[str, tuple[int, int]] = {}
    recorded: bool = False


class _Notes:
    """Writes down what was removed, in the arguments of the job that removes it."""

    def __init__(self, job: int, given: _Payload) -> None:
        self._job = job
        self._given = given

    def __call__(self, transaction: WriteTransaction, kind: str, count: int, size: int) -> None:
        if not count:
            return
        before = self._given.done.get(kind, (0, 0))
        done = {**self._given.done, kind: (before[0] + count, before[1] + size)}
        removal.note(
            transaction,
            self._job,
            msgspec.to_builtins(msgspec.structs.replace(self._given, done=done)),
        )

        def remember() -> None:
            self._given.done = done

        transaction.after_commit(remember)
