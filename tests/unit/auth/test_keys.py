from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from unit.clock import Clock

from heltig.auth.keys import KeyRing, NewKey, create, hash_of, revoke
from heltig.auth.principal import Principal
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.store import audit_trail, keys
from heltig.store.engine import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
READER = NewKey(name="r", role="reader")


async def make(store: Store, new: NewKey = READER) -> str:
    return await store.write_durably(create, new, actor="cli", origin="cli", now=NOW)


async def test_a_key_is_long_and_kept_as_a_hash_only(store: Store) -> None:
    first, second = await make(store), await make(store, replace(READER, name="s"))
    assert first.startswith("hk_")
    assert len(first) >= 46
    assert first != second
    found = await store.read(keys.every)
    assert [key.hash for key in found] == [hash_of(first), hash_of(second)]
    assert first not in repr(found)
    assert first.startswith(found[0].prefix)
    assert len(found[0].prefix) == 11


async def test_who_holds_a_key(store: Store) -> None:
    ring = KeyRing(store, clock=Clock(NOW))
    key = await make(store, NewKey(name="pacs", role="archive", areas=("look-up",)))
    assert await ring.principal(key) == Principal("key:pacs", frozenset({"archive"}), frozenset({"look-up"}))
    assert await ring.principal(key[:-1]) is None
    assert await ring.principal("") is None
    assert await ring.principal("hk_\ud800") is None


@pytest.mark.parametrize(
    "name", ["a\nkey:b", "a\x1b[2J", "a\u202eb", "a\u200bb", "a\xa0", "", "a" * 129, "a "]
)
async def test_a_name_that_a_list_cannot_show_is_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match=r"^name: (give 1 to|character \d+ \(U\+|leave out)"):
        await make(store, replace(READER, name=name))
    assert await store.read(keys.every) == []
    await make(store, replace(READER, name="Gänge & Ö 放射科"))


async def test_an_end(store: Store) -> None:
    clock = Clock(NOW)
    ring = KeyRing(store, clock=clock)
    key = await make(store, replace(READER, expires=NOW + timedelta(hours=1)))
    clock.now += timedelta(minutes=59)
    assert await ring.principal(key)
    clock.now += timedelta(minutes=1)
    assert await ring.principal(key) is None
    with pytest.raises(UsageError):
        await make(store, NewKey(name="late", role="reader", expires=NOW))


async def test_a_revoked_key(store: Store) -> None:
    clock = Clock(NOW)
    ring = KeyRing(store, clock=clock)
    key = await make(store)
    assert await ring.principal(key)
    await store.write_durably(revoke, "r", actor="cli", origin="cli", now=NOW)
    clock.now += timedelta(seconds=1)
    assert await ring.principal(key) is None
    with pytest.raises(NotFoundError):
        await store.write_durably(revoke, "nobody", actor="cli", origin="cli", now=NOW)


async def test_names_are_given_once(store: Store) -> None:
    await make(store)
    with pytest.raises(ConflictError):
        await make(store)


async def test_a_key_of_another_version_opens_nothing(store: Store) -> None:
    ring = KeyRing(store, clock=Clock(NOW))
    for name, role, scopes in (("a", "superuser", ()), ("b", "reader", ("everything",))):
        key = f"hk_{name}"
        record = keys.ApiKey(
            name=name, prefix="hk_", hash=hash_of(key), role=role, scopes=scopes, created=NOW
        )
        await store.write(keys.add, record)
        assert await ring.principal(key) is None


async def test_what_is_done_with_keys_is_audited(store: Store) -> None:
    key = await make(store, NewKey(name="r", role="reader", areas=("rules",)))
    await store.write_durably(revoke, "r", actor="cli", origin="cli", now=NOW)
    made, revoked = await store.read(audit_trail.entries)
    assert (made.action, made.subject, made.actor, made.origin) == ("key.create", "key:r", "cli", "cli")
    assert made.detail == {"role": "reader", "areas": ["rules"], "expires": None}
    assert (revoked.action, revoked.outcome) == ("key.revoke", "success")
    assert key not in repr((made, revoked))
