"""When the audit trail was last verified by the service itself, and what came of it."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import bindparam, select, update

from heltig.store.tables import sequences
from heltig.store.transaction import ReadTransaction, WriteTransaction

_NAME: Final = "audit-verified"
_FIND: Final = select(sequences.c.value, sequences.c.tag).where(sequences.c.name == _NAME)
_CLAIM: Final = (
    update(sequences)
    .where(sequences.c.name == _NAME, sequences.c.value <= bindparam("before"))
    .values(value=bindparam("at"))
)
_LEAVE: Final = update(sequences).where(sequences.c.name == _NAME).values(value=bindparam("at"))
_TELL: Final = update(sequences).where(sequences.c.name == _NAME).values(tag=bindparam("wrong"))


class LastVerified(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        at: When somebody last began.
        wrong: What was wrong, in a sentence; empty where nothing was.
    """

    at: datetime
    wrong: str


def last(transaction: ReadTransaction) -> LastVerified | None:
    """What came of it last; None where it was never verified."""
    row = transaction.first(_FIND)
    if row is None:
        return None
    return LastVerified(
        datetime.fromtimestamp(row.value, UTC), bytes(row.tag or b"").decode("utf-8", "replace")
    )


def claim(transaction: WriteTransaction, *, at: datetime, every: timedelta) -> bool:
    """Whether it is due, and the caller is who does it now."""
    now = int(at.timestamp())
    if transaction.insert_or_ignore(sequences, {"name": _NAME, "value": now}):
        return True
    return transaction.run(_CLAIM, {"before": now - int(every.total_seconds()), "at": now}) > 0


def leave(transaction: WriteTransaction) -> None:
    """Gives back what was claimed: it is due for others."""
    transaction.run(_LEAVE, {"at": 0})


def tell(transaction: WriteTransaction, wrong: str) -> None:
    """Notes what came of it."""
    transaction.run(_TELL, {"wrong": wrong.encode()})
