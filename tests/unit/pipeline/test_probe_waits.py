"""Archives that take for ever to be tried out: a probe ends, is put off for longer each time, and says so."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace
from servers.dicomweb import study
from unit.clock import Clock
from unit.pipeline.watched import Site

from connectors.base import Capabilities
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.errors import ArchiveClosedError, ArchivePausedError, ArchiveSilentError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.connecting import open_archive
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.archives.probe_job import ProbeDesk
from heltig.pipeline.archives.probe_waits import ProbeTurnError, ProbeTurns
from heltig.pipeline.archives.probing import probe_archive
from heltig.pipeline.archives.status import ArchiveStatus
from heltig.pipeline.archives.watching import archive_status
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

    async def asked_for_metadata(self, number: int) -> None:
        async with asyncio.timeout(60):
            while self.metadata_requests() < number:
                await self.status()

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
    monkeypatch.setattr("heltig.pipeline.archives.connecting.PROBE_SECONDS", 3.0)
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
    monkeypatch.setattr("heltig.pipeline.archives.connecting.PROBE_SECONDS", 0.3)
    async with world.opens.use("main") as opened:
        world.archive.faults = DRIPS
        for _ in range(5):
            with pytest.raises(ArchiveSilentError):
                await probe_archive(world.store, opened.entry, opened.archive, clock=world.clock)
    found = await world.store.read(breakers.of, MAIN)
    assert found["search"].state == "open"


async def test_pausing_ends_a_probe_under_way(world: World) -> None:
    world.archive.faults = DRIPS

    using = asyncio.create_task(use(world.opens, "main"))
    await world.asked_for_metadata(1)
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


async def test_nobody_waits_for_archives_that_are_tried_out(world: World) -> None:
    here = OpenArchives(world.store, Settings(workers=1), environ={}, clock=world.clock)
    world.archive.faults = DRIPS
    for name in ("other", "third", "known"):
        await world.site.register(name, root=world.archive.url, strategy="auto")
    known = await world.store.read(archives.find, "known")
    assert known is not None
    of_old = Capabilities(offset=True, metadata="study")
    probed = world.clock() - timedelta(days=2)
    await world.store.write(
        archives.change, replace(known, capabilities=msgspec.to_builtins(of_old), probed=probed)
    )
    using = [asyncio.create_task(use(here, name)) for name in ("main", "other")]
    await world.asked_for_metadata(2)
    for opens, name in ((here, "main"), (here, "third"), (world.opens, "main")):
        with pytest.raises(ProbeTurnError):
            await use(opens, name)
    async with here.use("known") as opened:
        with pytest.raises(ProbeTurnError):
            await here.renew(opened)

    for one in using:
        one.cancel()
    await asyncio.wait(using)
    assert await world.store.read(breakers.of, MAIN) == {}
    world.archive.faults = Faults()
    async with here.use("third") as opened:
        assert opened.capabilities.metadata == "study"
    async with world.opens.use("main") as opened:
        assert opened.capabilities.metadata == "study"
    await here.close()


async def test_a_turn_is_left_to_archives_whose_last_probe_did_not_fail() -> None:
    turns = ProbeTurns(2)
    with turns.take("sick", is_again=True):
        with pytest.raises(ProbeTurnError), turns.take("sicker", is_again=True):
            pass
        with turns.take("new", is_again=False):
            pass


async def test_two_probes_of_one_silence_have_it_wait_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heltig.pipeline.archives.connecting.PROBE_SECONDS", 3.0)
    world.archive.faults = DRIPS
    using = asyncio.create_task(use(world.opens, "main"))
    entry = await world.store.read(archives.find, "main")
    assert entry is not None
    async with open_archive(entry, Settings(), environ={}) as archive:  # a person asks
        asking = asyncio.create_task(probe_archive(world.store, entry, archive, clock=world.clock))
        await world.asked_for_metadata(2)
        world.clock.advance(SECOND)
        ends = await asyncio.gather(using, asking, return_exceptions=True)
    assert [type(one) for one in ends] == [ArchiveSilentError] * 2
    assert (await world.store.read(breakers.of, MAIN))["probe"].openings == 1
    assert "is probed again at" in (await world.status()).why


async def use(opens: OpenArchives, name: str) -> None:
    async with opens.use(name):
        pass
