"""API keys. The store knows their hashes only; `heltig.auth` makes and checks the keys."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, or_, select, update

from heltig.errors import ConflictError, NotFoundError
from heltig.store.tables import api_keys
from heltig.store.text import from_json, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key without the key itself.

    Attributes:
        prefix: Its first characters, to recognise it by.
        hash: SHA-256 of the key.
        role: What its holder may do, narrowed by `scopes`.
        last_used: To the minute.
    """

    name: str
    prefix: str
    hash: str
    role: str
    scopes: tuple[str, ...] = ()
    created: datetime
    created_by: str = ""
    expires: datetime | None = None
    last_used: datetime | None = None
    revoked: datetime | None = None


_FIND = select(api_keys).where(api_keys.c.hash == bindparam("hash"))
_MAKER = select(api_keys.c.created_by).where(api_keys.c.name == bindparam("name"))
_MINUTE = timedelta(minutes=1)


def add(transaction: WriteTransaction, key: ApiKey) -> None:
    """Adds a key.

    Raises:
        ConflictError: There is one of that name.
    """
    taken = select(api_keys.c.id).where(api_keys.c.name == key.name)
    if transaction.connection.execute(taken).first():
        raise ConflictError(f"There is a key {key.name} already.")
    transaction.insert_row(
        api_keys,
        {
            "name": key.name,
            "prefix": key.prefix,
            "hash": key.hash,
            "role": key.role,
            "scopes": to_json(key.scopes),
            "created": key.created,
            "created_by": key.created_by,
            "expires": key.expires,
            "last_used": key.last_used,
            "revoked": key.revoked,
        },
    )


def find(transaction: ReadTransaction, hash: str) -> ApiKey | None:
    """A key by the hash of what was presented, expired and revoked ones too."""
    row = transaction.connection.execute(_FIND, {"hash": hash}).one_or_none()
    return None if row is None else _key(row)


def maker_of(transaction: ReadTransaction, name: str) -> str:
    """Who made a key; empty where there is none of that name."""
    found = transaction.connection.execute(_MAKER, {"name": name}).scalar_one_or_none()
    return found or ""


def every(transaction: ReadTransaction) -> list[ApiKey]:
    """Every key, by name, expired and revoked ones too."""
    return [_key(row) for row in transaction.connection.execute(select(api_keys).order_by(api_keys.c.name))]


def revoke(transaction: WriteTransaction, name: str, *, at: datetime) -> None:
    """Makes a key useless, at once and for good. It stays in the list; its name is not free again.

    Raises:
        NotFoundError: There is none of that name.
    """
    changed = update(api_keys).where(api_keys.c.name == name, api_keys.c.revoked.is_(None))
    if transaction.connection.execute(changed.values(revoked=at)).rowcount:
        return
    if not transaction.connection.execute(select(api_keys.c.id).where(api_keys.c.name == name)).first():
        raise NotFoundError(f"There is no key {name}.")


def touch(transaction: WriteTransaction, hash: str, *, at: datetime) -> None:
    """Notes that a key was used; more than once a minute nothing is written."""
    stale = or_(api_keys.c.last_used.is_(None), api_keys.c.last_used <= at - _MINUTE)
    transaction.connection.execute(
        update(api_keys).where(api_keys.c.hash == hash, stale).values(last_used=at)
    )


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        name=row.name,
        prefix=row.prefix,
        hash=row.hash,
        role=row.role,
        scopes=from_json(row.scopes, tuple[str, ...]),
        created=row.created,
        created_by=row.created_by,
        expires=row.expires,
        last_used=row.last_used,
        revoked=row.revoked,
    )
