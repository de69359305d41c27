"""Prepared answers: one row a study and location.

SQLite stores rows in the order of their primary key; from another index to a row it is one more page to read.
So a study's first answer stands at a place that its key alone leads to, the key's CRC-32, and who asks for a
thousand studies reads a thousand pages in place of two thousand. An answer knows whether it is alone: whether
no other is about the study, at another location. Who finds nothing at the place, or one that is not alone, or
one about another study (of the same CRC-32), asks the index of keys, which knows all.

Whatever is not at the place of its key stands away: at 2^32 and the number of the study's row. On PostgreSQL,
which keeps rows in no order, everything does.
"""

import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import Select, bindparam, func, select, update

from heltig.store.encryption import MARK, Cipher, Identity
from heltig.store.engine import Store
from heltig.store.records import Published, StudyState
from heltig.store.tables import lookups
from heltig.store.text import storable_key
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Readiness


class Lookup(msgspec.Struct, frozen=True, gc=False):
    """A prepared answer about a study at one location.

    Attributes:
        valid_until: From this `minute` on the verdict no longer holds; None without an end.
        body: What the store's renderer made of it.
    """

    study_key: str
    location: str
    state: StudyState
    readiness: Readiness | None
    version: int
    revision: int
    verdict_id: str | None
    valid_until: str | None
    body: bytes


_AT_ONCE = 1000  # studies of a query

_COLUMNS = Lookup.__struct_fields__
_SELECT = select(*(lookups.c[column] for column in _COLUMNS))
_FIND_IN_PLACE = _SELECT.where(lookups.c.place == bindparam("place"), lookups.c.alone)
_FIND = _SELECT.where(lookups.c.study_key == bindparam("study_key")).order_by(lookups.c.location)
_FIND_MANY_IN_PLACE = _SELECT.where(lookups.c.place.in_(bindparam("places", expanding=True)), lookups.c.alone)
_FIND_MANY = _SELECT.where(lookups.c.study_key.in_(bindparam("study_keys", expanding=True)))
_CHANGE = (
    update(lookups)
    .where(lookups.c.study_row == bindparam("row"))
    .values({column: bindparam(f"to_{column}") for column in (*_COLUMNS, "form")})
)


_AWAY: Final = 2**32
_AT_PLACE = select(lookups.c.study_row).where(lookups.c.place == bindparam("place"))
_NUMBER = select(func.count()).where(lookups.c.study_key == bindparam("study_key"))
_NOT_ALONE = update(lookups).where(lookups.c.study_key == bindparam("key")).values(alone=False)

ANSWERS: Final = "lookups"
"""The name of the table, to which its encrypted bodies are bound."""


def identity_of(study_key: str, location: str, version: int, verdict_id: str | None) -> Identity:
    """What a body is bound to: an older answer is none about the study as it stands."""
    return study_key, location, version, verdict_id or ""


class Lookups:
    """Answers about one study at a time, in microseconds on SQLite. Each sees the last commit."""

    def __init__(self, store: Store) -> None:
        self._cipher = store.cipher
        self._fetch: Callable[[str], Awaitable[Sequence[Sequence[Any]]]] = store.database.prepare(_FIND)
        self._fetch_in_place: Callable[[int], Awaitable[Sequence[Sequence[Any]]]] | None = None
        if store.is_in_order:
            self._fetch_in_place = store.database.prepare(_FIND_IN_PLACE)

    async def find(self, study_key: str) -> list[Lookup]:
        """The answers of every location that a study was seen at; empty for an UNKNOWN study.

        Raises:
            StorageError: The database could not be read.
        """
        key = storable_key(study_key)
        if self._fetch_in_place is not None:
            found = await self._fetch_in_place(_place_of(key))
            if found and found[0][0] == key:
                return [_lookup(self._cipher, found[0])]
        return [_lookup(self._cipher, row) for row in await self._fetch(key)]


def minute(time: datetime) -> str:
    """A time in UTC, to the minute, as `Lookup.valid_until` has it: such texts are in the order of time.

    >>> from datetime import UTC
    >>> minute(datetime(2026, 3, 1, 12, 30, 59, tzinfo=UTC))
    '2026-03-01T12:30'
    """
    return time.isoformat(timespec="minutes")[:16]


def find_many(transaction: ReadTransaction, study_keys: Iterable[str]) -> dict[str, list[Lookup]]:
    """The answers about many studies, by key; UNKNOWN studies are left out."""
    asked = {storable_key(key): key for key in study_keys}
    found: dict[str, list[Lookup]] = {}
    if transaction.is_in_order:
        for row in _in_parts(transaction, _FIND_MANY_IN_PLACE, "places", [_place_of(key) for key in asked]):
            if key := asked.pop(row[0], None):
                found[key] = [_lookup(transaction.cipher, row)]
    for row in _in_parts(transaction, _FIND_MANY, "study_keys", list(asked)):
        found.setdefault(asked[row[0]], []).append(_lookup(transaction.cipher, row))
    for known in found.values():  # the database would sort all rows together, with their bodies
        if len(known) > 1:
            known.sort(key=lambda lookup: lookup.location)
    return found


def _in_parts(
    transaction: ReadTransaction, statement: Select[Any], name: str, values: Sequence[Any]
) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _AT_ONCE):
        yield from transaction.unnamed_rows(statement, {name: values[start : start + _AT_ONCE]})


def put(transaction: WriteTransaction, row: int, published: Published, *, first: bool = False) -> None:
    """Prepares the answer about a study as it stands now, for the first time or again.

    Again it is made at the end of the transaction, once, however often the study changes in it.
    """
    if first:
        place, alone = _place_for(transaction, row, published.study.study_key)
        values = _values(transaction, published)
        transaction.insert(lookups, [{"place": place, "alone": alone, "study_row": row, **values}])
    else:
        transaction.at_the_end(("lookup", row), lambda: _change(transaction, row, published))


def _place_of(study_key: str) -> int:
    return zlib.crc32(study_key.encode())


def _place_for(transaction: WriteTransaction, row: int, study_key: str) -> tuple[int, bool]:
    """Where a new answer goes, and whether it is alone; one that was alone before is not from now on.

    On PostgreSQL, whose rows stand in no order, nobody reads by places, and no other answer is locked.
    """
    if not transaction.is_in_order:
        return _AWAY + row, False
    others = transaction.scalar(_NUMBER, {"study_key": study_key})
    if others == 1:  # of several none is alone
        transaction.run(_NOT_ALONE, {"key": study_key})
    alone = not others
    place = _place_of(study_key)
    has_room = alone and transaction.scalar(_AT_PLACE, {"place": place}) is None
    return place if has_room else _AWAY + row, alone


def _lookup(cipher: Cipher, row: Sequence[Any]) -> Lookup:
    found = Lookup(*row)
    if found.body[: len(MARK)] != MARK:
        return found
    identity = identity_of(found.study_key, found.location, found.version, found.verdict_id)
    return replace(found, body=cipher.decrypt(ANSWERS, identity, found.body))


def _change(transaction: WriteTransaction, row: int, published: Published) -> None:
    values = _values(transaction, published)
    transaction.run(_CHANGE, {"row": row, **{f"to_{column}": value for column, value in values.items()}})


def _values(transaction: WriteTransaction, published: Published) -> dict[str, Any]:
    study, verdict = published.study, published.verdict
    location, verdict_id = str(study.location), verdict.verdict.id if verdict else None
    identity = identity_of(study.study_key, location, study.version, verdict_id)
    return {
        "study_key": study.study_key,
        "location": location,
        "state": study.state,
        "readiness": study.readiness,
        "version": study.version,
        "revision": study.revision,
        "verdict_id": verdict_id,
        "valid_until": minute(study.valid_until) if study.valid_until else None,
        "form": transaction.render.form,
        "body": transaction.cipher.encrypt(ANSWERS, identity, transaction.render(published)),
    }
