"""Where the audit trail begins after older entries were purged."""

from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select

from heltig.store.tables import audit, audit_checkpoints
from heltig.store.transaction import ReadTransaction, WriteTransaction


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of entries that were purged.

    Attributes:
        through: The sequence of the last of them; the first entry that is kept is the next.
        at: When they were purged.
        count: How many they were, without those of earlier checkpoints.
        tag: The tag of the last of them.
        key_id: The key that the checkpoint is sealed with.
        seal: HMAC-SHA-256 of `message`.
    """

    through: int
    at: datetime
    count: int
    tag: bytes
    key_id: str
    seal: bytes = b""

    @property
    def message(self) -> bytes:
        """What is sealed: no entry's message can look like this, which begins with 32 bytes of a tag."""
        written = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        fields = (self.through, written, self.count, self.tag.hex(), self.key_id)
        return b"heltig audit checkpoint\n" + msgspec.json.encode(fields)


_LAST: Final = select(audit_checkpoints).order_by(audit_checkpoints.c.through.desc()).limit(1)
_PURGE: Final = delete(audit).where(audit.c.sequence <= bindparam("through"))


def last(transaction: ReadTransaction) -> Checkpoint | None:
    """The newest checkpoint, None where nothing was ever purged."""
    found = transaction.first(_LAST)
    return None if found is None else Checkpoint(**found._asdict())


def put(transaction: WriteTransaction, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint, and deletes the entries that it covers; the database lets nobody delete others."""
    transaction.insert_or_ignore(audit_checkpoints, msgspec.structs.asdict(checkpoint))
    transaction.run(_PURGE, {"through": checkpoint.through})
