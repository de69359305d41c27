"""Devices of studies that were kept before devices were, read from their evidence."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers.dicomweb import study
from sqlalchemy import update
from unit.pipeline.scoring import NOW, scoring
from unit.pipeline.test_score import HERE, archive_of
from unit.store.databases import database_url, render
from unit.store.samples import finding, judge, snapshot

from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.pull.study import pull_study
from heltig.pipeline.reading_devices import KIND, DeviceDesk
from heltig.store import devices, jobs
from heltig.store.encryption_keys import EncryptionKeys
from heltig.store.engine import Store
from heltig.store.keyed import Keyed
from heltig.store.records import Device
from heltig.store.tables import studies, study_rules
from heltig.store.transaction import WriteTransaction

CIPHER = EncryptionKeys("env:HELTIG_SECRET_KEYS", {"HELTIG_SECRET_KEYS": "01" * 32})
ACME = {"00080070": {"vr": "LO", "Value": ["Acme"]}, "00081010": {"vr": "SH", "Value": ["ROE-CT"]}}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with database_url(tmp_path) as url:
        made = await Store.open(url, render=render, cipher=CIPHER)
        yield made
        await made.close()


def forget(transaction: WriteTransaction) -> None:
    """As a database of an older Heltig is."""
    transaction.connection.execute(update(studies).values(device_set_row=None))
    transaction.connection.execute(update(study_rules).values(device_set_row=None))


async def test_they_are_read_once_and_damaged_evidence_is_passed_over(store: Store) -> None:
    store.keyed = Keyed(b"k" * 32)
    hashed = store.keyed.device(Device("Acme", "", "ROE-CT"))
    archive = archive_of([dict(sorted({**one, **ACME}.items())) for one in study("1.2")])
    await scoring(store).score(await pull_study(archive, "1.2"), HERE)
    await judge(store, snapshot(study="1.3"), finding("UID-CHARS"))  # whose evidence is no series
    assert [one.devices for one in await store.read(devices.counts)] == [(hashed,), (Device(),)]
    await store.write(forget)
    assert (await store.read(devices.unread), await store.read(devices.counts)) == (2, [])

    queue = JobQueue(store, clock=lambda: NOW)
    desk = DeviceDesk(queue, clock=lambda: NOW)
    await desk.sweep()
    await desk.sweep()
    await Runner(queue, {KIND: desk.run}, places=1).drain()
    [job] = await store.read(jobs.newest, kind=KIND, limit=9)
    assert (job.state, job.result) == ("succeeded", {"studies": 1, "unreadable": 1})
    assert await store.read(devices.unread) == 1
    [found] = await store.read(devices.counts)
    assert (found.devices, found.studies) == ((hashed,), 1)
    await desk.sweep()  # not again within a day
    assert len(await store.read(jobs.newest, kind=KIND, limit=9)) == 1
