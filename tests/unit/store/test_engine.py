"""Transactions: what two of them see and do to one another, and what is left when one breaks off."""

import asyncio
import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from unit.store.databases import SERVER, render, sqlite_url

from heltig.errors import ConfigurationError, StorageError
from heltig.store.engine import Store
from heltig.store.tables import sequences
from heltig.store.transaction import ReadTransaction, WriteTransaction

only_sqlite = pytest.mark.skipif(SERVER is not None, reason="about SQLite")


def value(transaction: ReadTransaction, name: str) -> int | None:
    query = select(sequences.c.value).where(sequences.c.name == name)
    return transaction.connection.execute(query).scalar()


def put(transaction: WriteTransaction, name: str, number: int) -> None:
    transaction.connection.execute(insert(sequences).values(name=name, value=number))


def add_one(transaction: WriteTransaction, name: str) -> None:
    """Reads, then writes what it read plus one: a lost update if someone else does so in between."""
    query = select(sequences.c.value).where(sequences.c.name == name).with_for_update()
    before = transaction.connection.execute(query).scalar_one()
    statement = update(sequences).where(sequences.c.name == name).values(value=before + 1)
    transaction.connection.execute(statement)


async def test_what_a_transaction_wrote_is_there_when_it_returned(store: Store) -> None:
    await store.write(put, "x", 1)
    assert await store.read(value, "x") == 1


async def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    def broken(transaction: WriteTransaction) -> None:
        put(transaction, "x", 1)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.write(broken)
    assert await store.read(value, "x") is None


async def test_racing_writers_of_one_process_lose_nothing(store: Store) -> None:
    await store.write(put, "x", 0)
    await asyncio.gather(*(store.write(add_one, "x") for _ in range(50)))
    assert await store.read(value, "x") == 50


async def test_racing_writers_with_connections_of_their_own_lose_nothing(store: Store, url: str) -> None:
    other = await Store.open(url, render=render)
    await store.write(put, "x", 0)

    async def add(through: Store) -> None:
        for _ in range(50):
            await through.write(add_one, "x")

    await asyncio.gather(add(store), add(other))
    await other.close()
    assert await store.read(value, "x") == 100


async def test_a_reader_sees_one_state_while_others_write(store: Store) -> None:
    """Two rows that are always changed together are never seen apart."""

    def put_both(transaction: WriteTransaction, number: int) -> None:
        for name in ("x", "y"):
            statement = update(sequences).where(sequences.c.name == name).values(value=number)
            transaction.connection.execute(statement)

    def both(transaction: ReadTransaction) -> tuple[int, ...]:
        query = select(sequences.c.value).where(sequences.c.name == "x")
        seen = [transaction.connection.execute(query).scalar_one()]
        for _ in range(20):  # time enough for a writer to get in between
            seen.append(transaction.connection.execute(query).scalar_one())
        query = select(sequences.c.value).where(sequences.c.name == "y")
        return (*seen, transaction.connection.execute(query).scalar_one())

    await store.write(put, "x", 0)
    await store.write(put, "y", 0)
    done = False

    async def write() -> None:
        for number in range(1, 200):
            await store.write(put_both, number)

    async def read() -> int:
        reads = 0
        while not done:
            assert len(set(await store.read(both))) == 1
            reads += 1
        return reads

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await write()
    done = True
    assert sum(await asyncio.gather(*readers)) > 1
    assert await store.read(both) == (199,) * 22


async def test_a_read_transaction_cannot_write(store: Store) -> None:
    with pytest.raises(StorageError, match=r"read-?only"):
        await store.read(put, "x", 1)  # type: ignore[arg-type]


async def test_calls_after_the_commit_are_made_then_and_only_then(store: Store) -> None:
    called: list[str] = []

    def work(transaction: WriteTransaction, *, fails: bool) -> None:
        transaction.after_commit(lambda: called.append("called"))
        if fails:
            raise ValueError("no")
        assert called == []

    with pytest.raises(ValueError, match="no"):
        await store.write(work, fails=True)
    assert called == []
    await store.write(work, fails=False)
    assert called == ["called"]


async def test_an_error_of_the_database_names_no_value(store: Store) -> None:
    await store.write(put, "Doe^Jane", 1)
    with pytest.raises(StorageError) as caught:
        await store.write(put, "Doe^Jane", 1)
    assert "Doe" not in str(caught.value)
    assert caught.value.__cause__ is None


@only_sqlite
async def test_durable_transactions_are_synchronous_full(store: Store) -> None:
    def synchronous(transaction: WriteTransaction) -> int:
        return int(transaction.connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    assert await store.write(synchronous) == 1
    assert await store.write_durably(synchronous) == 2
    assert await store.write(synchronous) == 1


@only_sqlite
async def test_a_file_that_is_locked_for_too_long_is_a_storage_error(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heltig.store.sqlite._PRAGMAS", ("PRAGMA busy_timeout=1",))
    other = await Store.open(url, render=render)
    held, release = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(transaction: WriteTransaction) -> None:
        loop.call_soon_threadsafe(held.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()

    holding = asyncio.create_task(store.write(hold))
    await held.wait()
    with pytest.raises(StorageError, match="locked"):
        await other.write(put, "x", 1)
    release.set()
    await holding
    await other.close()


@only_sqlite
async def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    store = await Store.open(sqlite_url(tmp_path / "new.db"), render=render)
    await store.write(lambda transaction: None)
    files = [tmp_path / name for name in ("new.db", "new.db-wal", "new.db-shm")]
    modes = [stat.S_IMODE(file.stat().st_mode) for file in files]
    await store.close()
    assert modes == [0o600] * 3


@only_sqlite
async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "heltig.db"
    with pytest.raises(StorageError, match=f"{path}.*No such file"):
        await Store.open(sqlite_url(path), render=render)


@only_sqlite
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "heltig.db"
    path.touch(mode=0o000)
    with pytest.raises(StorageError, match=str(path)):
        await Store.open(sqlite_url(path), render=render)


@only_sqlite
async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "heltig.db"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StorageError, match=f"{path}.*not a database"):
        await Store.open(sqlite_url(path), render=render)


@pytest.mark.parametrize(
    "url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "mysql+aiomysql://h/d"]
)
async def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="HELTIG_DATABASE_URL"):
        await Store.open(url, render=render)
