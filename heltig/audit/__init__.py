"""The audit trail: who did what, to what, when, from where, and how it ended.

An entry is written in the transaction of what it records, so that neither is there without the other. Entries
are numbered in the order of commits, without gaps, and chained by keyed tags; the database refuses to change
or delete them. What is recorded is declared in `heltig.store.audit_actions`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from heltig.audit.checkpoints import checkpoint
from heltig.store import audit_trail
from heltig.store.audit_actions import Action
from heltig.store.audit_trail import AuditEntry, Outcome
from heltig.store.transaction import WriteTransaction

__all__ = ["Action", "AuditEntry", "Outcome", "checkpoint", "entries", "record"]

entries = audit_trail.entries


def record(
    transaction: WriteTransaction,
    *,
    at: datetime,
    actor: str,
    action: Action,
    subject: str,
    outcome: Outcome,
    origin: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Adds an entry to the audit trail.

    Args:
        transaction: Of `Store.write_durably`.
        at: When it happened.
        actor: The principal, e.g. `key:gateway`; the name of a part of Heltig where nobody asked for it.
        action: What was done, as `thing.verb`, e.g. `archive.add`; declared in `audit_actions`.
        subject: To what, e.g. `archive:main`.
        outcome: Whether it was done, refused or failed.
        origin: From where: an address, or `cli`.
        detail: What else an auditor needs to know. UIDs may be in it, other patient data may not.
    """
    audit_trail.append(
        transaction,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        outcome=outcome,
        origin=origin,
        detail=detail or {},
    )
