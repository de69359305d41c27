"""The audit trail's rows. `heltig.audit` is what others use."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import select, text

from heltig.store.audit_actions import Action
from heltig.store.tables import TEXT_LENGTH, audit, sequences
from heltig.store.text import from_json, storable, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction

Outcome: TypeAlias = Literal["success", "refused", "failure"]


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit trail. `sequence` is commit order, without gaps, from 1."""

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    outcome: Outcome
    origin: str
    detail: dict[str, Any]


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
    query = select(audit).where(audit.c.sequence > after).order_by(audit.c.sequence).limit(limit)
    for column, value in (("actor", actor), ("action", action), ("subject", subject)):
        if value is not None:
            query = query.where(audit.c[column] == value)
    if since is not None:
        query = query.where(audit.c.at >= since)
    if until is not None:
        query = query.where(audit.c.at < until)
    return [
        AuditEntry(
            sequence=row.sequence,
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            outcome=row.outcome,
            origin=row.origin,
            detail=from_json(row.detail, dict[str, Any]),
        )
        for row in transaction.connection.execute(query)
    ]


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
