"""Numbers that are handed out one after the other, without gaps, by whoever commits."""

from typing import Final, Literal

from sqlalchemy import bindparam, select, update

from heltig.store.tables import sequences
from heltig.store.transaction import WriteTransaction

_ADVANCE: Final = (
    update(sequences).where(sequences.c.name == bindparam("of")).values(value=sequences.c.value + 1)
)
_LAST: Final = select(sequences.c.value).where(sequences.c.name == bindparam("of"))


def next_of(transaction: WriteTransaction, name: Literal["comments", "consents"]) -> int:
    """The next number; whoever asks for one meanwhile waits for the end of the transaction."""
    transaction.insert_or_ignore(sequences, {"name": name, "value": 0, "tag": None, "key_id": None})
    transaction.run(_ADVANCE, {"of": name})
    number = transaction.scalar(_LAST, {"of": name})
    return int(number or 0)
