"""The database's own time, and the time of what was written last."""

from datetime import datetime
from typing import Final

from sqlalchemy import select, text, update

from heltig.store.tables import changes, sequences
from heltig.store.transaction import ReadTransaction, WriteTransaction

_LAST: Final = select(changes.c.at).order_by(changes.c.sequence.desc()).limit(1)
_TOUCH: Final = update(sequences).where(sequences.c.name == "audit").values(value=sequences.c.value)


def current(transaction: ReadTransaction) -> datetime | None:
    """What time it is by the database's clock; None where it has none but this host's."""
    if transaction.connection.dialect.name == "sqlite":
        return None
    now: datetime = transaction.connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now


def last_change(transaction: ReadTransaction) -> datetime | None:
    """When the last change of the feed was written; None before the first."""
    last: datetime | None = transaction.connection.execute(_LAST).scalar()
    return last


def touch(transaction: WriteTransaction) -> None:
    """Writes without changing anything: whether that can be done is seen when it is committed."""
    transaction.connection.execute(_TOUCH)
