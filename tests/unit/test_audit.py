"""The audit trail: in one piece with what it records, numbered without gaps, never changed."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, update
from unit.store.databases import render

from heltig import audit
from heltig.errors import StorageError
from heltig.store import tables
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(transaction: WriteTransaction, subject: str = "archive:main", **changes: object) -> None:
    fields = {
        "at": NOW,
        "actor": "key:ops",
        "action": "archive.add",
        "outcome": "success",
        "origin": "10.0.0.7",
    }
    audit.record(transaction, subject=subject, **{**fields, **changes})  # type: ignore[arg-type]


async def test_an_entry_comes_out_as_it_went_in(store: Store) -> None:
    await store.write_durably(record, detail={"url": "https://pacs", "count": 3})
    assert await store.read(audit.entries) == [
        audit.AuditEntry(
            sequence=1,
            at=NOW,
            actor="key:ops",
            action="archive.add",
            subject="archive:main",
            outcome="success",
            origin="10.0.0.7",
            detail={"url": "https://pacs", "count": 3},
        )
    ]


async def test_an_entry_is_there_only_with_what_it_records(store: Store) -> None:
    def breaks(transaction: WriteTransaction) -> None:
        record(transaction)
        transaction.connection.execute(insert(tables.sequences).values(name="audit", value=9))

    with pytest.raises(StorageError):
        await store.write_durably(breaks)
    assert await store.read(audit.entries) == []


async def test_an_entry_needs_a_transaction_that_survives_a_power_cut(store: Store) -> None:
    with pytest.raises(RuntimeError, match="write_durably"):
        await store.write(record)


async def test_numbers_have_no_gaps_under_writers_of_which_some_roll_back(store: Store, url: str) -> None:
    others = [await Store.open(url, render=render) for _ in range(3)]
    written: list[str] = []

    def work(transaction: WriteTransaction, name: str, *, entries: int, fails: bool) -> None:
        for number in range(entries):
            record(transaction, f"{name}.{number}")
        if fails:
            raise ValueError("no")

    async def write(writer: int) -> None:
        rng = random.Random(writer)
        through = [store, *others][writer % 4]
        for turn in range(25):
            name, entries, fails = f"{writer}.{turn}", rng.randint(1, 3), rng.random() < 0.3
            try:
                await through.write_durably(work, name, entries=entries, fails=fails)
            except ValueError:
                continue
            written.extend(f"{name}.{number}" for number in range(entries))

    await asyncio.gather(*(write(writer) for writer in range(8)))
    for other in others:
        await other.close()
    found = await store.read(audit.entries, limit=1000)
    assert [entry.sequence for entry in found] == list(range(1, len(written) + 1))
    assert sorted(entry.subject for entry in found) == sorted(written)
    assert len(written) > 100


async def test_numbers_are_commit_order(store: Store) -> None:
    """Who follows the trail by its last number misses nothing that is committed later."""
    seen: list[int] = []

    async def follow() -> None:
        while len(seen) < 40:
            last = seen[-1] if seen else 0
            seen.extend(entry.sequence for entry in await store.read(audit.entries, after=last))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(follow())
        for _ in range(40):
            group.create_task(store.write_durably(record))
    assert seen == list(range(1, 41))


@pytest.mark.parametrize("act", [delete(tables.audit), update(tables.audit).values(actor="nobody")])
async def test_the_database_refuses_to_change_entries(store: Store, act: object) -> None:
    await store.write_durably(record)
    before = await store.read(audit.entries)
    with pytest.raises(StorageError, match="refused"):
        await store.write(lambda transaction: transaction.connection.execute(act))  # type: ignore[call-overload]
    assert await store.read(audit.entries) == before


async def test_entries_are_found_by_what_they_say(store: Store) -> None:
    def work(transaction: WriteTransaction) -> None:
        record(transaction, "archive:main")
        record(transaction, "archive:other", actor="key:other", at=NOW + timedelta(hours=1))
        record(transaction, "archive:main", action="archive.remove", at=NOW + timedelta(hours=2))

    await store.write_durably(work)

    async def numbers(**filters: object) -> list[int]:
        return [entry.sequence for entry in await store.read(audit.entries, **filters)]  # type: ignore[arg-type]

    assert await numbers() == [1, 2, 3]
    assert await numbers(after=1, limit=1) == [2]
    assert await numbers(actor="key:other") == [2]
    assert await numbers(action="archive.remove") == [3]
    assert await numbers(subject="archive:main") == [1, 3]
    assert await numbers(since=NOW + timedelta(hours=1)) == [2, 3]
    assert await numbers(until=NOW + timedelta(hours=1)) == [1]
