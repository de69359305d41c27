"""How the pull service stands: what its tables say to those who watch it. Nothing here changes anything."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import msgspec
from sqlalchemy import Executable, bindparam, case, func, select, text

from heltig.store.breakers import Breaker
from heltig.store.jobs import SLOW, JobState
from heltig.store.records import LocationKind, StudyState
from heltig.store.studies import RANKS
from heltig.store.tables import (
    backfill_studies,
    backfills,
    breakers,
    job_groups,
    jobs,
    locations,
    observations,
    studies,
)
from heltig.store.tables.operations import ENDED_BADLY, LIVE, READY, RUNNING
from heltig.store.tables.pulling import DUE, UNDONE
from heltig.store.text import from_json
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Readiness


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Studies of an archive that changed and are not pulled yet.

    Attributes:
        settling: All of them.
        due: Those that are quiet by now, and wait for their turn.
    """

    archive: str
    settling: int
    due: int


class JobCount(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs of a group, a kind and a state."""

    group: str
    kind: str
    state: JobState
    number: int


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """A walk through an archive that is under way.

    Attributes:
        dates: The range of study dates; empty for all of it.
        listed: When all its studies were known; until then `studies` grows.
        studies: Those that are known.
        done: Those of them that are through.
    """

    id: int
    archive: str
    dates: str
    started: datetime
    listed: datetime | None
    studies: int
    done: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Studies that stand alike.

    Attributes:
        kind: What kind of location has them.
        place: Which archive or gate; empty for uploads, which are all counted together.
        state: Their state; the verdict of a PENDING study is its last one.
        readiness: Their last verdict.
    """

    kind: LocationKind
    place: str
    state: StudyState
    readiness: Readiness | None
    number: int


def _at_archive(table: Any) -> Any:
    """Rows of a table with the name of the archive that they are about."""
    return (
        select(table, locations.c.name.label("archive"))
        .join(locations, locations.c.id == table.c.location_row)
        .where(locations.c.kind == "archive")
    )


_BREAKERS: Final = (
    _at_archive(breakers).where(breakers.c.openings > 0).order_by(locations.c.name, breakers.c.operation)
)
_OBSERVED: Final = (
    select(
        locations.c.name,
        func.count().label("settling"),
        func.count().filter(observations.c.due <= bindparam("now")).label("due"),
    )
    .join(locations, locations.c.id == observations.c.location_row)
    .where(text(f"observations.{DUE}"))
    .group_by(locations.c.name)
)
_GROUPED: Final = (jobs.c.group, jobs.c.kind, jobs.c.state)
_LIVE_JOBS: Final = select(*_GROUPED, func.count().label("number")).where(text(LIVE)).group_by(*_GROUPED)
_BAD_JOBS: Final = (
    select(*_GROUPED, func.count().label("number")).where(text(ENDED_BADLY)).group_by(*_GROUPED)
)
_SAID: Final = select(jobs.c.group, jobs.c.state, jobs.c.progress).where(
    text(LIVE), jobs.c.kind == bindparam("kind"), jobs.c.progress.is_not(None)
)
_OLDEST_READY: Final = func.min(jobs.c.created).filter(text(READY))
_NONE_AT_WORK: Final = (
    select(jobs.c.group, _OLDEST_READY.label("oldest"))
    .where(text(LIVE), jobs.c.kind == bindparam("kind"))
    .group_by(jobs.c.group)
    .having(_OLDEST_READY.is_not(None), func.count().filter(text(RUNNING)) == 0)
)
_CLOSED: Final = select(job_groups.c.name).where(job_groups.c.not_before > bindparam("now"))
_OLDEST: Final = select(func.min(jobs.c.created)).where(text(READY), jobs.c.group.not_in(_CLOSED))
_BACKFILLS: Final = (
    _at_archive(backfills)
    .where(backfills.c.finished.is_(None), backfills.c.cancelled.is_(None))
    .order_by(backfills.c.id)
)
_IN_BACKFILL: Final = (
    select(func.count())
    .select_from(backfill_studies)
    .where(backfill_studies.c.backfill_row == bindparam("id"))
)
_UNDONE: Final = _IN_BACKFILL.where(text(f"backfill_studies.{UNDONE}"))
_PLACE: Final = case((locations.c.kind == "upload", ""), else_=locations.c.name).label("place")
_STANDING: Final = (
    select(locations.c.kind, _PLACE, studies.c.state, studies.c.rank, func.count().label("number"))
    .join(locations, locations.c.id == studies.c.location_row)
    .group_by(locations.c.kind, _PLACE, studies.c.state, studies.c.rank)
)  # all of it stands in the index of the worklist
_LAST_SEEN: Final = (
    select(func.max(studies.c.first_seen))
    .join(locations, locations.c.id == studies.c.location_row)
    .where(locations.c.kind == "archive", locations.c.name == bindparam("name"))
)
_SEEN: Final = (
    select(func.count())
    .select_from(studies)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(
        locations.c.kind == "archive",
        locations.c.name == bindparam("name"),
        studies.c.first_seen >= bindparam("since"),
        studies.c.first_seen < bindparam("until"),
    )
)


def known_breakers(transaction: ReadTransaction) -> dict[str, list[Breaker]]:
    """The breakers that ever opened and were not forgotten since, by archive and then operation."""
    found: dict[str, list[Breaker]] = {}
    for row in _rows(transaction, _BREAKERS):
        breaker = Breaker(**{name: getattr(row, name) for name in Breaker.__struct_fields__})
        found.setdefault(row.archive, []).append(breaker)
    return found


def observed(transaction: ReadTransaction, *, now: datetime) -> dict[str, Observed]:
    """The studies that changed and are not pulled yet, by archive."""
    return {
        row.name: Observed(archive=row.name, settling=row.settling, due=row.due)
        for row in _rows(transaction, _OBSERVED, now=now)
    }


def unfinished_jobs(transaction: ReadTransaction) -> list[JobCount]:
    """The jobs that are queued or running, and those that ended badly."""
    return [
        JobCount(group=row.group, kind=row.kind, state=row.state, number=row.number)
        for statement in (_LIVE_JOBS, _BAD_JOBS)
        for row in _rows(transaction, statement)
    ]


def slow_groups(transaction: ReadTransaction, *, kind: str) -> dict[str, Counter[JobState]]:
    """The groups of which jobs of a kind are waited for long: how many run, how many wait for room."""
    found: dict[str, Counter[JobState]] = {}
    for row in _rows(transaction, _SAID, kind=kind):
        if from_json(row.progress, dict[str, Any]).get(SLOW):
            found.setdefault(row.group, Counter())[row.state] += 1
    return found


def waiting_groups(transaction: ReadTransaction, *, kind: str) -> dict[str, datetime]:
    """The groups of which jobs of a kind could be started and none is at work; when the oldest was added."""
    return {row.group: row.oldest for row in _rows(transaction, _NONE_AT_WORK, kind=kind)}


def oldest_queued(transaction: ReadTransaction, now: datetime) -> datetime | None:
    """Since when the oldest of the jobs waits that could be started now: none of a group that is closed."""
    oldest: datetime | None = transaction.connection.execute(_OLDEST, {"now": now}).scalar()
    return oldest


def last_seen(transaction: ReadTransaction, archive: str) -> datetime | None:
    """When an archive last showed a study for the first time; None where it never did."""
    last: datetime | None = transaction.connection.execute(_LAST_SEEN, {"name": archive}).scalar()
    return last


def backfills_under_way(transaction: ReadTransaction) -> list[Backfill]:
    """The backfills that have not ended, the oldest first, with how far they are."""
    found = []
    for row in _rows(transaction, _BACKFILLS):
        total: int = transaction.connection.execute(_IN_BACKFILL, {"id": row.id}).scalar_one()
        undone: int = transaction.connection.execute(_UNDONE, {"id": row.id}).scalar_one()
        found.append(
            Backfill(
                id=row.id,
                archive=row.archive,
                dates=row.dates,
                started=row.started,
                listed=row.listed,
                studies=total,
                done=total - undone,
            )
        )
    return found


def standing(transaction: ReadTransaction) -> list[Standing]:
    """All studies, counted by how they stand. It reads an entry of an index for each of them."""
    readiness = {rank: name for name, rank in RANKS.items()}
    return [
        Standing(
            kind=row.kind, place=row.place, state=row.state, readiness=readiness[row.rank], number=row.number
        )
        for row in _rows(transaction, _STANDING)
    ]


def seen_between(transaction: ReadTransaction, archive: str, times: Sequence[datetime]) -> list[int]:
    """How many studies an archive showed for the first time between each of some times and the next."""
    return [
        transaction.connection.execute(_SEEN, {"name": archive, "since": since, "until": until}).scalar_one()
        for since, until in pairwise(times)
    ]


def _rows(transaction: ReadTransaction, statement: Executable, **parameters: object) -> Sequence[Any]:
    return transaction.connection.execute(statement, parameters).all()
