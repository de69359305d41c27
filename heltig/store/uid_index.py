"""The index from SOP Instance UIDs to the series that have them, over all studies.

Its key is 64 bits: 24 of a hash of the UID without its last component, 40 of a hash of the whole. The UIDs
that one scanner makes for a series differ in the last component only, so their rows lie together and cost one
page, where rows under a plain hash cost a page each. Two UIDs may share a key: hits are compared with the
series' own list.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

from sqlalchemy import bindparam, delete

from heltig.store.tables import instances
from heltig.store.transaction import WriteTransaction

_WHOLE: Final = blake2b(digest_size=5)

_DELETE = delete(instances).where(
    instances.c.uid_key == bindparam("key"), instances.c.series_row == bindparam("series")
)


def uid_key(uid: str) -> int:
    """The key of a UID: a signed number of 64 bits."""
    return keys_of([uid]).pop()


def keys_of(uids: Iterable[str]) -> set[int]:
    """The keys of a series' UIDs."""
    roots: dict[str, bytes] = {}  # most of a series' UIDs have one
    parts: list[bytes] = []
    for uid in uids:
        root = uid.rpartition(".")[0]
        if root not in roots:
            roots[root] = _root_hash(root)
        hashed = _WHOLE.copy()  # half the cost of another one
        hashed.update(uid.encode())
        parts.append(roots[root] + hashed.digest())
    keys = array("q", b"".join(parts))
    if sys.byteorder == "little":
        keys.byteswap()
    return set(keys)


def add(transaction: WriteTransaction, rows: Iterable[tuple[int, int]]) -> None:
    """Adds (key, row of the series) pairs, in the order of the index."""
    transaction.insert_rows(instances, sorted(rows))


def remove(transaction: WriteTransaction, rows: Sequence[tuple[int, int]]) -> None:
    """Removes such pairs."""
    if rows:
        transaction.run_many(_DELETE, [{"key": key, "series": row} for key, row in rows])


def _root_hash(root: str) -> bytes:
    return blake2b(root.encode(), digest_size=3).digest()
