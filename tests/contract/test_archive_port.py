"""One set of expectations for every kind of archive: in memory, on loopback, and a real Orthanc."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from servers.dicomweb import connected, instance, made_well, running_loopback, study
from servers.orthanc import Orthanc

from connectors.base import Archive, InMemoryArchive, read_row
from heltig.auth.archives import auth_for
from heltig.credentials import BasicAuth
from heltig.demo.archive import LoopbackArchive
from heltig.demo.part10 import part10
from heltig.dicom.digest import content_digest, series_digests
from heltig.dicom.study import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, element
from heltig.errors import ArchiveNotFoundError
from heltig.pipeline.pull.listing import list_studies
from heltig.pipeline.pull.study import pull_study

LETTERS, LONG, SHARED = "1.2.STUDY.a", "9" * 70, "1.2.9"
CONTENT: list[dict[str, Any]] = [
    *study("1.2.1", date="20260101"),
    *study("1.2.2", date="20260102", series=1, instances=1),
    *study("1.2.3", date="20260103", series=3, instances=2),
    *study(LETTERS, date="20260104", series=1, instances=2),
    *study(LONG, date="20260105", series=1, instances=1),
    instance(SHARED, "1.2.9.1", "1.2.9.1.1", patient="A", date="20260106"),
    instance(SHARED, "1.2.9.2", "1.2.9.2.1", patient="B", date="20260106"),
]
UIDS = {"1.2.1", "1.2.2", "1.2.3", LETTERS, LONG, SHARED}
KINDS = ["memory", "loopback", pytest.param("orthanc", marks=pytest.mark.orthanc)]


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackArchive]:
    with running_loopback(CONTENT) as archive:
        yield archive


@pytest.fixture(params=KINDS)
def holder(request: pytest.FixtureRequest) -> InMemoryArchive | LoopbackArchive | Orthanc:
    """What holds the content."""
    if request.param == "memory":
        return filled()
    if request.param == "loopback":
        loopback = made_well(request.getfixturevalue("running"))
        loopback.faults.rows_by_patient = True
        return loopback
    orthanc: Orthanc = request.getfixturevalue("orthanc")
    orthanc.store(part10(one, {}) for one in CONTENT)
    return orthanc


@pytest.fixture
async def archive(holder: InMemoryArchive | LoopbackArchive | Orthanc) -> AsyncIterator[Archive]:
    match holder:
        case InMemoryArchive():
            yield holder
        case LoopbackArchive():
            async with connected(holder.url) as over_http:
                yield over_http
        case Orthanc():
            auth = auth_for(
                BasicAuth(username=holder.username, secret="env:PW"), environ={"PW": holder.password}
            )
            async with connected(holder.root, auth=auth) as over_http:
                yield over_http


def filled() -> InMemoryArchive:
    memory = InMemoryArchive(chunk_size=1000)
    for one in CONTENT:
        memory.store(one)
    return memory


def uids(rows: list[bytes], tag: str = STUDY_INSTANCE_UID) -> list[str]:
    return sorted(element(read_row(row), tag).text for row in rows)


async def found(archive: Archive, **query: str) -> list[str]:
    return uids(await archive.search_studies(query, limit=100, offset=0))


async def metadata(archive: Archive, *of: str) -> bytes:
    return b"".join([chunk async for chunk in archive.retrieve_metadata(*of)])


async def test_studies_are_found_by_uid_and_date(archive: Archive) -> None:
    assert set(await found(archive)) == UIDS
    assert await found(archive, StudyInstanceUID="1.2.2") == ["1.2.2"]
    assert await found(archive, StudyInstanceUID=LETTERS) == [LETTERS]
    assert await found(archive, StudyInstanceUID=LONG) == [LONG]
    assert await found(archive, StudyInstanceUID="1.2.77") == []
    assert await found(archive, StudyDate="20260102-20260103") == ["1.2.2", "1.2.3"]
    assert await found(archive, StudyDate="20260101") == ["1.2.1"]


async def test_pages_make_up_the_whole(archive: Archive) -> None:
    pages = [await archive.search_studies({}, limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(set(uids([row for page in pages for row in page]))) == sorted(UIDS)
    assert await archive.search_studies({}, limit=3, offset=50) == []
    listing = await list_studies(archive, {}, page_rows=2)
    assert ({study.uid for study in listing.studies}, listing.notes) == (UIDS, ())


async def test_rows_count_what_is_below_them(archive: Archive) -> None:
    (row,) = await archive.search_studies({"StudyInstanceUID": "1.2.3"}, limit=2, offset=0)
    counts = [element(read_row(row), tag).numbers for tag in ("00201206", "00201208")]
    assert counts == [(3,), (6,)]
    series = await archive.search_series("1.2.3")
    assert [element(read_row(row), "00201209").numbers for row in series] == [(2,)] * 3


async def test_one_study_under_two_patients_is_two_rows(archive: Archive) -> None:
    rows = await archive.search_studies({"StudyInstanceUID": SHARED}, limit=10, offset=0)
    assert uids(rows, "00100020") == ["A", "B"]
    (listed,) = (s for s in (await list_studies(archive, {})).studies if s.uid == SHARED)
    assert len(listed.rows) == 2


async def test_series_and_instances_are_listed(archive: Archive) -> None:
    assert uids(await archive.search_series("1.2.1"), SERIES_INSTANCE_UID) == ["1.2.1.1", "1.2.1.2"]
    instances = await archive.search_instances("1.2.1", "1.2.1.2")
    assert uids(instances, SOP_INSTANCE_UID) == ["1.2.1.2.1", "1.2.1.2.2", "1.2.1.2.3"]
    assert await archive.search_series("1.2.77") == []


async def test_metadata_is_given_at_every_level(archive: Archive) -> None:
    study, series, one = [
        await metadata(archive, *of)
        for of in (["1.2.1"], ["1.2.1", "1.2.1.2"], ["1.2.1", "1.2.1.2", "1.2.1.2.3"])
    ]
    assert [body.count(b'"00080018"') for body in (study, series, one)] == [6, 3, 1]
    assert b"1.2.1.2.3" in one


@pytest.mark.parametrize("of", [["1.2.77"], ["1.2.1", "1.2.77"], ["1.2.1", "1.2.1.1", "1.2.77"]])
async def test_metadata_of_nothing_is_not_found(archive: Archive, of: list[str]) -> None:
    with pytest.raises(ArchiveNotFoundError):
        await metadata(archive, *of)


async def test_a_probe_finds_an_archive_that_behaves(archive: Archive) -> None:
    told = await archive.probe()
    assert (told.offset, told.page_cap, told.filters, told.counts, told.metadata) == (
        True,
        None,
        True,
        True,
        "study",
    )
    assert told.all_attributes is not False


async def test_a_study_is_the_same_wherever_it_is_pulled_from(archive: Archive) -> None:
    for uid in UIDS:
        digests = []
        for source in (archive, filled()):
            table = await pull_study(source, uid)
            table.arrange()
            assert table.source.shows == {"metadata", "all_attributes", "query", "complete_study"}
            assert (table.key, table.source.asked_for) == (uid, uid)
            digests.append(content_digest(series_digests(table)))
        assert digests[0] == digests[1]
