"""Numbers that are handed out one after the other, without gaps, by whoever commits."""

from typing import Final, Literal

from sqlalchemy import bindparam, select, update

from heltig.store.tables import sequences
from heltig.store.transaction import ReadTransaction, WriteTransaction

_ADVANCE: Final = (
    update(sequences).where(sequences.c.name == bindparam("of")).values(value=sequences.c.value + 1)
)
_LOCKED: Final = select(sequences.c.value).where(sequences.c.name == bindparam("of")).with_for_update()
_PUT: Final = update(sequences).where(sequences.c.name == bindparam("of")).values(value=bindparam("to"))
_LAST: Final = select(sequences.c.value).where(sequences.c.name == bindparam("of"))


def next_of(transaction: WriteTransaction, name: Literal["comments", "consents"]) -> int:
    """The next number; whoever asks for one meanwhile waits for the end of the transaction."""
    transaction.insert_or_ignore(sequences, {"name": name, "value": 0, "tag": None, "key_id": None})
    transaction.run(_ADVANCE, {"of": name})
    number = transaction.scalar(_LAST, {"of": name})
    return int(number or 0)


def value_of(transaction: ReadTransaction, name: Literal["analyses"]) -> int | None:
    """How far somebody has read, None before they began."""
    return transaction.scalar(_LAST, {"of": name})


def lock(transaction: WriteTransaction, name: Literal["analyses"]) -> int | None:
    """Does as `value_of`; whoever else reads on waits for the end of the transaction."""
    return transaction.scalar(_LOCKED, {"of": name})


def put(transaction: WriteTransaction, name: Literal["analyses"], value: int) -> None:
    """Says how far somebody has read."""
    transaction.insert_or_ignore(sequences, {"name": name, "value": value, "tag": None, "key_id": None})
    transaction.run(_PUT, {"of": name, "to": value})
