"""Prepared answers of an earlier version are found, one and many at a time."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert
from unit.store.databases import SERVER, postgresql_database, render, sqlite_url
from unit.store.test_lookups import ALIKE
from unit.store.test_migrated_rows import fill, value

from heltig.store import lookups
from heltig.store.backup import tables_of
from heltig.store.engine import Store
from heltig.store.lookups import Lookups
from heltig.store.migrations import upgrade
from heltig.store.transaction import ReadTransaction

ROWS = {
    (ALIKE[0], "archive:a"),
    (ALIKE[1], "archive:a"),
    ("1.2", "archive:a"),
    ("1.2", "archive:b"),
    ("1.3", "upload:a"),
}


def _as_before(connection: Connection) -> None:
    fill(connection, "0016")
    named = {table.name: table for table in tables_of(ReadTransaction(connection))}

    def add(table: str, **given: Any) -> None:
        made = {column.name: value(table, column) for column in named[table].columns}
        connection.execute(insert(named[table]), made | given)

    for row, (key, location) in enumerate(sorted(ROWS), start=2):
        add("locations", id=row, name=f"place {row}")
        add("studies", id=row, study_key=key, location_row=row)
        add("lookups", study_row=row, study_key=key, location=location)


async def test_every_answer_is_found(tmp_path: Path) -> None:
    if SERVER:
        async with postgresql_database(SERVER, empty=True) as url:
            await _finds(url)
    else:
        await _finds(sqlite_url(tmp_path / "old.db"))


async def _finds(url: str) -> None:
    store = await Store.open(url, render=render)
    try:
        await store.database.migrate(_as_before)
        await upgrade(store)
        keys = {key for key, _ in ROWS}
        found = {key: await Lookups(store).find(key) for key in keys}
        assert await store.read(lookups.find_many, [*keys, "1.4"]) == found
    finally:
        await store.close()
    assert {(one.study_key, one.location) for answers in found.values() for one in answers} == ROWS
