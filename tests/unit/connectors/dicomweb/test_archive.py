"""The connector against an archive on loopback that misbehaves on demand."""

import json
from collections.abc import Awaitable, Callable, Iterator

import pytest
from servers.dicomweb import NoWaits, connected, made_well, running_loopback, study
from servers.scripted import answer, scripted_server

from connectors.base import read_row
from connectors.dicomweb import DicomWebArchive
from heltig.auth.archives import auth_for
from heltig.credentials import BasicAuth, BearerAuth
from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.dicom.study import STUDY_INSTANCE_UID, element
from heltig.errors import (
    ArchiveAccessError,
    ArchiveAnswerError,
    ArchiveAnswerTooLargeError,
    ArchiveError,
    ArchiveNotFoundError,
    ArchiveRateLimitedError,
    ArchiveUnavailableError,
)

STUDIES = [i for n in range(1, 5) for i in study(f"1.{n}", date=f"2026010{n}")]
STUDIES += study("1.5", series=5, instances=7)
STUDIES += study("1.6", instances=2000)

Call = Callable[[DicomWebArchive], Awaitable[object]]


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackArchive]:
    with running_loopback(STUDIES) as archive:
        yield archive


@pytest.fixture
def loopback(running: LoopbackArchive) -> LoopbackArchive:
    return made_well(running)


async def read(archive: DicomWebArchive, *uids: str) -> bytes:
    return b"".join([chunk async for chunk in archive.retrieve_metadata(*uids)])


async def search(archive: DicomWebArchive, limit: int = 10) -> list[str]:
    rows = await archive.search_studies({}, limit=limit, offset=0)
    return [element(read_row(row), STUDY_INSTANCE_UID).text for row in rows]


@pytest.mark.parametrize("status", [400, 422, 501])
async def test_a_refused_search_is_told_with_what_it_was_by(loopback: LoopbackArchive, status: int) -> None:
    loopback.faults = Faults(status=status)
    async with connected(loopback.url) as archive:
        with pytest.raises(ArchiveAnswerError) as refusal:
            await archive.search_studies({"StudyTime": "230000-235959.999999"}, limit=1, offset=0)
    assert refusal.value.answer_status == status
    assert "this search: one with StudyTime, includefield, limit, offset." in refusal.value.detail
    assert "2300" not in refusal.value.detail


REQUESTS: list[Call] = [
    search,
    lambda archive: archive.search_series("1.1"),
    lambda archive: archive.search_instances("1.1", "1.1.1"),
    lambda archive: read(archive, "1.1"),
    lambda archive: archive.retrieve_head("1.1", "1.1.1", "1.1.1.1", most=10),
]


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(status=401), ArchiveAccessError),
        (Faults(status=403), ArchiveAccessError),
        (Faults(status=404), ArchiveNotFoundError),
        (Faults(status=413), ArchiveAnswerError),
        (Faults(status=429), ArchiveRateLimitedError),
        (Faults(status=500), ArchiveAnswerError),
        (Faults(status=503), ArchiveUnavailableError),
    ],
)
async def test_refusals_have_their_errors(
    loopback: LoopbackArchive, faults: Faults, error: type[ArchiveError]
) -> None:
    loopback.faults = faults
    async with connected(loopback.url) as archive:
        for request in REQUESTS:
            with pytest.raises(error):
                await request(archive)


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (Faults(login_page=True), ArchiveAnswerError),
        (Faults(gzip_lie=True), ArchiveAnswerError),
        (Faults(cut_after=40), ArchiveUnavailableError),
        (Faults(drip_seconds=0.001), ArchiveUnavailableError),
    ],
)
async def test_spoilt_answers_have_their_errors(
    loopback: LoopbackArchive, faults: Faults, error: type[ArchiveError]
) -> None:
    loopback.faults = faults
    waits = NoWaits(seconds_a_look=31 if faults.drip_seconds else 0)
    async with connected(loopback.url, waits=waits) as archive:
        for request in REQUESTS[:4]:
            with pytest.raises(error):
                await request(archive)


async def test_an_archive_that_asks_to_wait_is_asked_again_after_that_time(loopback: LoopbackArchive) -> None:
    waits = NoWaits()
    async with connected(loopback.url, waits=waits) as archive:
        for status in (429, 503):
            loopback.faults = Faults(status=status, retry_after="7", times=1)
            assert len(await search(archive)) == 6
            loopback.faults = Faults(status=status, retry_after="7", times=1)
            assert await read(archive, "1.1")
    assert waits.waits == [7.0] * 4


@pytest.mark.parametrize("status", [200, 204])
async def test_nothing_found_is_an_empty_list_however_it_is_said(
    loopback: LoopbackArchive, status: int
) -> None:
    loopback.faults = Faults(empty_status=status)
    async with connected(loopback.url) as archive:
        assert await archive.search_studies({"StudyInstanceUID": "9.9"}, limit=5, offset=0) == []
        assert await archive.search_series("9.9") == []


async def test_one_study_may_come_without_its_array(loopback: LoopbackArchive) -> None:
    loopback.faults = Faults(object_not_array=True)
    async with connected(loopback.url) as archive:
        assert await search(archive, limit=1) == ["1.1"]


@pytest.mark.parametrize("is_told", [True, False])
async def test_series_and_instances_are_listed_though_pages_are_capped(
    loopback: LoopbackArchive, is_told: bool
) -> None:
    loopback.faults = Faults(page_cap=2, warn_of_more=is_told)
    async with connected(loopback.url) as archive:
        assert len(await archive.search_series("1.5")) == 5
        assert len(await archive.search_instances("1.5", "1.5.3")) == 7


async def test_series_are_asked_for_once_where_a_longer_page_was_given(loopback: LoopbackArchive) -> None:
    async with connected(loopback.url) as archive:
        assert len(await archive.search_series("1.1")) == 2
        assert len(loopback.requests) == 2
        await archive.search_studies({}, limit=10, offset=0)
        loopback.requests.clear()
        assert len(await archive.search_series("1.1")) == 2
        assert len(loopback.requests) == 1


async def test_metadata_over_the_limit_is_left(loopback: LoopbackArchive) -> None:
    async with connected(loopback.url, most_metadata=1000) as archive:
        with pytest.raises(ArchiveAnswerTooLargeError):
            await read(archive, "1.1")
        assert await read(archive, "1.1", "1.1.1", "1.1.1.1")


async def test_gzip_is_asked_for_and_undone(loopback: LoopbackArchive) -> None:
    async with connected(loopback.url) as archive:
        assert (await read(archive, "1.1")).startswith(b"[{")
    headers = loopback.requests[-1].headers
    assert (headers["accept"], headers["accept-encoding"]) == ("application/dicom+json", "gzip")


async def test_counts_are_asked_for(loopback: LoopbackArchive) -> None:
    async with connected(loopback.url) as archive:
        await search(archive)
        await archive.search_series("1.1")
    assert "NumberOfStudyRelatedInstances" in loopback.requests[0].query
    assert "NumberOfSeriesRelatedInstances" in loopback.requests[1].query


async def test_credentials_are_sent() -> None:
    environ = {"T": "s3cret"}
    async with LoopbackArchive(STUDIES, user="pacs", password="s3cret") as loopback:
        auth = auth_for(BasicAuth(username="pacs", secret="env:T"), environ=environ)
        async with connected(loopback.url, auth=auth) as archive:
            assert await read(archive, "1.1")
    async with LoopbackArchive(STUDIES, token="s3cret") as loopback:
        auth = auth_for(BearerAuth(secret="env:T"), environ=environ)
        async with connected(loopback.url, auth=auth) as archive:
            assert await search(archive)
        async with connected(loopback.url) as archive:
            with pytest.raises(ArchiveAccessError):
                await search(archive)


@pytest.mark.parametrize("uid", ["..", "1/../2", "", "1\n"])
async def test_a_uid_that_leads_elsewhere_is_not_sent(loopback: LoopbackArchive, uid: str) -> None:
    async with connected(loopback.url) as archive:
        with pytest.raises(ArchiveAnswerError):
            await read(archive, uid)
        with pytest.raises(ArchiveAnswerError):
            await archive.search_series(uid)
    assert loopback.requests == []


async def test_leaving_metadata_early_leaves_the_connection_usable(loopback: LoopbackArchive) -> None:
    async with connected(loopback.url) as archive:
        chunks = archive.retrieve_metadata("1.6")
        assert await anext(chunks)
        await chunks.aclose()
        assert len(await search(archive)) == 6


ROWS = [json.dumps({"0020000D": {"vr": "UI", "Value": [f"1.{n}"]}}) for n in range(3)]
HALVES = {
    "within a row": "[" + ",".join(ROWS)[:-20],
    "after a row": "[" + ",".join(ROWS[:2]),
    "after a comma": "[" + ROWS[0] + ",",
    "at an inner bracket": "[" + ",".join(ROWS).rstrip("}"),
}


@pytest.mark.parametrize("where", HALVES)
async def test_half_a_page_of_rows_that_looks_whole_is_asked_for_again(where: str) -> None:
    """A proxy may pass on what broke off as if it were all: the missing studies would be taken for gone."""
    half, whole = answer(HALVES[where].encode()), answer(f"[{','.join(ROWS)}]".encode())
    async with scripted_server([half, whole]) as server, connected(server.root) as archive:
        assert await search(archive) == ["1.0", "1.1", "1.2"]
    async with scripted_server([half] * 9) as server, connected(server.root) as archive:
        with pytest.raises(ArchiveUnavailableError, match="before the end of its array"):
            await search(archive)
