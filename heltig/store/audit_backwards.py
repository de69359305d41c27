"""The audit trail from its end: what people look for is most often what happened last."""

from typing import Final

from sqlalchemy import ColumnElement, or_

from heltig.store.audit_legible import legible
from heltig.store.audit_trail import AuditEntry, Wanted, entry_of, matching
from heltig.store.names import escaped
from heltig.store.tables import audit
from heltig.store.transaction import ReadTransaction

LOOKED_THROUGH: Final = 50_000
"""Entries that one search looks through: what matches may be far apart, and nobody is to wait for it."""


def newest(
    transaction: ReadTransaction, wanted: Wanted, *, study: str = "", before: int, limit: int
) -> tuple[list[AuditEntry], int]:
    """Entries that match, the newest first.

    Args:
        transaction: Any.
        wanted: Which.
        study: The StudyInstanceUID of a study that they are about, or that was looked at; empty for all.
        before: Only entries before this one.
        limit: The most entries.

    Returns:
        The entries, and the first one that was looked at.
    """
    first = max(before - LOOKED_THROUGH, 1)
    conditions = [*matching(wanted), audit.c.sequence < before, audit.c.sequence >= first]
    if study:
        conditions.append(_is_about(study))
    rows = legible(transaction, conditions, limit=limit, newest_first=True)
    if len(rows) == limit:
        first = rows[-1].sequence or first
    return [entry_of(row) for row in rows], first


def _is_about(study: str) -> ColumnElement[bool]:
    """Subjects are `LOCATION STUDY`; looks have the studies in their details, as JSON."""
    text = escaped(study)
    return or_(
        audit.c.subject == study,
        audit.c.subject.like(f"% {text}", escape="!"),
        audit.c.detail.like(f'%"{text}"%', escape="!"),
    )
