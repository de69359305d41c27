"""Archives that have no study when they are first probed: what they are like is found out when one comes."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from integration.test_orthanc_pull import Heltig, rules, series
from servers.dicomweb import instance, study
from servers.orthanc import Orthanc, OrthancNotInstalledError, running_orthanc
from unit.clock import Clock
from unit.pipeline.watched import QUIET, Site
from unit.store.databases import database_url

from connectors.base import Capabilities
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.archives.probing import UNTRIED_HOLDS
from heltig.pipeline.publish import render
from heltig.settings import Settings
from heltig.store.engine import Store

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


class Watched:
    """An archive on loopback that is watched, and has nothing yet."""

    def __init__(self, store: Store, archive: LoopbackArchive) -> None:
        self.archive = archive
        self.clock = Clock(datetime.now(UTC))
        self.opens = OpenArchives(store, Settings(), environ={}, clock=self.clock)
        self.site = Site(store, opens=self.opens, clock=self.clock)

    async def known(self) -> Capabilities:
        """What somebody goes by who uses it now."""
        async with self.opens.use("main") as opened:
            return opened.capabilities

    async def requests_of(self, step: timedelta) -> int:
        """The number of requests when it is used after a while."""
        self.clock.advance(step)
        before = len(self.archive.requests)
        await self.known()
        return len(self.archive.requests) - before


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with database_url(tmp_path) as url, LoopbackArchive(()) as archive:
        store = await Store.open(url, render=render)
        made = Watched(store, archive)
        await made.site.register("main", root=archive.url, strategy="auto")
        yield made
        await made.opens.close()
        await store.close()


@pytest.fixture
def summary(tmp_path: Path) -> Iterator[Orthanc]:
    try:
        with running_orthanc(tmp_path, metadata="MainDicomTags") as server:
            yield server
    except OrthancNotInstalledError as missing:
        pytest.skip(f"needs {missing}")


@pytest.mark.orthanc
def test_the_first_study_of_an_archive_is_not_blamed_for_a_summary(summary: Orthanc, tmp_path: Path) -> None:
    heltig = Heltig(summary, tmp_path / "home")
    told = heltig("archives", "test", "main").lines
    assert any("has every attribute is not known yet" in line for line in told)
    assert heltig("pull", "main").code == 0

    summary.store(series("1.2.826.77"))
    heltig("pull", "main")
    ((_, verdict),) = heltig.kept("1.2.826.77")
    assert verdict.verdict.readiness != "BLOCKED"
    assert "INS-SOPUID-MISSING" not in rules(verdict)


async def test_an_empty_archive_is_probed_now_and_then_and_at_once_when_a_study_comes(
    watched: Watched,
) -> None:
    watched.archive.faults = Faults(omit_counts=True)
    assert (await watched.known()).metadata is None
    assert await watched.requests_of(SECOND) == 1
    assert await watched.requests_of(UNTRIED_HOLDS) > 1
    assert await watched.requests_of(SECOND) == 1

    watched.archive.add(study("1.2"))
    assert await watched.requests_of(SECOND) > 1
    found = await watched.known()
    assert (found.metadata, found.counts, found.feed) == ("study", False, "none")
    assert await watched.requests_of(UNTRIED_HOLDS) == 0


async def test_late_instances_of_the_first_study_are_found_where_none_are_counted(watched: Watched) -> None:
    watched.archive.faults = Faults(omit_counts=True)
    today = f"{watched.clock():%Y%m%d}"
    await watched.site.pass_time(2 * MINUTE)

    watched.archive.add(study("1.2", series=1, instances=2, date=today))
    await watched.site.pass_time(QUIET + 2 * MINUTE)
    found = await watched.site.study("1.2", "main")
    assert found is not None
    assert (found.state, found.instances) == ("JUDGED", 2)

    watched.archive.add([instance("1.2", "1.2.1", "1.2.1.3", number=3, date=today)])
    await watched.site.pass_time(QUIET + 2 * MINUTE)
    found = await watched.site.study("1.2", "main")
    assert found is not None
    assert (found.state, found.instances) == ("JUDGED", 3)
