"""An attempt to read a study ends where its archive gives next to nothing, and goes on where it gives."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from servers.dicomweb import study
from unit.clock import Clock
from unit.pipeline.watched import Site

from connectors.base import InMemoryArchive
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.dicom.cell import DataSet, Encoding
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.archives.patience import (
    LEAST_BYTES,
    PatientArchive,
    TooSlowError,
    attempt,
    seconds_of,
    wait_as_asked,
)
from heltig.settings import Settings
from heltig.store import cursors, jobs
from heltig.store.archives import ArchiveOptions
from heltig.store.engine import Store

SECONDS = 60.0


class SlowArchive(InMemoryArchive):
    """An archive that takes its time, by the clock of the event loop.

    Attributes:
        takes: Seconds until it answers, or gives the next piece.
        asks_for: Of these, seconds that it asks us to wait.
        asked: Requests.
        piece: Of metadata.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.takes = 25.0
        self.asks_for = 0.0
        self.asked = 0
        self.piece = b"x" * (LEAST_BYTES // 2)
        self._passed = 0.0
        loop = asyncio.get_running_loop()
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self._passed)

    async def _pass(self) -> None:
        wait_as_asked(self.asks_for)
        self._passed += self.takes
        for _ in range(3):  # whatever is due has its turn
            await asyncio.sleep(0)

    async def retrieve_header(self, study: str, series: str, instance: str) -> DataSet:
        self.asked += 1
        await self._pass()
        return DataSet((), (), Encoding("explicit"))

    async def retrieve_metadata(
        self, study: str, series: str | None = None, instance: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        self.asked += 1
        for _ in range(8):
            await self._pass()
            yield self.piece


async def test_an_attempt_goes_on_as_long_as_something_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowArchive(monkeypatch)
    archive = PatientArchive(slow, seconds=SECONDS)
    with attempt():
        for number in range(10):
            await archive.retrieve_header("1", "2", str(number))
        assert len([piece async for piece in archive.retrieve_metadata("1")]) == 8
        slow.takes = 61.0
        asked = slow.asked
        for _ in range(2):
            with pytest.raises(TooSlowError):
                await archive.retrieve_header("1", "2", "4")
        assert slow.asked == asked + 1
        await archive.search_studies({}, limit=1, offset=0)  # that it answers otherwise, it may say
    await archive.retrieve_header("1", "2", "5")  # in no attempt


async def test_waits_that_an_archive_asks_for_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowArchive(monkeypatch)
    slow.takes, slow.asks_for = 200.0, 180.0
    archive = PatientArchive(slow, seconds=SECONDS)
    with attempt():
        await archive.retrieve_header("1", "2", "3")
        slow.asks_for = 100.0
        with pytest.raises(TooSlowError):
            await archive.retrieve_header("1", "2", "4")


async def test_blanks_are_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowArchive(monkeypatch)
    slow.piece = b" \n" * LEAST_BYTES
    with attempt(), pytest.raises(TooSlowError, match="next to nothing"):
        async for _ in PatientArchive(slow, seconds=SECONDS).retrieve_metadata("1"):
            pass


@pytest.mark.parametrize(
    ("paced", "end", "advice"), [(False, 3600, "administrator"), (True, 12 * 3600, "requestsPerSecond")]
)
async def test_instances_one_by_one_are_read_on_until_the_end(
    monkeypatch: pytest.MonkeyPatch, paced: bool, end: int, advice: str
) -> None:
    slow = SlowArchive(monkeypatch)
    slow.takes, slow.asks_for = 25.0, 5.0
    archive = PatientArchive(slow, seconds=SECONDS, paced=paced)
    begun = asyncio.get_running_loop().time()

    async def read_on() -> None:
        for number in range(2000):  # however few bytes each is
            await archive.retrieve_header("1", "2", str(number))

    with attempt(), pytest.raises(TooSlowError, match=f"not all came.*{advice}"):
        await read_on()
    assert end <= asyncio.get_running_loop().time() - begun <= end + 60


def test_nobody_is_blamed_for_waits_of_our_own_and_answers_may_take_as_long_as_is_set() -> None:
    assert seconds_of(ArchiveOptions(), Settings(archive_read_seconds=10)) == SECONDS
    assert seconds_of(ArchiveOptions(), Settings(archive_read_seconds=100)) > 200
    assert seconds_of(ArchiveOptions(requests_per_second=0.01), Settings(archive_read_seconds=10)) == 260


@pytest.fixture
async def loopback() -> AsyncIterator[LoopbackArchive]:
    async with LoopbackArchive(study("1.2", date=f"{datetime.now(UTC):%Y%m%d}")) as archive:
        yield archive


async def test_a_pull_asks_an_archive_that_drips_for_nothing_more(
    store: Store, loopback: LoopbackArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heltig.pipeline.archives.connections.seconds_of", lambda options, settings: 3.0)
    clock = Clock(datetime.now(UTC))
    opens = OpenArchives(store, Settings(), environ={}, clock=clock)
    site = Site(store, opens=opens, clock=clock)
    await site.register("main", root=loopback.url, strategy="auto", quiet_seconds=0)
    async with opens.use("main"):
        pass
    asked = len(loopback.requests)
    loopback.faults = Faults(drip_seconds=30.0, only="metadata$")
    await site.work()
    pulls = [one for one in await store.read(jobs.newest) if one.kind == "pull"]
    assert [(one.state, one.attempts) for one in pulls] == [("queued", 1)]
    assert "answers too slowly" in str(pulls[0].error)
    assert sum(one.path.endswith("metadata") for one in loopback.requests[asked:]) == 1

    loopback.faults = Faults()
    await site.pass_time(pulls[0].not_before - clock() if pulls[0].not_before else pytest.fail("It waits."))
    found = await site.study("1.2", "main")
    assert found is not None
    assert found.state == "JUDGED"
    await opens.close()


class EndsTheHours:
    """Told of every request; with the one for metadata of a series it is half an hour later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.metadata = 0

    def record(self, archive: str, operation: str, *, outcome: str, seconds: float, received: int) -> None:
        if operation == "metadata":
            self.metadata += 1
            if self.metadata == 2:
                self._clock.advance(timedelta(minutes=30))


async def test_a_pull_ends_with_the_hours_of_its_archive(store: Store, loopback: LoopbackArchive) -> None:
    clock = Clock(datetime.now(UTC))
    told = EndsTheHours(clock)
    opens = OpenArchives(store, Settings(), environ={}, clock=clock, measurements=told)
    site = Site(store, opens=opens, clock=clock)
    hours = f"daily {clock() - timedelta(hours=1):%H:%M}-{clock() + timedelta(minutes=20):%H:%M}"
    await site.register("main", root=loopback.url, strategy="auto", quiet_seconds=0, hours=(hours,))
    async with opens.use("main"):
        pass
    loopback.faults = Faults(status=501, only=r"studies/[^/]*/metadata$")
    told.metadata = 0
    await site.work()
    asked = len(loopback.requests)
    (pull,) = [one for one in await store.read(jobs.newest) if one.kind == "pull"]
    assert (pull.state, pull.attempts) == ("queued", 0)
    assert pull.not_before is not None
    assert timedelta(hours=21) < pull.not_before - clock() < timedelta(hours=23)
    assert told.metadata == 2
    await site.work()
    assert len(loopback.requests) == asked

    await site.pass_time(pull.not_before - clock())
    found = await site.study("1.2", "main")
    assert found is not None
    assert found.state == "JUDGED"
    await opens.close()


async def test_a_look_ends_where_searches_drip(
    store: Store, loopback: LoopbackArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heltig.pipeline.archives.connections.seconds_of", lambda options, settings: 1.0)
    clock = Clock(datetime.now(UTC))
    opens = OpenArchives(store, Settings(), environ={}, clock=clock)
    site = Site(store, opens=opens, clock=clock)
    await site.register("main", root=loopback.url, strategy="auto")
    async with opens.use("main"):
        pass
    loopback.faults = Faults(drip_seconds=30.0, only="studies$")
    await site.work()
    errors = {one.name: str(one.error) for one in await store.read(cursors.every)}
    assert "answers too slowly" in errors["hot"]
    await opens.close()
