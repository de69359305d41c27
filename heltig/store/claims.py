"""Rows of durable jobs, as those see them who work on them. `heltig.jobs` decides when to try again.

A running job belongs to its `lease_owner`. Whoever has lost it gets False from what changes a running job,
and drops the work.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, func, select, text, update

from heltig.store.jobs import Job, find, job_of
from heltig.store.tables import job_groups, jobs
from heltig.store.tables.operations import READY, RUNNING, WAITING
from heltig.store.text import storable, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction

_WAKE = update(jobs).where(text(WAITING), jobs.c.not_before <= bindparam("now")).values(not_before=None)
_READY = select(jobs.c.id).where(
    text(READY),
    jobs.c.kind.in_(bindparam("kinds", expanding=True)),
)
_HEAD = (
    _READY.where(jobs.c.group == job_groups.c.name)
    .order_by(jobs.c.priority, jobs.c.id)
    .limit(1)
    .correlate(job_groups)
    .scalar_subquery()
)
_HEADS = select(job_groups.c.name, job_groups.c.served, _HEAD.label("job")).subquery()
_TURNS = (
    select(_HEADS.c.name)
    .join(jobs, jobs.c.id == _HEADS.c.job)
    .order_by(jobs.c.priority, _HEADS.c.served, jobs.c.id)
)
"""The groups that have something to do, the one whose turn it is first."""
_FIRST_OF_GROUP = (
    _READY.where(jobs.c.group == bindparam("group"))
    .order_by(jobs.c.priority, jobs.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_SERVED = (
    update(job_groups)
    .where(job_groups.c.name == bindparam("group"))
    .values(served=select(func.max(job_groups.c.served) + 1).scalar_subquery())
)
_START = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"))
    .values(
        state="running",
        attempts=jobs.c.attempts + 1,
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
        started=bindparam("now"),
        progress=None,
    )
)
_RUNNING = select(jobs).where(text(RUNNING)).order_by(jobs.c.lease_until)
_NEXT_DUE = select(func.min(jobs.c.not_before)).where(text(WAITING))
_NO_LEASE: dict[str, Any] = {"lease_owner": None, "lease_until": None}


def claim(
    transaction: WriteTransaction, *, kinds: Collection[str], owner: str, now: datetime, until: datetime
) -> Job | None:
    """Starts the next job: that of the smallest `priority`; then groups take turns; then the oldest.

    Args:
        transaction: Any that writes.
        kinds: Those that the caller has a handler for.
        owner: Who works on it from now on.
        now: The time.
        until: When the lease ends, unless it is extended.
    """
    execute = transaction.connection.execute
    execute(_WAKE, {"now": now})
    for group in execute(_TURNS, {"kinds": list(kinds)}).scalars().all():
        job = execute(_FIRST_OF_GROUP, {"kinds": list(kinds), "group": group}).scalar()
        if job is not None:
            execute(_SERVED, {"group": group})
            execute(_START, {"job": job, "owner": owner, "until": until, "now": now})
            return find(transaction, job)
    return None


def extend(
    transaction: WriteTransaction,
    job: int,
    *,
    owner: str,
    until: datetime,
    progress: dict[str, Any] | None,
) -> bool:
    """Extends a lease and says how far the work is."""
    values = {"lease_until": until, "progress": None if progress is None else to_json(progress)}
    return _change_running(transaction, job, owner, values)


def succeed(
    transaction: WriteTransaction, job: int, *, owner: str, result: dict[str, Any] | None, now: datetime
) -> bool:
    """Ends a running job well."""
    values = {
        "state": "succeeded",
        "result": None if result is None else to_json(result),
        "error": None,
        "finished": now,
    }
    return _change_running(transaction, job, owner, values | _NO_LEASE)


def give_up(
    transaction: WriteTransaction,
    job: int,
    *,
    owner: str,
    state: Literal["failed", "dead"],
    error: str,
    now: datetime,
) -> bool:
    """Ends a running job badly: `failed` where trying again makes no sense, `dead` after too many tries."""
    values = {"state": state, "error": storable(error), "finished": now}
    return _change_running(transaction, job, owner, values | _NO_LEASE)


def put_back(
    transaction: WriteTransaction,
    job: int,
    *,
    owner: str,
    not_before: datetime | None,
    error: str | None = None,
    attempts: int | None = None,
) -> bool:
    """Queues a running job again.

    Args:
        transaction: Any that writes.
        job: The job.
        owner: Who works on it.
        not_before: Nobody starts it earlier; None for at once.
        error: Why.
        attempts: How many attempts count; None for all.
    """
    values: dict[str, Any] = {"state": "queued", "not_before": not_before}
    if error is not None:
        values["error"] = storable(error)
    if attempts is not None:
        values["attempts"] = attempts
    return _change_running(transaction, job, owner, values | _NO_LEASE)


def running(transaction: ReadTransaction) -> list[Job]:
    """All jobs that someone works on, or did when last heard of: whose lease ends first, first."""
    return [job_of(row) for row in transaction.connection.execute(_RUNNING)]


def next_due(transaction: ReadTransaction) -> datetime | None:
    """When the next of the jobs that wait for their time can start."""
    due: datetime | None = transaction.connection.execute(_NEXT_DUE).scalar()
    return due


def _change_running(transaction: WriteTransaction, job: int, owner: str, values: dict[str, Any]) -> bool:
    statement = update(jobs).where(jobs.c.id == job, jobs.c.state == "running", jobs.c.lease_owner == owner)
    return bool(transaction.connection.execute(statement.values(values)).rowcount)
