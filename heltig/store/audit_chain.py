"""The chain of the audit trail: each entry has a keyed tag over itself and the tag before it.

An entry's tag is HMAC-SHA-256(key, tag before || canonical bytes of the entry). Whoever has no key can
neither change an entry nor leave one out without every tag from there on being wrong. The key is no part of
the database: `heltig.audit.keys` has it. docs/audit.md says how to compute a tag with other means.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from sqlalchemy import bindparam, select, update

from heltig.errors import StorageError
from heltig.store.tables import audit, sequences

if TYPE_CHECKING:  # which uses this module
    from heltig.store.transaction import ReadTransaction, WriteTransaction

FIELDS: Final = (
    "sequence", "at", "actor", "action", "subject", "outcome", "origin", "detail", "key_id",
)  # fmt: skip
"""What of an entry its tag covers, in this order."""

FIRST: Final = bytes(32)
"""What stands for the tag before that of entry 1."""


class Seal(Protocol):
    """Knows the keys."""

    def mac(self, key_id: str, message: bytes) -> bytes:
        """HMAC-SHA-256 of a message under the key of that id.

        Raises:
            StorageError: The key is not known here.
        """
        ...


class Head(msgspec.Struct, frozen=True):
    """The end of the trail, as its head row has it.

    Attributes:
        sequence: That of the last entry, 0 before the first.
        tag: The last entry's tag; None while the chain has not begun.
        key_id: The key that entries are sealed with; None while the chain has not begun.
    """

    sequence: int
    tag: bytes | None
    key_id: str | None


_HEAD = select(sequences.c.value, sequences.c.tag, sequences.c.key_id).where(sequences.c.name == "audit")
_LOCKED_HEAD = _HEAD.with_for_update()
_SET_HEAD = (
    update(sequences)
    .where(sequences.c.name == "audit")
    .values(value=bindparam("last"), tag=bindparam("last_tag"), key_id=bindparam("last_key"))
)
_SEALED = (
    select(*(audit.c[field] for field in FIELDS), audit.c.tag)
    .where(audit.c.sequence > bindparam("after"))
    .order_by(audit.c.sequence)
    .limit(bindparam("most"))
)
_SEAL_ROW = (
    update(audit)
    .where(audit.c.sequence == bindparam("row"))
    .values(tag=bindparam("row_tag"), key_id=bindparam("row_key"))
)
_SEALED_WITH = select(audit.c.sequence).where(audit.c.key_id == bindparam("key")).limit(1)
_AT_ONCE: Final = 2000


def canonical(fields: Sequence[Any]) -> bytes:
    """What of an entry its tag covers: a JSON array without spaces, UTF-8.

    Args:
        fields: Its `FIELDS`. Of the detail it is the text; the time is written in UTC, to the microsecond.
    """
    sequence, at, *texts = fields
    written = at.astimezone(UTC).isoformat(timespec="microseconds")
    return msgspec.json.encode((sequence, written, *texts))


def head(transaction: "ReadTransaction", *, lock: bool = False) -> Head | None:
    """The head row; None where it is gone.

    Args:
        transaction: Any.
        lock: Nobody else adds an entry until this transaction, which writes, has ended.
    """
    found = transaction.first(_LOCKED_HEAD if lock else _HEAD)
    return None if found is None else Head(found.value, found.tag, found.key_id)


def stored(transaction: "ReadTransaction", *, after: int = 0) -> Iterator[Any]:
    """All entries after one as they are stored, in order: rows of `FIELDS` and `tag`, a few at a time."""
    while found := transaction.rows(_SEALED, {"after": after, "most": _AT_ONCE}):
        yield from found
        after = found[-1].sequence


def has_sealed(transaction: "ReadTransaction", key_id: str) -> bool:
    """Whether an entry that is still there was sealed with a key."""
    return transaction.first(_SEALED_WITH, {"key": key_id}) is not None


def append(transaction: "WriteTransaction", entries: Sequence[Mapping[str, Any]], seal: Seal | None) -> None:
    """Numbers entries, seals and writes them, and moves the head: its update is the last statement.

    Args:
        transaction: That writes.
        entries: Rows without sequence.
        seal: None where the chain has not begun.

    Raises:
        StorageError: The head row is gone, or the chain's key is not known here.
    """
    end = locked_head(transaction)
    if end.key_id is None:
        rows: list[dict[str, Any]] = [
            {**entry, "sequence": end.sequence + n, "tag": None, "key_id": None}
            for n, entry in enumerate(entries, start=1)
        ]
    elif seal is None:
        raise StorageError("The audit trail is sealed, and this process did not open it with its key.")
    else:
        rows = list(_sealed(entries, end, end.key_id, seal))
    transaction.insert(audit, rows)
    set_head(transaction, Head(rows[-1]["sequence"], rows[-1]["tag"], end.key_id))


def locked_head(transaction: "WriteTransaction") -> Head:
    """The head row, which nobody else changes until this transaction has ended.

    Raises:
        StorageError: It is gone.
    """
    end = head(transaction, lock=True)
    if end is None:
        raise StorageError("The head row of the audit trail is gone: run `heltig audit verify`.")
    return end


def set_head(transaction: "WriteTransaction", end: Head) -> None:
    """Moves the head, or gives it another key."""
    transaction.run(_SET_HEAD, {"last": end.sequence, "last_tag": end.tag, "last_key": end.key_id})


def seal_what_is_there(transaction: "WriteTransaction", end: Head, *, key_id: str, seal: Seal) -> Head:
    """Gives tags to the entries of an older version of the tables, which have none.

    Args:
        transaction: That writes.
        end: The head, locked.
        key_id: The key.
        seal: Knows it.

    Returns:
        The head, which is written too.
    """
    tag, tags = FIRST, []
    for row in stored(transaction):
        tag = seal.mac(key_id, tag + canonical((*row[:-2], key_id)))
        tags.append({"row": row.sequence, "row_tag": tag, "row_key": key_id})
        if len(tags) == _AT_ONCE:
            transaction.run_many(_SEAL_ROW, tags)
            tags = []
    transaction.run_many(_SEAL_ROW, tags)
    sealed = Head(end.sequence, tag, key_id)
    set_head(transaction, sealed)
    return sealed


def _sealed(
    entries: Sequence[Mapping[str, Any]], end: Head, key_id: str, seal: Seal
) -> Iterator[dict[str, Any]]:
    tag = end.tag or FIRST
    for number, entry in enumerate(entries, start=end.sequence + 1):
        row = {**entry, "sequence": number, "key_id": key_id}
        tag = seal.mac(key_id, tag + canonical([row[field] for field in FIELDS]))
        yield {**row, "tag": tag}
