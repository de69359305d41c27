"""Webhooks: receivers that an administrator has told of changes and alerts, and how they take it."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta
from sqlalchemy import Row, bindparam, delete, select, update

from heltig.credentials import SecretReference
from heltig.errors import ConflictError, NotFoundError
from heltig.store import claims
from heltig.store.alert_kinds import AlertKind
from heltig.store.tables import webhooks
from heltig.store.text import from_json, storable, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Readiness

Event: TypeAlias = Literal["verdict", "alerts"] | AlertKind
"""What a webhook is told of: changes of verdicts, alerts of every kind, or of one."""

Side: TypeAlias = Readiness | Literal["NONE"]
"""A readiness before or after a change; `NONE` where no verdict stands."""

FAILURES: Final = 5
"""Failures one after the other with which a receiver is left alone for a while."""

FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=15)
"""How long; twice as long each time, until it takes something."""

LONGEST_ASKED: Final = timedelta(hours=6)
"""The most that a receiver may have us wait (Retry-After)."""


class WebhookOptions(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """What can be set for a webhook beside its address. Each field's Meta is its documentation."""

    secrets: Annotated[
        tuple[SecretReference, ...],
        Meta(
            min_length=1,
            max_length=2,
            description="Where the secrets lie that sign what is sent: `env:NAME` or `file:PATH`. Two at "
            "once while one replaces the other: both sign.",
        ),
    ]
    events: Annotated[
        tuple[Event, ...],
        Meta(min_length=1, description="What it is told of: `verdict`, `alerts`, or single kinds of alerts."),
    ] = ("verdict",)
    locations: Annotated[
        tuple[Annotated[str, Meta(pattern="^(archive|gate|upload)(:.+)?$", max_length=160)], ...],
        Meta(
            description="Only what is of these: `archive:NAME`, `gate:NAME`, `upload`; all where there is "
            "nothing. Alerts that are of no location are told in any case."
        ),
    ] = ()
    from_readiness: Annotated[
        tuple[Side, ...],
        Meta(description="Only changes from these last verdicts; `NONE` is a study that had none."),
    ] = ()
    to_readiness: Annotated[
        tuple[Side, ...],
        Meta(description="Only changes to these; `NONE` is a verdict that ended, or a study that went."),
    ] = ()
    concurrency: Annotated[
        int, Meta(ge=1, le=8, description="Deliveries at a time, of all workers together.")
    ] = 1
    ca_bundle: Annotated[str | None, Meta(description="PEM file of the only authorities to trust.")] = None


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver.

    Attributes:
        id: Its number; 0 before it is added.
        paused: Nothing new is queued for it, and nothing sent.
        reason: Why it is paused; empty where a person did it, or it is not.
        failures: One after the other.
        openings: How often it was left alone for a while, without taking something in between.
        closed_until: Until when it is.
        failing_since: Since when it took nothing.
        error: Why, last time.
    """

    id: int = 0
    name: str
    url: str
    options: WebhookOptions
    paused: bool = False
    reason: str = ""
    failures: int = 0
    openings: int = 0
    closed_until: datetime | None = None
    failing_since: datetime | None = None
    error: str | None = None


_EVERY: Final = select(webhooks).order_by(webhooks.c.name)
_HEARING: Final = select(webhooks).where(webhooks.c.paused.is_(False)).order_by(webhooks.c.id)
_FIND: Final = select(webhooks).where(webhooks.c.name == bindparam("named"))
_BY_ID: Final = select(webhooks).where(webhooks.c.id == bindparam("id"))
_STANDING: Final = ("paused", "reason", "failures", "openings", "closed_until", "failing_since", "error")
_STAND: Final = (
    update(webhooks)
    .where(webhooks.c.id == bindparam("of"))
    .values({name: bindparam(f"to_{name}", type_=webhooks.c[name].type) for name in _STANDING})
)


def group_of(id: int) -> str:
    """The group of a webhook's jobs."""
    return f"webhook:{id}"


def every(transaction: ReadTransaction) -> list[Webhook]:
    """All of them, by name."""
    return [_webhook(row) for row in transaction.rows(_EVERY)]


def hearing(transaction: ReadTransaction) -> list[Webhook]:
    """Those that are not paused."""
    return [_webhook(row) for row in transaction.rows(_HEARING)]


def find(transaction: ReadTransaction, name: str) -> Webhook:
    """A webhook by its name.

    Raises:
        NotFoundError: There is none.
    """
    row = transaction.first(_FIND, {"named": storable(name)})
    if row is None:
        raise NotFoundError(f"There is no webhook {name}. `heltig webhooks list` names them.")
    return _webhook(row)


def by_id(transaction: ReadTransaction, id: int) -> Webhook | None:
    """A webhook by its number."""
    row = transaction.first(_BY_ID, {"id": id})
    return None if row is None else _webhook(row)


def add(transaction: WriteTransaction, webhook: Webhook) -> int:
    """Adds a webhook, and returns its number.

    Raises:
        ConflictError: There is one of that name.
    """
    values = {
        "name": webhook.name,
        "url": webhook.url,
        "options": to_json(webhook.options),
        "paused": webhook.paused,
        "reason": webhook.reason,
        "failures": 0,
        "openings": 0,
    }
    if not transaction.insert_or_ignore(webhooks, values):
        raise ConflictError(f"There is a webhook {webhook.name} already.")
    id = find(transaction, webhook.name).id
    claims.set_group(transaction, group_of(id), most=_most(webhook))
    return id


def change(transaction: WriteTransaction, webhook: Webhook) -> None:
    """Makes a webhook what it is to be from now on; it is tried anew, whatever failed before."""
    values = {"url": webhook.url, "options": to_json(webhook.options)}
    transaction.connection.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(values))
    stand(transaction, webhook)


def stand(transaction: WriteTransaction, webhook: Webhook, *, paused: bool | None = None) -> None:
    """Forgets what failed; pauses it, or has it go on."""
    is_paused = webhook.paused if paused is None else paused
    reason = webhook.reason if paused is None else ""
    _put(transaction, webhook.id, paused=is_paused, reason=reason)
    most = 0 if is_paused else webhook.options.concurrency
    claims.set_group(transaction, group_of(webhook.id), most=most, not_before=None)


def remove(transaction: WriteTransaction, webhook: Webhook) -> None:
    """Removes a webhook. Its deliveries are the caller's."""
    transaction.connection.execute(delete(webhooks).where(webhooks.c.id == webhook.id))
    claims.set_group(transaction, group_of(webhook.id), most=None, not_before=None)


def is_gone(transaction: WriteTransaction, webhook: Webhook, *, error: str, now: datetime) -> None:
    """Pauses a webhook whose receiver says that it is gone for good."""
    since = webhook.failing_since or now
    _put(transaction, webhook.id, paused=True, reason=error, error=error, failing_since=since)
    claims.set_group(transaction, group_of(webhook.id), most=0)


def failed(
    transaction: WriteTransaction, id: int, *, error: str, retry_after: float | None, now: datetime
) -> None:
    """Takes note of a failure; a receiver that fails time and again, or asks for it, is left alone.

    Args:
        transaction: Any that writes.
        id: The webhook.
        error: Why.
        retry_after: For how many seconds the receiver asks to be left alone.
        now: The time.
    """
    known = by_id(transaction, id)
    if known is None or known.paused:
        return
    failures, openings, until = known.failures + 1, known.openings, None
    if failures >= FAILURES:
        until = now + min(FIRST_WAIT * 2 ** min(openings, 10), LONGEST_WAIT)
        openings += 1
    if retry_after:
        asked = now + min(timedelta(seconds=retry_after), LONGEST_ASKED)
        until = max(until or asked, asked)
    _put(
        transaction,
        id,
        failures=failures,
        openings=openings,
        closed_until=until,
        failing_since=known.failing_since or now,
        error=error,
    )
    if until is not None:
        opens = min(until, now + claims.LONGEST_CLOSED)
        claims.set_group(transaction, group_of(id), not_before=opens)


def took(transaction: WriteTransaction, id: int) -> None:
    """Takes note that a receiver took something, after it had failed."""
    _put(transaction, id)
    claims.set_group(transaction, group_of(id), not_before=None)


def _put(transaction: WriteTransaction, id: int, **standing: Any) -> None:
    values: dict[str, Any] = {"paused": False, "reason": "", "failures": 0, "openings": 0, **standing}
    values["reason"] = storable(values["reason"])
    transaction.run(_STAND, {"of": id, **{f"to_{name}": values.get(name) for name in _STANDING}})


def _most(webhook: Webhook) -> int:
    return 0 if webhook.paused else webhook.options.concurrency


def _webhook(row: Row[Any]) -> Webhook:
    """One whose entry cannot be read is told nothing: no verdict may fail for it."""
    error = row.error
    try:
        options = from_json(row.options, WebhookOptions)
    except ValueError:
        options = WebhookOptions(secrets=(), events=())
        error = "Its entry cannot be read. Remove it, and add it again."
    return Webhook(
        id=row.id,
        name=row.name,
        url=row.url,
        options=options,
        paused=row.paused,
        reason=row.reason,
        failures=row.failures,
        openings=row.openings,
        closed_until=row.closed_until,
        failing_since=row.failing_since,
        error=error,
    )
