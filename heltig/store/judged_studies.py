"""Studies with their last verdicts, some at a time: what reports are made of."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, bindparam, select

from heltig.store import owners, verdicts
from heltig.store.devices import devices_of
from heltig.store.records import Device, Location, StoredVerdict, Study
from heltig.store.studies import SELECT, with_patients
from heltig.store.tables import backfill_studies, locations, studies
from heltig.store.transaction import ReadTransaction

_BY_ROWS: Final = SELECT.where(studies.c.id.in_(bindparam("rows", expanding=True))).order_by(studies.c.id)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which studies: those that everything given is true of. WITHDRAWN ones are in none.

    Attributes:
        location: They were seen there.
        backfill: They are of the backfill with this id.
        since: Their last verdict was given then or later.
        until: It was given before then.
    """

    location: Location | None = None
    backfill: int | None = None
    since: datetime | None = None
    until: datetime | None = None


class JudgedStudy(msgspec.Struct, frozen=True):
    """A study with its last verdict.

    Attributes:
        study: As it stands.
        verdict: None before the first.
        devices: Those that its newest snapshot names, sorted.
        owner: Who sees to it; empty where nobody does.
    """

    study: Study
    verdict: StoredVerdict | None
    devices: tuple[Device, ...]
    owner: str = ""


def page(
    transaction: ReadTransaction, scope: Scope, *, now: datetime, after: int, limit: int
) -> tuple[list[JudgedStudy], int]:
    """Some studies of a scope, the first seen first.

    Args:
        transaction: Any.
        scope: Which.
        now: The time: a verdict that no longer holds is none.
        after: What the page before gave; 0 for the first.
        limit: The most studies.

    Returns:
        The studies, and what to ask for the next page with; 0 after the last.
    """
    wanted = (
        select(studies.c.id)
        .where(studies.c.id > after, studies.c.state != "WITHDRAWN", *_of(scope))
        .order_by(studies.c.id)
        .limit(limit)
    )
    rows = list(transaction.connection.execute(wanted).scalars())
    return judged(transaction, rows, now=now), rows[-1] if len(rows) == limit else 0


def judged(transaction: ReadTransaction, rows: list[int], *, now: datetime) -> list[JudgedStudy]:
    """Some studies by their rows, ascending, with their last verdicts."""
    if not rows:
        return []
    found: list[Any] = transaction.rows(_BY_ROWS, {"rows": rows})
    given = verdicts.current_of(transaction, rows)
    devices, owned = devices_of(transaction, rows), owners.of_rows(transaction, rows)
    return [
        JudgedStudy(
            study.at(now),
            given.get(row.id),
            devices.get(row.id, ()),
            owned[row.id].name if row.id in owned else "",
        )
        for row, study in zip(found, with_patients(transaction, found), strict=True)
    ]


def _of(scope: Scope) -> Iterator[ColumnElement[bool]]:
    if scope.location is not None:
        yield (
            studies.c.location_row
            == select(locations.c.id)
            .where(locations.c.kind == scope.location.kind, locations.c.name == scope.location.name)
            .scalar_subquery()
        )
    if scope.backfill is not None:
        yield studies.c.id.in_(
            select(backfill_studies.c.study_row).where(backfill_studies.c.backfill_row == scope.backfill)
        )
    if scope.since is not None:
        yield studies.c.judged >= scope.since
    if scope.until is not None:
        yield studies.c.judged < scope.until
