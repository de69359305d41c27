"""What an acceptance of the audit trail (`audit.accept`) seals: what was wrong when somebody accepted it.

What is wrong before such an entry is told no more only while it is that very damage.
"""

import hashlib
from typing import Any, Final, Self

import msgspec

from heltig.store.audit_chain import FIELDS, canonical
from heltig.store.audit_rows import Row

SOMETHING_ELSE: Final = (
    "accepts the trail as it was then, and something else is wrong before it now: it was changed since"
)
NOTHING_SEALED: Final = (
    "accepts the trail, and does not say what was wrong then, as in older versions: whether that is what is "
    "wrong before it now cannot be known"
)


class Damage:
    """Sums up what is wrong, while it is found: at which entries, and what stands there."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.sha256()

    def add(self, sequence: int, row: Row | None) -> None:
        """Adds a place.

        Args:
            sequence: The entry, 0 where it is none.
            row: What stands there, where that can be an entry: another one in its place is other damage.
        """
        content = b"" if row is None else canonical(row.fields) + (row.tag or b"")
        self.count += 1
        self._hash.update(b"%d %d\n%b" % (sequence, len(content), content))

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, in hex digits."""
        return self._hash.hexdigest()


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What an acceptance says was wrong.

    Attributes:
        strays: How many rows were there that no entry is.
        breaks: At how many places entries were not what was written; None where an older version wrote it.
        digest: `Damage.digest`.
    """

    strays: int = 0
    breaks: int | None = None
    digest: str = ""

    @classmethod
    def of(cls, row: Row) -> Self:
        """Reads it in an entry whose tag was found to be right."""
        try:
            return msgspec.json.decode(row.fields[FIELDS.index("detail")], type=cls)
        except msgspec.DecodeError:
            return cls()

    @property
    def as_detail(self) -> dict[str, Any]:
        """What of it the entry's detail has."""
        return msgspec.structs.asdict(self)
