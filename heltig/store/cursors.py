"""How far archives were read, by each strategy, and when that goes on."""

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Row, bindparam, delete, select, update

from heltig.store.locations import ensure
from heltig.store.records import Location
from heltig.store.tables import cursors, locations
from heltig.store.transaction import ReadTransaction, WriteTransaction


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far an archive was read by one strategy.

    Attributes:
        location: The archive's.
        name: The strategy's.
        position: Where to go on; None before the first batch.
        covered: By the archive's clock: all that changed before is written down. None where nobody knows.
        started: When the round began that is under way; None between rounds.
        finished: When the last whole round ended.
        due: When to go on with the round, or to begin the next.
        error: Why it did not go on last time, without patient data; None when it did.
    """

    location: Location
    name: str
    position: str | None = None
    covered: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    due: datetime
    error: str | None = None


_FIELDS: Final = ("position", "covered", "started", "finished", "due", "error")
_SELECT = select(cursors, locations.c.kind, locations.c.name.label("location_name")).join(
    locations, locations.c.id == cursors.c.location_row
)
_FIND = _SELECT.where(
    locations.c.kind == bindparam("kind"),
    locations.c.name == bindparam("location_name"),
    cursors.c.name == bindparam("name"),
)
_EVERY = _SELECT.order_by(locations.c.kind, locations.c.name, cursors.c.name)
_CHANGE = (
    update(cursors)
    .where(cursors.c.location_row == bindparam("row"), cursors.c.name == bindparam("strategy"))
    .values({name: bindparam(f"to_{name}") for name in _FIELDS})
)
_BRING_FORWARD = (
    update(cursors)
    .where(
        cursors.c.location_row == bindparam("row"),
        cursors.c.name == bindparam("strategy"),
        cursors.c.due > bindparam("at"),
    )
    .values(due=bindparam("at"))
)
_REMOVE = delete(cursors).where(
    cursors.c.location_row == bindparam("row"), cursors.c.name == bindparam("strategy")
)


def find(transaction: ReadTransaction, location: Location, name: str) -> Cursor | None:
    """The cursor of a strategy at a location; None while it has never begun."""
    parameters = {"kind": location.kind, "location_name": location.name, "name": name}
    row = transaction.first(_FIND, parameters)
    return None if row is None else _cursor(row)


def every(transaction: ReadTransaction) -> list[Cursor]:
    """All cursors, by location and name."""
    return [_cursor(row) for row in transaction.rows(_EVERY)]


def put(transaction: WriteTransaction, cursor: Cursor) -> None:
    """Writes a cursor down, for the first time or again."""
    row = ensure(transaction, cursor.location)
    values = {f"to_{name}": getattr(cursor, name) for name in _FIELDS}
    changed = transaction.run(_CHANGE, {"row": row, "strategy": cursor.name, **values})
    if not changed:
        values = {name: getattr(cursor, name) for name in _FIELDS}
        transaction.insert_or_ignore(cursors, {"location_row": row, "name": cursor.name, **values})


def bring_forward(transaction: WriteTransaction, location: Location, name: str, *, at: datetime) -> None:
    """Has a strategy go on at a time, unless it is to go on earlier, or was never begun."""
    row = ensure(transaction, location)
    transaction.run(_BRING_FORWARD, {"row": row, "strategy": name, "at": at})


def remove(transaction: WriteTransaction, location: Location, name: str) -> None:
    """Forgets how far a strategy came."""
    row = ensure(transaction, location)
    transaction.run(_REMOVE, {"row": row, "strategy": name})


def _cursor(row: Row[Any]) -> Cursor:
    return Cursor(
        location=Location(row.kind, row.location_name),
        name=row.name,
        position=row.position,
        covered=row.covered,
        started=row.started,
        finished=row.finished,
        due=row.due,
        error=row.error,
    )
