"""Entries of the audit trail that are older than it is kept. `heltig.audit.checkpoint` removes them."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select

from heltig.store.sizes import bytes_of
from heltig.store.tables import audit, sequences
from heltig.store.transaction import ReadTransaction

_first_kept = func.coalesce(
    select(func.min(audit.c.sequence))
    .where(audit.c.at >= bindparam("before", type_=audit.c.at.type))
    .scalar_subquery(),
    select(sequences.c.value).where(sequences.c.name == "audit").scalar_subquery(),
)
_SIZE: Final = bytes_of(
    audit.c.actor, audit.c.action, audit.c.subject, audit.c.origin, audit.c.detail, audit.c.tag
)
_old = audit.alias()
_OLDER = select(
    func.count().label("number"), func.coalesce(func.sum(_SIZE), 0).label("size"), func.max(audit.c.sequence)
).where(
    audit.c.sequence < _first_kept,
    audit.c.sequence < select(func.min(_old.c.sequence)).scalar_subquery() + bindparam("most"),
)


def older(
    transaction: ReadTransaction, *, before: datetime, most: int = 2**53
) -> tuple[int, int, int | None]:
    """The entries at the beginning of the trail that were written before a time; the last one never is.

    Args:
        transaction: Any.
        before: The time.
        most: The most entries.

    Returns:
        How many, about how many bytes they take, and the sequence of the last of them.
    """
    number, size, last = transaction.rows(_OLDER, {"before": before, "most": most})[0]
    return int(number), int(size), last
