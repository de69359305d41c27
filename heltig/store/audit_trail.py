"""The audit trail's rows. `heltig.audit` is what others use."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec
from sqlalchemy import ColumnElement, select, text

from heltig.store.audit_actions import Action
from heltig.store.audit_legible import Legible, legible
from heltig.store.tables import audit, sequences
from heltig.store.text import TEXT_LENGTH, storable, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction

Outcome: TypeAlias = Literal["success", "refused", "failure"]

_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit trail. `sequence` is commit order, without gaps, from 1.

    Attributes:
        at: When it happened; 1970 where what stands there is no time.
        detail: Empty where it is damaged.
        damaged: What is wrong with the row, where something is.
    """

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    outcome: Outcome
    origin: str
    detail: dict[str, Any]
    key_id: str | None = None
    tag: str | None = None
    damaged: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of the trail: those that match everything that is given.

    Attributes:
        actor: Exactly.
        action: Exactly.
        subject: Exactly.
        since: From then on.
        until: Before then.
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An entry as others get it: its detail is the very text that its tag covers.

    Attributes:
        at: When it happened; null where the row is damaged.
        detail: A string where the row is damaged.
        damaged: What is wrong with the row, where something is.
        key_id: The key that sealed it; None where it is older than the chain.
        tag: Its tag in hex digits.
    """

    sequence: int
    at: datetime | None
    actor: str
    action: str
    subject: str
    outcome: str
    origin: str
    detail: msgspec.Raw
    key_id: str | None
    tag: str | None
    damaged: str = ""


def append(
    transaction: WriteTransaction,
    *,
    at: datetime,
    actor: str,
    action: Action,
    subject: str,
    outcome: Outcome,
    origin: str,
    detail: Mapping[str, Any],
) -> None:
    """Adds an entry, numbered when the transaction commits.

    Args:
        transaction: Of `Store.write_durably`.
        at: When it happened.
        actor: Who did it.
        action: What was done.
        subject: To what.
        outcome: How it ended.
        origin: From where.
        detail: Anything else.
    """
    transaction.append_audit(
        {
            "at": at,
            "actor": storable(actor, TEXT_LENGTH),
            "action": action,
            "subject": storable(subject, TEXT_LENGTH),
            "outcome": outcome,
            "origin": storable(origin, TEXT_LENGTH),
            "detail": to_json(detail),
        }
    )


def entries(
    transaction: ReadTransaction,
    *,
    after: int = 0,
    limit: int = 100,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[AuditEntry]:
    """Entries in their order, those that match everything asked for.

    Args:
        transaction: Any.
        after: Only entries with a higher sequence.
        limit: The most entries.
        actor: Exactly.
        action: Exactly.
        subject: Exactly.
        since: From then on.
        until: Before then.
    """
    wanted = Wanted(actor=actor, action=action, subject=subject, since=since, until=until)
    return [entry_of(row) for row in legible(transaction, [*matching(wanted), _after(after)], limit=limit)]


def entry_of(row: Legible) -> AuditEntry:
    """An entry, as the service itself takes it."""
    return AuditEntry(
        sequence=row.sequence,
        at=row.at or _NO_TIME,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        outcome=cast(Outcome, row.outcome),
        origin=row.origin,
        detail=row.details,
        key_id=row.key_id,
        tag=row.tag,
        damaged=row.damaged,
    )


def lines(
    transaction: ReadTransaction, wanted: Wanted, *, after: int, limit: int, through: int | None = None
) -> list[Line]:
    """Entries in their order, as others get them.

    Args:
        transaction: Any.
        wanted: Which.
        after: Only entries with a higher sequence.
        limit: The most entries.
        through: Only entries up to this one.
    """
    conditions = [*matching(wanted), _after(after)]
    if through is not None:
        conditions.append(audit.c.sequence <= through)
    return [
        Line(
            sequence=row.sequence,
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            outcome=row.outcome,
            origin=row.origin,
            detail=msgspec.Raw(row.detail.encode()),
            key_id=row.key_id,
            tag=row.tag,
            damaged=row.damaged,
        )
        for row in legible(transaction, conditions, limit=limit)
    ]


def matching(wanted: Wanted) -> list[ColumnElement[bool]]:
    """What an entry has to be."""
    conditions: list[ColumnElement[bool]] = []
    for column in ("actor", "action", "subject"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.append(audit.c[column] == value)
    if wanted.since is not None:
        conditions.append(audit.c.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(audit.c.at < wanted.until)
    return conditions


def _after(sequence: int) -> ColumnElement[bool]:
    return audit.c.sequence > sequence


def handed_out(transaction: ReadTransaction) -> int | None:
    """The last sequence that was given to an entry, 0 before the first; None where the head row is gone."""
    query = select(sequences.c.value).where(sequences.c.name == "audit")
    last: int | None = transaction.connection.execute(query).scalar()
    return last


def refused(transaction: ReadTransaction) -> list[str]:
    """What triggers of the database refuse to do to entries, sorted: `DELETE`, `UPDATE`."""
    query = _TRIGGERS[transaction.connection.dialect.name]
    names = set(transaction.connection.execute(text(query)).scalars())
    return [act for act in ("DELETE", "UPDATE") if f"audit_refuse_{act.lower()}" in names]


_TRIGGERS: Final = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'",
    "postgresql": (
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'audit'::regclass AND tgenabled IN ('O', 'A') "
        "AND NOT tgisinternal"
    ),
}
"""The triggers of the audit trail that are in force, by database."""
