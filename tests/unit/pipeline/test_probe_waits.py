"""Archives that take for ever to be tried out: a probe ends, is put off for longer each time, and says so."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from servers.dicomweb import study
from unit.pipeline.watched import Clock, Site

from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.errors import ArchiveClosedError, ArchivePausedError, ArchiveSilentError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.opened import OpenArchives
from heltig.pipeline.probe_job import ProbeDesk
from heltig.pipeline.probe_waits import ProbeTurnError
from heltig.pipeline.probing import probe_archive
from heltig.pipeline.status import ArchiveStatus
from heltig.pipeline.watching import archive_status
from heltig.settings import Settings
from heltig.store import archives, breakers
from heltig.store.archives import location_of
from heltig.store.engine import Store

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DRIPS = Faults(drip_seconds=30.0, only="metadata$")
MAIN = location_of("main")


class World:
    """A site with an archive whose searches answer at once."""

    def __init__(self, store: Store, archive: LoopbackArchive) -> None:
        self.store = store
        self.archive = archive
        self.clock = Clock(datetime.now(UTC))
        self.opens = OpenArchives(store, Settings(), environ={}, clock=self.clock)
        self.site = Site(store, opens=self.opens, clock=self.clock)

    def metadata_requests(self) -> int:
        return sum(one.path.endswith("metadata") for one in self.archive.requests)

    async def status(self) -> ArchiveStatus:
        return await self.store.read(archive_status, "main", now=self.clock())

    async def pause(self) -> None:
        entry = await self.store.read(archives.find, "main")
        assert entry is not None
        await self.store.write(archives.change, replace(entry, paused=True))


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with LoopbackArchive(study("1.2", date=f"{datetime.now(UTC):%Y%m%d}")) as archive:
        made = World(store, archive)
        await made.site.register("main", root=archive.url, strategy="auto")
        yield made
        await made.opens.close()


async def test_a_probe_without_an_end_is_ended_and_put_off_for_longer_each_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heltig.pipeline.connecting.PROBE_SECONDS", 1.0)
    world.archive.faults = DRIPS
    await world.site.work()
    assert world.metadata_requests() == 1
    status = await world.status()
    assert (status.state, "too slowly to be tried out" in status.why) == ("failing", True)

    with pytest.raises(ArchiveClosedError, match="archives test main"):
        async with world.opens.use("main"):
            pass
    await world.site.pass_time(2 * MINUTE)
    asked = len(world.archive.requests)
    await world.site.pass_time(50 * SECOND)
    assert len(world.archive.requests) == asked
    assert (await world.status()).state == "failing"
    await world.site.pass_time(3 * MINUTE)
    assert world.metadata_requests() == 2
    wait = (await world.store.read(breakers.of, MAIN))["probe"]
    assert wait.openings == 2
    assert wait.until is not None
    assert wait.until - wait.changed == 6 * MINUTE
    desk = ProbeDesk(world.opens, JobQueue(world.store, clock=world.clock), clock=world.clock)
    await desk.sweep()  # whoever asks: it waits
    await world.site.work()
    assert world.metadata_requests() == 2

    world.archive.faults = Faults()
    await world.site.pass_time(20 * MINUTE)
    assert (await world.status()).state == "current"
    assert await world.store.read(breakers.of, MAIN) == {}
    found = await world.site.study("1.2", "main")
    assert found is not None
    assert found.state == "JUDGED"


async def test_a_probe_that_got_no_metadata_is_not_made_again_with_each_look(world: World) -> None:
    world.archive.faults = Faults(status=400, only="series|metadata$")
    await world.site.work()
    asked = world.metadata_requests()
    status = await world.status()
    assert (status.state, "no metadata of its studies" in status.why) == ("failing", True)
    for _ in range(2):
        world.clock.advance(MINUTE)
        async with world.opens.use("main") as opened:  # what else is known of it is gone by
            assert opened.capabilities.counts
    assert world.metadata_requests() == asked

    async with world.opens.use("main") as opened:
        world.archive.faults = Faults()
        entry = await world.store.read(archives.find, "main")
        assert entry is not None
        await probe_archive(world.store, entry, opened.archive, clock=world.clock)  # a person asks
    assert await world.store.read(breakers.of, MAIN) == {}


async def test_the_silence_counts_for_the_breaker_of_searches(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heltig.pipeline.connecting.PROBE_SECONDS", 0.3)
    async with world.opens.use("main") as opened:
        world.archive.faults = DRIPS
        for _ in range(5):
            with pytest.raises(ArchiveSilentError):
                await probe_archive(world.store, opened.entry, opened.archive, clock=world.clock)
    found = await world.store.read(breakers.of, MAIN)
    assert found["search"].state == "open"


async def test_pausing_ends_a_probe_under_way(world: World) -> None:
    world.archive.faults = DRIPS

    async def use() -> None:
        async with world.opens.use("main"):
            pass

    using = asyncio.create_task(use())
    while not world.metadata_requests():
        await world.status()
    await world.pause()
    with pytest.raises(ArchivePausedError):
        await using
    assert await world.store.read(breakers.of, MAIN) == {}


async def test_pausing_ends_other_work_at_its_next_request(world: World) -> None:
    async with world.opens.use("main") as opened:
        await opened.archive.search_studies({}, limit=1, offset=0)
        await world.pause()
        world.clock.advance(SECOND)
        asked = len(world.archive.requests)
        with pytest.raises(ArchivePausedError):
            await opened.archive.search_studies({}, limit=1, offset=0)
        assert len(world.archive.requests) == asked


async def test_archives_that_are_tried_out_take_turns(world: World) -> None:
    world.opens = OpenArchives(world.store, Settings(workers=1), environ={}, clock=world.clock)
    world.archive.faults = DRIPS
    await world.site.register("other", root=world.archive.url, strategy="auto")

    async def use() -> None:
        async with world.opens.use("main"):
            pass

    using = asyncio.create_task(use())
    while not world.metadata_requests():
        await world.status()
    with pytest.raises(ProbeTurnError):
        async with world.opens.use("other"):
            pass
    using.cancel()
    await asyncio.wait([using])
    world.archive.faults = Faults()
    async with world.opens.use("other") as opened:
        assert opened.capabilities.metadata == "study"
    await world.opens.close()
