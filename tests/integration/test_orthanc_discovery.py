"""A real Orthanc that is watched: by its changes, and by listing it while studies come and go."""

import io
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.data import get_testdata_file
from servers.dicomweb import connected
from servers.orthanc import Orthanc, running_orthanc

from connectors.dicomweb import DicomWebArchive
from connectors.dicomweb.feeds import feed_of
from heltig import http
from heltig.auth.archives import auth_for
from heltig.credentials import BasicAuth
from heltig.pipeline.discovery.batch import UNDATED, Batch, Strategy
from heltig.pipeline.discovery.fed import Fed
from heltig.pipeline.discovery.fingerprint import differs, fingerprint
from heltig.pipeline.discovery.listed import ColdSweep
from heltig.pipeline.discovery.lister import Lister
from heltig.pipeline.pull.listing import ListedStudy

pytestmark = pytest.mark.orthanc

DAY = timedelta(days=1)


def file(study: str, number: int = 1, **attributes: Any) -> bytes:
    """An instance of a study, without pixels."""
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    del dataset.PixelData
    uid = f"1.2.826.9.{zlib.crc32(study.encode())}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, uid
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{uid}.{number}"
    dataset.PatientID = f"P{study}"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    written = io.BytesIO()
    dataset.save_as(written)
    return written.getvalue()


@pytest.fixture
async def archive(orthanc: Orthanc) -> AsyncIterator[DicomWebArchive]:
    async with connected(orthanc.root, auth=auth_of(orthanc)) as connector:
        yield connector


def auth_of(orthanc: Orthanc) -> http.Auth | None:
    basic = BasicAuth(username=orthanc.username, secret="env:PASSWORD")
    return auth_for(basic, environ={"PASSWORD": orthanc.password})


def delete(rest: httpx.Client, study: str) -> None:
    found = rest.post("/tools/find", json={"Level": "Study", "Query": {"StudyInstanceUID": study}}).json()
    for id in found:
        rest.delete(f"/studies/{id}").raise_for_status()


async def batches_of(strategy: Strategy, cursor: str | None = None) -> list[Batch]:
    async with aclosing(strategy.batches(cursor)) as batches:
        return [batch async for batch in batches]


def studies_of(batches: list[Batch]) -> dict[str, ListedStudy]:
    return {study.uid: study for batch in batches for study in batch.studies}


def watched(archive: DicomWebArchive) -> Fed:
    return Fed(feed_of("orthanc", archive), every=DAY)


async def test_changes_name_studies_whatever_changed_in_them(
    orthanc: Orthanc, archive: DicomWebArchive
) -> None:
    orthanc.store([file("1.2.1")])
    fed = watched(archive)
    first = await batches_of(fed)
    assert first[0].has_gap
    assert not studies_of(first)

    orthanc.store([file("1.2.2", 1), file("1.2.3", 1), file("1.2.2", 2), file("1.2.3", 2)])
    news = await batches_of(fed, first[-1].cursor)
    assert list(studies_of(news)) == ["1.2.2", "1.2.3"]
    assert not any(batch.has_gap for batch in news)

    orthanc.store([file("1.2.1", 2)])
    late = await batches_of(fed, news[-1].cursor)
    assert list(studies_of(late)) == ["1.2.1"]
    orthanc.store([file("1.2.1", 3)])
    later = await batches_of(fed, late[-1].cursor)
    assert differs(*(fingerprint(studies_of(one)["1.2.1"]) for one in (late, later)))
    assert not studies_of(await batches_of(fed, later[-1].cursor))


async def test_many_instances_of_a_study_cost_few_requests(
    orthanc: Orthanc, archive: DicomWebArchive
) -> None:
    fed = watched(archive)
    cursor = (await batches_of(fed))[-1].cursor
    orthanc.store(file("1.2.1", number) for number in range(60))
    asked = 0
    ask = archive.ask_beside

    async def counted(address: str) -> Any:
        nonlocal asked
        asked += 1
        return await ask(address)

    archive.ask_beside = counted  # type: ignore[method-assign]
    assert set(studies_of(await batches_of(fed, cursor))) == {"1.2.1"}
    assert asked <= 4


async def test_a_deletion_takes_its_changes_with_it_and_the_cursor_stays_good(
    orthanc: Orthanc, archive: DicomWebArchive
) -> None:
    orthanc.store([file("1.2.1")])
    fed = watched(archive)
    cursor = (await batches_of(fed))[-1].cursor
    orthanc.store([file("1.2.2")])
    cursor = (await batches_of(fed, cursor))[-1].cursor
    with orthanc.rest() as rest:
        delete(rest, "1.2.2")
    after = await batches_of(fed, cursor)
    assert not any(batch.has_gap for batch in after)
    orthanc.store([file("1.2.3")])
    news = await batches_of(fed, after[-1].cursor)
    assert list(studies_of(news)) == ["1.2.3"]
    assert not any(batch.has_gap for batch in news)


async def test_a_study_that_is_deleted_before_it_is_looked_at_is_left_out(
    orthanc: Orthanc, archive: DicomWebArchive
) -> None:
    fed = watched(archive)
    cursor = (await batches_of(fed))[-1].cursor
    orthanc.store([file("1.2.1"), file("1.2.2")])
    with orthanc.rest() as rest:
        delete(rest, "1.2.1")
    assert set(studies_of(await batches_of(fed, cursor))) == {"1.2.2"}


async def test_another_database_is_found_out(
    archive: DicomWebArchive, orthanc: Orthanc, tmp_path: Path
) -> None:
    orthanc.store([file("1.2.1"), file("1.2.2")])
    fed = watched(archive)
    cursor = (await batches_of(fed))[-1].cursor
    with running_orthanc(tmp_path) as other:
        other.store([file(f"1.2.{number}") for number in range(10, 20)])
        async with connected(other.root, auth=auth_of(other)) as connector:
            elsewhere = watched(connector)
            found = await batches_of(elsewhere, cursor)
            assert found[0].has_gap
            assert "made" in found[0].notes[0]
            other.store([file("1.2.30")])
            assert set(studies_of(await batches_of(elsewhere, found[-1].cursor))) == {"1.2.30"}


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Has another thread at work for as long as the block lasts."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work(stop)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not failures


@pytest.mark.parametrize("slice_rows", [15, 1000])
async def test_nothing_is_missed_that_was_there_throughout_while_others_come_and_go(
    orthanc: Orthanc, archive: DicomWebArchive, slice_rows: int
) -> None:
    stay = {
        f"1.2.{number}": "" if number % 10 == 0 else f"202{number % 3}0{1 + number % 9}11"
        for number in range(50)
    }
    passing = [f"1.3.{number}" for number in range(40)]
    orthanc.store(file(uid, StudyDate=date) for uid, date in stay.items())
    orthanc.store(file(uid, StudyDate="20210311") for uid in passing)
    changed = threading.Event()

    def come_and_go(stop: threading.Event) -> None:
        with orthanc.rest() as rest:
            for number, uid in enumerate(passing):
                delete(rest, uid)
                rest.post(
                    "/instances", content=file(f"1.4.{number}", StudyDate="20210311")
                ).raise_for_status()
                changed.set()
                if stop.is_set():
                    return

    with meanwhile(come_and_go):
        changed.wait()
        for _ in range(3):
            lister = Lister(archive, page_rows=7, most_slice_rows=slice_rows)
            found = await batches_of(ColdSweep(archive, lister, every=DAY, page_rows=7))
            assert set(studies_of(found)) >= set(stay)
            for batch in found:
                if batch.swept and batch.swept != UNDATED:
                    first, last = batch.swept
                    inside = {uid for uid, date in stay.items() if first <= date <= (last or "9")}
                    assert batch.swept_uids >= inside


async def test_listing_and_changes_agree_on_what_is_there(orthanc: Orthanc, archive: DicomWebArchive) -> None:
    fed = watched(archive)
    cursor = (await batches_of(fed))[-1].cursor
    orthanc.store(file(f"1.2.{number}", StudyDate="") for number in range(5))
    told = studies_of(await batches_of(fed, cursor))
    listed = studies_of(await batches_of(ColdSweep(archive, Lister(archive), every=DAY)))
    assert set(told) == set(listed)
    again = studies_of(await batches_of(ColdSweep(archive, Lister(archive), every=DAY)))
    assert {uid: fingerprint(study) for uid, study in again.items()} == {
        uid: fingerprint(study) for uid, study in listed.items()
    }
