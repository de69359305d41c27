"""Observations whose time has come, handed on to jobs; and those, and verdicts, that no job will see to."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, or_, select, text, update

from heltig.store.observations import COLUMNS, Observation, observation_of
from heltig.store.records import Location, Study
from heltig.store.studies import SELECT, with_patients
from heltig.store.tables import archives, gate_studies, jobs, locations, observations, studies
from heltig.store.tables.operations import ENDED_BADLY, LIVE
from heltig.store.tables.pulling import DUE, HANDED_ON
from heltig.store.tables.seen import PENDING
from heltig.store.transaction import ReadTransaction, WriteTransaction

_AT_ONCE: Final = 500  # keys of a query

_LONGEST: Final = timedelta(days=1)
"""No study waits for longer, not even one whose pull was given up."""

_SLIP: Final = timedelta(seconds=5)
"""The clocks of our hosts may differ by so much."""


class HandedOn(msgspec.Struct, frozen=True, kw_only=True):
    """An observation that is handed on though no job is to pull it.

    Attributes:
        given_up: When a job to pull it was last given up; None when that was never.
    """

    location: Location
    observation: Observation
    given_up: datetime | None


_NEXT = (
    select(observations.c.study_row, studies.c.study_key, observations.c.priority)
    .join(studies, studies.c.id == observations.c.study_row)
    .where(
        text(DUE),
        observations.c.location_row == bindparam("location"),
        observations.c.priority == bindparam("priority"),
        observations.c.due <= bindparam("now"),
    )
    .order_by(observations.c.due)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=observations)
)
_IS_DUE = (
    select(observations.c.study_row)
    .join(locations, locations.c.id == observations.c.location_row)
    .where(
        text(DUE),
        locations.c.kind == bindparam("kind"),
        locations.c.name == bindparam("name"),
        observations.c.due <= bindparam("now"),
    )
    .limit(1)
)
_PRIORITIES = (
    select(observations.c.priority)
    .where(text(DUE), observations.c.location_row == bindparam("location"))
    .where(observations.c.priority > bindparam("above"))
    .order_by(observations.c.priority)
    .limit(1)
)
_IS_AHEAD = or_(
    observations.c.unsettled_since > bindparam("soon"), observations.c.changed > bindparam("soon")
)
_AHEAD = (
    select(observations.c.study_row).where(observations.c.location_row == bindparam("location")).limit(1000)
)
_HANDED_ON_AHEAD = _AHEAD.where(text(HANDED_ON), _IS_AHEAD)
_DUE_AHEAD = _AHEAD.where(
    text(DUE),
    observations.c.priority == bindparam("priority"),
    observations.c.due > bindparam("now"),
    or_(_IS_AHEAD, observations.c.due > bindparam("never")),
)


def _not_after(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    time = bindparam(name, type_=column.type)
    return case((column > time, time), else_=column)


_PUT_RIGHT = (
    update(observations)
    .where(observations.c.study_row == bindparam("row"))
    .values(
        changed=_not_after(observations.c.changed, "now"),
        unsettled_since=_not_after(observations.c.unsettled_since, "now"),
        due=_not_after(observations.c.due, "latest"),
    )
)
_HAND_ON = (
    update(observations)
    .where(observations.c.study_row.in_(bindparam("rows", expanding=True)))
    .values(due=None)
)
_QUEUED = (
    select(jobs.c.group, func.count().label("number"))
    .where(text(LIVE), jobs.c.kind == bindparam("job_kind"), jobs.c.state == "queued")
    .group_by(jobs.c.group)
)
_IS_JOB = and_(
    jobs.c.kind == bindparam("job_kind"),
    jobs.c.key == locations.c.kind + ":" + locations.c.name + " " + studies.c.study_key,  # `job_key`
)
_GIVEN_UP = (
    select(func.max(jobs.c.finished))
    .where(text(ENDED_BADLY), _IS_JOB)
    .correlate(studies, locations)
    .scalar_subquery()
)
_PULLED_BY_NOBODY = (
    select(*COLUMNS, locations.c.kind, locations.c.name, _GIVEN_UP.label("given_up"))
    .select_from(observations)
    .join(studies, studies.c.id == observations.c.study_row)
    .join(locations, locations.c.id == observations.c.location_row)
    .join(archives, archives.c.location_row == observations.c.location_row)
    .where(
        text(HANDED_ON),
        ~exists().where(text(LIVE), _IS_JOB).correlate(studies, locations),
    )
    .order_by(observations.c.study_row)
    .limit(bindparam("limit"))
)
_JUDGED_BY_NOBODY = (
    SELECT.outerjoin(observations, observations.c.study_row == studies.c.id)
    .outerjoin(gate_studies, gate_studies.c.study_row == studies.c.id)
    .where(
        text(PENDING),
        studies.c.changed < bindparam("before"),
        studies.c.snapshot.is_not(None),
        observations.c.unsettled_since.is_(None),
        gate_studies.c.due.is_(None),
        ~exists().where(text(LIVE), _IS_JOB).correlate(studies, locations),
        ~exists()
        .where(text(ENDED_BADLY), _IS_JOB, jobs.c.finished >= studies.c.changed)
        .correlate(studies, locations),
    )
    .order_by(studies.c.changed)
    .limit(bindparam("limit"))
)


def job_key(location: Location, study_key: str) -> str:
    """The key of the one job that pulls a study at a time; never too long for its column."""
    return f"{location} {study_key}"


def is_due(transaction: ReadTransaction, location: Location, *, now: datetime) -> bool:
    """Whether there is a study at a location whose time has come."""
    parameters = {"kind": location.kind, "name": location.name, "now": now}
    return transaction.first(_IS_DUE, parameters) is not None


def next_due(
    transaction: WriteTransaction, location: int, *, now: datetime, limit: int
) -> list[tuple[int, str, int]]:
    """The studies of a location whose time has come: row, key and priority, the most urgent first.

    Nobody else is given them before the end of the transaction.
    """
    found: list[tuple[int, str, int]] = []
    above = -1
    while len(found) < limit:
        priority = transaction.scalar(_PRIORITIES, {"location": location, "above": above})
        if priority is None:
            break
        parameters = {"location": location, "priority": priority, "now": now, "limit": limit - len(found)}
        found += [(r.study_row, r.study_key, r.priority) for r in transaction.rows(_NEXT, parameters)]
        above = priority
    return found


def ahead(transaction: ReadTransaction, location: int, *, now: datetime) -> list[int]:
    """The rows of studies of which something was written down by a clock that was ahead, some of them.

    Args:
        transaction: Any.
        location: The location's row.
        now: The time.
    """
    times = {"location": location, "now": now, "soon": now + _SLIP, "never": now + _LONGEST + _SLIP}
    found = transaction.scalars(_HANDED_ON_AHEAD, times)
    above = -1
    while (priority := transaction.scalar(_PRIORITIES, {"location": location, "above": above})) is not None:
        found += transaction.scalars(_DUE_AHEAD, {**times, "priority": priority})
        above = priority
    return found


def put_right(transaction: WriteTransaction, rows: Iterable[int], *, now: datetime, due: datetime) -> None:
    """Takes what is said to have been after now for having been now; what is due after `due` is due then."""
    times = {"now": now, "latest": due}
    transaction.run_many(_PUT_RIGHT, [{**times, "row": row} for row in sorted(rows)])


def hand_on(transaction: WriteTransaction, rows: Sequence[int]) -> None:
    """Says that jobs are to pull some studies."""
    for start in range(0, len(rows), _AT_ONCE):
        transaction.run(_HAND_ON, {"rows": rows[start : start + _AT_ONCE]})


def queued(transaction: ReadTransaction, *, kind: str) -> dict[str, int]:
    """Number of queued jobs of a kind by group, those that wait for another try too."""
    rows = transaction.rows(_QUEUED, {"job_kind": kind})
    return {row.group: row.number for row in rows}


def pulled_by_nobody(transaction: ReadTransaction, *, kind: str, limit: int) -> list[HandedOn]:
    """Observations that are handed on and whose job has ended, or is no more, without a word.

    Args:
        transaction: Any.
        kind: Of the jobs that pull, under `job_key`.
        limit: The most of them.
    """
    found = transaction.rows(_PULLED_BY_NOBODY, {"job_kind": kind, "limit": limit})
    return [
        HandedOn(
            location=Location(row.kind, row.name), observation=observation_of(row), given_up=row.given_up
        )
        for row in found
    ]


def judged_by_nobody(transaction: ReadTransaction, *, kind: str, before: datetime, limit: int) -> list[Study]:
    """Studies that are PENDING though they were read as they are, and that no job will judge.

    One whose job was given up since is left to a person, who finds that job.

    Args:
        transaction: Any.
        kind: Of the jobs that judge what is stored, under `job_key`.
        before: Only studies that changed earlier: whoever changed one may be about to judge it.
        limit: The most of them.
    """
    parameters = {"job_kind": kind, "before": before, "limit": limit}
    return with_patients(transaction, transaction.rows(_JUDGED_BY_NOBODY, parameters))
