"""API keys, of which only hashes are known."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from unit.store.samples import NOW, sha

from heltig.errors import ConflictError, NotFoundError
from heltig.store import keys
from heltig.store.engine import Store
from heltig.store.keys import ApiKey

KEY = ApiKey(
    name="gateway",
    prefix="hk_1234",
    hash=sha("secret"),
    role="archive",
    scopes=("lookup", "gate"),
    created=NOW,
    created_by="cli",
    expires=NOW + timedelta(days=90),
)


async def test_a_key_is_found_by_its_hash(store: Store) -> None:
    await store.write(keys.add, KEY)
    assert await store.read(keys.find, sha("secret")) == KEY
    assert await store.read(keys.find, sha("guess")) is None


async def test_keys_are_listed_by_name(store: Store) -> None:
    other = replace(KEY, name="auditor", hash=sha("other"))
    for key in (KEY, other):
        await store.write(keys.add, key)
    assert await store.read(keys.every) == [other, KEY]


async def test_a_name_is_given_once(store: Store) -> None:
    await store.write(keys.add, KEY)
    await store.write(keys.revoke, "gateway", at=NOW)
    with pytest.raises(ConflictError, match="gateway"):
        await store.write(keys.add, replace(KEY, hash=sha("new")))


async def test_revoking_is_for_good(store: Store) -> None:
    await store.write(keys.add, KEY)
    await store.write(keys.revoke, "gateway", at=NOW)
    await store.write(keys.revoke, "gateway", at=NOW + timedelta(days=1))
    assert await store.read(keys.find, KEY.hash) == replace(KEY, revoked=NOW)
    with pytest.raises(NotFoundError, match="no key other"):
        await store.write(keys.revoke, "other", at=NOW)


async def test_use_is_noted_to_the_minute(store: Store) -> None:
    await store.write(keys.add, KEY)
    noted = []
    for seconds in (0, 30, 59, 60, 100):
        await store.write(keys.touch, KEY.hash, at=NOW + timedelta(seconds=seconds))
        key = await store.read(keys.find, KEY.hash)
        assert key is not None
        assert key.last_used is not None
        noted.append((key.last_used - NOW).total_seconds())
    assert noted == [0, 0, 0, 60, 60]
