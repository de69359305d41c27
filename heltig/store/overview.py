"""What the overview counts: verdicts a day, what was judged by from when on, what arrived where."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any, Final

import msgspec
from sqlalchemy import Executable, bindparam, func, literal, select, text, union_all

from heltig.store.records import Location
from heltig.store.tables import audit, gate_studies, locations, studies, verdicts
from heltig.store.tables.custody import QUARANTINED
from heltig.store.tables.judged import NEW_MEASURE
from heltig.store.tables.seen import PENDING, WITHOUT_VERDICT
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Readiness

_MEASURES: Final = (
    select(audit.c.at, audit.c.action, audit.c.subject)
    .where(text(NEW_MEASURE), audit.c.at >= bindparam("since"))
    .order_by(audit.c.at)
)
_PENDING: Final = select(func.count(), func.min(studies.c.changed)).where(text(PENDING))
_QUARANTINED: Final = select(func.count(), func.min(gate_studies.c.quarantined)).where(text(QUARANTINED))
_EVERYWHERE: Final = select(locations.c.id, locations.c.kind, locations.c.name)
_KNOWN: Final = select(studies.c.location_row, func.count().label("number")).group_by(studies.c.location_row)
_WITHOUT_VERDICT: Final = _KNOWN.where(text(WITHOUT_VERDICT))


class Measure(msgspec.Struct, frozen=True):
    """Something that studies are judged by from a time on.

    Attributes:
        kind: `ruleset` or `profile`.
        name: Its version or name.
    """

    at: datetime
    kind: str
    name: str


class Waiting(msgspec.Struct, frozen=True):
    """How many wait, and since when the first of them does."""

    number: int
    since: datetime | None


@cache
def _verdicts_between(spans: int) -> Executable:
    return union_all(
        *(
            select(literal(span).label("span"), verdicts.c.readiness, func.count().label("number"))
            .where(verdicts.c.judged >= bindparam(f"t{span}"), verdicts.c.judged < bindparam(f"t{span + 1}"))
            .group_by(verdicts.c.readiness)
            for span in range(spans)
        )
    )


@cache
def _seen_between(spans: int) -> Executable:
    return union_all(
        *(
            select(
                literal(span).label("span"), locations.c.kind, locations.c.name, func.count().label("number")
            )
            .join(studies, studies.c.location_row == locations.c.id)
            .where(
                locations.c.kind != "upload",
                studies.c.first_seen >= bindparam(f"t{span}"),
                studies.c.first_seen < bindparam(f"t{span + 1}"),
            )
            .group_by(locations.c.kind, locations.c.name)
            for span in range(spans)
        )
    )


def verdicts_between(transaction: ReadTransaction, times: Sequence[datetime]) -> list[dict[Readiness, int]]:
    """How many verdicts were given between each of some times and the next."""
    found: list[dict[Readiness, int]] = [{} for _ in pairwise(times)]
    for row in transaction.connection.execute(_verdicts_between(len(found)), _named(times)):
        found[row.span][row.readiness] = row.number
    return found


def seen_between(transaction: ReadTransaction, times: Sequence[datetime]) -> dict[Location, list[int]]:
    """How many studies each archive and gate showed for the first time between each time and the next."""
    spans = len(times) - 1
    found: dict[Location, list[int]] = {}
    for row in transaction.connection.execute(_seen_between(spans), _named(times)):
        found.setdefault(Location(row.kind, row.name), [0] * spans)[row.span] = row.number
    return found


def measures_since(transaction: ReadTransaction, since: datetime) -> list[Measure]:
    """The rulesets and profiles that came into force since then, the oldest first."""
    return [
        Measure(row.at, row.action.partition(".")[0], row.subject.partition(":")[2])
        for row in transaction.rows(_MEASURES, {"since": since})
    ]


def judged_at(transaction: ReadTransaction) -> dict[Location, int]:
    """How many studies with a verdict each location has; both counts read an index alone."""
    without = {row.location_row: row.number for row in transaction.rows(_WITHOUT_VERDICT)}
    known = {row.location_row: row.number for row in transaction.rows(_KNOWN)}
    found = {
        Location(row.kind, row.name): known.get(row.id, 0) - without.get(row.id, 0)
        for row in transaction.rows(_EVERYWHERE)
    }
    return {location: number for location, number in found.items() if number}


def pending(transaction: ReadTransaction) -> Waiting:
    """Studies that wait to be judged."""
    return Waiting(*transaction.connection.execute(_PENDING).one())


def quarantined(transaction: ReadTransaction) -> Waiting:
    """Studies that gates keep back."""
    return Waiting(*transaction.connection.execute(_QUARANTINED).one())


def _named(times: Sequence[datetime]) -> dict[str, Any]:
    return {f"t{place}": time for place, time in enumerate(times)}
