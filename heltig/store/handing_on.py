"""Observations whose time has come, handed on to jobs; and those that no job will do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import and_, bindparam, exists, func, select, text, update

from heltig.store.observations import COLUMNS, Observation, observation_of
from heltig.store.records import Location
from heltig.store.tables import archives, jobs, locations, observations, studies
from heltig.store.tables.operations import ENDED_BADLY, LIVE
from heltig.store.tables.pulling import DUE, HANDED_ON
from heltig.store.transaction import ReadTransaction, WriteTransaction

_AT_ONCE: Final = 500  # keys of a query


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
