"""Rows whose values are of the wrong kind are named; `verify` does not fail at them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select
from unit.audit.trails import NOW, Trail
from unit.store.databases import SERVER, postgresql_database, render, sqlite_url

from heltig import audit
from heltig.audit.dicom_message import message
from heltig.audit.keys import AuditKeys
from heltig.audit.verify import verify
from heltig.pipeline.backup.making import back_up
from heltig.pipeline.backup.restoring import restore, try_backup
from heltig.pipeline.doctor.trail import trail as doctor
from heltig.settings import Settings
from heltig.store import audit_backwards, audit_damaged, audit_trail
from heltig.store.audit_chain import FIELDS
from heltig.store.audit_trail import Wanted
from heltig.store.engine import Store
from heltig.store.tables import audit as audit_table
from heltig.store.transaction import WriteTransaction

COPY = (
    "INSERT INTO audit SELECT {}, at, actor, action, subject, outcome, origin, detail, tag, key_id "
    "FROM audit WHERE sequence = 4"
)
PUT = "UPDATE audit SET {} WHERE sequence = {}"
NULLED = "UPDATE audit SET {} = NULL WHERE sequence = {}"
FREE = "ALTER TABLE audit ALTER {0} DROP NOT NULL"
ON_BOTH = {
    "number 0": ([COPY.format(0)], 0),
    "number below 0": ([COPY.format(-5)], -5),
    "a tag that is short": (["UPDATE audit SET tag = substr(tag, 1, 3) WHERE sequence = 4"], 4),
    "a head without a tag": (["UPDATE sequences SET tag = NULL WHERE name = 'audit'"], 10),
}
VALUES_ON_SQLITE = {
    "no time": "at = 'xxxx'",
    "a time as a number": "at = 7",
    "a tag as text": "tag = hex(tag)",
    "a tag as a number": "tag = 999999999999",
    "an actor as bytes": "actor = x'ff'",
    "an actor that is no UTF-8": "actor = CAST(x'ff' AS TEXT)",
    "text for a number": "sequence = 'four'",
    "a fraction for a number": "sequence = 4.5",
}
HEADS_ON_SQLITE = {
    "a head with text for a tag": (["UPDATE sequences SET tag = 'x' WHERE name = 'audit'"], 10),
    "a head with text for a number": (["UPDATE sequences SET value = 'x' WHERE name = 'audit'"], 0),
}
ON_SQLITE = {
    **{name: ([PUT.format(value, 4)], 4) for name, value in VALUES_ON_SQLITE.items()},
    **HEADS_ON_SQLITE,
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


REFUSED_ON_SQLITE = {
    "an outcome that is none": (
        ["PRAGMA ignore_check_constraints=ON", "UPDATE audit SET outcome = 'bogus' WHERE sequence = 4"],
        4,
    )
}
WITHOUT_CONSTRAINTS = [
    "ALTER TABLE audit RENAME TO guarded",
    "CREATE TABLE audit AS SELECT * FROM guarded",
    "DROP TABLE guarded",
]
NAMES_ON_SQLITE = ("sequence", *FIELDS[1:8])
REFUSED_ON_SQLITE["nothing in each column"] = (
    [*WITHOUT_CONSTRAINTS, *(NULLED.format(name, row) for row, name in enumerate(NAMES_ON_SQLITE, 2))],
    2,
)
REFUSED_ON_SQLITE["twice"] = ([*WITHOUT_CONSTRAINTS, COPY.format(4)], 4)
REFUSED_ON_POSTGRESQL = {
    "an outcome that is none": (
        [
            "ALTER TABLE audit DROP CONSTRAINT ck_audit_outcome",
            "UPDATE audit SET outcome = 'bogus' WHERE sequence = 4",
        ],
        4,
    ),
    "an actor that is too long": (
        [
            "ALTER TABLE audit ALTER actor TYPE text",
            "UPDATE audit SET actor = repeat('x', 999) WHERE sequence = 4",
        ],
        4,
    ),
    "no number": (
        [
            "ALTER TABLE audit DROP CONSTRAINT pk_audit",
            FREE.format("sequence"),
            "UPDATE audit SET sequence = NULL WHERE sequence = 4",
        ],
        4,
    ),
    "twice": (["ALTER TABLE audit DROP CONSTRAINT pk_audit", COPY.format(4)], 4),
    "a checkpoint before Christ": (
        ["INSERT INTO audit_checkpoints VALUES (0, '0044-03-15 BC', 0, 'x', 'x', 'x')"],
        0,
    ),
    "nothing in each column": (
        [
            statement
            for row, name in enumerate(FIELDS[1:8], 2)
            for statement in (FREE.format(name), NULLED.format(name, row))
        ],
        2,
    ),
}
EVERY_VALUE_ON_SQLITE = {
    "a row of each value": (
        [PUT.format(value, row) for row, value in enumerate(VALUES_ON_SQLITE.values(), 2)],
        2,
    ),
}
BACKED_UP = (
    {**DAMAGE, **REFUSED_ON_POSTGRESQL}
    if SERVER
    else {**ON_BOTH, **HEADS_ON_SQLITE, **EVERY_VALUE_ON_SQLITE, **REFUSED_ON_SQLITE}
)
"""A backup and its restoration take a second: rows that do not disturb one another are damaged together."""


@asynccontextmanager
async def restored(taken: Path, there: Path) -> AsyncIterator[tuple[Store, Settings]]:
    """What a restoration into an empty database comes to: of the kind that the tests run on."""
    await asyncio.to_thread(there.mkdir)
    async with empty_url(there) as url:
        store = await Store.open(url, render=render)
        try:
            settings = Settings(home=there)
            found = await restore(store, settings, taken, clock=lambda: NOW, actor="cli", origin="cli")
            assert found.is_altered
            yield store, settings
        finally:
            await store.close()


@asynccontextmanager
async def empty_url(folder: Path) -> AsyncIterator[str]:
    if SERVER:
        async with postgresql_database(SERVER, empty=True) as url:
            yield url
    else:
        yield sqlite_url(folder / "heltig.db")


@pytest.mark.parametrize("how", BACKED_UP)
async def test_what_is_damaged_is_backed_up_and_restored_as_it_is(
    trail: Trail, tmp_path: Path, how: str
) -> None:
    await trail.tamper(*BACKED_UP[how][0])
    before = await trail.verified()
    assert not before.is_whole
    assert before.untold == 0
    await back_up(trail.store, tmp_path, tmp_path / "taken", with_secrets=True, clock=lambda: NOW)
    async with restored(tmp_path / "taken", tmp_path / "there") as (store, settings):
        await back_up(store, settings.home, tmp_path / "again", with_secrets=True, clock=lambda: NOW)
        after = await store.read(verify, AuditKeys(settings))
    assert [one.sequence for one in after.breaks] == [one.sequence for one in before.breaks]
    async with restored(tmp_path / "again", tmp_path / "elsewhere") as (store, settings):
        again = await store.read(verify, AuditKeys(settings))
    assert again == after
    if how != "tags as text":  # each of which is damaged in the copy, and not where they were
        assert (after.damage, after.entries) == (before.damage, before.entries)


BY_HAND = {
    "another column": ["ALTER TABLE audit ADD COLUMN other VARCHAR"],
    "rows aside of another form": [
        'CREATE TABLE audit_damaged (id INTEGER, "table" VARCHAR, sequence BIGINT, content VARCHAR, '
        "more INTEGER)",
        "INSERT INTO audit_damaged VALUES (1, 'audit', 5, 'no bytes', 7), (2, NULL, NULL, NULL, 7)",
    ],
}
if SERVER is None:
    BY_HAND["a number that is no text"] = [
        "UPDATE audit SET sequence = CAST(x'ff' AS TEXT) WHERE sequence = 5"
    ]
    BY_HAND["rows aside that are no text"] = [
        'CREATE TABLE audit_damaged (id INTEGER, "table" VARCHAR, sequence BIGINT, content BLOB)',
        "INSERT INTO audit_damaged VALUES (1, 'audit', 5, CAST(x'ff' AS TEXT)), "
        "(2, CAST(x'ff' AS TEXT), CAST(x'ff' AS TEXT), CAST(x'ff' AS TEXT))",
    ]


@pytest.mark.parametrize("how", BY_HAND)
async def test_what_somebody_did_to_the_tables_stops_no_backup(
    trail: Trail, tmp_path: Path, how: str
) -> None:
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 3", *BY_HAND[how])
    assert (await trail.verified()).breaks[0].sequence == 3
    taken = tmp_path / "taken"
    await back_up(trail.store, tmp_path, taken, with_secrets=True, clock=lambda: NOW)
    await try_backup(taken)
    async with restored(taken, tmp_path / "there") as (store, _):
        assert (await store.read(verify, trail.keys)).breaks[0].sequence == 3


STRANGE = {
    "other columns": "CREATE TABLE audit_damaged (number INTEGER)",
    "a column that is not there": 'CREATE TABLE audit_damaged (id INTEGER, "table" VARCHAR, sequence BIGINT)',
    "a view": 'CREATE VIEW audit_damaged AS SELECT 1 AS id, action AS "table", sequence, tag AS content '
    "FROM audit",
    "a view without columns of ours": "CREATE VIEW audit_damaged AS SELECT 1 AS number",
}
if SERVER:
    STRANGE["other types"] = (
        'CREATE TABLE audit_damaged (id TEXT, "table" INTEGER, sequence TEXT, content INTEGER)'
    )
else:
    STRANGE["a view of nothing"] = "CREATE VIEW audit_damaged AS SELECT * FROM what_is_gone"
    STRANGE["columns that fail"] = (
        'CREATE TABLE audit_damaged (id INTEGER, "table" VARCHAR, content BLOB, '
        "sequence BIGINT AS (json_extract(content, '$')))"
    )


@pytest.mark.parametrize("how", STRANGE)
async def test_a_table_of_that_name_that_no_restoration_made_hides_nothing(
    trail: Trail, tmp_path: Path, how: str
) -> None:
    before = await trail.verified()
    await trail.tamper(STRANGE[how])
    found = await trail.verified()
    assert found.entries == before.entries
    [only] = found.breaks
    assert (only.sequence, "audit_damaged" in only.why) == (0, True)
    check = await doctor(trail.store, Settings(home=tmp_path))
    assert (check.state, "audit_damaged" in check.found) == ("failed", True)
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 3")
    assert [one.sequence for one in (await trail.verified()).breaks] == [3, 0]
    await back_up(trail.store, tmp_path, tmp_path / "taken", with_secrets=True, clock=lambda: NOW)
    async with restored(tmp_path / "taken", tmp_path / "there") as (store, _):
        assert (await store.read(verify, trail.keys)).breaks[0].sequence == 3


PUT_BLOB = "UPDATE audit_damaged SET content = {}"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_backup_is_tried_before_it_is_said_to_be_good(trail: Trail, tmp_path: Path) -> None:
    refused = REFUSED_ON_POSTGRESQL if SERVER else REFUSED_ON_SQLITE
    await trail.tamper(*refused["an outcome that is none"][0])
    await back_up(trail.store, tmp_path, tmp_path / "taken", with_secrets=True, clock=lambda: NOW)
    before = names(tmp_path)
    _, aside = await try_backup(tmp_path / "taken")
    assert (aside, names(tmp_path)) == (1, before)


async def test_an_entry_that_was_put_aside_by_hand_is_named(trail: Trail, tmp_path: Path) -> None:
    def put_aside(transaction: WriteTransaction) -> None:
        row = transaction.connection.execute(select(audit_table).where(audit_table.c.sequence == 4)).one()
        audit_damaged.put(transaction.connection, "audit", row._asdict())

    await trail.store.write(put_aside)
    await trail.tamper("DELETE FROM audit WHERE sequence = 4")
    [only] = (await trail.verified()).breaks
    assert (only.sequence, "puts what cannot be an entry" in only.why) == (4, True)
    for content in ("00", "81a1cf00", "91" * 5000):  # another value, no UTF-8, too deep
        statement = PUT_BLOB.format(f"decode('{content}', 'hex')" if SERVER else f"x'{content}'")
        await trail.tamper(statement)
        assert [one.sequence for one in (await trail.verified()).breaks] == [4, 5]


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
