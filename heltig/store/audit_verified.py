"""When the audit trail was last verified by the service itself, and what came of it.

The note is sealed with a key of the trail: whoever can write to the database alone cannot say that it was
verified just now, or will be, and so keep it from being verified.
"""

import hmac
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, delete, select, type_coerce, update
from sqlalchemy.types import NullType

from heltig.errors import StorageError
from heltig.store.audit_chain import Seal
from heltig.store.audit_rows import OF_DRIVER
from heltig.store.tables import sequences
from heltig.store.transaction import ReadTransaction, WriteTransaction

_NAME: Final = "audit-verified"
_SEAL: Final = 32  # bytes of the seal, which what was wrong stands behind
_FIND: Final = select(
    *(type_coerce(sequences.c[name], NullType()).label(name) for name in ("value", "tag", "key_id"))
).where(sequences.c.name == _NAME)
_FORGET: Final = delete(sequences).where(sequences.c.name == bindparam("mark"))
_TELL: Final = (
    update(sequences)
    .where(sequences.c.name == _NAME, sequences.c.value == bindparam("was"))
    .values(value=bindparam("at"), tag=bindparam("sealed"), key_id=bindparam("key"))
)
NOT_OURS: Final = (
    "the note of when it was last verified is sealed with no key that is here: somebody changed it in the "
    "database. All of it is verified again."
)
"""What is wrong where the note is not what was written."""


class LastVerified(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        at: When somebody last began, in seconds since 1970; 0 where that cannot be believed.
        wrong: What was wrong, in a sentence; empty where nothing was.
    """

    at: int
    wrong: str


def last(transaction: ReadTransaction, seal: Seal) -> LastVerified | None:
    """What came of it last; None where it was not verified since it was made, or accepted.

    Args:
        transaction: Any.
        seal: Knows the keys.
    """
    try:
        row = transaction.first(_FIND)
        return None if row is None else _opened(row, seal)
    except (*OF_DRIVER, StorageError):
        return LastVerified(0, NOT_OURS)


def claim(
    transaction: WriteTransaction, *, seal: Seal, key_id: str, at: datetime, every: timedelta
) -> LastVerified | None:
    """What came of it last, where it is due, and the caller is who does it now; else None.

    Args:
        transaction: That writes.
        seal: Knows the keys.
        key_id: The one to seal with.
        at: The time.
        every: How often it is due; a note from so far in the future is none.
    """
    now, gap = int(at.timestamp()), int(every.total_seconds())
    before = last(transaction, seal)
    if before is not None:
        if now - gap < before.at <= now + gap:
            return None
        forget(transaction)
    wrong = before.wrong if before else ""
    row = {"name": _NAME, "value": now, "tag": _sealed(now, wrong, seal, key_id), "key_id": key_id}
    return LastVerified(now, wrong) if transaction.insert_or_ignore(sequences, row) else None


def tell(
    transaction: WriteTransaction, found: LastVerified, *, seal: Seal, key_id: str, claimed: int
) -> None:
    """Notes what came of it; nothing where somebody has accepted the trail meanwhile.

    Args:
        transaction: That writes.
        found: What came of it; with time 0 nothing did, and it is due again.
        seal: Knows the keys.
        key_id: The one to seal with.
        claimed: When it was claimed.
    """
    sealed = _sealed(found.at, found.wrong, seal, key_id)
    transaction.run(_TELL, {"was": claimed, "at": found.at, "sealed": sealed, "key": key_id})


def forget(transaction: WriteTransaction) -> None:
    """Has it be due at once."""
    transaction.run(_FORGET, {"mark": _NAME})


def _opened(row: Any, seal: Seal) -> LastVerified:
    at, sealed, key_id = row.value, row.tag, row.key_id
    if isinstance(at, int) and isinstance(sealed, bytes) and isinstance(key_id, str):
        wrong = sealed[_SEAL:].decode()
        if hmac.compare_digest(_sealed(at, wrong, seal, key_id), sealed):
            return LastVerified(at, wrong)
    return LastVerified(0, NOT_OURS)


def _sealed(at: int, wrong: str, seal: Seal, key_id: str) -> bytes:
    """The seal and what it seals: no entry's message can look like this, nor a checkpoint's."""
    message = b"heltig audit verified\n" + msgspec.json.encode((at, wrong, key_id))
    return seal.mac(key_id, message) + wrong.encode()
