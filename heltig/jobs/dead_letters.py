"""What a person does about jobs that ended badly: has them tried again, or lets them be."""

from heltig import audit
from heltig.jobs.queue import JobQueue
from heltig.store import jobs
from heltig.store.jobs import Job
from heltig.store.transaction import WriteTransaction


class DeadLetters:
    """The jobs that failed or are dead. What they were about is told where studies are told of."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue

    async def retry(self, job: int, *, by: str, origin: str) -> Job:
        """Queues a job again, as if it had never been tried.

        Args:
            job: Its id.
            by: Who asks for it.
            origin: From where.

        Raises:
            NotFoundError: There is no such job.
            ConflictError: It did not end badly, or another does already what it was to do.
        """
        return await self._queue.store.write_durably(self._retry, job, by, origin)

    async def discard(self, job: int, *, by: str, origin: str) -> Job:
        """Takes a job out of those that somebody has to look at; it stays in the list, with its errors.

        Args:
            job: Its id.
            by: Who says so.
            origin: From where.

        Raises:
            NotFoundError: There is no such job.
            ConflictError: It is not among them.
        """
        return await self._queue.store.write_durably(self._discard, job, by, origin)

    def _retry(self, transaction: WriteTransaction, job: int, by: str, origin: str) -> Job:
        known = jobs.retry(transaction, job)
        self._record(transaction, "job.retry", known, by=by, origin=origin)
        transaction.after_commit(lambda: self._queue.ring(known.kind))
        return known

    def _discard(self, transaction: WriteTransaction, job: int, by: str, origin: str) -> Job:
        known = jobs.discard(transaction, job, now=self._queue.clock())
        self._record(transaction, "job.discard", known, by=by, origin=origin)
        return known

    def _record(
        self, transaction: WriteTransaction, action: audit.Action, job: Job, *, by: str, origin: str
    ) -> None:
        audit.record(
            transaction,
            at=self._queue.clock(),
            actor=by,
            action=action,
            subject=f"job {job.id}",
            outcome="success",
            origin=origin,
            detail={"kind": job.kind, "attempts": job.attempts, "error": job.error},
        )
