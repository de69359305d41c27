"""API keys: made once, kept as a hash, checked on every request.

A key is 256 random bits, so that a plain SHA-256 of it can neither be guessed nor searched for; the slow
hashes that passwords need would only slow look-ups down.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from heltig import audit
from heltig.auth.principal import Area, Principal, Role, known_areas, known_role
from heltig.errors import UsageError
from heltig.plain_name import insist_on_plain_name
from heltig.store import keys
from heltig.store.engine import Store
from heltig.store.keys import ApiKey
from heltig.store.transaction import WriteTransaction

PREFIX: Final = "hk_"
_SHOWN: Final = len(PREFIX) + 8

KNOWN_FOR: Final = timedelta(seconds=1)
"""How long an answer of the database about a key is good: a revoked key may work so much longer."""

LONGEST_NAME: Final = 128
"""Characters of a key's name."""

_MOST_KNOWN: Final = 10_000


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is to be.

    Attributes:
        name: To find it by in lists and in the audit trail.
        role: What its holder may do.
        areas: What it is limited to; empty for everything that the role may.
        expires: When it ends by itself.
    """

    name: str
    role: Role
    areas: tuple[Area, ...] = ()
    expires: datetime | None = None


def create(transaction: WriteTransaction, new: NewKey, *, actor: str, origin: str, now: datetime) -> str:
    """Makes a key and returns it; from then on nobody can show it again.

    Args:
        transaction: Of `Store.write_durably`.
        new: What it is to be.
        actor: Who makes it.
        origin: From where.
        now: The time.

    Raises:
        UsageError: It would have expired already, or its name is none.
        ConflictError: There is one of that name.
    """
    insist_on_plain_name(new.name, field="name", most=LONGEST_NAME)
    if new.expires is not None and new.expires <= now:
        raise UsageError("The key would have expired already. Give a later day.")
    key = PREFIX + secrets.token_urlsafe(32)
    record = ApiKey(
        name=new.name,
        prefix=key[:_SHOWN],
        hash=hash_of(key),
        role=new.role,
        scopes=new.areas,
        created=now,
        created_by=actor,
        expires=new.expires,
    )
    keys.add(transaction, record)
    audit.record(
        transaction,
        at=now,
        actor=actor,
        action="key.create",
        subject=f"key:{new.name}",
        outcome="success",
        origin=origin,
        detail={"role": new.role, "areas": new.areas, "expires": new.expires},
    )
    return key


def revoke(transaction: WriteTransaction, name: str, *, actor: str, origin: str, now: datetime) -> None:
    """Makes a key useless for good.

    Args:
        transaction: Of `Store.write_durably`.
        name: The key's name.
        actor: Who revokes it.
        origin: From where.
        now: The time.

    Raises:
        NotFoundError: There is none of that name.
    """
    keys.revoke(transaction, name, at=now)
    audit.record(
        transaction,
        at=now,
        actor=actor,
        action="key.revoke",
        subject=f"key:{name}",
        outcome="success",
        origin=origin,
    )


def hash_of(key: str) -> str:
    """What the store knows of a key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class KeyRing:
    """Tells who presents a key. Asks the database at most once a second for each."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[datetime, Principal]] = {}

    async def principal(self, key: str) -> Principal | None:
        """Who holds a key; None for one that is unknown, expired or revoked.

        Raises:
            StorageError: The database could not be asked.
        """
        now = self._clock()
        hash = hash_of(key)
        known = self._known.get(hash)
        if known is not None and now - known[0] < KNOWN_FOR:
            return known[1]
        self._known.pop(hash, None)
        if not key.startswith(PREFIX):
            return None
        found = await self._store.read(keys.find, hash)
        principal = None if found is None else _principal(found, now)
        if found is None or principal is None:
            return None
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[hash] = (now, principal)
        if found.last_used is None or now - found.last_used >= timedelta(minutes=1):
            await self._store.write(keys.touch, hash, at=now)
        return principal


def _principal(found: ApiKey, now: datetime) -> Principal | None:
    role = known_role(found.role)
    areas = known_areas(found.scopes)
    if role is None or len(areas) != len(found.scopes):
        return None  # made by another version: what it may do is not known here
    if found.revoked is not None or (found.expires is not None and found.expires <= now):
        return None
    return Principal(f"key:{found.name}", frozenset({role}), areas)
