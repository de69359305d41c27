"""Jobs that wait for their time: brought forward where they need not, or wait because a clock was ahead."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, bindparam, or_, select, text, update

from heltig.store.tables import jobs
from heltig.store.tables.operations import WAITING
from heltig.store.transaction import ReadTransaction, WriteTransaction

LONGEST_WAIT: Final = timedelta(hours=1)
"""No job that was begun before waits for longer (`ahead`); it may find then that it is to wait again."""

_SLIP: Final = timedelta(seconds=5)
"""The clocks of our hosts may differ by so much."""

_HURRY = (
    update(jobs)
    .where(text(WAITING), jobs.c.kind == bindparam("of_kind"), jobs.c.attempts == 0)
    .values(not_before=None)
)
_AHEAD = (
    select(jobs.c.id, jobs.c.created, jobs.c.started, jobs.c.not_before)
    .where(
        text(WAITING),
        jobs.c.not_before > bindparam("soon"),
        or_(
            and_(jobs.c.started.is_not(None), jobs.c.not_before > bindparam("latest")),
            jobs.c.created > bindparam("soon"),
        ),
    )
    .limit(1000)
)
_BRING_FORWARD = (
    update(jobs).where(text(WAITING), jobs.c.id == bindparam("job")).values(not_before=bindparam("to"))
)


def hurry(transaction: WriteTransaction, kind: str) -> int:
    """Has the jobs of a kind that were never begun start now; returns the number of those that waited."""
    return transaction.run(_HURRY, {"of_kind": kind})


def ahead(transaction: ReadTransaction, *, now: datetime) -> dict[int, datetime]:
    """Jobs that wait for longer than any is to, since a clock was ahead when that was written: until when to.

    Those that are to begin at a certain time, however late, are none of them.
    """
    found = transaction.rows(_AHEAD, {"soon": now + _SLIP, "latest": now + LONGEST_WAIT})
    until: dict[int, datetime] = {}
    for row in found:
        wait = LONGEST_WAIT if row.started is not None else row.not_before - row.created
        if wait <= LONGEST_WAIT:
            until[row.id] = min(row.not_before, now + wait)
    return until


def bring_forward(transaction: WriteTransaction, waiting: Mapping[int, datetime]) -> None:
    """Has jobs that wait, wait until some time."""
    transaction.run_many(_BRING_FORWARD, [{"job": job, "to": until} for job, until in waiting.items()])
