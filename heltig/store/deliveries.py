"""What webhooks are told: each delivery is a job, added in the transaction of what it tells of.

The job is the delivery's whole record, too: when it was tried, what became of it.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import and_, bindparam, delete, func, or_, select, text, update

from heltig.store import jobs as job_rows
from heltig.store import webhooks
from heltig.store.alert_kinds import AlertKind
from heltig.store.jobs import Job, job_of
from heltig.store.tables import jobs
from heltig.store.tables.operations import DELIVERY
from heltig.store.text import to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.store.webhooks import Side, Webhook, WebhookOptions, group_of
from heltig.verdict import Readiness

KIND: Final = "webhook"
"""The kind of job that a delivery is."""

Told: TypeAlias = Literal["verdict", "alert.raised", "alert.ended"]
_New: TypeAlias = tuple[Webhook, Told, int, datetime]
DeliveryState: TypeAlias = Literal["waiting", "sending", "delivered", "dead", "cancelled"]

_STATES: Final[Mapping[str, DeliveryState]] = {
    "queued": "waiting",
    "running": "sending",
    "succeeded": "delivered",
    "failed": "dead",
    "dead": "dead",
    "cancelled": "cancelled",
}


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of such a job.

    Attributes:
        webhook: Its number.
        delivery: Names the delivery, however often it is tried.
        event: What is told.
        about: The sequence of the change, or the number of the alert.
    """

    webhook: int
    delivery: str
    event: Told
    about: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a delivery stands.

    Attributes:
        job: The number of its job.
        delivery: What its receiver knows it by.
        event: What is told.
        about: The sequence of the change, or the number of the alert.
        attempts: How often it was tried.
        status: What the receiver answered in the end, where it took it.
        error: Why it did not take it, last time.
        not_before: It is not tried earlier.
    """

    job: int
    delivery: str
    event: Told
    about: int
    state: DeliveryState
    attempts: int
    status: int | None
    error: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None
    not_before: datetime | None


_OF_WEBHOOK: Final = and_(text(DELIVERY), jobs.c.group == bindparam("group"))
_NEWEST: Final = select(jobs).where(_OF_WEBHOOK).order_by(jobs.c.id.desc()).limit(bindparam("limit"))
_ENDED_BADLY: Final = or_(jobs.c.state == "failed", jobs.c.state == "dead")
_REMOVE: Final = delete(jobs).where(
    text(DELIVERY), jobs.c.group == bindparam("of_group"), jobs.c.state != "running"
)
_GIVE_UP: Final = (
    update(jobs)
    .where(
        text(DELIVERY),
        jobs.c.group == bindparam("of_group"),
        jobs.c.state == "queued",
        jobs.c.created < bindparam("before"),
    )
    .values(state="dead", finished=bindparam("now"), error=func.coalesce(jobs.c.error, bindparam("reason")))
)
_TRY_AGAIN: Final = (
    update(jobs)
    .where(text(DELIVERY), jobs.c.group == bindparam("of_group"), _ENDED_BADLY)
    .values(state="queued", attempts=0, not_before=None, finished=None)
)
_HASTEN: Final = (
    update(jobs)
    .where(
        text(DELIVERY),
        jobs.c.group == bindparam("of_group"),
        jobs.c.state == "queued",
        jobs.c.not_before.is_not(None),
    )
    .values(not_before=None)
)
_DONE: Final = select(jobs.c.id).where(_OF_WEBHOOK, jobs.c.state == "succeeded")
_NTH_DONE: Final = _DONE.order_by(jobs.c.id.desc()).offset(bindparam("kept")).limit(1)
_FORGET: Final = delete(jobs).where(
    text(DELIVERY),
    jobs.c.group == bindparam("of_group"),
    or_(
        and_(jobs.c.state == "succeeded", jobs.c.id <= bindparam("last")),
        and_(or_(jobs.c.state == "cancelled", _ENDED_BADLY), jobs.c.finished < bindparam("before")),
    ),
)


def tell_of_changes(
    transaction: WriteTransaction, changes: Sequence[tuple[dict[str, Any], Readiness | None]]
) -> None:
    """Adds the deliveries of some changes.

    Args:
        transaction: That of the changes.
        changes: Their rows, each with the readiness that stood before.
    """
    added: list[_New] = [
        (webhook, "verdict", row["sequence"], row["at"])
        for webhook in webhooks.hearing(transaction)
        for row, before in changes
        if _wants_change(webhook.options, row, before)
    ]
    _add(transaction, added)


def tell_of_alert(
    transaction: WriteTransaction,
    edge: Literal["alert.raised", "alert.ended"],
    alert: int,
    *,
    kind: AlertKind,
    location: str | None,
    at: datetime,
) -> None:
    """Adds the deliveries of an alert that was raised or ended.

    Args:
        transaction: That of the alert.
        edge: Which of them.
        alert: Its number.
        kind: Its kind.
        location: What it is of, where it is of one.
        at: The time.
    """
    wanted = [
        webhook
        for webhook in webhooks.hearing(transaction)
        if not {"alerts", kind}.isdisjoint(webhook.options.events)
        and (location is None or _is_of(location, webhook.options.locations))
    ]
    _add(transaction, [(webhook, edge, alert, at) for webhook in wanted])


def newest(
    transaction: ReadTransaction,
    webhook: Webhook,
    *,
    state: DeliveryState | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """Deliveries of a webhook, the newest first.

    Args:
        transaction: Any.
        webhook: The webhook.
        state: Only those that stand so.
        before: Only those whose job has a lower number.
        limit: The most.
    """
    query = _NEWEST
    if state is not None:
        query = query.where(jobs.c.state.in_([name for name, shown in _STATES.items() if shown == state]))
    if before is not None:
        query = query.where(jobs.c.id < before)
    rows = transaction.connection.execute(query, {"group": group_of(webhook.id), "limit": limit})
    return [delivery_of(job_of(row)) for row in rows]


def payload_of(job: Job) -> Payload:
    """The arguments of a delivery's job."""
    return msgspec.convert(job.payload, Payload)


def delivery_of(job: Job) -> Delivery:
    """The delivery that a job is."""
    payload = payload_of(job)
    return Delivery(
        job=job.id,
        delivery=payload.delivery,
        event=payload.event,
        about=payload.about,
        state=_STATES[job.state],
        attempts=job.attempts,
        status=(job.result or {}).get("status"),
        error=job.error,
        created=job.created,
        started=job.started,
        finished=job.finished,
        not_before=job.not_before,
    )


def of_webhook(transaction: ReadTransaction, webhook: Webhook, job: int) -> Job | None:
    """A delivery's job, where it is one of a webhook."""
    found = job_rows.find(transaction, job)
    return found if found and found.kind == KIND and found.group == group_of(webhook.id) else None


def try_again(transaction: WriteTransaction, webhook: Webhook) -> int:
    """Queues all dead deliveries of a webhook again; returns how many."""
    transaction.after_commit(lambda: transaction.ring(KIND))
    return transaction.run(_TRY_AGAIN, {"of_group": group_of(webhook.id)})


def hasten(transaction: WriteTransaction, webhook: Webhook) -> None:
    """Has all that waits for a receiver tried now, and not when it was to be tried again."""
    transaction.run(_HASTEN, {"of_group": group_of(webhook.id)})
    transaction.after_commit(lambda: transaction.ring(KIND))


def remove(transaction: WriteTransaction, webhook: Webhook) -> None:
    """Deletes the deliveries of a webhook that is removed; what is being made just now finds it gone."""
    transaction.run(_REMOVE, {"of_group": group_of(webhook.id)})


def give_up(
    transaction: WriteTransaction, webhook: Webhook, *, before: datetime, reason: str, now: datetime
) -> int:
    """Lays the deliveries of a receiver that takes nothing among the dead; returns how many.

    Args:
        transaction: Any that writes.
        webhook: The webhook.
        before: Those that were added earlier.
        reason: Why, for those that were never tried.
        now: The time.
    """
    given = {"of_group": group_of(webhook.id), "before": before, "reason": reason, "now": now}
    return transaction.run(_GIVE_UP, given)


def forget(transaction: WriteTransaction, webhook: Webhook, *, kept: int, before: datetime) -> int:
    """Deletes what nobody asks for any more; returns how many deliveries.

    Args:
        transaction: Any that writes.
        webhook: The webhook.
        kept: So many of those that were delivered stay, the newest.
        before: Dead and cancelled ones that ended earlier go.
    """
    group = group_of(webhook.id)
    last = transaction.scalar(_NTH_DONE, {"group": group, "kept": kept})
    return transaction.run(_FORGET, {"of_group": group, "last": last or 0, "before": before})


def _wants_change(options: WebhookOptions, row: Mapping[str, Any], before: Readiness | None) -> bool:
    after: Side = row["readiness"] if row["state"] == "JUDGED" and row["readiness"] else "NONE"
    return (
        "verdict" in options.events
        and _is_of(row["location"], options.locations)
        and (not options.from_readiness or (before or "NONE") in options.from_readiness)
        and (not options.to_readiness or after in options.to_readiness)
    )


def _is_of(location: str, wanted: Sequence[str]) -> bool:
    return not wanted or location in wanted or location.partition(":")[0] in wanted


def _add(transaction: WriteTransaction, several: Iterable[_New]) -> None:
    rows = [
        {
            "kind": KIND,
            "group": group_of(webhook.id),
            "state": "queued",
            "priority": 0,
            "attempts": 0,
            "payload": to_json(
                Payload(webhook=webhook.id, delivery=secrets.token_hex(16), event=event, about=about)
            ),
            "created": at,
        }
        for webhook, event, about, at in several
    ]
    if rows:
        transaction.insert(jobs, rows)
        transaction.after_commit(lambda: transaction.ring(KIND))
