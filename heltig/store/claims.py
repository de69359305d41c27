"""Which jobs are started next, and who gets them. What becomes of one that runs: `heltig.store.leases`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import UNSET, UnsetType
from sqlalchemy import (
    Row,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    text,
    update,
)

from heltig.store.jobs import Job, job_of
from heltig.store.shares import Allowed, Beside, Share, Working
from heltig.store.tables import job_groups, jobs
from heltig.store.tables.operations import READY, RUNNING, WAITING
from heltig.store.transaction import ReadTransaction, WriteTransaction

STRIDE: Final = 1_000_000
"""What a job adds to `served` of a group of weight 1; of weight 10 it is a tenth."""

LONGEST_CLOSED: Final = timedelta(minutes=15)
"""No group is closed for longer (`set_group`): one that seems to be was closed by a clock that was ahead."""

_LOCK: Final = select(func.pg_advisory_xact_lock(0x48454C54_0001))
"""On PostgreSQL: any number that no one else locks."""

_WAKE = update(jobs).where(text(WAITING), jobs.c.not_before <= bindparam("now")).values(not_before=None)
_READY = select(jobs.c.id, jobs.c.priority).where(
    text(READY),
    or_(
        and_(
            jobs.c.kind.in_(bindparam("kinds", expanding=True)),
            (jobs.c.kind + " " + jobs.c.group).not_in(bindparam("full", expanding=True)),
        ),
        (jobs.c.kind + " " + jobs.c.group).in_(bindparam("slow", expanding=True)),
    ),
)


def _head_of_group(ready: Select[Any]) -> ScalarSelect[Any]:
    first = ready.where(jobs.c.group == job_groups.c.name).order_by(jobs.c.priority, jobs.c.id).limit(1)
    return first.with_only_columns(jobs.c.id).correlate(job_groups).scalar_subquery()


_IS_UNCOUNTED = jobs.c.kind.in_(bindparam("uncounted", expanding=True))
_AT_WORK = (
    select(jobs.c.group, func.sum(case((_IS_UNCOUNTED, 0), else_=1)).label("number"))
    .where(text(RUNNING))
    .group_by(jobs.c.group)
    .subquery()
)  # "not in" the same list would be wrong where that is empty: SQLAlchemy writes it out once, for "in"
_IS_OPEN = or_(
    job_groups.c.not_before.is_(None),
    job_groups.c.not_before <= bindparam("now"),
    job_groups.c.not_before > bindparam("latest"),
)
_GROUPS = (
    select(job_groups.c.name, job_groups.c.served, job_groups.c.weight)
    .add_columns(
        (job_groups.c.most - func.coalesce(_AT_WORK.c.number, 0)).label("room"),
        _head_of_group(_READY).label("head"),
    )
    .outerjoin(_AT_WORK, _AT_WORK.c.group == job_groups.c.name)
    .where(_IS_OPEN)
    .subquery()
)
_TURNS = (
    select(_GROUPS, jobs.c.priority)
    .join(jobs, jobs.c.id == _GROUPS.c.head)
    .where(
        or_(
            _GROUPS.c.room.is_(None),
            _GROUPS.c.room > 0,
            _IS_UNCOUNTED,
        )
    )
)
"""The groups that have something to do, and may."""
_NOW_SERVED = select(func.max(job_groups.c.served - STRIDE // job_groups.c.weight))
"""What the group had that was served last, before it was: a group that comes back begins there."""
_FIRST_OF_GROUP = (
    _READY.where(jobs.c.group == bindparam("group"))
    .order_by(jobs.c.priority, jobs.c.id)
    .limit(bindparam("limit"))
)
_SERVE = update(job_groups).where(job_groups.c.name == bindparam("group")).values(served=bindparam("until"))
_START = (
    update(jobs)
    .where(jobs.c.id.in_(bindparam("jobs", expanding=True)), jobs.c.state == "queued")
    .values(
        state="running",
        attempts=jobs.c.attempts + 1,
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
        started=bindparam("now"),
        progress=None,
    )
    .returning(jobs)
)
_OF_OWNER = select(jobs.c.id, jobs.c.kind, jobs.c.group).where(
    text(RUNNING), jobs.c.lease_owner == bindparam("owner")
)
_NEXT_DUE = select(func.min(jobs.c.not_before)).where(text(WAITING))
_NEXT_OPEN = select(func.min(job_groups.c.not_before)).where(job_groups.c.not_before > bindparam("now"))
_READY_KINDS = select(jobs.c.kind).where(
    jobs.c.id.in_(select(_head_of_group(select(jobs.c.id).where(text(READY)))).select_from(job_groups))
)
_NOTHING: Final = Beside()
_DUE_KINDS = select(jobs.c.kind).where(text(WAITING), jobs.c.not_before <= bindparam("now"))


def claim(
    transaction: WriteTransaction,
    *,
    kinds: Collection[str],
    owner: str,
    now: datetime,
    until: datetime,
    limit: int = 1,
    shares: Sequence[Share] = (),
    beside: Beside = _NOTHING,
) -> list[Job]:
    """Starts the next jobs: those of the smallest `priority`; then groups take turns; then the oldest.

    Of two groups that always have work, one of twice the weight gets twice the jobs. What a group leaves
    unused it does not save up.

    Args:
        transaction: Any that writes. On PostgreSQL those who claim do so one after the other, so that no two
            count what a group has at work at the same moment.
        kinds: Those that the caller has a handler for.
        owner: Who works on them from now on.
        now: The time.
        until: When the leases end, unless they are extended.
        limit: The most jobs.
        shares: What some kinds may take of the owner's places, counted by what it has at work.
        beside: What the owner has in slow lanes.
    """
    if not transaction.is_alone:
        transaction.rows(_LOCK)
    transaction.run(_WAKE, {"now": now})
    at_work = (
        [Working(row.id, row.kind, row.group) for row in transaction.rows(_OF_OWNER, {"owner": owner})]
        if shares
        else []
    )
    claimed: list[Job] = []
    while len(claimed) < limit:
        allowed = Allowed(shares, at_work, kinds=kinds, beside=beside)
        most = min(limit - len(claimed), allowed.most)
        found = _start(
            transaction, allowed=allowed, limit=most, start={"owner": owner, "until": until, "now": now}
        )
        claimed += found
        at_work += [Working(job.id, job.kind, job.group) for job in found]
        beside = _with(beside, found)
        if len(found) < most:
            break
    return claimed


def _with(beside: Beside, found: Sequence[Job]) -> Beside:
    """What is in slow lanes once some jobs were found: those of slow groups begin there."""
    begun = {
        job.id
        for job in found
        for share, group in beside.groups
        if job.group == group and job.kind in share.kinds
    }
    return Beside(beside.jobs | begun, beside.groups) if begun else beside


def _start(
    transaction: WriteTransaction, *, allowed: Allowed, limit: int, start: Mapping[str, Any]
) -> list[Job]:
    now = start["now"]
    turns = transaction.rows(_TURNS, {**allowed.jobs, "now": now, "latest": now + LONGEST_CLOSED})
    if not turns:
        return []
    chosen, served = _choose(transaction, turns, allowed=allowed, limit=limit)
    transaction.run_many(_SERVE, [{"group": group, "until": value} for group, value in served.items()])
    started = {row.id: job_of(row) for row in transaction.rows(_START, {"jobs": chosen, **start})}
    return [started[job] for job in chosen if job in started]


class Turn:
    """A group that has something to do, and may.

    Attributes:
        served: What it was given so far, each job as much as its stride.
        room: How many more of its jobs may be at work; None for any number.
        ready: The priorities and ids of its jobs that come first.
    """

    def __init__(
        self, group: str, served: int, weight: int, room: int | None, ready: list[tuple[int, int]]
    ) -> None:
        self.group = group
        self.served = served
        self.stride = STRIDE // weight
        self.room = room
        self.ready = ready


def next_turn(turns: Sequence[Turn], now_served: int) -> tuple[Turn, int]:
    """Whose turn it is, and what `now_served` is then; it counts as served.

    Args:
        turns: All that have something to do.
        now_served: What the group had that was served last, before it was. A group that has less was idle,
            and is treated as if it had not been.
    """
    turn = min(turns, key=lambda turn: (turn.ready[0][0], max(turn.served, now_served), turn.ready[0][1]))
    now_served = max(turn.served, now_served)
    turn.served = now_served + turn.stride
    return turn, now_served


def _choose(
    transaction: WriteTransaction, rows: Sequence[Row[Any]], *, allowed: Allowed, limit: int
) -> tuple[list[int], dict[str, int]]:
    """The jobs to start, in their order, and what their groups will have been served."""
    now_served = transaction.scalar(_NOW_SERVED) or 0
    turns = [Turn(row.name, row.served, row.weight, row.room, [(row.priority, row.head)]) for row in rows]
    chosen: list[int] = []
    served: dict[str, int] = {}
    while turns and len(chosen) < limit:
        turn, now_served = next_turn(turns, now_served)
        chosen.append(turn.ready.pop(0)[1])
        if turn.group not in served and limit > 1:
            most = limit if turn.room is None else min(limit, max(turn.room, 0))
            first = transaction.rows(_FIRST_OF_GROUP, {**allowed.jobs, "group": turn.group, "limit": most})
            turn.ready = [(row.priority, row.id) for row in first if row.id != chosen[-1]]
        served[turn.group] = turn.served
        if not turn.ready:
            turns.remove(turn)
    return chosen, served


def set_group(
    transaction: WriteTransaction,
    group: str,
    *,
    weight: int | UnsetType = UNSET,
    most: int | UnsetType | None = UNSET,
    not_before: datetime | UnsetType | None = UNSET,
) -> None:
    """Says how much of the work a group gets; what is not given stays as it is.

    Args:
        transaction: Any that writes.
        group: The group; it need not have had a job yet.
        weight: Of two groups that always have work, one of twice the weight gets twice the jobs. At least 1.
        most: Jobs at a time, on all workers together, but for those that do not count (`Share.is_counted`);
            None for any number.
        not_before: None of its jobs is started earlier; `LONGEST_CLOSED` from now at most.
    """
    given = {"weight": weight, "most": most, "not_before": not_before}
    values = {name: value for name, value in given.items() if value is not UNSET}
    transaction.insert_or_ignore(job_groups, {"name": group, "served": 0})
    if values:
        transaction.connection.execute(update(job_groups).where(job_groups.c.name == group).values(values))


def ready_kinds(transaction: ReadTransaction, *, now: datetime) -> list[str]:
    """The kinds of the jobs whose turn it is in their groups, and of those whose time has come."""
    return list(transaction.connection.execute(_READY_KINDS.union(_DUE_KINDS), {"now": now}).scalars())


def next_due(transaction: ReadTransaction, *, now: datetime) -> datetime | None:
    """When the next of the jobs, or of the groups, that wait for their time can start."""
    job = transaction.scalar(_NEXT_DUE)
    group = transaction.scalar(_NEXT_OPEN, {"now": now})
    return min((due for due in (job, group) if due is not None), default=None)
