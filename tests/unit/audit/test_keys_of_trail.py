"""The keys of the audit trail: made once, the same on every server, changed without loss."""

import asyncio
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from unit.audit.trails import NOW, Trail, opened, record
from unit.store.databases import render

from heltig import audit
from heltig.audit.keys import AuditKeys, id_of, new_key
from heltig.audit.trail import rotate
from heltig.audit.verify import verify
from heltig.errors import ConfigurationError, ConflictError, StorageError, UsageError
from heltig.settings import Settings
from heltig.store.engine import Store


def key_file(home: Path) -> Path:
    return home / "secrets" / "audit-key"


async def test_the_key_is_made_once_and_only_its_owner_can_read_it(trail: Trail, tmp_path: Path) -> None:
    file = key_file(tmp_path)
    made = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    again = await opened(trail.url, tmp_path)
    await again.write("again")
    await again.store.close()
    assert file.read_text() == made
    assert (await trail.verified()).is_whole


async def test_a_server_with_another_key_does_not_start(trail: Trail, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="copy the file secrets/audit-key"):
        await opened(trail.url, tmp_path / "other")
    assert not key_file(tmp_path / "other").exists()
    (tmp_path / "wrong").write_text(new_key())
    with pytest.raises(ConfigurationError, match="Give every server of this database the same key"):
        await opened(trail.url, tmp_path / "other", audit_key=f"file:{tmp_path / 'wrong'}")


async def test_a_key_that_is_gone_is_not_made_anew(trail: Trail, tmp_path: Path) -> None:
    key_file(tmp_path).rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        await opened(trail.url, tmp_path)
    assert not key_file(tmp_path).exists()


@pytest.mark.parametrize(
    "wrong", ["secret", "ab" * 31, "AB" * 32, f"{'ab' * 32},", f"{'ab' * 32} {'cd' * 32}"]
)
def test_what_is_no_key_is_refused_and_not_shown(wrong: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, audit_key="env:HELTIG_SECRET_AUDIT")
    with pytest.raises(ConfigurationError, match="64 hex digits") as refused:
        _ = AuditKeys(settings, {"HELTIG_SECRET_AUDIT": wrong}).ids
    assert wrong not in refused.value.detail
    with pytest.raises(ConfigurationError, match="HELTIG_AUDIT_KEY: env:HELTIG_SECRET_AUDIT: this variable"):
        _ = AuditKeys(settings, {}).ids


async def test_after_a_rotation_processes_that_run_go_on_and_old_entries_are_verified(
    trail: Trail, tmp_path: Path
) -> None:
    running = await opened(trail.url, tmp_path)
    (old,) = trail.keys.ids
    new = await rotate(trail.store, trail.keys, at=NOW, actor="cli", origin="cli")
    await running.write("after")  # it has only the old key in memory
    await running.store.close()
    entries = await trail.store.read(audit.entries, after=9)
    assert [(entry.action, entry.key_id) for entry in entries] == [
        ("archive.add", old),
        ("audit.rotate-key", new),
        ("archive.add", new),
    ]
    found = await trail.verified()
    assert found.is_whole, found.breaks
    assert found.keys == (old, new)
    assert key_file(tmp_path).read_text().count(",") == 1


async def test_without_the_old_key_its_entries_cannot_be_verified(trail: Trail, tmp_path: Path) -> None:
    (old,) = trail.keys.ids
    await rotate(trail.store, trail.keys, at=NOW, actor="cli", origin="cli")
    new, _ = key_file(tmp_path).read_text().split(",")
    key_file(tmp_path).write_text(new)
    found = await trail.store.read(verify, AuditKeys(Settings(home=tmp_path)))
    assert found.breaks[0].sequence == 1
    assert old in found.breaks[0].why


async def test_who_has_an_old_key_cannot_go_back_to_it(trail: Trail) -> None:
    """An old key may have leaked, which is why there is a new one."""
    (old,) = trail.keys.ids
    await rotate(trail.store, trail.keys, at=NOW, actor="cli", origin="cli")
    await trail.write("after")
    await trail.tamper("UPDATE sequences SET key_id = :k WHERE name = 'audit'", k=old)
    await trail.store.write_durably(record, action="audit.rotate-key")
    found = await trail.verified()
    assert [one.sequence for one in found.breaks] == [13]


async def test_a_rotation_does_not_go_back_to_a_key_either(trail: Trail, tmp_path: Path) -> None:
    await rotate(trail.store, trail.keys, at=NOW, actor="cli", origin="cli")
    new, old = key_file(tmp_path).read_text().strip().split(",")
    key_file(tmp_path).write_text(f"{old},{new}")
    with pytest.raises(ConfigurationError, match="The newest key stands first"):
        await rotate(trail.store, AuditKeys(Settings(home=tmp_path)), at=NOW, actor="cli", origin="cli")
    found = await trail.verified()
    assert (found.is_whole, found.last) == (True, 11)


def test_keys_that_several_put_into_the_file_at_once_are_all_there(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    AuditKeys(settings).make()
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: AuditKeys(settings).add(), range(8)))
    assert (len(made), made < set(AuditKeys(settings).ids)) == (8, True)


@pytest.mark.parametrize(
    ("others", "is_copied"), [(1, False), (2, False), (1, True)], ids=["same", "newer", "of another host"]
)
async def test_of_rotations_at_once_the_newest_key_stays_in_force(
    trail: Trail, tmp_path: Path, others: int, is_copied: bool
) -> None:
    before = key_file(tmp_path).read_text()

    async def rotated() -> None:
        other = await opened(trail.url, tmp_path)
        for _ in range(others):
            await rotate(other.store, other.keys, at=NOW, actor="cli", origin="cli")
        await other.store.close()

    class Overtaken(AuditKeys):
        def add(self) -> str:
            made = super().add()
            if is_copied:  # the file of a host that was quicker, without this key
                key_file(tmp_path).write_text(before)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, rotated()).result()
            return made

    keys = Overtaken(Settings(home=tmp_path))
    with pytest.raises(ConflictError, match="Another rotation was quicker"):
        await rotate(trail.store, keys, at=NOW, actor="cli", origin="cli")
    now = AuditKeys(Settings(home=tmp_path))
    found = await trail.store.read(verify, now)
    assert (found.is_whole, found.last, len(now.ids)) == (True, 10 + others, 1 + others)


async def test_keys_in_the_environment_are_changed_there(url: str, tmp_path: Path, monkeypatch) -> None:
    first, second = new_key(), new_key()
    monkeypatch.setenv("HELTIG_SECRET_AUDIT", first)
    trail = await opened(url, tmp_path, audit_key="env:HELTIG_SECRET_AUDIT")
    with pytest.raises(UsageError, match="put it before the old one"):
        await rotate(trail.store, trail.keys, at=NOW, actor="cli", origin="cli")
    await trail.store.close()
    monkeypatch.setenv("HELTIG_SECRET_AUDIT", f"{second},{first}")
    trail = await opened(url, tmp_path, audit_key="env:HELTIG_SECRET_AUDIT")
    new = await rotate(trail.store, trail.keys, at=NOW, actor="cli", origin="cli")
    assert new == id_of(bytes.fromhex(second))
    found = await trail.verified()
    await trail.store.close()
    assert found.is_whole, found.breaks
    assert not key_file(tmp_path).exists()


async def test_a_running_process_without_the_new_key_writes_nothing(trail: Trail, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere"
    file.write_text(key_file(tmp_path).read_text())
    other = await opened(trail.url, tmp_path, audit_key=f"file:{file}")
    await rotate(trail.store, trail.keys, at=NOW, actor="cli", origin="cli")
    with pytest.raises(StorageError, match="Give every server of this database the same key"):
        await other.write("lost")
    with pytest.raises(ConfigurationError, match="Give every server of this database the same key"):
        await rotate(other.store, other.keys, at=NOW, actor="cli", origin="cli")
    file.write_text(key_file(tmp_path).read_text())
    await other.write("kept")
    await other.store.close()
    found = await trail.verified()
    assert (found.is_whole, found.last) == (True, 12)


async def test_entries_of_older_tables_are_sealed_when_the_chain_begins(url: str, tmp_path: Path) -> None:
    store = await Store.open(url, render=render)
    for subject in "abc":
        await store.write_durably(record, subject)
    await store.close()
    trail = await opened(url, tmp_path)
    await trail.write("d")
    found = await trail.verified()
    assert (found.is_whole, found.entries, found.began) == (True, 5, 3)
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 2")
    found = await trail.verified()
    assert [one.sequence for one in found.breaks] == [2]
    await trail.store.close()
