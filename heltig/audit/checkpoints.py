"""Purges the beginning of the audit trail, and leaves a sealed checkpoint in its place."""

from datetime import datetime

from msgspec.structs import replace

from heltig.audit.keys import AuditKeys
from heltig.audit.verify import verify
from heltig.errors import StorageError, UsageError
from heltig.store import audit_chain, audit_checkpoints, audit_trail
from heltig.store.audit_checkpoints import Checkpoint
from heltig.store.transaction import WriteTransaction


def checkpoint(
    transaction: WriteTransaction, *, through: int, at: datetime, actor: str, origin: str
) -> Checkpoint:
    """Deletes the entries up to one, after it has verified them, and says so in the trail.

    The trail is verified from the checkpoint on from now on. What was purged is gone for good: export it
    before (`heltig audit export`).

    Args:
        transaction: Of `Store.write_durably`.
        through: The sequence of the last entry to delete.
        at: When it happens.
        actor: Who has it done.
        origin: From where.

    Returns:
        The checkpoint.

    Raises:
        UsageError: There is no such entry.
        StorageError: The trail is not open with its keys, or one of these entries is not what was written: an
            altered trail is evidence, and is kept.
    """
    keys = transaction.seal
    head = audit_chain.locked_head(transaction)
    if head.key_id is None or not isinstance(keys, AuditKeys):
        raise StorageError("The audit trail is not open with its keys: nothing of it can be purged.")
    if not 0 < through <= head.sequence:
        raise UsageError(f"The audit trail has no entry {through}.")
    keys.knows(head.key_id)  # it may have been changed since this process read them
    found = verify(transaction, keys, through=through)
    if found.last != through:
        raise UsageError(f"The audit trail has no entry {through}.")
    if not found.is_whole:
        first = (*found.before, *found.breaks)[0]
        raise StorageError(
            f"Nothing is purged: the audit trail was changed at entry {first.sequence}, which {first.why}. "
            "Run `heltig audit verify`."
        )
    bare = Checkpoint(through=through, at=at, count=found.entries, tag=found.tag, key_id=head.key_id)
    made = replace(bare, seal=keys.mac(head.key_id, bare.message))
    audit_checkpoints.put(transaction, made)
    audit_trail.append(
        transaction,
        at=at,
        actor=actor,
        action="audit.checkpoint",
        subject=f"audit:{through}",
        outcome="success",
        origin=origin,
        detail={"through": through, "count": made.count, "tag": made.tag.hex()},
    )
    return made
