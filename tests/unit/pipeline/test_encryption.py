"""Evidence is encrypted with a key from outside the database, and with another while everybody works."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from servers.postgresql import PostgreSQL
from sqlalchemy import select, update
from unit.pipeline.scoring import NOW, scoring, table_of
from unit.pipeline.test_context import images
from unit.store.databases import SERVER, database_url, postgresql_database, sqlite_url
from unit.store.samples import MAIN, OTHER

from heltig.audit.trail import open_trail
from heltig.errors import ConfigurationError, StorageError, UsageError
from heltig.pipeline.backup.making import back_up
from heltig.pipeline.backup.restoring import restore
from heltig.pipeline.publish import render
from heltig.pipeline.reencrypting import insist_on_meaning, look, rewrite
from heltig.settings import Settings
from heltig.store import (
    analyses,
    audit_trail,
    comments,
    consents,
    lookups,
    snapshots,
    studies,
    tables,
    verdicts,
    waivers,
)
from heltig.store.analyses import NewAnalysis
from heltig.store.encryption import PLAIN, Cipher
from heltig.store.encryption_in_use import insist_on_keys, key_ids
from heltig.store.encryption_keys import EncryptionKeys
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.reencryption import TABLES
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.store.waivers import NewWaiver

COMMENT, CODE = "ZQXCOMMENT", "zqx;odd;code"
ONE, TWO = (f"{number:02x}" * 32 for number in (1, 2))
BY: dict[str, Any] = {"clock": lambda: NOW, "actor": "test", "origin": "cli"}


class BrokenOffError(Exception):
    """Somebody ends the command."""


def marked(uid: str, *, code: str = CODE) -> list[dict[str, Any]]:
    """A study with a comment, which nothing finds anything in, and a code that a finding shows."""
    return [
        dict(sorted({**one, "00180015": {"vr": "CS", "Value": [code]}}.items()))
        for one in images(uid, comment=f"{COMMENT} {uid}", accession="A1")
    ]


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with database_url(tmp_path) as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of the keys."""
    return give(tmp_path / "key", ONE)


def give(file: Path, *keys: str) -> Path:
    file.write_text(",".join(keys))
    return file


def keys_in(file: Path) -> list[str]:
    return file.read_text().strip().split(",")


@asynccontextmanager
async def opened(url: str, cipher: Cipher | Path = PLAIN) -> AsyncIterator[Store]:
    given = EncryptionKeys(f"file:{cipher}") if isinstance(cipher, Path) else cipher
    store = await Store.open(url, render=render, cipher=given)
    try:
        yield store
    finally:
        await store.close()


async def judge(store: Store, *uids: str, location: Location = MAIN) -> None:
    using = scoring(store)
    for uid in uids:
        await using.score(table_of(marked(uid)), location)


async def waive(store: Store, uid: str) -> None:
    [odd] = [one for one in (await verdict_of(store, uid)).verdict.findings if one.observed == CODE]
    new = NewWaiver(
        rule=odd.rule,
        tags=odd.tags,
        observed=odd.observed,
        digest=odd.digest,
        location=MAIN,
        study_key=uid,
        reason=f"{COMMENT} is right",
        author="key:somebody",
        created=NOW,
        expires=NOW + timedelta(days=1),
    )
    await store.write(waivers.add, new)
    await store.write(comments.add, MAIN, uid, author="key:somebody", text=f"{COMMENT} again", at=NOW)
    row = await store.read(studies.row_of, MAIN, uid)
    asked = await store.write(
        consents.ask, row, "release", version=1, by="key:somebody", reason=COMMENT, at=NOW, expires=NOW
    )
    await store.write(consents.end, asked, "declined", by="key:other", answer=COMMENT, at=NOW)
    ordered = NewAnalysis(
        analysis_id=f"analysis-{uid}",
        study_row=row,
        snapshot="",
        verdict_id=None,
        readiness="BLOCKED",
        asked={},
        identified=False,
        requested_by="key:somebody",
        override_reason=COMMENT,
        ordered=NOW,
    )
    await store.write(analyses.add, ordered)


async def verdict_of(store: Store, uid: str, location: Location = MAIN) -> Any:
    found = await store.read(verdicts.current, location, uid)
    assert found is not None
    return found


async def everything(store: Store) -> list[Any]:
    """All that is read of two studies, as whoever asks is told it."""
    seen: list[Any] = [await store.read(waivers.newest, now=NOW)]
    for uid in ("1.1", "1.2"):
        seen.append(await store.read(comments.of_study, uid))
        seen.append(await store.read(consents.of_study, await store.read(studies.row_of, MAIN, uid)))
        found = await verdict_of(store, uid)
        seen += [found, await store.read(snapshots.get, MAIN, uid), await lookups.Lookups(store).find(uid)]
        seen.append(await store.read(lookups.find_many, [uid]))
        seen.append(await store.read(verdicts.worst_findings, [uid]))
        seen.append(await store.read(analyses.newest, study_key=uid, limit=9))
        for finding in found.verdict.findings:
            asked = NewWaiver(
                rule=finding.rule,
                tags=finding.tags,
                observed=finding.observed,
                digest=finding.digest,
                location=MAIN,
                reason="",
                author="",
                created=NOW,
                expires=NOW,
            )
            seen.append(await store.read(waivers.digests, asked))
            assert finding.digest in seen[-1]
            seen.append(await store.read(waivers.concerned, asked))
        seen.append(await store.read(waivers.in_force, MAIN, uid, at=NOW))
    return seen


def values_of(rows: Sequence[Sequence[Any]]) -> Iterator[bytes]:
    """All values, those that were compressed unpacked."""
    for row in rows:
        for value in row:
            if isinstance(value, bytes) and value[:4] == zstandard.MAGIC_NUMBER.to_bytes(4, "little"):
                yield zstandard.ZstdDecompressor().decompress(value)
            yield value if isinstance(value, bytes) else str(value).encode()


async def marks_in(store: Store) -> set[str]:
    """The tables in which a mark can be read."""

    def search(transaction: ReadTransaction) -> set[str]:
        return {
            str(table.name)
            for table in tables.Table.metadata.sorted_tables
            for value in values_of([tuple(row) for row in transaction.connection.execute(select(table))])
            if COMMENT.encode() in value or CODE.encode() in value
        }

    return await store.read(search)


def marks_in_files(folder: Path) -> list[str]:
    """The files of a SQLite database in which a mark can be read as it is."""
    return [
        path.name
        for path in sorted(folder.glob("heltig.db*"))
        if any(mark.encode() in path.read_bytes() for mark in (COMMENT, CODE))
    ]


async def test_nothing_of_the_evidence_can_be_read_in_the_database(
    url: str, file: Path, tmp_path: Path
) -> None:
    async with opened(url, file) as store:
        await judge(store, "1.1", "1.2")
        await waive(store, "1.1")
        await judge(store, "1.1")  # again, with the waiver in force
        assert await marks_in(store) == set()
        assert marks_in_files(tmp_path) == []
        encrypted = await everything(store)
        assert [one.observed for one in (await verdict_of(store, "1.1")).verdict.findings if one.waived] == [
            CODE
        ]
        assert COMMENT.encode() in encrypted[4].series[0].content
        assert [one.text for one in encrypted[1]] == [f"{COMMENT} again"]
        assert [(one.reason, one.answer) for one in encrypted[2]] == [(COMMENT, COMMENT)]
        kinds = {table for table, keys in (await look(store)).rows.items() if keys}
        assert kinds == {*TABLES}
        assert (await look(store)).others == 0

    plain = tmp_path / "plain"
    await asyncio.to_thread(plain.mkdir)
    async with database_url(plain) as plain_url, opened(plain_url) as store:
        await judge(store, "1.1", "1.2")
        await waive(store, "1.1")
        await judge(store, "1.1")
        assert await marks_in(store) >= {
            "contents",
            "findings",
            "waivers",
            "verdicts",
            "comments",
            "consents",
            "analyses",
        }
        assert SERVER or marks_in_files(plain)
        assert await everything(store) == encrypted


async def test_without_the_key_nothing_starts_and_nothing_is_read(
    url: str, file: Path, tmp_path: Path
) -> None:
    async with opened(url, file) as store:
        await judge(store, "1.1")
        [known] = await store.read(key_ids)
    other = give(tmp_path / "other", TWO)
    for wrong in (PLAIN, other):
        async with opened(url, wrong) as store:
            with pytest.raises(ConfigurationError, match=f"{known}.*HELTIG_ENCRYPTION_KEY") as refused:
                await store.read(insist_on_keys)
            with pytest.raises(StorageError, match=f"{known}.*HELTIG_ENCRYPTION_KEY") as unread:
                await store.read(snapshots.get, MAIN, "1.1")
            with pytest.raises(StorageError, match="HELTIG_ENCRYPTION_KEY"):
                await verdict_of(store, "1.1")
            with pytest.raises(StorageError, match="HELTIG_ENCRYPTION_KEY"):
                await lookups.Lookups(store).find("1.1")
            assert COMMENT not in refused.value.detail + unread.value.detail
    async with opened(url, give(tmp_path / "both", TWO, ONE)) as store:
        await store.read(insist_on_keys)
        assert (await verdict_of(store, "1.1")).verdict.findings


SWAPS: dict[str, tuple[str, Callable[[Store], Any]]] = {
    "contents": ("body", lambda store: store.read(snapshots.get, MAIN, "1.1")),
    "snapshots": ("facts", lambda store: store.read(snapshots.get, MAIN, "1.1")),
    "verdicts": ("encrypted", lambda store: store.read(verdicts.current, MAIN, "1.1")),
    "findings": ("encrypted", lambda store: store.read(verdicts.current, MAIN, "1.1")),
    "lookups": ("body", lambda store: store.read(lookups.find_many, ["1.1", "1.2"])),
}


@pytest.mark.parametrize("name", SWAPS)
async def test_a_row_that_was_put_into_the_place_of_another_is_found_out(
    url: str, file: Path, name: str
) -> None:
    column, read = SWAPS[name]
    table = tables.Table.metadata.tables[name]
    key = list(table.primary_key.columns)

    def swap(transaction: WriteTransaction) -> None:
        rows = transaction.connection.execute(select(*key, table.c[column]).order_by(*key)).all()
        for row, other in zip(rows, [*rows[1:], rows[0]], strict=True):
            where = [one == value for one, value in zip(key, row, strict=False)]
            transaction.connection.execute(update(table).where(*where).values({column: other[-1]}))

    async with opened(url, file) as store:
        await judge(store, "1.1", "1.2")
        await read(store)
        await store.write(swap)
        with pytest.raises(
            StorageError, match=f"table {name} is damaged, or was put into the place of another"
        ):
            await read(store)


async def test_what_was_plain_is_encrypted_and_decrypted_again(url: str, file: Path, tmp_path: Path) -> None:
    async with opened(url) as store:
        await judge(store, "1.1", "1.2")
        await waive(store, "1.1")
        before = await everything(store)
        with pytest.raises(UsageError, match="names no key"):
            insist_on_meaning(store, plain=False)
    async with opened(url, file) as store:
        await open_trail(store, Settings(home=tmp_path), clock=lambda: NOW)
        assert await everything(store) == before
        assert (await store.read(key_ids)) == ["plain"]
        with pytest.raises(UsageError, match="put `plain,` before the keys"):
            insist_on_meaning(store, plain=True)
        plain = (await look(store)).others
        told: list[tuple[str, int]] = []
        done = await rewrite(store, **BY, progress=lambda *said: told.append(said))
        assert (done.count, done.left, dict(told).keys()) == (
            plain,
            0,
            dict.fromkeys(tables_with_rows).keys(),
        )
        assert (await look(store)).others == 0
        assert (await store.read(key_ids)) == [done.key]
        assert await everything(store) == before
        assert await marks_in(store) == set()
        assert (await rewrite(store, **BY)).count == 0
        await store.compact()
    assert marks_in_files(tmp_path) == []
    give(file, "plain", ONE)
    async with opened(url, file) as store:
        await open_trail(store, Settings(home=tmp_path), clock=lambda: NOW)
        with pytest.raises(UsageError, match="--plain"):
            insist_on_meaning(store, plain=False)
        insist_on_meaning(store, plain=True)
        assert (await rewrite(store, **BY)).count == plain
        entries = [one for one in await store.read(audit_trail.entries) if one.action == "encryption.rewrite"]
        assert [(one.subject, one.detail.get("rows")) for one in entries][-2:] == [
            ("encryption-key:plain", None),
            ("encryption-key:plain", plain),
        ]
    async with opened(url) as store:
        await store.read(insist_on_keys)
        assert await everything(store) == before


tables_with_rows = TABLES


async def test_the_key_is_changed_under_eight_writers(url: str, file: Path, tmp_path: Path) -> None:
    await _change_under_writers(url, file, tmp_path)


async def test_the_key_is_changed_under_eight_writers_on_postgresql(
    postgresql: PostgreSQL, file: Path, tmp_path: Path
) -> None:
    async with postgresql_database(postgresql.url) as url:
        await _change_under_writers(url, file, tmp_path)


async def _change_under_writers(url: str, file: Path, tmp_path: Path) -> None:
    """Two processes, as it were: each has its own store and keys, and four tasks that judge."""
    stop = asyncio.Event()
    has_worked = asyncio.Condition()
    rounds = dict.fromkeys(range(8), 0)

    async def work(store: Store, number: int) -> None:
        location, uid = (MAIN, OTHER)[number % 2], f"1.{number // 2}"
        while not stop.is_set():
            odd = f"{CODE}{rounds[number]}"
            await scoring(store).score(table_of(marked(uid, code=odd)), location)
            found = await store.read(snapshots.get, location, uid)
            assert found is not None
            assert (await lookups.Lookups(store).find(uid)) != []
            async with has_worked:
                rounds[number] += 1
                has_worked.notify_all()

    async def until_all_have_worked(times: int) -> None:
        wanted = {number: done + times for number, done in rounds.items()}
        async with has_worked:
            await has_worked.wait_for(lambda: all(rounds[number] >= wanted[number] for number in wanted))

    async with opened(url, file) as store, opened(url, file) as other, asyncio.timeout(240):
        await open_trail(store, Settings(home=tmp_path), clock=lambda: NOW)
        await open_trail(other, Settings(home=tmp_path), clock=lambda: NOW)
        async with asyncio.TaskGroup() as group:
            for number in rounds:
                group.create_task(work((store, other)[number // 4], number))
            await until_all_have_worked(1)
            made = EncryptionKeys(f"file:{file}").add()
            done = await rewrite(store, **BY)
            assert (done.left, done.wrong) == (0, None)
            await until_all_have_worked(1)
            stop.set()
        done = await rewrite(store, **BY)  # what somebody wrote with the old key at the last moment
        assert done.left == 0
        found = await look(store)
        assert {key for keys in found.rows.values() for key in keys} == {made}
        assert (await store.read(key_ids)) == [made]
    give(file, keys_in(file)[0])
    async with opened(url, file) as store:
        await store.read(insist_on_keys)
        for number in rounds:
            location, uid = (MAIN, OTHER)[number % 2], f"1.{number // 2}"
            assert await store.read(snapshots.get, location, uid) is not None
            assert (await verdict_of(store, uid, location)).verdict.findings


async def test_what_was_broken_off_goes_on(url: str, file: Path, tmp_path: Path) -> None:
    def break_off(table: str, count: int) -> None:
        if table == "findings":
            raise BrokenOffError

    async with opened(url) as store:
        await judge(store, "1.1", "1.2")
    async with opened(url, file) as store:
        await open_trail(store, Settings(home=tmp_path), clock=lambda: NOW)
        every = (await look(store)).others
        with pytest.raises(BrokenOffError):
            await rewrite(store, **BY, progress=break_off)
        assert "plain" in await store.read(key_ids)
        left = (await look(store)).others
        assert 0 < left < every
        assert (await rewrite(store, **BY)).count == left
        assert await marks_in(store) == set()
        assert "plain" not in await store.read(key_ids)


async def test_a_row_that_cannot_be_read_keeps_no_other_from_being_rewritten(
    url: str, file: Path, tmp_path: Path
) -> None:
    def spoil(transaction: WriteTransaction) -> None:
        row = transaction.connection.execute(select(tables.contents)).first()
        assert row is not None
        spoilt = row.body[:-1] + bytes([row.body[-1] ^ 1])
        of = tables.contents.c.address == row.address
        transaction.connection.execute(update(tables.contents).where(of).values(body=spoilt))

    async with opened(url, file) as store:
        await open_trail(store, Settings(home=tmp_path), clock=lambda: NOW)
        await judge(store, "1.1", "1.2")
        await store.write(spoil)
        before = await store.read(key_ids)
        made = EncryptionKeys(f"file:{file}").add()
        store.cipher.reread()
        done = await rewrite(store, **BY)
        assert done.left == 1
        assert done.wrong is not None
        assert "contents" in done.wrong
        assert (await look(store)).others == 1
        assert sorted(await store.read(key_ids)) == sorted([*before, made])


async def test_a_backup_stays_encrypted_and_is_restored_only_where_its_key_is(
    url: str, file: Path, tmp_path: Path
) -> None:
    home, taken = tmp_path / "home", tmp_path / "taken"
    home.mkdir()
    async with opened(url, file) as store:
        await open_trail(store, Settings(home=home), clock=lambda: NOW)
        await judge(store, "1.1", "1.2")
        manifest = await back_up(store, home, taken, with_secrets=True, clock=lambda: NOW)
        assert manifest.encryption_keys == await store.read(key_ids)
        before = await everything(store)
    unpacked = zstandard.ZstdDecompressor().stream_reader(taken.read_bytes()).read()
    assert COMMENT.encode() not in unpacked
    assert CODE.encode() not in unpacked
    there = tmp_path / "there"
    there.mkdir()
    async with _empty(there) as new:
        async with opened(new) as store:
            with pytest.raises(ConfigurationError, match="HELTIG_ENCRYPTION_KEY"):
                await restore(store, Settings(home=there), taken, **BY)
            assert not (there / "spool").exists()
        async with opened(new, file) as store:
            assert (await restore(store, Settings(home=there), taken, **BY)).trail == "whole"
            assert await everything(store) == before


@asynccontextmanager
async def _empty(folder: Path) -> AsyncIterator[str]:
    if SERVER:
        async with postgresql_database(SERVER, empty=True) as url:
            yield url
    else:
        yield sqlite_url(folder / "heltig.db")


async def test_the_database_refuses_any_other_change_of_what_is_encrypted(url: str, file: Path) -> None:
    edits = (
        update(tables.findings).values(rule="OTHER", encrypted=b"x"),
        update(tables.verdicts).values(readiness="READY", encrypted=b"x"),
        update(tables.contents).values(size=1, body=tables.contents.c.body),
        update(tables.snapshots).values(content_digest="", facts=tables.snapshots.c.facts),
    )
    async with opened(url, file) as store:
        await judge(store, "1.1")
        for edit in edits:
            with pytest.raises(StorageError, match="refused"):
                await store.write(lambda transaction, edit=edit: transaction.connection.execute(edit))
