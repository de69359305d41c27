"""Rows of durable jobs, for who adds and watches them; those who work on them have `claims` and `leases`."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import Row, bindparam, delete, func, select, text, update

from heltig.errors import ConflictError, NotFoundError
from heltig.store.tables import job_groups, jobs
from heltig.store.tables.operations import ENDED_BADLY, LIVE, SUCCEEDED
from heltig.store.text import from_json, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction

JobState: TypeAlias = Literal["queued", "running", "succeeded", "failed", "dead", "cancelled"]

MAY_BE_RETRIED: Final[tuple[JobState, ...]] = ("failed", "dead", "cancelled")
"""States in which a person may have a job tried again; `MAY_BE_DISCARDED` in which they may let it be."""

MAY_BE_DISCARDED: Final[tuple[JobState, ...]] = ("failed", "dead")

SLOW: Final = "slow"
"""In the progress of a job: it waits long for what others have to give."""


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of work to be done.

    Attributes:
        kind: Names its handler.
        key: Two live jobs of one kind never have the same; None where it does not matter. At most 256
            characters.
        group: Groups take turns, e.g. the archives. There should be few: they are never forgotten.
        priority: The lower the sooner.
        payload: What the handler needs to find its work: ids, no patient data.
        not_before: Nobody starts it earlier.
        follows: A job with its key that is running is not enough, since that may have looked already at what
            makes this one necessary: it runs once more after its end.
    """

    kind: str
    key: str | None = None
    group: str = ""
    priority: int = 0
    payload: dict[str, Any] = {}
    not_before: datetime | None = None
    follows: bool = False


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands.

    Attributes:
        attempts: How often it was started.
        lease_owner: Who works on it, until `lease_until` unless they extend it.
        not_before: Nobody starts it earlier; of a running job: it runs once more after its end, not earlier.
        progress: What its handler last said about how far it is.
        result: What its handler gave.
        error: Why it did not succeed, last time. No patient data.
        first_error: Why it did not succeed the first time.
    """

    id: int
    kind: str
    key: str | None
    group: str
    state: JobState
    priority: int
    attempts: int
    payload: dict[str, Any]
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: str | None
    first_error: str | None
    lease_owner: str | None
    lease_until: datetime | None
    not_before: datetime | None
    created: datetime
    started: datetime | None
    finished: datetime | None


_LIVE = select(jobs.c.id).where(text(LIVE), jobs.c.kind == bindparam("kind"), jobs.c.key == bindparam("key"))
_RUN_ONCE_MORE = (
    update(jobs)
    .where(
        text(LIVE),
        jobs.c.kind == bindparam("of_kind"),
        jobs.c.key == bindparam("of_key"),
        jobs.c.state == "running",
    )
    .values(not_before=func.coalesce(jobs.c.not_before, bindparam("again", type_=jobs.c.not_before.type)))
)
_FIND = select(jobs).where(jobs.c.id == bindparam("job"))
_CANCEL = (
    update(jobs)
    .where(text(LIVE), jobs.c.id == bindparam("job"))
    .values(state="cancelled", finished=bindparam("now"), lease_owner=None, lease_until=None)
)
_HASTEN = (
    update(jobs)
    .where(jobs.c.state == "queued", jobs.c.id == bindparam("job"), jobs.c.not_before.is_not(None))
    .values(not_before=None)
)
_FORGET = delete(jobs).where(
    jobs.c.id.in_(
        select(jobs.c.id)
        .where(
            text(SUCCEEDED),
            jobs.c.kind.in_(bindparam("kinds", expanding=True)),
            jobs.c.finished < bindparam("before"),
        )
        .limit(bindparam("limit"))
    )
)
_COUNTS = select(jobs.c.kind, jobs.c.state, func.count().label("number")).group_by(jobs.c.kind, jobs.c.state)


def enqueue(transaction: WriteTransaction, new: NewJob, *, now: datetime) -> tuple[int, bool]:
    """Adds a job, unless one of its kind with its key is queued or running.

    Where the new one `follows`, a running one is told to run once more. Its end waits for this transaction,
    or this one for its end: so it either hears of it, or is over and a job is added.

    Returns:
        The id of that job, and whether it is new.
    """
    transaction.insert_or_ignore(job_groups, {"name": new.group, "served": 0})
    row = {
        "kind": new.kind,
        "key": new.key,
        "group": new.group,
        "state": "queued",
        "priority": new.priority,
        "attempts": 0,
        "not_before": new.not_before,
        "payload": to_json(new.payload),
        "created": now,
    }
    if new.key is None:
        return transaction.insert_row(jobs, row), True
    parameters = {"kind": new.kind, "key": new.key}
    if new.follows:
        again = {"of_kind": new.kind, "of_key": new.key, "again": new.not_before or now}
        transaction.run(_RUN_ONCE_MORE, again)
    live = transaction.scalar(_LIVE, parameters)
    if live is not None:
        return live, False
    added = transaction.insert_or_ignore(jobs, row)  # another worker may add it at the same moment
    return int(transaction.rows(_LIVE, parameters)[0][0]), added


def cancel(transaction: WriteTransaction, job: int, *, now: datetime) -> bool:
    """Ends a queued or running job; its worker learns of it with the next heartbeat.

    Returns:
        False when it had ended already.
    """
    return bool(transaction.connection.execute(_CANCEL, {"job": job, "now": now}).rowcount)


def hasten(transaction: WriteTransaction, job: int) -> bool:
    """Lets a job start now that was to wait.

    Returns:
        Whether it waited.
    """
    return bool(transaction.connection.execute(_HASTEN, {"job": job}).rowcount)


def retry(transaction: WriteTransaction, job: int) -> Job:
    """Queues a job again that failed, died or was cancelled, as if it had never been tried.

    Returns:
        The job as it was.

    Raises:
        NotFoundError: There is no such job.
        ConflictError: It did not end badly, or another with its key is live.
    """
    known = _ended(transaction, job, MAY_BE_RETRIED)
    parameters = {"kind": known.kind, "key": known.key}
    live = transaction.connection.execute(_LIVE, parameters).scalar()
    if live is not None:
        raise ConflictError(f"Job {live} does already what job {job} was to do.")
    values = {"state": "queued", "attempts": 0, "not_before": None, "finished": None}
    transaction.connection.execute(update(jobs).where(jobs.c.id == job).values(values))
    return known


def discard(transaction: WriteTransaction, job: int, *, now: datetime) -> Job:
    """Says of a job that failed or died that nobody need look at it any more; its errors stay with it.

    Returns:
        The job as it was.

    Raises:
        NotFoundError: There is no such job.
        ConflictError: It neither failed nor died.
    """
    known = _ended(transaction, job, MAY_BE_DISCARDED)
    values = {"state": "cancelled", "finished": now}
    transaction.connection.execute(update(jobs).where(jobs.c.id == job).values(values))
    return known


def _ended(transaction: WriteTransaction, job: int, states: Collection[JobState]) -> Job:
    known = find(transaction, job)
    if known is None:
        raise NotFoundError(f"There is no job {job}.")
    insist_on_state(known, states)
    return known


def insist_on_state(job: Job, states: Collection[JobState]) -> None:
    """Insists that a job is in one of some states.

    Raises:
        ConflictError: It is in another one.
    """
    if job.state not in states:
        wanted = " or ".join(states)
        raise ConflictError(f"Job {job.id} is {job.state}. This is for jobs that are {wanted}.")


def forget_succeeded(
    transaction: WriteTransaction, kinds: Collection[str], *, before: datetime, limit: int = 5000
) -> int:
    """Deletes jobs that succeeded.

    Args:
        transaction: Any that writes.
        kinds: Those of which there are many, and whose outcome is told elsewhere.
        before: Only jobs that ended earlier.
        limit: The most jobs, so that nobody waits long for this transaction.

    Returns:
        The number of jobs deleted.
    """
    parameters = {"kinds": list(kinds), "before": before, "limit": limit}
    return transaction.connection.execute(_FORGET, parameters).rowcount


def find(transaction: ReadTransaction, job: int) -> Job | None:
    """A job by its id."""
    row = transaction.connection.execute(_FIND, {"job": job}).one_or_none()
    return None if row is None else job_of(row)


def newest(
    transaction: ReadTransaction,
    *,
    state: JobState | None = None,
    kind: str | None = None,
    group: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Job]:
    """Jobs, the newest first, those that match everything asked for.

    Args:
        transaction: Any.
        state: Only of this state.
        kind: Only of this kind.
        group: Only of this group.
        before: Only those with a lower id: what the page before ended with.
        limit: The most jobs.
    """
    query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
    for column, value in (("state", state), ("kind", kind), ("group", group)):
        if value is not None:
            query = query.where(jobs.c[column] == value)
    if state in ("failed", "dead"):
        query = query.where(text(ENDED_BADLY))
    elif state in ("queued", "running"):
        query = query.where(text(LIVE))
    if before is not None:
        query = query.where(jobs.c.id < before)
    return [job_of(row) for row in transaction.connection.execute(query)]


def counts(transaction: ReadTransaction) -> dict[tuple[str, JobState], int]:
    """Number of jobs by kind and state."""
    rows = transaction.connection.execute(_COUNTS)
    return {(row.kind, row.state): row.number for row in rows}


def job_of(row: Row[Any]) -> Job:
    """A job out of a row of its table."""
    return Job(
        id=row.id,
        kind=row.kind,
        key=row.key,
        group=row.group,
        state=row.state,
        priority=row.priority,
        attempts=row.attempts,
        payload=from_json(row.payload, dict[str, Any]),
        progress=None if row.progress is None else from_json(row.progress, dict[str, Any]),
        result=None if row.result is None else from_json(row.result, dict[str, Any]),
        error=row.error,
        first_error=row.first_error,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        not_before=row.not_before,
        created=row.created,
        started=row.started,
        finished=row.finished,
    )
