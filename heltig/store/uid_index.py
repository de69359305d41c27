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

import msgspec
from sqlalchemy import bindparam, delete, select

from heltig.store.records import Location
from heltig.store.studies import unpack_uids
from heltig.store.tables import instances, locations, series, studies
from heltig.store.text import storable, storable_key
from heltig.store.transaction import ReadTransaction, WriteTransaction

_AT_ONCE = 1000  # keys of a query
_WHOLE: Final = blake2b(digest_size=5)

_HITS = (
    select(
        instances.c.series_row,
        series.c.series_uid,
        series.c.sop_instance_uids,
        studies.c.study_key,
        locations.c.kind,
        locations.c.name,
    )
    .join(series, series.c.id == instances.c.series_row)
    .join(studies, studies.c.id == series.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(instances.c.uid_key.in_(bindparam("keys", expanding=True)))
    .distinct()
)
_SERIES = (
    select(series.c.series_uid, studies.c.study_key, locations.c.kind, locations.c.name)
    .join(studies, studies.c.id == series.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(series.c.series_uid.in_(bindparam("uids", expanding=True)))
)
_DELETE = delete(instances).where(
    instances.c.uid_key == bindparam("key"), instances.c.series_row == bindparam("series")
)


class Holder(msgspec.Struct, frozen=True, order=True):
    """A study that has some of the UIDs asked for.

    Attributes:
        uids: Which, sorted.
    """

    location: Location
    study_key: str
    uids: tuple[str, ...]


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


def holders_of_instances(transaction: ReadTransaction, uids: Iterable[str]) -> list[Holder]:
    """The studies, at any location, that have a SOP Instance UID of these, sorted."""
    wanted = {storable(uid): uid for uid in uids}
    keys = sorted(keys_of(wanted))
    checked: dict[int, tuple[Location, str, set[str]]] = {}
    for start in range(0, len(keys), _AT_ONCE):
        for row in transaction.rows(_HITS, {"keys": keys[start : start + _AT_ONCE]}):
            if row.series_row not in checked:
                had = {wanted[uid] for uid in unpack_uids(row.sop_instance_uids) if uid in wanted}
                checked[row.series_row] = (Location(row.kind, row.name), row.study_key, had)
    return _by_study(checked.values())


def holders_of_series(transaction: ReadTransaction, uids: Iterable[str]) -> list[Holder]:
    """The studies, at any location, that have a Series Instance UID of these, sorted."""
    wanted = {storable_key(uid): uid for uid in uids}
    stored = sorted(wanted)
    found: list[tuple[Location, str, set[str]]] = []
    for start in range(0, len(stored), _AT_ONCE):
        for row in transaction.rows(_SERIES, {"uids": stored[start : start + _AT_ONCE]}):
            found.append((Location(row.kind, row.name), row.study_key, {wanted[row.series_uid]}))
    return _by_study(found)


def add(transaction: WriteTransaction, rows: Iterable[tuple[int, int]]) -> None:
    """Adds (key, row of the series) pairs, in the order of the index."""
    transaction.insert_rows(instances, sorted(rows))


def remove(transaction: WriteTransaction, rows: Sequence[tuple[int, int]]) -> None:
    """Removes such pairs."""
    if rows:
        transaction.run_many(_DELETE, [{"key": key, "series": row} for key, row in rows])


def _root_hash(root: str) -> bytes:
    return blake2b(root.encode(), digest_size=3).digest()


def _by_study(found: Iterable[tuple[Location, str, set[str]]]) -> list[Holder]:
    merged: dict[tuple[Location, str], set[str]] = {}
    for location, study_key, uids in found:
        merged.setdefault((location, study_key), set()).update(uids)
    return sorted(Holder(*study, tuple(sorted(uids))) for study, uids in merged.items() if uids)
