"""Archives on the network that are watched: a real Orthanc, and one with faults; and a disk that is full."""

import os
import zlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from integration.test_orthanc_pull import series
from servers.dicomweb import connected, made_well, running_loopback, study
from servers.orthanc import Orthanc
from unit.clock import Clock
from unit.pipeline.test_watching_killed import taken_back
from unit.pipeline.watched import QUIET, STOP, Site
from unit.store.databases import SERVER, database_url

from heltig.credentials import BasicAuth
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.errors import StorageError
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.publish import render
from heltig.setting_sources import load_settings
from heltig.store import changes
from heltig.store.engine import Store

MINUTE = timedelta(minutes=1)
COUNT = 6


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with database_url(tmp_path) as url:
        opened = await Store.open(url, render=render)
        yield opened
        await opened.close()


async def standing(site: Site, uid: str, archive: str = "main") -> tuple[str, int, int]:
    found = await site.study(uid, archive)
    assert found is not None, uid
    return found.state, found.revision, found.instances


async def all_are_judged_once(site: Site) -> None:
    found = [await standing(site, f"1.2.{n}", "archive") for n in range(COUNT)]
    assert found == [("JUDGED", 1, 2)] * COUNT
    assert await site.store.read(changes.latest) == COUNT


@pytest.mark.orthanc
@pytest.mark.parametrize("strategy", ["orthanc", "listing"])
async def test_an_orthanc_from_arrival_to_deletion(
    orthanc: Orthanc, store: Store, tmp_path: Path, strategy: str
) -> None:
    clock = Clock(datetime.now(UTC))
    today = f"{clock():%Y%m%d}"
    environ = {**os.environ, "HELTIG_SECRET_PACS": orthanc.password}
    opens = OpenArchives(store, load_settings({"HELTIG_HOME": str(tmp_path)}), environ=environ, clock=clock)
    site = Site(store, opens=opens, clock=clock)
    auth = BasicAuth(username=orthanc.username, secret="env:HELTIG_SECRET_PACS")
    await site.register("main", root=orthanc.root, auth=auth, strategy=strategy)
    orthanc.store(series("1.2.3.1", 2, StudyDate=today))
    try:
        await site.work()
        orthanc.store(series("1.2.3.1", 2, first=3, StudyDate=today))
        orthanc.store(series("1.2.3.2", 3, StudyDate=today))
        await site.pass_time(MINUTE)
        assert [await standing(site, uid) for uid in ("1.2.3.1", "1.2.3.2")] == [("PENDING", 0, 0)] * 2
        await site.pass_time(QUIET + MINUTE)
        assert await standing(site, "1.2.3.1") == ("JUDGED", 1, 4)
        assert await standing(site, "1.2.3.2") == ("JUDGED", 1, 3)

        orthanc.store(series("1.2.3.2", 1, number=2, StudyDate=today))  # late
        await site.pass_time(MINUTE)
        assert await standing(site, "1.2.3.2") == ("PENDING", 1, 3)
        await site.pass_time(QUIET + MINUTE)
        assert await standing(site, "1.2.3.2") == ("JUDGED", 2, 4)

        with orthanc.rest() as rest:
            (found,) = [
                one
                for one in rest.get("/studies?expand").raise_for_status().json()
                if one["MainDicomTags"]["StudyInstanceUID"] == "1.2.3.1"
            ]
            rest.delete(f"/studies/{found['ID']}").raise_for_status()
        await site.pass_time(timedelta(hours=26), step=timedelta(hours=13))
        assert (await standing(site, "1.2.3.1"))[0] == "WITHDRAWN"
        assert await standing(site, "1.2.3.2") == ("JUDGED", 2, 4)
        assert await store.read(changes.latest) == 4
    finally:
        await opens.close()


@pytest.mark.orthanc
async def test_a_sweep_of_an_orthanc_with_a_feed_finds_what_the_feed_does_not_tell_and_nothing_else(
    orthanc: Orthanc, store: Store, tmp_path: Path
) -> None:
    clock = Clock(datetime.now(UTC))
    environ = {**os.environ, "HELTIG_SECRET_PACS": orthanc.password}
    opens = OpenArchives(store, load_settings({"HELTIG_HOME": str(tmp_path)}), environ=environ, clock=clock)
    site = Site(store, opens=opens, clock=clock)
    auth = BasicAuth(username=orthanc.username, secret="env:HELTIG_SECRET_PACS")
    await site.register("main", root=orthanc.root, auth=auth, strategy="orthanc")
    try:
        await site.pass_time(2 * MINUTE)  # the first sweep is over
        for uid in ("1.2.4.1", "1.2.4.2", "1.2.4.3"):
            orthanc.store(series(uid, 3))
        await site.pass_time(QUIET + 2 * MINUTE)
        orthanc.store(series("1.2.4.2", 1, first=4))  # late
        await site.pass_time(QUIET + 2 * MINUTE)
        with orthanc.rest() as rest:
            lost = f"1.2.826.1.{zlib.crc32(b'1.2.4.1')}.2"
            (found,) = rest.post("/tools/lookup", content=lost).raise_for_status().json()
            rest.delete(f"/instances/{found['ID']}").raise_for_status()
        assert await standing(site, "1.2.4.1") == ("JUDGED", 1, 3)

        others = [await site.observed(uid, "main") for uid in ("1.2.4.2", "1.2.4.3")]
        await site.pass_time(timedelta(hours=26), step=timedelta(hours=13))  # there is a sweep in it
        await site.pass_time(QUIET + 2 * MINUTE)
        assert await standing(site, "1.2.4.1") == ("JUDGED", 2, 2)
        assert await standing(site, "1.2.4.2") == ("JUDGED", 2, 4)
        assert await standing(site, "1.2.4.3") == ("JUDGED", 1, 3)
        assert await store.read(changes.latest) == 5

        assert [await site.observed(uid, "main") for uid in ("1.2.4.2", "1.2.4.3")] == others
        lessened = await site.observed("1.2.4.1", "main")
        await site.pass_time(timedelta(hours=26), step=timedelta(hours=13))
        assert await site.observed("1.2.4.1", "main") == lessened
    finally:
        await opens.close()


@pytest.fixture(scope="module")
def loopback() -> Iterator[LoopbackArchive]:
    instances = [
        one for n in range(COUNT) for one in study(f"1.2.{n}", series=1, instances=2, patient=f"P{n}")
    ]
    with running_loopback(instances) as archive:
        yield archive


@pytest.mark.parametrize(
    "faults",
    [
        Faults(status=429, times=9),
        Faults(status=500, times=9),
        Faults(status=500, only=r"/metadata$", times=9),
        Faults(status=503, after=3, times=9),
        Faults(login_page=True, after=2, times=9),
        Faults(login_page=True, only=r"/metadata$", times=9),
        Faults(cut_after=300, only=r"/metadata$", times=9),
        Faults(cut_after=300, only=r"/studies$", times=9),
        Faults(gzip_lie=True, times=9),
        Faults(status=404, times=9),
    ],
    ids=str,
)
async def test_what_an_archive_does_wrong_for_a_while_loses_and_doubles_nothing(
    loopback: LoopbackArchive, store: Store, faults: Faults
) -> None:
    made_well(loopback).faults = faults
    async with connected(loopback.url) as archive:
        site = Site(store, archive)
        await site.register("archive")
        await site.pass_time(timedelta(hours=2), step=3 * MINUTE)
        await all_are_judged_once(site)
        assert not {"SRC-UNREAD", "SRC-UNSETTLED"} & await site.rules("1.2.0", "archive")


@pytest.mark.skipif(bool(SERVER), reason="SQLite limits the pages of a database, PostgreSQL does not")
@pytest.mark.parametrize("pages", [0, 4, 12])
async def test_a_disk_that_is_full_loses_nothing(
    store: Store, loopback: LoopbackArchive, pages: int, caplog: pytest.LogCaptureFixture
) -> None:
    made_well(loopback)

    async def limit(most: int) -> None:
        def set_limit(connection: object) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count={most}")  # type: ignore[attr-defined]

        await store.database.write(set_limit, durable=False)

    async with connected(loopback.url) as archive:
        site = Site(store, archive)
        await site.register("archive")
        used = await store.database.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
        await limit(int(used or 0) + pages)
        failed = []
        for _ in range(6):
            try:
                await site.pass_time(MINUTE)
            except StorageError as error:
                failed.append(str(error))
        assert "full" in caplog.text + "".join(failed)
        await limit(1_000_000)
        await store.write(taken_back)  # jobs of which nobody could write down how they ended
        await site.pass_time(STOP, step=3 * MINUTE)
        await all_are_judged_once(site)
