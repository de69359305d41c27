"""Rows whose values are of the wrong kind are named; `verify` does not fail at them."""

from pathlib import Path

import msgspec
import pytest
from unit.audit.trails import NOW, Trail
from unit.store.databases import SERVER, render

from heltig import audit
from heltig.audit.dicom_message import message
from heltig.audit.keys import AuditKeys
from heltig.audit.verify import verify
from heltig.pipeline.backup.making import back_up
from heltig.pipeline.backup.restoring import restore
from heltig.pipeline.doctor.trail import trail as doctor
from heltig.settings import Settings
from heltig.store import audit_backwards, audit_trail
from heltig.store.audit_trail import Wanted
from heltig.store.engine import Store

COPY = (
    "INSERT INTO audit SELECT {}, at, actor, action, subject, outcome, origin, detail, tag, key_id "
    "FROM audit WHERE sequence = 4"
)
FREE = "ALTER TABLE audit ALTER {0} DROP NOT NULL"
ON_BOTH = {
    "number 0": ([COPY.format(0)], 0),
    "number below 0": ([COPY.format(-5)], -5),
    "a tag that is short": (["UPDATE audit SET tag = substr(tag, 1, 3) WHERE sequence = 4"], 4),
    "a head without a tag": (["UPDATE sequences SET tag = NULL WHERE name = 'audit'"], 10),
}
ON_SQLITE = {
    "no time": (["UPDATE audit SET at = 'xxxx' WHERE sequence = 4"], 4),
    "a time as a number": (["UPDATE audit SET at = 7 WHERE sequence = 4"], 4),
    "a tag as text": (["UPDATE audit SET tag = hex(tag) WHERE sequence = 4"], 4),
    "a tag as a number": (["UPDATE audit SET tag = 999999999999 WHERE sequence = 4"], 4),
    "an actor as bytes": (["UPDATE audit SET actor = x'ff' WHERE sequence = 4"], 4),
    "an actor that is no UTF-8": (["UPDATE audit SET actor = CAST(x'ff' AS TEXT) WHERE sequence = 4"], 4),
    "text for a number": (["UPDATE audit SET sequence = 'four' WHERE sequence = 4"], 4),
    "a fraction for a number": (["UPDATE audit SET sequence = 4.5 WHERE sequence = 4"], 4),
    "a head with text for a tag": (["UPDATE sequences SET tag = 'x' WHERE name = 'audit'"], 10),
    "a head with text for a number": (["UPDATE sequences SET value = 'x' WHERE name = 'audit'"], 0),
}
ON_POSTGRESQL = {
    "no time": ([FREE.format("at"), "UPDATE audit SET at = NULL WHERE sequence = 4"], 4),
    "a time without end": (["UPDATE audit SET at = 'infinity' WHERE sequence = 4"], 4),
    "a time before Christ": (["UPDATE audit SET at = '0044-03-15 BC' WHERE sequence = 4"], 4),
    "no actor": ([FREE.format("actor"), "UPDATE audit SET actor = NULL WHERE sequence = 4"], 4),
    "tags as text": (["ALTER TABLE audit ALTER tag TYPE text USING encode(tag, 'hex')"], 1),
}
DAMAGE = {**ON_BOTH, **(ON_POSTGRESQL if SERVER else ON_SQLITE)}


@pytest.mark.parametrize("how", DAMAGE)
async def test_a_damaged_row_is_named(trail: Trail, tmp_path: Path, how: str) -> None:
    statements, first = DAMAGE[how]
    await trail.tamper(*statements)
    found = await trail.verified()
    assert [one.sequence for one in found.breaks][:1] == [first], found.breaks
    assert found.breaks[0].why
    check = await doctor(trail.store, Settings(home=tmp_path))
    assert check.state == "failed", check.found


@pytest.mark.skipif(bool(SERVER), reason="SQLite alone takes any value in any column")
async def test_damaged_rows_are_backed_up_and_restored_as_they_are(trail: Trail, tmp_path: Path) -> None:
    for number, (statements, first) in enumerate(ON_SQLITE.values(), 2):
        if first == 4:
            await trail.tamper(*(one.replace("sequence = 4", f"sequence = {number}") for one in statements))
    await back_up(trail.store, tmp_path, tmp_path / "taken", with_secrets=True, clock=lambda: NOW)
    before = (await trail.verified()).breaks
    there = tmp_path / "there"
    there.mkdir()
    store = await Store.open(f"sqlite+aiosqlite:///{there}/heltig.db", render=render)
    try:
        settings = Settings(home=there)
        found = await restore(
            store, settings, tmp_path / "taken", clock=lambda: NOW, actor="cli", origin="cli"
        )
        after = (await store.read(verify, AuditKeys(settings))).breaks
    finally:
        await store.close()
    assert found.is_altered
    assert [one.sequence for one in after] == [one.sequence for one in before]


@pytest.mark.parametrize("how", DAMAGE)
async def test_a_damaged_row_hides_no_other(trail: Trail, how: str) -> None:
    is_of_all = how == "tags as text"  # another type of column, for which statements are prepared anew
    before = {} if is_of_all else {one.sequence: one for one in await trail.store.read(audit.entries)}
    await trail.tamper(*DAMAGE[how][0])
    after = await trail.store.read(audit.entries, after=-10)
    assert len(after) >= len(before)
    changed = {entry.sequence for entry in after if entry != before.get(entry.sequence)}
    assert len(changed) <= 1 or is_of_all
    lines = await trail.store.read(audit_trail.lines, Wanted(), after=-10, limit=100)
    assert [msgspec.json.decode(msgspec.json.encode(line))["sequence"] for line in lines] == [
        entry.sequence for entry in after
    ]
    newest, _ = await trail.store.read(audit_backwards.newest, Wanted(), before=100, limit=100)
    assert [message(entry, source="x") for entry in newest]
