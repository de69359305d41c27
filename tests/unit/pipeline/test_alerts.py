"""Alerts are raised once and ended once, whatever comes and goes meanwhile."""

import asyncio
import logging
import shutil
from collections import namedtuple
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from servers.certificates import Authority
from unit.store.pulling import add_archive, put_breaker, put_cursor
from unit.store.samples import MAIN, NOW, STUDY, judge, snapshot

from heltig.jobs.queue import JobQueue
from heltig.pipeline.telling.alerts import AlertDesk
from heltig.setting_types import Size
from heltig.store import (
    alerts,
    archives,
    breakers,
    claims,
    deliveries,
    gate_studies,
    jobs,
    leases,
    tables,
    webhooks,
)
from heltig.store.alerts import CLEAR, SEEN, Alert
from heltig.store.archives import ArchiveOptions
from heltig.store.deliveries import Delivery
from heltig.store.engine import Store
from heltig.store.jobs import NewJob
from heltig.store.locations import ensure
from heltig.store.records import Location
from heltig.store.studies import row_of
from heltig.store.transaction import WriteTransaction
from heltig.store.webhooks import Webhook, WebhookOptions

GIGABYTE = 1024**3
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

Usage = namedtuple("Usage", ["total", "used", "free"])


class Watched:
    """A store with somebody who looks after its alerts, and a clock that a test moves."""

    def __init__(self, store: Store, home: Path) -> None:
        self.store = store
        self.home = home
        self.now = NOW
        self.desk = self.on("one")

    def on(self, host: str) -> AlertDesk:
        return AlertDesk(
            self.store,
            home=self.home,
            disk=Size(5 * GIGABYTE),
            quarantine=HOUR,
            clock=lambda: self.now,
            host=host,
        )

    async def standing(
        self, *, after: timedelta = timedelta(0), desk: AlertDesk | None = None
    ) -> list[Alert]:
        """The alerts that stand after a while, with a look each minute."""
        until = self.now + after
        while True:
            await (desk or self.desk).look()
            if self.now >= until:
                return await self.store.read(alerts.standing)
            self.now = min(self.now + MINUTE, until)

    async def ever(self) -> list[Alert]:
        return await self.store.read(alerts.newest, state=None)


@pytest.fixture
async def watched(store: Store, tmp_path: Path) -> Watched:
    home = tmp_path / "home"
    (home / "spool").mkdir(parents=True)
    return Watched(store, home)


def free(monkeypatch: pytest.MonkeyPatch, gigabytes: float) -> None:
    usage = Usage(100 * GIGABYTE, 0, int(gigabytes * GIGABYTE))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)


@pytest.fixture(autouse=True)
def much_room(monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 50)


def kinds(found: list[Alert]) -> list[str]:
    return [alert.kind for alert in found]


async def test_all_is_well(watched: Watched) -> None:
    await add_archive(watched.store, "main")
    await put_cursor(watched.store, "main")
    assert await watched.standing(after=HOUR / 2) == []


async def test_a_disk_is_told_of_once_and_ends_when_there_is_room_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "heltig.events")
    free(monkeypatch, 4)
    [alert] = await watched.standing(after=HOUR)
    assert (alert.kind, alert.subject, alert.raised) == ("disk-low", "one data", NOW)
    assert "4.0 GiB" in alert.detail
    free(monkeypatch, 5.5)  # hardly more
    assert len(await watched.standing(after=HOUR)) == 1
    free(monkeypatch, 7)
    assert len(await watched.standing(after=CLEAR - MINUTE)) == 1
    assert await watched.standing(after=2 * MINUTE) == []
    assert len(await watched.ever()) == 1
    told = [(r.message, r.__dict__["fields"]["state"]) for r in caplog.records if r.name == "heltig.events"]
    assert told == [("alert", "raised"), ("alert", "ended")]


async def test_what_comes_and_goes_is_one_alert(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(10):
        free(monkeypatch, 4)
        await watched.standing(after=2 * MINUTE)
        free(monkeypatch, 50)
        await watched.standing(after=3 * MINUTE)
    assert len(await watched.ever()) == 1


async def test_each_host_looks_after_its_own_disk(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    other = watched.on("other")
    free(monkeypatch, 4)
    await watched.standing()
    free(monkeypatch, 50)
    watched.now += 30 * MINUTE
    assert len(await watched.standing(after=20 * MINUTE, desk=other)) == 1
    assert await watched.standing(after=HOUR, desk=other) == []  # the first host is gone


async def test_two_processes_raise_one_alert(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 4)
    webhook = await hook(watched.store, events=("alerts",))
    await asyncio.gather(*(watched.on("one").look() for _ in range(6)))
    assert len(await watched.ever()) == 1
    assert len(await told(watched.store, webhook)) == 1


async def test_dead_jobs_until_somebody_sees_to_them(watched: Watched) -> None:
    queue = JobQueue(watched.store, clock=lambda: watched.now)

    def die(transaction: WriteTransaction, key: str = "k") -> int:
        number = queue.enqueue(transaction, NewJob(kind="pull", key=key, group="archive:main"))
        claims.claim(transaction, kinds=["pull"], owner="me", now=NOW, until=NOW + MINUTE)
        leases.give_up(transaction, number, owner="me", state="dead", error="no", now=NOW)
        return number

    number = await watched.store.write(die)
    [alert] = await watched.standing(after=HOUR)
    assert (alert.kind, alert.subject, alert.location) == ("job-dead", "pull archive:main", "archive:main")
    await watched.store.write(jobs.discard, number, now=NOW)
    assert await watched.standing(after=CLEAR + MINUTE) == []


async def test_further_dead_jobs_are_told_again(watched: Watched) -> None:
    queue = JobQueue(watched.store, clock=lambda: watched.now)
    webhook = await hook(watched.store, "hook", events=("alerts",))

    def die(transaction: WriteTransaction, key: str) -> int:
        number = queue.enqueue(transaction, NewJob(kind="pull", key=key, group="archive:main"))
        claims.claim(transaction, kinds=["pull"], owner="me", now=NOW, until=NOW + MINUTE)
        leases.give_up(transaction, number, owner="me", state="dead", error="no", now=NOW)
        return number

    first = await watched.store.write(die, "a")
    [alert] = await watched.standing(after=MINUTE)
    assert alert.detail.startswith("1 job of kind pull of archive:main was given up.")
    for key in "bc":
        await watched.store.write(die, key)
    [alert] = await watched.standing(after=SEEN)
    assert alert.detail.startswith("3 jobs of kind pull")
    assert len(await told(watched.store, webhook)) == 2  # of one alert, once for both
    await watched.store.write(jobs.discard, first, now=NOW)
    await watched.standing(after=2 * SEEN)
    assert len(await told(watched.store, webhook)) == 2


async def test_an_open_breaker_until_it_is_forgotten(watched: Watched) -> None:
    await add_archive(watched.store, "main", options=ArchiveOptions(strategy="none"))
    await put_breaker(watched.store, "main", "metadata", until=NOW + MINUTE, error="Archive main: 503.")
    [alert] = await watched.standing()
    assert (alert.kind, alert.subject) == ("breaker-open", "main metadata")
    await put_breaker(watched.store, "main", "metadata", state="closed", until=None, error="x")
    assert len(await watched.standing(after=HOUR)) == 1  # on trial
    await watched.store.write(breakers.forget, MAIN)
    assert await watched.standing(after=CLEAR + MINUTE) == []


async def test_an_archive_that_cannot_be_asked_for_longer_than_it_says(watched: Watched) -> None:
    await add_archive(watched.store, "main", options=ArchiveOptions(failing_hours=2, poll_seconds=60))
    await put_cursor(watched.store, "main", finished=NOW, error="Archive main: no connection.")
    assert await watched.standing(after=2 * HOUR - MINUTE) == []
    [alert] = await watched.standing(after=MINUTE)
    assert (alert.kind, alert.subject, alert.raised) == ("archive-failing", "main", NOW + 2 * HOUR)
    await put_cursor(watched.store, "main", finished=watched.now + 10 * MINUTE)
    watched.now += 10 * MINUTE
    assert await watched.standing(after=CLEAR + MINUTE) == []


async def test_an_archive_at_rest_neither_raises_nor_ends_it(watched: Watched) -> None:
    options = ArchiveOptions(failing_hours=1, hours=("mon-sun 08:00-13:00",))
    await add_archive(watched.store, "main", options=options)
    await put_cursor(watched.store, "main", finished=NOW - 2 * HOUR, error="Archive main: no connection.")
    assert kinds(await watched.standing()) == ["archive-failing"]
    watched.now = NOW + 2 * HOUR
    assert len(await watched.standing(after=HOUR)) == 1
    assert len(await watched.ever()) == 1


async def test_hours_that_begin_raise_nothing(watched: Watched) -> None:
    options = ArchiveOptions(failing_hours=1, hours=("mon-sun 08:00-13:00",))
    await add_archive(watched.store, "main", options=options)
    await put_cursor(watched.store, "main", finished=NOW)
    watched.now = datetime(2026, 3, 2, 7, 55, tzinfo=NOW.tzinfo)
    assert await watched.standing(after=20 * MINUTE) == []


async def test_an_archive_that_shows_nothing_new(watched: Watched) -> None:
    await add_archive(watched.store, "main", options=ArchiveOptions(silent_hours=4, failing_hours=1000))
    await add_archive(watched.store, "other", options=ArchiveOptions(failing_hours=1000))
    await judge(watched.store, snapshot())  # seen at NOW
    for name in ("main", "other"):
        await put_cursor(watched.store, name, finished=NOW + 3 * HOUR)
    watched.now = NOW + 10 * HOUR
    assert await watched.standing() == []  # nobody looked since
    await put_cursor(watched.store, "main", finished=watched.now)
    [alert] = await watched.standing()
    assert (alert.kind, alert.subject) == ("archive-silent", "main")
    await judge(watched.store, snapshot(study="1.2.3"))
    await watched.store.write(
        lambda t: t.connection.execute(tables.studies.update().values(first_seen=watched.now))
    )
    assert await watched.standing(after=CLEAR + MINUTE) == []


async def test_a_certificate_that_ends_soon(watched: Watched, tmp_path: Path) -> None:
    made = Authority(tmp_path).issue("client")
    options = ArchiveOptions(certificate=str(made.certificate), strategy="none")
    await add_archive(watched.store, "main", options=options)
    assert await watched.standing() == []
    watched.now += timedelta(days=365 * 100)
    assert kinds(await watched.standing()) == ["certificate-expiring"]


async def test_a_webhook_whose_receiver_takes_nothing(watched: Watched) -> None:
    webhook = await hook(watched.store)
    await watched.store.write(
        webhooks.failed, webhook.id, error="ris: it answers 500.", retry_after=None, now=NOW
    )
    assert await watched.standing(after=HOUR - MINUTE) == []
    [alert] = await watched.standing(after=MINUTE)
    assert (alert.kind, alert.subject) == ("webhook-failing", "ris")
    await watched.store.write(webhooks.took, webhook.id)
    assert await watched.standing(after=CLEAR + MINUTE) == []


async def test_who_wants_alerts_is_told_of_both_ends(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = await hook(watched.store, "every", events=("verdict", "alerts"), locations=("gate:x",))
    disks = await hook(watched.store, "disks", events=("disk-low",))
    others = await hook(watched.store, "others", events=("verdict", "job-dead"))
    free(monkeypatch, 4)
    await watched.standing()
    free(monkeypatch, 50)
    await watched.standing(after=CLEAR + MINUTE)
    for webhook in (every, disks):
        found = await told(watched.store, webhook)
        assert [(one.event, one.about) for one in found] == [("alert.raised", 1), ("alert.ended", 1)]
    assert await told(watched.store, others) == []


async def test_alerts_of_other_archives_are_not_told(watched: Watched) -> None:
    await add_archive(watched.store, "main", options=ArchiveOptions(strategy="none"))
    await put_breaker(watched.store, "main")
    here = await hook(watched.store, "here", events=("alerts",), locations=("archive:main",))
    there = await hook(watched.store, "there", events=("alerts",), locations=("archive:other",))
    await watched.standing()
    assert len(await told(watched.store, here)) == 1
    assert await told(watched.store, there) == []


async def test_old_alerts_are_forgotten(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 4)
    await watched.standing()
    free(monkeypatch, 50)
    await watched.standing(after=CLEAR + MINUTE)
    watched.now += timedelta(days=91)
    await watched.desk.sweep()
    assert await watched.ever() == []


async def test_studies_that_wait_in_quarantine(watched: Watched) -> None:
    gate = Location("gate", "main")
    await judge(watched.store, snapshot(location=gate))

    def quarantine(transaction: WriteTransaction) -> int:
        row = row_of(transaction, gate, STUDY)
        assert row is not None
        values = {"study_row": row, "location_row": ensure(transaction, gate), "version": 1, "reason": ""}
        transaction.insert_row(tables.gate_studies, values)
        gate_studies.quarantine(transaction, row, since=NOW, reason="It is BLOCKED.")
        return row

    row = await watched.store.write(quarantine)
    assert await watched.standing(after=HOUR - MINUTE) == []
    [alert] = await watched.standing(after=MINUTE)
    assert (alert.kind, alert.subject, alert.location) == ("quarantine-waiting", "main", "gate:main")
    await watched.store.write(gate_studies.decide, row)
    assert await watched.standing(after=CLEAR + MINUTE) == []


async def test_a_removed_archive_has_no_alerts(watched: Watched) -> None:
    await add_archive(watched.store, "main", options=ArchiveOptions(strategy="none"))
    await put_breaker(watched.store, "main")
    assert len(await watched.standing()) == 1
    await watched.store.write(archives.remove, "main")
    assert await watched.standing(after=CLEAR + MINUTE) == []


async def hook(store: Store, name: str = "ris", **options: Any) -> Webhook:
    of = WebhookOptions(secrets=("env:HELTIG_SECRET_A",), **options)
    await store.write(webhooks.add, Webhook(name=name, url="http://ris.example/", options=of))
    return await store.read(webhooks.find, name)


async def told(store: Store, webhook: Webhook) -> list[Delivery]:
    return (await store.read(deliveries.newest, webhook))[::-1]
