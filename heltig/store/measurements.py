"""How archives answered: counts of answers by minute, operation, outcome and how long they took.

Each answer is counted twice: in its minute, for what is asked of the last hours, and in a row of the archive
that has no minute (`EVER`) and is never taken away, for counters that may only grow. Minutes become hours
after a while, and hours go after a week.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import Executable, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from heltig.store.locations import ensure
from heltig.store.records import Location
from heltig.store.tables import locations, measurements
from heltig.store.transaction import ReadTransaction, WriteTransaction

Outcome: TypeAlias = Literal["ok", "not-found", "refused", "failed", "broken-off"]

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The minute of what was counted since the first day."""

MINUTES_KEPT: Final = timedelta(hours=2)
"""How long answers are counted by the minute; then by the hour."""

KEPT: Final = timedelta(days=7)
"""How long hours are kept."""

_HOUR: Final = timedelta(hours=1)


class Answers(msgspec.Struct, frozen=True, order=True):
    """What answers have in common that are counted together.

    Attributes:
        archive: The archive that gave them.
        operation: What it was asked for: `search`, `metadata`, `retrieve`, `store` or `changes`.
        outcome: What became of it.
        bucket: How long it took, see `heltig.pipeline.archives.measuring.EDGES`.
    """

    archive: str
    operation: str
    outcome: Outcome
    bucket: int


class Count(msgspec.Struct):
    """How many answers, and what they sum up to.

    Attributes:
        count: Answers.
        seconds: From the request to the last byte, all together.
        received: Bytes of their bodies, all together.
    """

    count: int = 0
    seconds: float = 0.0
    received: int = 0


_KEY: Final = ("location_row", "minute", "operation", "outcome", "bucket")
_SUMS: Final = tuple(
    func.sum(measurements.c[column]).label(name)
    for column, name in (("count", "answers"), ("seconds", "seconds"), ("received", "received"))
)
_GROUPS: Final = (
    locations.c.name,
    measurements.c.operation,
    measurements.c.outcome,
    measurements.c.bucket,
)
_BETWEEN = (
    select(*_GROUPS, *_SUMS)
    .join(locations, locations.c.id == measurements.c.location_row)
    .where(
        measurements.c.location_row.in_(bindparam("rows", expanding=True)),
        measurements.c.minute >= bindparam("since"),
        measurements.c.minute <= bindparam("until"),
    )
    .group_by(*_GROUPS)
)
_ROWS = select(locations.c.id).where(
    locations.c.kind == "archive", locations.c.name.in_(bindparam("names", expanding=True))
)
_MINUTES = (
    select(measurements.c.location_row, measurements.c.minute)
    .where(measurements.c.minute > EVER, measurements.c.minute < bindparam("before"))
    .distinct()
)
_TAKE = (
    delete(measurements)
    .where(
        measurements.c.location_row == bindparam("in_row"), measurements.c.minute == bindparam("in_minute")
    )
    .returning(measurements)
)


def add(transaction: WriteTransaction, counted: Mapping[Answers, Count], *, at: datetime) -> None:
    """Adds answers to those of their minute and to those since ever.

    Args:
        transaction: Any that writes.
        counted: The answers.
        at: When they came.
    """
    known = {name: ensure(transaction, Location("archive", name)) for name in {a.archive for a in counted}}
    minute = at.replace(second=0, microsecond=0)
    _add_rows(
        transaction,
        (
            {
                "location_row": known[answers.archive],
                "minute": when,
                "operation": answers.operation,
                "outcome": answers.outcome,
                "bucket": answers.bucket,
                "count": count.count,
                "seconds": count.seconds,
                "received": count.received,
            }
            for answers, count in counted.items()
            for when in (EVER, minute)
        ),
    )


def between(
    transaction: ReadTransaction, archives: Iterable[str], *, since: datetime, until: datetime
) -> dict[Answers, Count]:
    """The answers of some archives in some minutes, both included.

    Args:
        transaction: Any.
        archives: Their names; those that never answered are left out.
        since: The first minute; a full hour where it is more than `MINUTES_KEPT` ago.
        until: The last minute.
    """
    rows = transaction.connection.execute(_ROWS, {"names": list(archives)}).scalars().all()
    found = transaction.connection.execute(_BETWEEN, {"rows": rows, "since": since, "until": until})
    return {
        Answers(row.name, row.operation, row.outcome, row.bucket): Count(
            int(row.answers), float(row.seconds), int(row.received)
        )
        for row in found
    }


def ever(transaction: ReadTransaction, archives: Iterable[str]) -> dict[Answers, Count]:
    """The answers of some archives since the first day."""
    return between(transaction, archives, since=EVER, until=EVER)


def sweep(transaction: WriteTransaction, *, now: datetime) -> None:
    """Makes hours of minutes that nobody asks for any more, and forgets old hours.

    Two processes may do so at once: each makes hours of what it took away itself.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    hours: dict[tuple[Any, ...], Count] = defaultdict(Count)
    for row, minute in transaction.connection.execute(
        _MINUTES, {"before": hour - MINUTES_KEPT + _HOUR}
    ).all():
        is_old = minute < hour - KEPT
        if minute.minute == 0 and not is_old:
            continue
        taken = transaction.connection.execute(_TAKE, {"in_row": row, "in_minute": minute}).mappings()
        for counted in taken if not is_old else ():
            key = (row, minute.replace(minute=0), counted["operation"], counted["outcome"], counted["bucket"])
            _sum_up(hours[key], counted["count"], counted["seconds"], counted["received"])
    _add_rows(
        transaction,
        (
            {**dict(zip(_KEY, key, strict=True)), **msgspec.structs.asdict(count)}
            for key, count in hours.items()
        ),
    )


def _sum_up(into: Count, count: int, seconds: float, received: int) -> None:
    into.count += count
    into.seconds += seconds
    into.received += received


def _add_rows(transaction: WriteTransaction, rows: Iterable[dict[str, Any]]) -> None:
    """Adds to rows, which are made where they are missing.

    All processes do so in the same order, so that two of them never wait for one another's rows.
    """
    ordered = sorted(rows, key=lambda row: tuple(row[column] for column in _KEY))
    if ordered:
        transaction.connection.execute(_adding(transaction.connection.dialect.name), ordered)


@cache
def _adding(dialect: str) -> Executable:
    inserted: Any = (sqlite if dialect == "sqlite" else postgresql).insert(measurements)
    adding: Executable = inserted.on_conflict_do_update(
        index_elements=list(_KEY),
        set_={
            column: measurements.c[column] + inserted.excluded[column]
            for column in ("count", "seconds", "received")
        },
    )
    return adding
