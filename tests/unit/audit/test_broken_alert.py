"""A trail that is not what was written is an alert, until somebody accepts it."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from unit.audit.trails import NOW, Trail, record

from heltig.audit import checkpoint
from heltig.audit.keys import AuditKeys
from heltig.audit.own_verification import OwnVerification
from heltig.audit.trail import accept, keep_anchor
from heltig.audit.verify import MOST_BREAKS, SLICE, verify_in_slices
from heltig.errors import StorageError
from heltig.pipeline.doctor.trail import trail as doctor
from heltig.pipeline.telling.alerts import AlertDesk
from heltig.pipeline.telling.trail_conditions import EVERY, LATE, TrailWatch
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
        self.settings = Settings(home=home / name, audit_key=f"file:{home}/secrets/audit-key")
        self.own = OwnVerification(self.settings)
        self.watch = TrailWatch(trail.store, self.settings, clock=self.clock)
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

    async def accept(self) -> None:
        await accept(
            self.store,
            self.settings,
            AuditKeys(self.settings),
            at=self.now,
            actor="cli",
            origin="cli",
            reason="drill",
        )

    async def cleared(self) -> list[Alert]:
        """What stands after a while."""
        for _ in range(2):
            await self.standing()
            self.now += CLEAR + MINUTE
        return await self.standing()

    async def standing(self) -> list[Alert]:
        await self.desk.look()
        return await self.store.read(alerts.standing)


async def test_an_entry_that_was_changed_is_told_within_a_day(
    trail: Trail, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host, other = Host(trail, tmp_path), Host(trail, tmp_path, name="other")
    await host.watch.sweep()
    await other.watch.sweep()
    assert await host.standing() == []
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 4")
    await host.watch.sweep()  # it was verified today
    assert await host.standing() == []
    host.now = other.now = NOW + EVERY
    with caplog.at_level(logging.ERROR):
        await other.watch.sweep()
    assert "audit.broken: entry 4" in caplog.text
    [alert] = await other.standing()
    assert (alert.kind, alert.subject) == ("audit-broken", "other audit trail")
    assert "entry 4 does not have the tag" in alert.detail
    assert len(await host.cleared()) == 1  # each host tells what it found itself, and ends no other's alert
    await other.accept()
    await other.watch.sweep()  # what was accepted is told no more
    assert await other.cleared() == []


async def test_what_is_forged_after_many_breaks_were_accepted_is_told(trail: Trail, tmp_path: Path) -> None:
    host = Host(trail, tmp_path)

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
    await host.accept()
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


BLINDS = {
    "nothing": "SELECT 1",
    "no alert": "DELETE FROM alerts",
}


@pytest.mark.parametrize("how", BLINDS)
async def test_nobody_without_the_key_keeps_it_from_being_told(
    trail: Trail, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host(trail, tmp_path)
    await host.watch.sweep()
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 4")
    host.now += EVERY
    for _ in range(3):
        await trail.tamper(BLINDS[how])
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            await host.watch.sweep()
        assert "audit.broken: entry 4" in caplog.text  # each hour, whatever stands in the database
        [alert] = await host.standing()
        assert "entry 4 does not have the tag" in alert.detail
        host.now += timedelta(hours=1)


async def test_entries_that_cannot_be_read_keep_no_alert_from_being_raised(
    trail: Trail, tmp_path: Path
) -> None:
    host = Host(trail, tmp_path)
    host.desk._disk = Size(2**62)
    await keep_anchor(trail.store, host.settings)
    await trail.tamper("ALTER TABLE audit RENAME TO other")
    [low, broken] = sorted(await host.standing(), key=lambda alert: alert.kind, reverse=True)
    assert (low.kind, broken.kind) == ("disk-low", "audit-broken")
    assert "cannot be read" in broken.detail
    with pytest.raises(StorageError):
        await host.watch.sweep()


async def test_a_trail_that_is_verified_no_more_is_told(trail: Trail, tmp_path: Path) -> None:
    host = Host(trail, tmp_path)
    host.now += EVERY + LATE + MINUTE
    [alert] = await host.standing()  # it never was, though this process has been at work for so long
    assert alert.subject == "one audit trail"
    assert "was not verified since 2026-03-01 12:00 UTC" in alert.detail
    await host.watch.sweep()
    assert await host.cleared() == []
    host.now += EVERY + LATE + MINUTE
    assert len(await host.standing()) == 1


async def test_what_a_host_found_survives_its_processes_and_ends_when_it_is_mended(
    trail: Trail, tmp_path: Path
) -> None:
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 4")
    await Host(trail, tmp_path).watch.sweep()
    again = Host(trail, tmp_path)
    assert len(await again.standing()) == 1
    await trail.tamper("UPDATE audit SET actor = 'key:ops' WHERE sequence = 4")
    await again.watch.sweep()  # what is broken is looked at each time
    assert await again.cleared() == []


async def test_a_file_that_is_damaged_is_told_and_made_anew(trail: Trail, tmp_path: Path) -> None:
    host = Host(trail, tmp_path)
    await host.watch.sweep()
    host.own.path.write_text("{}")
    [alert] = await host.standing()
    assert "audit-verified is damaged" in alert.detail
    await host.watch.sweep()
    assert await host.cleared() == []


async def test_a_host_that_cannot_write_tells_what_it_found(
    trail: Trail, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host(trail, tmp_path)
    host.own.path.parent.parent.mkdir()
    host.own.path.parent.write_text("no folder")
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 4")
    with caplog.at_level(logging.ERROR):
        await host.watch.sweep()
    assert "audit.verified: " in caplog.text
    assert any("entry 4 does not have the tag" in alert.detail for alert in await host.standing())


async def test_what_is_changed_after_an_acceptance_is_told(trail: Trail, tmp_path: Path) -> None:
    host = Host(trail, tmp_path)
    settings = host.settings
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 4")
    await host.accept()
    await trail.tamper("DELETE FROM audit WHERE sequence = 7")
    await host.accept()
    found = await trail.verified()
    assert (found.accepted, found.breaks) == (12, ())
    assert [one.sequence for one in found.before] == [4, 7, 8, 11]  # of 11 that it did not accept 7
    told = (await doctor(trail.store, settings)).found
    assert told == "Nothing is wrong since entry 12, and before it only what was accepted by it."
    for statement in (
        "UPDATE audit SET actor = 'somebody' WHERE sequence = 4",  # another edit of what was accepted
        "UPDATE audit SET actor = 'nobody' WHERE sequence = 5",
        "DELETE FROM audit WHERE sequence = 9",
        "DELETE FROM audit WHERE sequence = 8",
        "DELETE FROM audit WHERE sequence < 4",
    ):
        await trail.tamper("CREATE TABLE kept AS SELECT * FROM audit", statement)
        found = await trail.verified()
        assert any("something else is wrong before it now" in one.why for one in found.breaks), statement
        assert (await doctor(trail.store, settings)).state == "failed"
        host.own.forget()
        await host.watch.sweep()
        assert len(await host.standing()) == 1
        await trail.tamper("DELETE FROM audit", "INSERT INTO audit SELECT * FROM kept", "DROP TABLE kept")
    await host.watch.sweep()
    assert await host.cleared() == []


async def test_an_acceptance_of_an_older_version_is_told_where_something_is_wrong_before_it(
    trail: Trail, tmp_path: Path
) -> None:
    host = Host(trail, tmp_path)
    await trail.store.write_durably(record, action="audit.accept", detail={"reason": "restored", "strays": 0})
    assert (await trail.verified()).is_whole
    await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = 4")
    assert [one.sequence for one in (await trail.verified()).breaks] == [4, 11]
    assert "does not say what was wrong then" in (await trail.verified()).breaks[1].why
    await host.accept()
    assert (await trail.verified()).breaks == ()


async def test_what_is_missing_at_the_end_is_accepted(trail: Trail, tmp_path: Path) -> None:
    host = Host(trail, tmp_path)
    await trail.tamper("DELETE FROM audit WHERE sequence > 7")
    await host.accept()
    await trail.write("j")
    found = await trail.verified()
    assert (found.accepted, found.breaks) == (11, ())
    assert [one.sequence for one in found.before] == [8]


async def test_slices_find_what_one_transaction_finds(trail: Trail, tmp_path: Path) -> None:
    def many(transaction: WriteTransaction) -> None:
        for _ in range(2 * SLICE):
            record(transaction)

    await trail.store.write_durably(many)
    for number in (4, SLICE, SLICE + 1, 2 * SLICE):
        await trail.tamper("UPDATE audit SET actor = 'nobody' WHERE sequence = :n", n=number)
    purged = False

    async def rest() -> None:
        nonlocal purged
        if not purged:
            await trail.tamper("UPDATE audit SET actor = 'key:ops' WHERE sequence = 4")
            await trail.store.write_durably(checkpoint, through=8, at=NOW, actor="cli", origin="cli")
            purged = True

    found = await verify_in_slices(trail.store, trail.keys, rest=rest)
    assert found == await trail.verified()
    assert found.first == 9
    assert [one.sequence for one in found.breaks] == [SLICE, SLICE + 1, 2 * SLICE]


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
