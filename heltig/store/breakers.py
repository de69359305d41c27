"""Which archives are not to be asked now, for which class of operations, since they failed too often.

No row is a closed breaker that never opened. All processes share these rows: where one finds an archive out
of order, the others need not.
"""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import Row, and_, bindparam, delete, or_, select, update

from heltig.store.locations import ensure, row_of
from heltig.store.records import Location
from heltig.store.tables import breakers
from heltig.store.transaction import ReadTransaction, WriteTransaction

State: TypeAlias = Literal["closed", "open", "half-open"]

_OPENED = breakers.c.openings > 0
"""Other rows only say that somebody tries (`begin`)."""
_OF = (
    select(breakers)
    .where(breakers.c.location_row == bindparam("location"), _OPENED)
    .order_by(breakers.c.operation)
)
_ONE: Final = and_(
    breakers.c.location_row == bindparam("of_location"), breakers.c.operation == bindparam("of_operation")
)
_CHANGE = (
    update(breakers)
    .where(_ONE)
    .values(
        state=bindparam("state"),
        failures=bindparam("failures"),
        openings=bindparam("openings"),
        until=bindparam("until"),
        error=bindparam("error"),
        changed=bindparam("changed"),
    )
)
_BEGIN_TRIAL = (
    update(breakers)
    .where(_ONE, or_(breakers.c.state == "open", breakers.c.state == "half-open"))
    .where(or_(breakers.c.until <= bindparam("now"), breakers.c.until > bindparam("latest")))
    .values(state="half-open", until=bindparam("ends"), changed=bindparam("now"))
)
_THIS_TRIAL: Final = and_(_ONE, breakers.c.state == "half-open", breakers.c.changed == bindparam("begun"))
_FORGET_TRIAL = delete(breakers).where(_THIS_TRIAL, ~_OPENED)
_END_TRIAL = update(breakers).where(_THIS_TRIAL).values(state="open", until=bindparam("now"))
_FORGET = delete(breakers).where(_ONE)
_FORGET_ALL = delete(breakers).where(breakers.c.location_row == bindparam("location"))


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an archive is asked for one class of operations.

    Attributes:
        operation: The class, or `auth`, which is all of them.
        state: `closed` it is asked, `open` it is not, `half-open` somebody tries now whether it can be.
        failures: One after the other, when it last opened.
        openings: One after the other, without an answer in between; each doubles the wait.
        until: When it is tried again, or when the trial is over that is under way.
        error: What it opened for, without patient data.
        changed: When it last changed.
    """

    operation: str
    state: State
    failures: int
    openings: int
    until: datetime | None
    error: str | None
    changed: datetime


def of(transaction: ReadTransaction, location: Location) -> dict[str, Breaker]:
    """The breakers of an archive that ever opened and were not forgotten since, by operation."""
    row = row_of(transaction, location)
    found = transaction.connection.execute(_OF, {"location": row})
    return {one.operation: _breaker(one) for one in found}


def put(transaction: WriteTransaction, location: Location, breaker: Breaker) -> None:
    """Makes a breaker what it is from now on."""
    row = ensure(transaction, location)
    values = msgspec.structs.asdict(breaker)
    if not transaction.insert_or_ignore(breakers, {"location_row": row, **values}):
        key = {"of_location": row, "of_operation": values.pop("operation")}
        transaction.connection.execute(_CHANGE, {**key, **values})


def begin_trial(
    transaction: WriteTransaction,
    location: Location,
    operation: str,
    *,
    now: datetime,
    ends: datetime,
    latest: datetime,
) -> bool:
    """Takes it on to try whether an archive answers again.

    Args:
        transaction: Any that writes.
        location: The archive.
        operation: The class of operations.
        now: The time.
        ends: When somebody else may try, should nothing be heard of this trial.
        latest: No wait ends later: one that seems to was written by a clock that was ahead, and is over.

    Returns:
        False where it is not yet time, or somebody else was quicker.
    """
    key = {"of_location": row_of(transaction, location), "of_operation": operation}
    return bool(
        transaction.connection.execute(
            _BEGIN_TRIAL, {**key, "now": now, "ends": ends, "latest": latest}
        ).rowcount
    )


def begin(
    transaction: WriteTransaction,
    location: Location,
    operation: str,
    *,
    now: datetime,
    ends: datetime,
    latest: datetime,
) -> bool:
    """Takes it on to try an archive, though its breaker may never have opened; see `begin_trial`."""
    new = Breaker(
        operation=operation, state="half-open", failures=0, openings=0, until=ends, error=None, changed=now
    )
    row = ensure(transaction, location)
    return transaction.insert_or_ignore(
        breakers, {"location_row": row, **msgspec.structs.asdict(new)}
    ) or begin_trial(transaction, location, operation, now=now, ends=ends, latest=latest)


def end(
    transaction: WriteTransaction, location: Location, operation: str, *, begun: datetime, now: datetime
) -> None:
    """Ends a trial that says nothing of the archive; one of which something was written down has ended.

    Args:
        transaction: Any that writes.
        location: The archive.
        operation: The class of operations.
        begun: The time that `begin` was given.
        now: The time: anybody may try from now on.
    """
    key = {"of_location": row_of(transaction, location), "of_operation": operation, "begun": begun}
    transaction.connection.execute(_FORGET_TRIAL, key)
    transaction.connection.execute(_END_TRIAL, {**key, "now": now})


def forget(transaction: WriteTransaction, location: Location, operation: str | None = None) -> None:
    """Closes a breaker, or all of an archive, as if it had never opened."""
    row = row_of(transaction, location)
    if operation is None:
        transaction.connection.execute(_FORGET_ALL, {"location": row})
    else:
        transaction.connection.execute(_FORGET, {"of_location": row, "of_operation": operation})


def _breaker(row: Row[Any]) -> Breaker:
    return Breaker(
        operation=row.operation,
        state=row.state,
        failures=row.failures,
        openings=row.openings,
        until=row.until,
        error=row.error,
        changed=row.changed,
    )
