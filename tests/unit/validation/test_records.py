"""What can be seen of the audit trail: that of a database nobody touched, and of some that somebody did."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from unit.store.databases import database_url, render

from heltig import audit
from heltig.audit.trail import open_trail
from heltig.setting_sources import load_settings
from heltig.store.engine import Store
from heltig.store.transaction import WriteTransaction
from heltig.validation.records import database_check

LATE, EARLY = (datetime(2026, 3, day, tzinfo=UTC) for day in (2, 1))


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with database_url(tmp_path) as url:
        store = await Store.open(url, render=render)
        for at in (LATE, EARLY, LATE):  # numbered at commit: an earlier time may have a later number
            await store.write_durably(record, at)
        await store.close()
        yield url


def record(transaction: WriteTransaction, at: datetime) -> None:
    audit.record(
        transaction, at=at, actor="cli", action="archive.add", subject="a", outcome="success", origin="cli"
    )


async def checked(url: str, home: Path, *statements: str) -> dict[str, Any]:
    """What the check says after somebody who may do anything did this, on a host that knows no trail."""

    def tamper(transaction: WriteTransaction) -> None:
        of_table = " ON audit" if transaction.connection.dialect.name == "postgresql" else ""
        for statement in statements:
            transaction.connection.execute(text(statement.replace(" ON audit", of_table)))

    store = await Store.open(url, render=render)
    await store.write(tamper)
    await store.close()
    return await database_check(
        load_settings({"HELTIG_DATABASE_URL": url, "HELTIG_HOME": str(home / "none")})
    )


DROP = "DROP TRIGGER audit_refuse_delete ON audit"


async def test_a_trail_that_nobody_touched_passes_every_check(url: str, tmp_path: Path) -> None:
    found = await checked(url, tmp_path)
    assert found["auditChecksPassed"] is True
    assert (found["auditEntries"], found["auditEntriesMissing"]) == (3, 0)
    assert found["auditLastSequence"] == found["auditSequencesHandedOut"] == 3
    assert found["auditDatabaseRefuses"] == ["DELETE", "UPDATE"]
    assert "anchors" in found["auditChecked"]
    assert found["auditChain"] == {"state": "not begun"}


async def test_a_sealed_trail_is_verified_where_its_key_is(url: str, tmp_path: Path) -> None:
    settings = load_settings({"HELTIG_DATABASE_URL": url, "HELTIG_HOME": str(tmp_path)})
    store = await Store.open(url, render=render)
    await open_trail(store, settings, clock=lambda: LATE)
    await store.close()
    found = await database_check(settings)
    assert (found["auditChain"]["state"], found["auditChecksPassed"]) == ("whole", True)
    elsewhere = load_settings({"HELTIG_DATABASE_URL": url, "HELTIG_HOME": str(tmp_path / "none")})
    found = await database_check(elsewhere)
    assert (found["auditChain"]["state"], found["auditChecksPassed"]) == ("not verified", False)


@pytest.mark.parametrize("sequence", [1, 2, 3])
async def test_an_entry_that_was_cut_out_is_seen_wherever_it_was(
    url: str, tmp_path: Path, sequence: int
) -> None:
    found = await checked(url, tmp_path, DROP, f"DELETE FROM audit WHERE sequence = {sequence}")  # noqa: S608  # a number
    assert (found["auditEntries"], found["auditEntriesMissing"]) == (2, 1)
    assert found["auditEndMatches"] == (sequence != 3)
    assert found["auditChecksPassed"] is False


async def test_a_trail_of_which_nothing_is_left_does_not_pass(url: str, tmp_path: Path) -> None:
    found = await checked(url, tmp_path, DROP, "DELETE FROM audit")
    assert (found["auditEntriesMissing"], found["auditChecksPassed"]) == (3, False)


async def test_a_head_that_was_set_back_or_taken_away_is_seen(url: str, tmp_path: Path) -> None:
    found = await checked(url, tmp_path, "UPDATE sequences SET value = 2 WHERE name = 'audit'")
    assert (found["auditEndMatches"], found["auditChecksPassed"]) == (False, False)
    found = await checked(url, tmp_path, "DELETE FROM sequences WHERE name = 'audit'")
    assert (found["auditSequencesHandedOut"], found["auditChecksPassed"]) == (None, False)


async def test_a_database_that_would_let_entries_be_deleted_is_told(url: str, tmp_path: Path) -> None:
    found = await checked(url, tmp_path, DROP)
    assert (found["auditDatabaseRefuses"], found["auditEntriesMissing"]) == (["UPDATE"], 0)
    assert found["auditChecksPassed"] is False
