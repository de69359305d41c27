"""Prepared answers: one row a study and location, read without more than one index."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import bindparam, select, update

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
_FIND = _SELECT.where(lookups.c.study_key == bindparam("study_key")).order_by(lookups.c.location)
_FIND_MANY = _SELECT.where(lookups.c.study_key.in_(bindparam("study_keys", expanding=True)))
_CHANGE = (
    update(lookups)
    .where(lookups.c.study_row == bindparam("row"))
    .values({column: bindparam(f"to_{column}") for column in (*_COLUMNS, "form")})
)


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

    async def find(self, study_key: str) -> list[Lookup]:
        """The answers of every location that a study was seen at; empty for an UNKNOWN study.

        Raises:
            StorageError: The database could not be read.
        """
        return [_lookup(self._cipher, row) for row in await self._fetch(storable_key(study_key))]


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
    wanted = list(asked)
    found: dict[str, list[Lookup]] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        keys = wanted[start : start + _AT_ONCE]
        for row in transaction.unnamed_rows(_FIND_MANY, {"study_keys": keys}):
            found.setdefault(asked[row[0]], []).append(_lookup(transaction.cipher, row))
    for known in found.values():  # the database would sort all rows together, with their bodies
        if len(known) > 1:
            known.sort(key=lambda lookup: lookup.location)
    return found


def put(transaction: WriteTransaction, row: int, published: Published, *, first: bool = False) -> None:
    """Prepares the answer about a study as it stands now, for the first time or again.

    Again it is made at the end of the transaction, once, however often the study changes in it.
    """
    if first:
        transaction.insert(lookups, [{"study_row": row, **_values(transaction, published)}])
    else:
        transaction.at_the_end(("lookup", row), lambda: _change(transaction, row, published))


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
