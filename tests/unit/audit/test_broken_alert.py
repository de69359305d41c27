"""A trail that is not what was written is an alert, until somebody accepts it."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from unit.audit.trails import NOW, Trail, record
from unit.store.databases import SERVER

from heltig.audit.trail import accept, keep_anchor
from heltig.audit.verify import MOST_BREAKS
from heltig.pipeline.telling.alerts import AlertDesk
from heltig.pipeline.telling.trail_conditions import EVERY, TrailWatch
from heltig.setting_types import Size
from heltig.settings import Settings
from heltig.store import alerts
from heltig.store.alerts import CLEAR, Alert
from heltig.store.transaction import WriteTransaction

MINUTE = timedelta(minutes=1)


class Host:
    """A host that looks after a trail, with a clock that a test moves."""

    def __init__(self, trail: Trail, home: Path, *, name: str = "one") -> None:
        self.now = NOW
        self.store = trail.store
        settings = Settings(home=home / name, audit_key=f"file:{home}/secrets/audit-key")
        self.watch = TrailWatch(trail.store, settings, clock=self.clock)
        self.desk = AlertDesk(
            trail.store,
            home=home,
            disk=Size(0),
            quarantine=EVERY,
            clock=self.clock,
            host=name,
            trail=self.watch,
        )

    def clock(self) -> datetime:
        return self.now

    async def standing(self) -> list[Alert]:
        await self.desk.look()
        return await self.store.read(alerts.standing)


async def test_an_entry_that_was_changed_is_told_within_a_day(
    trail: Trail, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host, other = Host(trail, tmp_path), Host(trail, tmp_path, name="other")
    await host.watch.sweep()
    assert await host.standing() == []
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 4")
    await other.watch.sweep()  # it was verified today
    assert await host.standing() == []
    host.now = other.now = NOW + EVERY
    with caplog.at_level(logging.ERROR):
        await other.watch.sweep()
    assert "audit.broken: entry 4" in caplog.text
    [alert] = await host.standing()
    assert (alert.kind, alert.subject) == ("audit-broken", "audit trail")
    assert "entry 4 does not have the tag" in alert.detail
    settings = Settings(home=tmp_path)
    await accept(trail.store, settings, trail.keys, at=host.now, actor="cli", origin="cli", reason="drill")
    host.now += EVERY
    await host.watch.sweep()  # what was accepted is told no more
    for _ in range(2):
        await host.standing()
        host.now += CLEAR + MINUTE
    assert await host.standing() == []


async def test_what_is_forged_after_many_breaks_were_accepted_is_told(trail: Trail, tmp_path: Path) -> None:
    host, settings = Host(trail, tmp_path), Settings(home=tmp_path)

    def many(transaction: WriteTransaction) -> None:
        for _ in range(2 * MOST_BREAKS):
            record(transaction)

    await trail.store.write_durably(many)
    await trail.tamper(
        "INSERT INTO audit SELECT -1, at, actor, action, subject, outcome, origin, detail, tag, key_id "
        "FROM audit WHERE sequence = 4",
        "UPDATE audit SET actor = 'nobody' WHERE sequence BETWEEN 5 AND 200",
        "UPDATE audit SET tag = NULL WHERE sequence > 200",
    )
    await host.watch.sweep()
    [alert] = await host.standing()
    assert "entry 5 " in alert.detail
    await accept(trail.store, settings, trail.keys, at=host.now, actor="cli", origin="cli", reason="drill")
    await trail.write("a", "b")
    found = await trail.verified()
    assert (found.accepted, found.breaks, found.untold) == (211, (), 0)
    assert len(found.before) + found.untold_before == 196 + 10 + 1  # and the row below 1
    host.now += EVERY
    await host.watch.sweep()
    for _ in range(2):
        await host.standing()
        host.now += CLEAR + MINUTE
    assert await host.standing() == []
    await trail.tamper("UPDATE audit SET subject = 'c' WHERE sequence = 212")
    host.now += EVERY
    await host.watch.sweep()
    [alert] = await host.standing()
    assert "entry 212 does not have the tag" in alert.detail
    await trail.tamper(
        "UPDATE audit SET subject = 'a' WHERE sequence = 212",
        "INSERT INTO audit SELECT -2, at, actor, action, subject, outcome, origin, detail, tag, key_id "
        "FROM audit WHERE sequence = 4",
    )
    assert [one.sequence for one in (await trail.verified()).breaks] == [-2, -1]  # one came later


FORGED_NOTES = {
    "of the year 9999": "UPDATE sequences SET value = 253402300700 WHERE name = 'audit-verified'",
    "of no year": "UPDATE sequences SET value = 9223372036854775807 WHERE name = 'audit-verified'",
    "of tomorrow": "UPDATE sequences SET value = value + 86400 WHERE name = 'audit-verified'",
    "without a seal": "UPDATE sequences SET tag = NULL, key_id = NULL WHERE name = 'audit-verified'",
    "with a key of nobody": "UPDATE sequences SET key_id = '00000000' WHERE name = 'audit-verified'",
}
if not SERVER:
    FORGED_NOTES["in words"] = "UPDATE sequences SET value = 'x', tag = 'x' WHERE name = 'audit-verified'"


async def test_nobody_without_the_key_keeps_it_from_being_verified(
    trail: Trail, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host(trail, tmp_path)
    await host.watch.sweep()
    for how, statement in FORGED_NOTES.items():
        caplog.clear()
        await trail.tamper(statement)
        [alert] = await host.standing()  # other alerts are told all the same
        assert "the note of when it was last verified" in alert.detail, how
        with caplog.at_level(logging.ERROR):
            await host.watch.sweep()
        assert "the note of when it was last verified" in caplog.text, how
        for _ in range(2):
            await host.standing()
            host.now += CLEAR + MINUTE
        assert await host.standing() == [], how
    await trail.tamper(
        "UPDATE audit SET actor = 'nobody' WHERE sequence = 4", FORGED_NOTES["of the year 9999"]
    )
    with caplog.at_level(logging.ERROR):
        await host.watch.sweep()
    assert "audit.broken: entry 4" in caplog.text


async def test_a_host_that_knows_another_trail_tells_so_at_once(trail: Trail, tmp_path: Path) -> None:
    host, other = Host(trail, tmp_path), Host(trail, tmp_path, name="other")
    await keep_anchor(trail.store, Settings(home=tmp_path / "one"))
    await trail.tamper(
        "DELETE FROM audit WHERE sequence > 4",
        "UPDATE sequences SET value = 4, tag = (SELECT tag FROM audit WHERE sequence = 4) "
        "WHERE name = 'audit'",
    )
    assert await other.standing() == []  # it has no anchor
    [alert] = await host.standing()
    assert (alert.kind, alert.subject) == ("audit-broken", "one anchor")
    assert "not the one that one knows: entry 5 is missing" in alert.detail
    other.now += 2 * CLEAR
    assert len(await other.standing()) == 1
    assert len(await other.standing()) == 1
