"""The tables get from nothing to the newest version, and agree with what the code declares."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, inspect, text
from unit.store.databases import SERVER, render, sqlite_url

from heltig.errors import StorageError
from heltig.store import migrations
from heltig.store.engine import Store
from heltig.store.migrations import HEAD, upgrade, version
from heltig.store.tables import Table
from heltig.store.transaction import ReadTransaction, WriteTransaction


async def test_an_empty_database_gets_the_newest_version_and_keeps_it(tmp_path: Path) -> None:
    store = await Store.open(sqlite_url(tmp_path / "new.db"), render=render)
    assert await store.read(version) is None
    await upgrade(store)
    assert await store.read(version) == HEAD
    await upgrade(store)
    assert await store.read(version) == HEAD
    await store.close()


async def test_declared_tables_and_migrated_ones_agree(store: Store) -> None:
    def differences(transaction: ReadTransaction) -> list[object]:
        context = MigrationContext.configure(transaction.connection, opts={"compare_type": True})
        return list(compare_metadata(context, Table.metadata))

    assert await store.read(differences) == []


async def test_every_declared_check_is_there(store: Store) -> None:
    """Alembic compares tables, columns, indexes and keys, but no checks."""

    def missing(transaction: ReadTransaction) -> set[object]:
        there = inspect(transaction.connection)
        known = {
            check["name"] for table in Table.metadata.tables for check in there.get_check_constraints(table)
        }
        declared = {
            constraint.name
            for table in Table.metadata.tables.values()
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
        }
        assert declared
        return declared - known

    assert await store.read(missing) == set()


def test_the_newest_script_is_the_version_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_a_database_of_a_newer_heltig_is_refused_and_left_alone(store: Store) -> None:
    def stamp(transaction: WriteTransaction) -> None:
        transaction.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    await store.write(stamp)
    with pytest.raises(StorageError, match="version 9999"):
        await upgrade(store)
    assert await store.read(version) == "9999"


@pytest.mark.skipif(SERVER is not None, reason="about SQLite")
async def test_a_migration_leaves_foreign_keys_on(tmp_path: Path) -> None:
    store = await Store.open(sqlite_url(tmp_path / "new.db"), render=render)
    await upgrade(store)
    pragma = await store.write(lambda t: t.connection.exec_driver_sql("PRAGMA foreign_keys").scalar())
    await store.close()
    assert pragma == 1
