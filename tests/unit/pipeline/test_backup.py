"""A backup taken while studies are judged and a gate takes objects is what there was at one moment."""

import asyncio
import hashlib
import io
import itertools
import random
import stat
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from integration.gated import files_of
from servers.postgresql import PostgreSQL
from sqlalchemy import select
from unit.pipeline.scoring import ThisProcess, scoring, table_of
from unit.pipeline.test_context import images
from unit.pipeline.test_custody import Upstream, site_before
from unit.store.databases import SERVER, database_url, postgresql_database, sqlite_url
from unit.store.samples import MAIN

from heltig.audit.trail import open_trail
from heltig.errors import ConflictError, InputError, StorageError, UsageError
from heltig.pipeline.backup import archive_file as backup_archive
from heltig.pipeline.backup.making import back_up
from heltig.pipeline.backup.restoring import read_backup, restore
from heltig.pipeline.publish import render
from heltig.settings import Settings
from heltig.store import (
    audit_trail,
    changes,
    custody_files,
    jobs,
    migrations,
    removal,
    studies,
    verdicts,
)
from heltig.store.audit_trail import AuditEntry
from heltig.store.changes import Change
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.migrations import upgrade
from heltig.store.tables import Table
from heltig.store.transaction import ReadTransaction, WriteTransaction

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
BY: dict[str, Any] = {"clock": lambda: NOW, "actor": "cli", "origin": "cli"}


@asynccontextmanager
async def opened(url: str, home: Path) -> AsyncIterator[Store]:
    await asyncio.to_thread(home.mkdir, exist_ok=True)
    store = await Store.open(url, render=render)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def filled(tmp_path: Path) -> AsyncIterator[tuple[Store, Path]]:
    """A store with a sealed trail."""
    home = tmp_path / "home"
    async with database_url(tmp_path) as url, opened(url, home) as store:
        await open_trail(store, Settings(home=home), clock=lambda: NOW)
        yield store, home


async def feed(store: Store) -> list[Change]:
    return await store.read(changes.since, 0, limit=10_000)


async def trail(store: Store) -> list[AuditEntry]:
    return await store.read(audit_trail.entries, limit=10_000)


def dump(transaction: ReadTransaction) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return {
        name: sorted(map(tuple, transaction.connection.execute(select(table))), key=repr)
        for name, table in Table.metadata.tables.items()
    }


async def test_under_load_a_backup_is_one_moment(tmp_path: Path) -> None:
    async with filled(tmp_path) as (store, home), site_before(Upstream(), store, home / "spool") as site:
        (home / "spool.name").write_text("here")
        gate = site.gate("hold")
        await site.take(gate, files_of("two-patient-ids"))
        stop, some, more = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def judge() -> None:
            for number in itertools.count():
                if stop.is_set():
                    return
                study = table_of(images(f"1.{number % 4}", comment=f"{number}"))
                await scoring(store, ThisProcess()).score(study, MAIN)
                if number == 5:
                    some.set()
                if number == 10:
                    more.set()

        async def send() -> None:
            for seed in itertools.count(2):
                if stop.is_set():
                    return
                await site.take(gate, files_of("mr-brain", seed)[:3])
                await site.work()

        async with asyncio.TaskGroup() as group:
            group.create_task(judge())
            group.create_task(send())
            await some.wait()
            taken = tmp_path / "site.backup"
            manifest = await back_up(store, home, taken, with_secrets=True, clock=lambda: NOW)
            await more.wait()
            stop.set()
        assert stat.S_IMODE(taken.stat().st_mode) == 0o600
        left = await asyncio.to_thread(lambda: [*tmp_path.glob(".site*"), *home.glob("spool/backup-*")])
        assert left == []
        assert manifest.missing == []

        elsewhere = tmp_path / "elsewhere"
        async with database_of(tmp_path / "new") as url, opened(url, elsewhere) as other:
            restored = await restore(other, Settings(home=elsewhere), taken, **BY)
            assert (restored.trail, restored.is_altered) == ("whole", False)
            told, known = await feed(other), await trail(other)
            # What is told is a beginning of what was told, and each study stands as it was told last.
            assert told == (await feed(store))[: len(told)]
            assert known[:-1] == (await trail(store))[: len(known) - 1]
            assert known[-1].action == "backup.restore"
            published = [one for one in known if one.action == "verdict.publish"]
            assert len(published) == len(told) >= 5
            for change in told:
                there = await other.read(
                    verdicts.revision, change.location, change.study_key, change.revision
                )
                here = await store.read(verdicts.revision, change.location, change.study_key, change.revision)
                assert there == here is not None
            last = {(change.location, change.study_key): change for change in told}
            for (location, key), change in last.items():
                study = await other.read(studies.find, location, key)
                assert study
                assert (study.revision, study.readiness) == (change.revision, change.readiness)
            # All that was in custody is there, byte for byte.
            kept = await other.read(custody_files.objects_kept, "here")
            assert kept
            for _, file in kept:
                content = (elsewhere / "spool" / "gate" / file).read_bytes()
                assert hashlib.sha256(content).hexdigest() in await _digests(other, file)


@asynccontextmanager
async def database_of(folder: Path) -> AsyncIterator[str]:
    """The URL of a database without tables, of the kind that this run is about."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    if SERVER:
        async with postgresql_database(SERVER, empty=True) as url:
            yield url
    else:
        yield sqlite_url(folder / "heltig.db")


async def _digests(store: Store, file: str) -> set[str]:
    table = Table.metadata.tables["objects"]

    def read(transaction: ReadTransaction) -> set[str]:
        rows = transaction.connection.execute(select(table.c.digest).where(table.c.file == file))
        return set(rows.scalars())

    return await store.read(read)


async def test_either_database_gives_everything_to_the_other_and_new_numbers_follow_the_old(
    tmp_path: Path, postgresql: PostgreSQL
) -> None:
    home = tmp_path / "home"
    settings = Settings(home=home)
    taken, again = tmp_path / "one", tmp_path / "two"

    def add_job(transaction: WriteTransaction) -> int:
        return jobs.enqueue(transaction, NewJob(kind="pull"), now=NOW)[0]

    async with opened(sqlite_url(tmp_path / "a.db"), home) as store:
        await upgrade(store)
        await open_trail(store, settings, clock=lambda: NOW)
        for number in range(3):
            await scoring(store).score(table_of(images(f"1.{number}", accession="A1")), MAIN)
        last = await store.write(add_job)
        await store.write(removal.remove, "jobs", [last])
        before = await store.read(dump)
        await back_up(store, home, taken, with_secrets=True, clock=lambda: NOW)

    there = tmp_path / "there"
    async with (
        postgresql_database(postgresql.url, empty=True) as url,
        opened(url, there) as store,
    ):
        found = await restore(store, Settings(home=there), taken, **BY)
        assert found.trail == "whole"
        assert without_last_entry(await store.read(dump)) == without_last_entry(before, 0)
        assert await store.write(add_job) == last + 1
        await store.write(removal.remove, "jobs", [last + 1])
        before = await store.read(dump)
        await back_up(store, there, again, with_secrets=False, clock=lambda: NOW)

    back = tmp_path / "back"
    async with opened(sqlite_url(tmp_path / "b.db"), back) as store:
        found = await restore(store, Settings(home=back), again, **BY)
        assert "does not hold" in found.trail or "cannot be read" in found.trail
        assert not found.is_altered
        assert await store.read(dump) == before
        assert await store.write(add_job) == last + 2
    assert not (back / "secrets").exists()


def without_last_entry(rows: dict[str, Any], entries: int = 1) -> dict[str, Any]:
    """The restoration itself is told in the trail."""
    left = {**rows, "audit": rows["audit"][: len(rows["audit"]) - entries]}
    return {name: left[name] for name in left if name != "sequences"}


async def test_a_backup_of_an_older_version_is_restored_and_a_newer_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    old = tmp_path / "old"
    async with opened(sqlite_url(tmp_path / "old.db"), home) as store:
        await store.database.migrate(lambda connection: migrations.upgrade_to(connection, "0001"))
        await store.write(
            lambda t: t.connection.exec_driver_sql(
                "INSERT INTO locations (kind, name) VALUES ('archive', 'x')"
            )
        )
        manifest = await back_up(store, home, old, with_secrets=False, clock=lambda: NOW)
        assert manifest.revision == "0001"
        with pytest.raises(UsageError, match="there already"):
            await back_up(store, home, old, with_secrets=False, clock=lambda: NOW)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "revisions", lambda: frozenset())
        with pytest.raises(StorageError, match="install a newer one"):
            await read_backup(old)
    there = tmp_path / "there"
    async with database_of(tmp_path / "new") as url, opened(url, there) as store:
        await restore(store, Settings(home=there), old, **BY)
        assert await store.read(migrations.version) == migrations.HEAD
        assert [str(one) for one in (await store.read(dump))["locations"]] == ["(1, 'archive', 'x')"]
        with pytest.raises(ConflictError, match="not empty"):
            await restore(store, Settings(home=there), old, **BY)


async def test_what_is_damaged_or_not_whole_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    async with filled(tmp_path) as (store, home):
        await scoring(store).score(table_of(images("1.1")), MAIN)
        (home / "profiles").mkdir()
        (home / "profiles" / "long.toml").write_bytes(random.Random(1).randbytes(400_000))
        taken = tmp_path / "taken"
        await back_up(store, home, taken, with_secrets=False, clock=lambda: NOW)
    content = taken.read_bytes()
    there = tmp_path / "there"
    async with database_of(tmp_path / "new") as url, opened(url, there) as other:
        for damaged in (
            *(content[: len(content) * share // 10] for share in (3, 5, 7, 9)),  # in the midst of a member
            content[:99],
            b"",
            b"nothing",
            _with_other_row(taken),
        ):
            bad = tmp_path / "bad"
            bad.write_bytes(damaged)
            with pytest.raises(InputError):
                await restore(other, Settings(home=there), bad, **BY)
        assert await other.read(migrations.version) is None
        (there / "spool" / "gate" / "main").mkdir(parents=True)
        (there / "spool" / "gate" / "main" / "x.dcm").write_bytes(b"")
        with pytest.raises(ConflictError, match="custody"):
            await restore(other, Settings(home=there), taken, **BY)


def _with_other_row(path: Path) -> bytes:
    """A backup of which one byte of a part was changed by somebody who knows how to pack it."""
    packed = io.BytesIO()
    changed = False
    with (
        zstandard.ZstdCompressor().stream_writer(packed, closefd=False) as writer,
        tarfile.open(fileobj=writer, mode="w|") as tar,
    ):
        for name, source in backup_archive.members(path):
            content = source.read()
            if name.startswith("tables/verdicts/"):
                content, changed = content[:-1] + bytes([content[-1] ^ 1]), True
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert changed
    return packed.getvalue()
