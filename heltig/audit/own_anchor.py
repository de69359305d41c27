"""What this host knows of the audit trail outside the database: the last anchor, in a file of its own.

Whoever can write to the database alone does not reach it. A trail that has no chain any more, that lost its
end, or that was written anew, disagrees with it, and Heltig does not begin another chain then.
"""

from typing import Final

import msgspec

from heltig.audit import own_files
from heltig.audit.keys import AuditKeys
from heltig.errors import ConfigurationError, StorageError
from heltig.settings import Settings
from heltig.store import audit_chain, audit_rows
from heltig.store.audit_chain import Head
from heltig.store.transaction import ReadTransaction

FILE: Final = "audit-anchor"


class Known(msgspec.Struct, frozen=True):
    """The end of the trail when it was last looked at: sequence, tag in hex digits, id of the key."""

    sequence: int
    tag: str
    key: str


class OwnAnchor:
    """The file `secrets/audit-anchor` in HELTIG_HOME."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.home / own_files.FOLDER / FILE

    def read(self) -> Known | None:
        """What is known; None where this host has not met the trail.

        Raises:
            StorageError: The file cannot be read, or is damaged.
        """
        found = own_files.read(self.path, Known)
        try:
            bytes.fromhex(found.tag if found else "")
        except ValueError as wrong:
            raise StorageError(f"{self.path} is damaged: its tag is none.") from wrong
        return found

    def write(self, head: Head) -> None:
        """Writes down the end of a trail that was found to be right; in one piece, or not at all.

        Raises:
            StorageError: It cannot be written.
        """
        if head.tag is None or head.key_id is None:
            return
        own_files.write(self.path, Known(head.sequence, head.tag.hex(), head.key_id))

    def disagreement(self, transaction: ReadTransaction, keys: AuditKeys) -> tuple[int, str] | None:
        """Where the trail is not the one that this host knows: the entry, 0 for the whole, and why."""
        try:
            known = self.read()
        except StorageError as wrong:
            return 0, wrong.detail
        if known is None:
            return None
        knows = f"this host knows entry {known.sequence} ({self.path})"
        try:
            head = audit_chain.head(transaction)
            if head is None or head.key_id is None or head.tag is None:
                return 0, f"the database says that no chain has begun, and {knows}"
            if head.sequence < known.sequence:
                return head.sequence + 1, f"is missing, and {knows}"
            if _is_older(keys, head.key_id, known.key):
                return 0, f"entries are sealed with the key {head.key_id}, and {known.key} took its place"
            found = next(audit_rows.stored(transaction, after=known.sequence - 1), None)
            tag = getattr(found, "tag", None) if found and found.sequence == known.sequence else None
            if tag is None:
                return self._purged(transaction, known, knows)
            if tag.hex() != known.tag:
                return known.sequence, f"has another tag than {self.path} knows: the trail was written anew"
        except audit_rows.UNREADABLE:
            return 0, "the head row is damaged"
        return None

    def _purged(self, transaction: ReadTransaction, known: Known, knows: str) -> tuple[int, str] | None:
        """Entries behind a checkpoint are gone rightly; `verify` looks at the checkpoint's seal."""
        checkpoint = audit_rows.checkpoint(transaction)
        through = getattr(checkpoint, "through", 0)
        return None if through >= known.sequence else (known.sequence, f"is missing, and {knows}")


def _is_older(keys: AuditKeys, one: str, other: str) -> bool:
    """Whether a key stands behind another in the list, the newest first."""
    try:
        ids = keys.ids
    except ConfigurationError:
        return False
    return one in ids and other in ids and ids.index(one) > ids.index(other)
