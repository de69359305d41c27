"""Walks through a whole archive, or a range of study dates: how far each is, and what became of its studies.

A study of a backfill is done once its observation says that nothing is left to do, whoever pulled it
(`heltig.store.observations`). So one that was interrupted goes on where it was, and counts nothing twice.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Row, and_, bindparam, select, text, update

from heltig.store.records import Location
from heltig.store.tables import backfill_studies, backfills, locations, observations, studies
from heltig.store.tables.pulling import UNDONE
from heltig.store.text import from_json, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction

_MOST_NOTES: Final = 20


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """A walk through an archive.

    Attributes:
        location: The archive's.
        dates: A range of StudyDate as PS3.4 C.2.2.2.5 writes it; empty for all studies.
        again: Studies that did not change are pulled, too.
        actor: Who started it.
        position: Where listing goes on; None before its first batch.
        due: It is not looked at again earlier.
        listed: When all its studies were known.
        finished: When the last was done, or it was cancelled.
        cancelled: When somebody ended it.
        notes: What the archive did that makes the list less than it should be.
        error: Why listing did not go on last time, without patient data.
    """

    id: int
    location: Location
    dates: str
    again: bool
    actor: str
    started: datetime
    position: str | None
    due: datetime
    listed: datetime | None
    finished: datetime | None
    cancelled: datetime | None
    notes: tuple[str, ...]
    error: str | None


_SELECT = select(backfills, locations.c.kind, locations.c.name).join(
    locations, locations.c.id == backfills.c.location_row
)
_FIND = _SELECT.where(backfills.c.id == bindparam("backfill"))
_UNFINISHED = _SELECT.where(backfills.c.finished.is_(None)).order_by(backfills.c.id)
_SAME = _UNFINISHED.where(
    locations.c.kind == bindparam("kind"),
    locations.c.name == bindparam("location_name"),
    backfills.c.dates == bindparam("dates"),
    backfills.c.again == bindparam("again"),
)
_IS_OPEN = and_(backfills.c.id == bindparam("backfill"), backfills.c.finished.is_(None))
_ADVANCE = (
    update(backfills)
    .where(
        _IS_OPEN, backfills.c.listed.is_(None), backfills.c.position.is_not_distinct_from(bindparam("was"))
    )
    .values(
        position=bindparam("to"),
        listed=bindparam("at"),
        due=bindparam("to_due"),
        notes=bindparam("to_notes"),
        error=None,
    )
)
_PUT_OFF = update(backfills).where(_IS_OPEN).values(due=bindparam("to_due"), error=bindparam("to_error"))
_FINISH = update(backfills).where(_IS_OPEN).values(finished=bindparam("now"))
_CANCEL = update(backfills).where(_IS_OPEN).values(finished=bindparam("now"), cancelled=bindparam("now"))
_ANY_UNDONE = (
    select(backfill_studies.c.study_row)
    .where(text(UNDONE), backfill_studies.c.backfill_row == bindparam("backfill"))
    .limit(1)
)
_NOT_PULLED = (
    update(observations)
    .where(
        observations.c.due.is_not(None),
        observations.c.study_row.in_(
            select(backfill_studies.c.study_row)
            .join(studies, studies.c.id == backfill_studies.c.study_row)
            .where(
                text(UNDONE),
                backfill_studies.c.backfill_row == bindparam("backfill"),
                studies.c.state == "JUDGED",  # one that changed would be PENDING
            )
        ),
    )
    .values(due=None, unsettled_since=None)
)


def add(
    transaction: WriteTransaction, location: int, *, dates: str, again: bool, actor: str, now: datetime
) -> int:
    """Adds a backfill; returns its id.

    Args:
        transaction: Any that writes.
        location: The archive's location's row.
        dates: See `Backfill`; `again` and `actor` likewise.
        again: Likewise.
        actor: Likewise.
        now: The time.
    """
    return transaction.insert_row(
        backfills,
        {
            "location_row": location,
            "dates": dates,
            "again": again,
            "actor": actor,
            "started": now,
            "due": now,
            "notes": "[]",
        },
    )


def find(transaction: ReadTransaction, backfill: int) -> Backfill | None:
    """A backfill by its id."""
    row = transaction.connection.execute(_FIND, {"backfill": backfill}).one_or_none()
    return None if row is None else _backfill(row)


def unfinished(transaction: ReadTransaction) -> list[Backfill]:
    """Those that are not finished, the oldest first."""
    return [_backfill(row) for row in transaction.connection.execute(_UNFINISHED)]


def same(transaction: ReadTransaction, location: Location, *, dates: str, again: bool) -> Backfill | None:
    """The backfill that was asked for in the same words and is not finished; None without one."""
    parameters = {"kind": location.kind, "location_name": location.name, "dates": dates, "again": again}
    row = transaction.connection.execute(_SAME, parameters).first()
    return None if row is None else _backfill(row)


def newest(
    transaction: ReadTransaction,
    *,
    location: Location | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Backfill]:
    """Backfills, the newest first.

    Args:
        transaction: Any.
        location: Only of this archive's location.
        before: Only those with a lower id: what the page before ended with.
        limit: The most of them.
    """
    query = _SELECT.order_by(backfills.c.id.desc()).limit(limit)
    if location is not None:
        query = query.where(locations.c.kind == location.kind, locations.c.name == location.name)
    if before is not None:
        query = query.where(backfills.c.id < before)
    return [_backfill(row) for row in transaction.connection.execute(query)]


def advance(
    transaction: WriteTransaction,
    known: Backfill,
    *,
    position: str,
    notes: Iterable[str],
    due: datetime,
    listed: datetime | None,
) -> bool:
    """Says where listing goes on; False where somebody else listed meanwhile, or it was cancelled.

    Args:
        transaction: Any that writes; the studies are to be taken in in the same one.
        known: As it was before the batch was listed.
        position: Where to go on after it.
        notes: What is to be known of it.
        due: When to go on.
        listed: The time where that was the last batch.
    """
    kept = tuple(dict.fromkeys((*known.notes, *notes)))[:_MOST_NOTES]
    parameters = {
        "backfill": known.id,
        "was": known.position,
        "to": position,
        "at": listed,
        "to_due": due,
        "to_notes": to_json(kept),
    }
    return bool(transaction.connection.execute(_ADVANCE, parameters).rowcount)


def put_off(transaction: WriteTransaction, backfill: int, *, due: datetime, error: str | None = None) -> None:
    """Says when a backfill goes on, and why listing did not where that is so."""
    parameters = {"backfill": backfill, "to_due": due, "to_error": error}
    transaction.connection.execute(_PUT_OFF, parameters)


def finish(transaction: WriteTransaction, backfill: int, *, now: datetime) -> bool:
    """Says that a backfill is finished, where all is listed and done; returns whether that is new."""
    known = find(transaction, backfill)
    if known is None or known.listed is None:
        return False
    if transaction.connection.execute(_ANY_UNDONE, {"backfill": backfill}).first():
        return False
    return bool(transaction.connection.execute(_FINISH, {"backfill": backfill, "now": now}).rowcount)


def cancel(transaction: WriteTransaction, backfill: int, *, now: datetime) -> bool:
    """Ends a backfill: nothing more is listed, and what did not change is not pulled again.

    Returns:
        False where it had ended.
    """
    if not transaction.connection.execute(_CANCEL, {"backfill": backfill, "now": now}).rowcount:
        return False
    transaction.connection.execute(_NOT_PULLED, {"backfill": backfill})
    return True


def _backfill(row: Row[Any]) -> Backfill:
    return Backfill(
        id=row.id,
        location=Location(row.kind, row.name),
        dates=row.dates,
        again=row.again,
        actor=row.actor,
        started=row.started,
        position=row.position,
        due=row.due,
        listed=row.listed,
        finished=row.finished,
        cancelled=row.cancelled,
        notes=tuple(from_json(row.notes, list[str])),
        error=row.error,
    )
