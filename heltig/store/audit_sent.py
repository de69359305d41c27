"""How far the audit trail was sent to a site's audit record repository."""

from typing import Final

from sqlalchemy import bindparam, select, update

from heltig.store.tables import sequences
from heltig.store.transaction import ReadTransaction, WriteTransaction

_NAME: Final = "audit-sent"
_LAST: Final = select(sequences.c.value).where(sequences.c.name == _NAME)
_MOVE: Final = (
    update(sequences)
    .where(sequences.c.name == _NAME, sequences.c.value < bindparam("sent"))
    .values(value=bindparam("sent"))
)


def last(transaction: ReadTransaction) -> int:
    """The last sequence that was sent, 0 before the first."""
    return transaction.scalar(_LAST) or 0


def move(transaction: WriteTransaction, sequence: int) -> None:
    """Says that entries were sent up to this one."""
    transaction.insert_or_ignore(sequences, {"name": _NAME, "value": 0})
    transaction.run(_MOVE, {"sent": sequence})
