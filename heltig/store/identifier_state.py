"""In which form identifiers stand in a database: written once, where they are hashed, with the key's id."""

from typing import Final, Literal, TypeAlias, cast

import msgspec
from sqlalchemy import bindparam, select, update

from heltig.store.tables import sequences, studies
from heltig.store.transaction import ReadTransaction, WriteTransaction

Form: TypeAlias = Literal["hashed", "rewriting"]

_NAME: Final = "identifiers"
_FIND = select(sequences.c.value, sequences.c.tag, sequences.c.key_id).where(sequences.c.name == _NAME)
_LOCK = _FIND.with_for_update()
_CHANGE = (
    update(sequences).where(sequences.c.name == _NAME).values(value=bindparam("place"), tag=bindparam("form"))
)
_ANY_STUDY = select(studies.c.id).limit(1)


WHOLE: Final = 1
"""The place of a database whose identifiers are all hashed, fingerprints of listed studies too."""


class State(msgspec.Struct, frozen=True):
    """How identifiers stand.

    Attributes:
        form: All are hashed; or some, since a rewrite was begun and did not come to its end.
        key_id: The key that they are hashed with.
        place: How far the rewrite came; `WHOLE` or more at its end.
    """

    form: Form
    key_id: str
    place: int = 0


def find(transaction: ReadTransaction) -> State | None:
    """How identifiers stand; None where they stand as they are."""
    return _state(transaction, lock=False)


def lock(transaction: WriteTransaction) -> State | None:
    """The same, and nobody else changes it before the end."""
    return _state(transaction, lock=True)


def begin(transaction: WriteTransaction, state: State) -> None:
    """Says for the first time that identifiers are hashed, or begin to be; nothing where somebody did."""
    row = {
        "name": _NAME,
        "value": state.place,
        "tag": state.form.encode(),
        "key_id": state.key_id,
    }
    transaction.insert_or_ignore(sequences, row)


def move(transaction: WriteTransaction, form: Form, place: int) -> None:
    """Says how far a rewrite is."""
    transaction.run(_CHANGE, {"place": place, "form": form.encode()})


def is_empty(transaction: ReadTransaction) -> bool:
    """Whether there is no study."""
    return transaction.first(_ANY_STUDY) is None


def _state(transaction: ReadTransaction, *, lock: bool) -> State | None:
    row = transaction.first(_LOCK if lock else _FIND)
    if row is None:
        return None
    return State(cast(Form, bytes(row.tag or b"").decode()), row.key_id or "", row.value)
