"""Rows of running jobs, as those see them who work on them. `heltig.jobs` decides when to try again.

A running job belongs to its `lease_owner`. Whoever has lost it gets False from what changes a running job,
and drops the work.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Executable,
    Integer,
    Text,
    Update,
    bindparam,
    case,
    func,
    literal,
    select,
    text,
    update,
)

from heltig.store.jobs import Job, job_of
from heltig.store.tables import jobs
from heltig.store.tables.operations import RUNNING
from heltig.store.text import storable, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction

_AT_WORK_FOR = select(jobs.c.started).where(
    jobs.c.id == bindparam("job"), jobs.c.state == "running", jobs.c.lease_owner == bindparam("owner")
)
_RUNNING = select(jobs).where(text(RUNNING)).order_by(jobs.c.lease_until)
_RUNS_FOR = update(jobs).where(
    jobs.c.id == bindparam("job"), jobs.c.state == "running", jobs.c.lease_owner == bindparam("owner")
)
_EXTEND = _RUNS_FOR.values(lease_until=bindparam("to_lease_until"), progress=bindparam("to_progress"))
_LET_GO = _RUNS_FOR.values(lease_owner=None, lease_until=None)
_IS_TO_END = jobs.c.not_before.is_(None)
"""Of a running job; otherwise it is to run once more (`NewJob.follows`), as if it had never been tried."""


def _ends(state: ColumnElement[Any]) -> Update:
    """Ends a running job; in one statement with the look whether it is to run once more."""
    return _LET_GO.values(
        state=case((_IS_TO_END, state), else_="queued"),
        finished=case((_IS_TO_END, bindparam("now", type_=jobs.c.finished.type)), else_=None),
        attempts=case((_IS_TO_END, jobs.c.attempts), else_=0),
    )


_SUCCEED = _ends(literal("succeeded", jobs.c.state.type)).values(result=bindparam("to_result"), error=None)
_ERROR = bindparam("to_error", type_=Text)
_GIVE_UP = _ends(bindparam("to_state", type_=jobs.c.state.type)).values(
    error=_ERROR,
    first_error=func.coalesce(jobs.c.first_error, _ERROR),
)
_PUT_BACK = _LET_GO.values(
    state="queued",
    not_before=bindparam("to_not_before"),
    error=func.coalesce(_ERROR, jobs.c.error),
    first_error=func.coalesce(jobs.c.first_error, _ERROR),
    attempts=func.coalesce(bindparam("to_attempts", type_=Integer), jobs.c.attempts),
)


def held(
    transaction: WriteTransaction, jobs_claimed: Sequence[Job], *, owner: str, until: datetime
) -> list[Job]:
    """Those of some jobs that are still leased as they were claimed; their leases are extended.

    Args:
        transaction: Any that writes.
        jobs_claimed: As `claim` gave them, in a transaction of which nobody knows whether it committed.
        owner: Who claimed them.
        until: When the leases end from now on.
    """
    found: list[Job] = []
    for job in jobs_claimed:
        row = transaction.first(_AT_WORK_FOR, {"job": job.id, "owner": owner})
        if (
            row is not None
            and row.started == job.started
            and extend(transaction, job.id, owner=owner, until=until, progress=None)
        ):
            found.append(replace(job, lease_until=until))
    return found


def extend(
    transaction: WriteTransaction,
    job: int,
    *,
    owner: str,
    until: datetime,
    progress: dict[str, Any] | None,
) -> bool:
    """Extends a lease and says how far the work is."""
    said = None if progress is None else to_json(progress)
    return _change(transaction, _EXTEND, job, owner, to_lease_until=until, to_progress=said)


def succeed(
    transaction: WriteTransaction, job: int, *, owner: str, result: dict[str, Any] | None, now: datetime
) -> bool:
    """Ends a running job well; queues it again where it is to run once more."""
    given = None if result is None else to_json(result)
    return _change(transaction, _SUCCEED, job, owner, to_result=given, now=now)


def give_up(
    transaction: WriteTransaction,
    job: int,
    *,
    owner: str,
    state: Literal["failed", "dead"],
    error: str,
    now: datetime,
) -> bool:
    """Ends a running job badly: `failed` where trying again makes no sense, `dead` after too many tries.

    One that is to run once more is queued again, since what it will find is not what it failed for.
    """
    return _change(transaction, _GIVE_UP, job, owner, to_state=state, to_error=storable(error), now=now)


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
    text = None if error is None else storable(error)
    given = {"to_not_before": not_before, "to_error": text, "to_attempts": attempts}
    return _change(transaction, _PUT_BACK, job, owner, **given)


def running(transaction: ReadTransaction) -> list[Job]:
    """All jobs that someone works on, or did when last heard of: whose lease ends first, first."""
    return [job_of(row) for row in transaction.rows(_RUNNING)]


def _change(transaction: WriteTransaction, statement: Executable, job: int, owner: str, **given: Any) -> bool:
    return bool(transaction.run(statement, {"job": job, "owner": owner, **given}))
