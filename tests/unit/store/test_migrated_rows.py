"""What every earlier version of the tables had is there after the way to the newest, row by row."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    insert,
    select,
)
from unit.store.databases import SERVER, postgresql_database, render, sqlite_url

from heltig.store import migrations
from heltig.store.backup import tables_of
from heltig.store.engine import Store
from heltig.store.migrations import HEAD, upgrade
from heltig.store.transaction import ReadTransaction

ALLOWED = {
    "kind": {"locations": "archive"},
    "scope": {"waivers": "study"},
    "severity": {"findings": "block", "study_rules": "block"},
    "outcome": {"audit": "success"},
    "state": {
        "studies": "JUDGED",
        "lookups": "JUDGED",
        "changes": "JUDGED",
        "jobs": "succeeded",
        "breakers": "closed",
        "objects": "held",
        "consents": "given",
        "analyses": "done",
        "publications": "verified",
    },
    "act": {"consents": "release"},
    "readiness": dict.fromkeys(("studies", "verdicts", "lookups", "changes"), "READY"),
}
"""Values of columns that have a check."""

JSON = {"options": "{}", "auth": '{"kind":"none"}', "payload": "{}", "detail": "{}"}
CHANGED = {"name_folded", "referring_physician_folded"}
"""Columns that a migration computes anew."""

GONE = {"backfill_studies": {"manufacturer"}}
"""Columns whose values are had from elsewhere now."""


def value(table: str, column: Column[Any]) -> Any:
    """Something that a column may hold; every key and every reference is 1, or text or bytes of it."""
    given = ALLOWED.get(column.name, {}).get(table) or JSON.get(column.name)
    if given is not None:
        return given
    if isinstance(column.type, Boolean):
        return False
    if isinstance(column.type, LargeBinary):
        return b"1"
    if isinstance(column.type, DateTime):
        return datetime(2026, 1, 1, tzinfo=UTC if getattr(column.type, "timezone", False) else None)
    if isinstance(column.type, Date):
        return date(2026, 1, 1)
    return 1 if isinstance(column.type, Integer | Float) else "1"


def fill(connection: Connection, revision: str) -> None:
    migrations.upgrade_to(connection, revision)
    for table in tables_of(ReadTransaction(connection)):
        if table.name != "sequences":
            connection.execute(insert(table), {c.name: value(table.name, c) for c in table.columns})


def rows(transaction: ReadTransaction) -> Mapping[str, list[dict[str, Any]]]:
    return {
        table.name: [dict(row._mapping) for row in transaction.connection.execute(select(table))]
        for table in tables_of(transaction)
    }


@pytest.mark.parametrize("revision", [f"{number:04}" for number in range(1, int(HEAD))])
async def test_every_row_is_kept(tmp_path: Path, revision: str) -> None:
    if SERVER:
        async with postgresql_database(SERVER, empty=True) as url:
            await keeps(url, revision)
    else:
        await keeps(sqlite_url(tmp_path / "old.db"), revision)


async def keeps(url: str, revision: str) -> None:
    store = await Store.open(url, render=render)
    try:
        await store.database.migrate(lambda connection: fill(connection, revision))
        before = await store.read(rows)
        assert len(before) > 20
        await upgrade(store)
        assert await store.read(migrations.version) == HEAD
        after = await store.read(rows)
    finally:
        await store.close()
    for table, old in before.items():
        others = CHANGED | GONE.get(table, set())
        kept = [{name: one[name] for name in old[0] if name not in others} for one in after[table]]
        assert kept == [{name: one[name] for name in one if name not in others} for one in old], table
