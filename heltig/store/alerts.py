"""Alerts: what those who run the service have to know, raised once and ended once.

An alert is known by its kind and subject; there is at most one of both that stands. What comes and goes
within minutes is one alert: it ends only after it was clear for a while.
"""

from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import Row, and_, bindparam, delete, func, select, text, update

from heltig.store import deliveries
from heltig.store.alert_kinds import AlertKind
from heltig.store.tables import alerts
from heltig.store.tables.telling import STANDING
from heltig.store.text import TEXT_LENGTH, storable
from heltig.store.transaction import ReadTransaction, WriteTransaction

CLEAR: Final = timedelta(minutes=5)
"""An alert ends when what it tells of was not so for so long."""

SEEN: Final = timedelta(minutes=10)
"""How often it is written down that an alert still holds."""

FORSAKEN: Final = timedelta(hours=1)
"""An alert that nobody has seen for so long ends: whoever looked after it is gone."""

AlertState: TypeAlias = Literal["standing", "ended"]


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is so now.

    Attributes:
        kind: What kind of thing.
        subject: Of what: an archive, a host's folder, a group of jobs.
        location: The location that it is of, where it is of one.
        detail: In a sentence, without patient data. Where it begins with a number, whoever is told of the
            alert is told again when that has grown.
        is_slight: It keeps an alert that stands, and raises none.
    """

    kind: AlertKind
    subject: str
    detail: str
    location: str | None = None
    is_slight: bool = False


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a process saw.

    Attributes:
        conditions: What is so now.
        kinds: The kinds that were looked for.
        of_others: Alerts that only others can see: left as they stand, unless nobody has seen them for long.
    """

    conditions: tuple[Condition, ...]
    kinds: frozenset[AlertKind]
    of_others: frozenset[tuple[AlertKind, str]] = frozenset()


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert.

    Attributes:
        id: Its number.
        seen: When it was last found to be so, within `SEEN`.
        clear_since: Since when it is not so, unless it ended.
    """

    id: int
    kind: AlertKind
    subject: str
    location: str | None
    detail: str
    raised: datetime
    seen: datetime
    clear_since: datetime | None
    ended: datetime | None


_STANDING: Final = select(alerts).where(text(STANDING)).order_by(alerts.c.id)
_BY_ID: Final = select(alerts).where(alerts.c.id == bindparam("id"))
_IS_STANDING: Final = and_(alerts.c.id == bindparam("of"), alerts.c.ended.is_(None))
_NOTE: Final = (
    update(alerts)
    .where(_IS_STANDING)
    .values(
        seen=bindparam("to_seen"), clear_since=bindparam("to_clear_since", type_=alerts.c.clear_since.type)
    )
)
_GROW: Final = (
    update(alerts)
    .where(_IS_STANDING, alerts.c.detail == bindparam("was"))
    .values(detail=bindparam("to_detail"))
)
_END: Final = update(alerts).where(_IS_STANDING).values(ended=bindparam("now"))
_COUNTS: Final = (
    select(alerts.c.kind, func.count().label("number")).where(text(STANDING)).group_by(alerts.c.kind)
)
_FORGET: Final = delete(alerts).where(alerts.c.ended < bindparam("before"))


def standing(transaction: ReadTransaction) -> list[Alert]:
    """Those that stand, the oldest first."""
    return [_alert(row) for row in transaction.rows(_STANDING)]


def newest(
    transaction: ReadTransaction,
    *,
    state: AlertState | None,
    before: int | None = None,
    limit: int = 100,
) -> list[Alert]:
    """Alerts, the newest first.

    Args:
        transaction: Any.
        state: Only those that stand, or have ended.
        before: Only those with a lower number.
        limit: The most.
    """
    query = select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    if state == "standing":
        query = query.where(text(STANDING))
    elif state == "ended":
        query = query.where(alerts.c.ended.is_not(None))
    if before is not None:
        query = query.where(alerts.c.id < before)
    return [_alert(row) for row in transaction.connection.execute(query)]


def find(transaction: ReadTransaction, id: int) -> Alert | None:
    """An alert by its number."""
    row = transaction.first(_BY_ID, {"id": id})
    return None if row is None else _alert(row)


def counts(transaction: ReadTransaction) -> dict[AlertKind, int]:
    """How many stand, by kind."""
    return {row.kind: row.number for row in transaction.rows(_COUNTS)}


def is_settled(transaction: ReadTransaction, look: Look, *, now: datetime) -> bool:
    """Whether `settle` would have nothing to write: it is most often so."""
    plan = _plan(standing(transaction), look, now)
    return not (plan.new or plan.still or plan.cleared or plan.over)


def settle(transaction: WriteTransaction, look: Look, *, now: datetime) -> tuple[list[Alert], list[Alert]]:
    """Raises and ends alerts, so that those stand that are to.

    Whoever is to be told of them is, by jobs that are committed with them. Any number of processes may do
    this at the same time: each alert is raised by one of them, and ended by one.

    Args:
        transaction: Any that writes.
        look: What is so now.
        now: The time.

    Returns:
        The alerts that were raised, or are told again, and those that ended.
    """
    plan = _plan(standing(transaction), look, now)
    for alert in plan.still:
        _note(transaction, alert, seen=now, clear_since=None)
    for alert in plan.cleared:
        _note(transaction, alert, seen=alert.seen, clear_since=now)
    raised = [alert for one in plan.new for alert in _raised(transaction, one, now)]
    raised += [grown for alert, detail in plan.grown for grown in _grown(transaction, alert, detail, now)]
    return raised, [ended for alert in plan.over for ended in _ended(transaction, alert, now)]


def forget(transaction: WriteTransaction, *, before: datetime) -> int:
    """Deletes alerts that ended earlier; returns how many."""
    return transaction.run(_FORGET, {"before": before})


class _Plan(msgspec.Struct):
    """What is to become of alerts: raised, still so, more than it was, not so any more, over."""

    new: list[Condition] = []
    still: list[Alert] = []
    grown: list[tuple[Alert, str]] = []
    cleared: list[Alert] = []
    over: list[Alert] = []


def _plan(known: list[Alert], look: Look, now: datetime) -> _Plan:
    found = {(one.kind, one.subject[:TEXT_LENGTH]): one for one in look.conditions}
    keys = {(alert.kind, alert.subject) for alert in known}
    plan = _Plan(new=[one for key, one in found.items() if key not in keys and not one.is_slight])
    for alert in known:
        key = (alert.kind, alert.subject)
        if key in found:
            if alert.clear_since or now - alert.seen >= SEEN:
                plan.still.append(alert)
                if _number(found[key].detail) > _number(alert.detail):
                    plan.grown.append((alert, found[key].detail))
        elif alert.kind not in look.kinds or (key in look.of_others and now - alert.seen < FORSAKEN):
            continue
        elif alert.clear_since is None:
            plan.cleared.append(alert)
        elif now - alert.clear_since >= CLEAR:
            plan.over.append(alert)
    return plan


def _raised(transaction: WriteTransaction, condition: Condition, now: datetime) -> list[Alert]:
    """The alert, unless another process is quicker."""
    row = {
        "kind": condition.kind,
        "subject": storable(condition.subject, TEXT_LENGTH),
        "location": condition.location,
        "detail": storable(condition.detail),
        "raised": now,
        "seen": now,
    }
    if not transaction.insert_or_ignore(alerts, row):
        return []
    key = (row["kind"], row["subject"])
    alert = next(one for one in standing(transaction) if (one.kind, one.subject) == key)
    _tell(transaction, "alert.raised", alert, now)
    return [alert]


def _number(detail: str) -> int:
    """What a detail begins with; 0 where that is no number."""
    first = detail.partition(" ")[0].replace(",", "")
    return int(first) if first.isascii() and first.isdecimal() else 0


def _grown(transaction: WriteTransaction, alert: Alert, detail: str, now: datetime) -> list[Alert]:
    """The alert as it is now, unless another process was quicker to tell."""
    if not transaction.run(_GROW, {"of": alert.id, "was": alert.detail, "to_detail": storable(detail)}):
        return []
    _tell(transaction, "alert.raised", alert, now)
    return [msgspec.structs.replace(alert, detail=storable(detail))]


def _ended(transaction: WriteTransaction, alert: Alert, now: datetime) -> list[Alert]:
    if not transaction.run(_END, {"of": alert.id, "now": now}):
        return []
    _tell(transaction, "alert.ended", alert, now)
    return [msgspec.structs.replace(alert, ended=now)]


def _tell(
    transaction: WriteTransaction, edge: Literal["alert.raised", "alert.ended"], alert: Alert, now: datetime
) -> None:
    deliveries.tell_of_alert(transaction, edge, alert.id, kind=alert.kind, location=alert.location, at=now)


def _note(
    transaction: WriteTransaction, alert: Alert, *, seen: datetime, clear_since: datetime | None
) -> None:
    transaction.run(_NOTE, {"of": alert.id, "to_seen": seen, "to_clear_since": clear_since})


def _alert(row: Row[Any]) -> Alert:
    return Alert(**{name: getattr(row, name) for name in Alert.__struct_fields__})
