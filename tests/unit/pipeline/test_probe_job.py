"""Archives are probed once a day, by jobs."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from servers.dicomweb import study
from unit.store.samples import NOW

from connectors.base import Capabilities, InMemoryArchive
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.archives.probe_job import PROBE, ProbeDesk
from heltig.pipeline.archives.probing import last_capabilities, probe_archive
from heltig.settings import Settings
from heltig.store import archives, jobs
from heltig.store.archives import Archive
from heltig.store.engine import Store
from heltig.store.jobs import Job


class Site:
    """A process that probes the archives of a store."""

    def __init__(self, store: Store) -> None:
        self.now = NOW
        self.store = store
        self.queue = JobQueue(store, clock=lambda: self.now)
        self.open = OpenArchives(store, Settings(), environ={}, clock=lambda: self.now)
        self.desk = ProbeDesk(self.open, self.queue, clock=lambda: self.now)

    async def probe(self) -> list[Job]:
        """What the jobs come to that are due now, the newest first."""
        await self.desk.sweep()
        await Runner(self.queue, {PROBE: self.desk.run}).drain()
        return await self.store.read(jobs.newest)

    async def entry(self) -> Archive:
        found = await self.store.read(archives.find, "main")
        assert found is not None
        return found


@pytest.fixture
async def site(store: Store) -> AsyncIterator[Site]:
    site = Site(store)
    yield site
    await site.open.close()


async def test_every_archive_is_probed_once_a_day(site: Site) -> None:
    async with LoopbackArchive(study("1.2")) as loopback:
        new = Archive(name="main", qido_url=loopback.url, wado_url=loopback.url)
        await site.store.write(archives.add, new)
        await site.probe()
        first = await site.entry()
        assert first.probed == NOW
        found = last_capabilities(first)
        assert found is not None
        assert found.metadata == "study"
        site.now += timedelta(hours=23)
        assert await site.desk.sweep() == 0
        site.now += timedelta(hours=1)
        loopback.faults = Faults(omit_counts=True)
        await site.probe()
        again = await site.entry()
        assert again.probed == site.now
        found = last_capabilities(again)
        assert found is not None
        assert found.counts is False
        site.now += timedelta(days=1)
        await site.store.write(archives.change, replace(again, paused=True))
        assert await site.desk.sweep() == 0
        await site.open.close()


async def test_an_archive_that_does_not_answer_keeps_what_is_known_of_it(site: Site) -> None:
    known = {"metadata": "study"}
    entry = Archive(
        name="main",
        qido_url="http://127.0.0.1:9",
        wado_url="http://127.0.0.1:9",
        capabilities=known,
        probed=NOW - timedelta(days=2),
    )
    async with LoopbackArchive(study("1.2")) as loopback:
        loopback.faults = Faults(status=404)
        await site.store.write(archives.add, replace(entry, qido_url=loopback.url, wado_url=loopback.url))
        (job,) = await site.probe()
        assert job.result is not None
        assert (job.state, job.result["outcome"]) == ("succeeded", "failed")
        assert "404" in job.result["error"]
        assert (await site.entry()).capabilities == known
        await site.open.close()


async def test_what_was_found_of_an_archive_is_not_kept_of_another(site: Site) -> None:
    async with LoopbackArchive(study("1.2")) as loopback:
        new = Archive(name="main", qido_url=loopback.url, wado_url=loopback.url)
        await site.store.write(archives.add, new)
        entry = await site.entry()
        elsewhere = replace(entry, qido_url="http://elsewhere", wado_url="http://elsewhere")

        class Moved(InMemoryArchive):
            async def probe(self) -> Capabilities:
                await site.store.write(archives.change, elsewhere)  # by somebody else, meanwhile
                return Capabilities(counts=True)

        await probe_archive(site.store, entry, Moved(), clock=lambda: NOW)
        assert await site.entry() == elsewhere
