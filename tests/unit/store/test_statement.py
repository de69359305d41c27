"""Statements that the driver takes: what goes in comes out, in lists of any length; what fails is undone."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, func, select, update
from unit.store.databases import SERVER

from heltig.errors import StorageError
from heltig.store import changes, locations, lookups, studies
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.states import mark_pending, withdraw
from heltig.store.tables import locations as table
from heltig.store.transaction import ReadTransaction, WriteTransaction

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
MAIN = Location("archive", "main")

AMONG = (
    select(table.c.id)
    .where(table.c.id.in_(bindparam("some", expanding=True)))
    .where(table.c.id.not_in(bindparam("others", expanding=True)))
    .order_by(table.c.id)
)
COUNTED = select(table.c.name.label("count"), func.length(table.c.name), table.c.id).order_by(table.c.id)
RENAME = update(table).where(table.c.id == bindparam("row")).values(name=bindparam("to_name"))


async def fill(store: Store, number: int) -> None:
    def filled(transaction: WriteTransaction) -> None:
        for one in range(1, number + 1):
            locations.ensure(transaction, Location("upload", f"u{one}"))

    await store.write(filled)


async def test_lists_of_any_length(store: Store) -> None:
    await fill(store, 20)
    for length in range(20):
        some, others = list(range(1, length + 1)), [3, 4, 99][: length % 4]
        found = await store.read(ReadTransaction.scalars, AMONG, {"some": some, "others": others})
        assert found == sorted(set(some) - set(others))


async def test_columns_have_their_names_and_types(store: Store) -> None:
    await fill(store, 2)
    rows = await store.read(ReadTransaction.rows, COUNTED)
    assert [(row.count, row[1], row.id) for row in rows] == [("u1", 2, 1), ("u2", 2, 2)]
    assert await store.read(ReadTransaction.first, AMONG, {"some": [], "others": []}) is None
    assert await store.read(ReadTransaction.scalar, AMONG, {"some": [2], "others": [1]}) == 2
    await store.write(mark_pending, MAIN, "1.2", study_uid="1.2", at=NOW)
    found = await store.read(studies.find, MAIN, "1.2")
    assert found is not None
    assert (found.first_seen, found.judged) == (NOW, None)


async def test_numbers_of_rows_changed(store: Store) -> None:
    await fill(store, 2)
    assert await store.write(WriteTransaction.run, RENAME, {"row": 2, "to_name": "x"}) == 1
    assert await store.write(WriteTransaction.run, RENAME, {"row": 9, "to_name": "y"}) == 0
    several = [{"row": 1, "to_name": "a"}, {"row": 2, "to_name": "b"}]
    await store.write(WriteTransaction.run_many, RENAME, several)
    assert [row.count for row in await store.read(ReadTransaction.rows, COUNTED)] == ["a", "b"]


async def test_what_is_nested_and_fails_is_undone_alone(store: Store) -> None:
    told: list[str] = []

    def work(transaction: WriteTransaction) -> None:
        mark_pending(transaction, MAIN, "1.2", study_uid="1.2", at=NOW)
        transaction.after_commit(lambda: told.append("outer"))
        with contextlib.suppress(ZeroDivisionError), transaction.nested():
            withdraw(transaction, MAIN, "1.2", at=NOW)
            transaction.after_commit(lambda: told.append("inner"))
            raise ZeroDivisionError
        with transaction.nested():
            mark_pending(transaction, MAIN, "1.3", study_uid="1.3", at=NOW)

    await store.write_durably(work)
    assert told == ["outer"]
    assert await store.read(changes.latest) == 0
    found = await store.read(lookups.find_many, ["1.2", "1.3"])
    assert {key: [one.state for one in ones] for key, ones in found.items()} == {
        "1.2": ["PENDING"],
        "1.3": ["PENDING"],
    }


async def test_what_is_learnt_is_known_once_it_is_committed(store: Store) -> None:
    seen: list[Any] = []

    def learn(transaction: WriteTransaction, *, fails: bool) -> None:
        seen.append(transaction.memory.get("key"))
        transaction.learn("key", "value")
        if fails:
            raise StorageError("no")

    with pytest.raises(StorageError):
        await store.write(learn, fails=True)
    await store.write(learn, fails=False)
    await store.write(learn, fails=False)
    assert seen == [None, None, "value"]


async def test_a_look_up_sees_the_last_commit_and_cannot_write(store: Store) -> None:
    await fill(store, 1)
    assert await store.look_up(ReadTransaction.scalar, COUNTED) == "u1"
    await store.write(WriteTransaction.run, RENAME, {"row": 1, "to_name": "x"})
    assert await store.look_up(ReadTransaction.scalar, COUNTED) == "x"

    def write(transaction: ReadTransaction) -> None:
        transaction.connection.execute(RENAME, {"row": 1, "to_name": "y"})

    with pytest.raises(StorageError):
        await store.look_up(write)
    assert await store.look_up(ReadTransaction.scalar, COUNTED) == "x"


@pytest.mark.skipif(SERVER is not None, reason="about SQLite")
async def test_after_a_failure_the_same_connection_goes_on(store: Store) -> None:
    await fill(store, 2)
    for _ in range(2):
        with pytest.raises(StorageError):
            await store.write(WriteTransaction.run, RENAME, {"row": 1, "to_name": "u2"})
        await store.write(WriteTransaction.run, RENAME, {"row": 1, "to_name": "u1"})
