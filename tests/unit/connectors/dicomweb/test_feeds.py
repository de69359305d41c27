"""What Azure's DICOM service and dcm4chee tell of their changes, as they document it."""

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from servers.dicomweb import connected
from servers.fault_archive import FaultArchive, running_fault_archive

from connectors.base import ChangeFeed, FeedEntry
from connectors.dicomweb import DicomWebArchive
from connectors.dicomweb.feeds import feed_of
from connectors.dicomweb.feeds.azure import AzureFeed
from heltig.demo.answer import Faults
from heltig.errors import ArchiveAnswerError, ArchiveError, CursorLostError


@pytest.fixture(scope="module")
def _server() -> Iterator[FaultArchive]:
    with running_fault_archive() as running:
        yield running


@pytest.fixture
def server(_server: FaultArchive) -> FaultArchive:
    _server.begin_anew([])
    return _server


@pytest.fixture
async def archive(server: FaultArchive) -> AsyncIterator[DicomWebArchive]:
    async with connected(server.url) as connector:
        yield connector


@pytest.fixture(params=["v1", "v2"])
def azure(request: pytest.FixtureRequest, server: FaultArchive, archive: DicomWebArchive) -> ChangeFeed:
    server.habits.has_change_feed = True
    return feed_of("azure", archive, root=f"{server.url}/{request.param}")


async def news(feed: ChangeFeed, cursor: str, *, limit: int = 1000) -> tuple[list[FeedEntry], str]:
    """All entries up to the end, and the cursor then."""
    entries: list[FeedEntry] = []
    for _ in range(100):
        page = await feed.read(cursor, limit=limit)
        entries += page.entries
        cursor = page.cursor
        if page.is_end:
            return entries, cursor
    raise AssertionError("the feed has no end")


def studies(entries: list[FeedEntry]) -> set[str]:
    return {entry.study for entry in entries}


BEGINNING = {"v1": '{"type":"numbers","last":0}', "v2": '{"type":"times","start":"2020-01-01T00:00:00Z"}'}


@pytest.fixture
def beginning(request: pytest.FixtureRequest) -> str:
    return BEGINNING[request.node.callspec.params["azure"]]


@pytest.mark.parametrize("limit", [3, 1000])
async def test_every_study_that_changed_is_named(
    server: FaultArchive, azure: ChangeFeed, beginning: str, limit: int
) -> None:
    for number in range(30):
        server.change(f"1.{number % 12}", ago=3600 - number, skipping=150 if number == 20 else number % 3)
    entries, cursor = await news(azure, beginning, limit=limit)
    assert studies(entries) == {f"1.{number}" for number in range(12)}
    again, cursor = await news(azure, cursor, limit=limit)
    assert again == []
    assert len({(entry.study, entry.mark) for entry in entries}) == len(entries)


async def test_it_starts_behind_what_was_there(server: FaultArchive, azure: ChangeFeed) -> None:
    server.change("1.1")
    cursor = await azure.start()
    assert (await news(azure, cursor))[0] == []


async def test_an_empty_service_is_started_with(
    server: FaultArchive, azure: ChangeFeed, beginning: str
) -> None:
    cursor = await azure.start()
    entries, cursor = await news(azure, cursor)
    assert entries == []
    server.change("1.1")
    assert studies((await news(azure, beginning))[0]) == {"1.1"}


async def test_what_may_be_out_of_order_is_left_to_the_next_time(
    server: FaultArchive, azure: ChangeFeed, beginning: str
) -> None:
    server.change("1.1", ago=3600)
    server.change("1.2", ago=5)
    entries, cursor = await news(azure, beginning)
    assert studies(entries) == {"1.1"}
    server.faults = Faults(clock_skew=60)  # a minute later
    page = await azure.read(cursor, limit=100)
    assert studies((await news(azure, cursor))[0]) == {"1.2"}
    assert page.covered or not page.is_end


async def test_a_study_of_which_nothing_is_left_is_gone(
    server: FaultArchive, azure: ChangeFeed, beginning: str
) -> None:
    server.change("1.1", ago=3600)
    server.change("1.2", ago=3599)
    _, cursor = await news(azure, beginning)
    server.change("1.1", "delete", ago=3000)
    server.told.changes.append(type(server.told.changes[0])(9, "1.2", "delete", server.told.changes[-1].at))
    if "numbers" not in beginning:
        cursor = beginning  # these times are in a window that is over
    entries, _ = await news(azure, cursor)
    assert {entry.study: entry.is_gone for entry in entries} == {"1.1": True, "1.2": False}


async def test_deletions_are_looked_into_for_a_while_and_then_on_the_next_page(
    server: FaultArchive,
    archive: DicomWebArchive,
    azure: ChangeFeed,
    beginning: str,
    request: pytest.FixtureRequest,
) -> None:
    for number in range(5):
        server.change(f"1.{number}", ago=3600 - number)
    for number in range(5):
        server.change(f"1.{number}", "delete", ago=3000 - number)
    seconds = itertools.count(0, 10)
    root = f"{server.url}/{request.node.callspec.params['azure']}"
    slow = AzureFeed(archive, root, clock=lambda: datetime.now(UTC) + timedelta(seconds=next(seconds)))
    page = await slow.read(beginning, limit=100)
    assert [(entry.study, entry.is_gone) for entry in page.entries if entry.is_gone] == [
        ("1.0", True),
        ("1.1", True),
    ]
    assert not page.is_end
    entries, _ = await news(slow, page.cursor)
    assert {entry.study for entry in (*page.entries, *entries) if entry.is_gone} == {
        f"1.{n}" for n in range(5)
    }


async def test_a_service_that_was_made_anew_has_lost_the_cursor(
    server: FaultArchive, azure: ChangeFeed, beginning: str
) -> None:
    for number in range(5):
        server.change(f"1.{number}")
    _, cursor = await news(azure, beginning)
    server.begin_anew([])
    server.habits.has_change_feed = True
    server.change("1.9")
    with pytest.raises(CursorLostError):
        await news(azure, cursor)


async def test_the_cursor_of_another_version_or_kind_is_lost(azure: ChangeFeed, beginning: str) -> None:
    (other,) = set(BEGINNING.values()) - {beginning}
    for cursor in (other, "nonsense", '{"seq": 3}'):
        with pytest.raises(CursorLostError):
            await azure.read(cursor, limit=10)


@pytest.mark.parametrize(
    "faults", [Faults(status=503), Faults(login_page=True), Faults(cut_after=20), Faults(gzip_lie=True)]
)
async def test_a_feed_that_fails_moves_no_cursor(
    server: FaultArchive, azure: ChangeFeed, beginning: str, faults: Faults
) -> None:
    server.change("1.1")
    server.faults = faults
    with pytest.raises(ArchiveError):
        await azure.read(beginning, limit=10)
    server.faults = Faults()
    assert studies((await news(azure, beginning))[0]) == {"1.1"}


async def test_what_is_no_change_feed_is_told(archive: DicomWebArchive, server: FaultArchive) -> None:
    server.faults = Faults(login_page=True)
    with pytest.raises(ArchiveAnswerError, match="change feed"):
        await feed_of("orthanc", archive, root=server.url).start()


@pytest.fixture
def dcm4chee(server: FaultArchive, archive: DicomWebArchive) -> ChangeFeed:
    server.habits.has_receive_times = True
    server.faults = Faults(page_cap=40)
    return feed_of("dcm4chee", archive)


def since(minutes: int) -> str:
    return f'{{"since":"{datetime.now(UTC) - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"}}'


@pytest.mark.parametrize("limit", [5, 1000])
async def test_studies_are_found_by_when_they_came(
    server: FaultArchive, dcm4chee: ChangeFeed, limit: int
) -> None:
    for number in range(60):
        server.receive(f"1.{number}", ago=60 * number + 30, date="")
    entries, cursor = await news(dcm4chee, since(30), limit=limit)
    assert studies(entries) == {f"1.{number}" for number in range(30)}
    assert all(entry.rows for entry in entries)
    assert all(entry.mark for entry in entries)
    again, _ = await news(dcm4chee, cursor)
    assert studies(again) == {f"1.{number}" for number in range(5)}
    known = {entry.study: entry for entry in entries}
    assert all(known[entry.study] == entry for entry in again)


async def test_what_is_committed_late_is_found(server: FaultArchive, dcm4chee: ChangeFeed) -> None:
    server.receive("1.1", ago=600)
    _, cursor = await news(dcm4chee, since(30))
    server.receive("1.2", ago=120)  # it shows the time when it came, and is found when it is stored
    assert "1.2" in studies((await news(dcm4chee, cursor))[0])


async def test_the_archives_clock_is_gone_by(server: FaultArchive, dcm4chee: ChangeFeed) -> None:
    server.faults.clock_skew = -3600
    server.receive("1.1", ago=3610)
    cursor = await dcm4chee.start()
    server.receive("1.2", ago=3590)
    assert "1.2" in studies((await news(dcm4chee, cursor))[0])


@pytest.mark.parametrize("refuses", [True, False])
async def test_a_time_in_which_too_much_came_is_cut(
    server: FaultArchive, dcm4chee: ChangeFeed, refuses: bool
) -> None:
    for number in range(100):
        server.receive(f"1.{number}", ago=30 * number)
    if refuses:
        server.habits.refuses_above = 20
    else:
        server.habits.search_cap = 20
    entries, _ = await news(dcm4chee, since(50))
    assert studies(entries) == {f"1.{number}" for number in range(100)}
