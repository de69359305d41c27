"""Adds jobs, and rings for those who work on them."""

from collections.abc import Callable
from datetime import UTC, datetime

from heltig.store import jobs
from heltig.store.engine import Store
from heltig.store.jobs import Job, NewJob
from heltig.store.transaction import WriteTransaction

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class JobQueue:
    """The jobs of one store.

    A job is added in the transaction of what makes it necessary, so that neither is there without the other:

        def accepted(transaction: WriteTransaction) -> int:
            ...
            return queue.enqueue(transaction, NewJob(kind="judge-upload", payload={"upload": name}))
    """

    def __init__(self, store: Store, *, clock: Clock = utc_now) -> None:
        self.store = store
        self.clock = clock
        self._bells: list[Callable[[str], None]] = []
        self._told: list[Callable[[Job], None]] = []

    def enqueue(self, transaction: WriteTransaction, new: NewJob) -> int:
        """Adds a job, unless one of its kind with its key is queued or running; returns that job's id."""
        job, added = jobs.enqueue(transaction, new, now=self.clock())
        if added:
            transaction.after_commit(lambda: self.ring(new.kind))
        return job

    def on_work(self, bell: Callable[[str], None]) -> None:
        """Has `bell` called, with the kind, whenever this process added a job."""
        self._bells.append(bell)

    def on_end(self, told: Callable[[Job], None]) -> None:
        """Has `told` called, with the job as it ended, whenever that is written down by this process."""
        self._told.append(told)

    def ended(self, job: Job) -> None:
        """Says that a job has ended; only a person has it tried again."""
        for told in self._told:
            told(job)

    def ring(self, kind: str) -> None:
        """Says that there is work of a kind."""
        for bell in self._bells:
            bell(kind)
