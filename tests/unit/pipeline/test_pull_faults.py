"""Whole pulls over HTTP from an archive that shows each fault that real ones have."""

from collections.abc import Iterator

import pytest
from servers.dicomweb import NoWaits, connected, made_well, running_loopback, study

from heltig.demo.answer import Faults
from heltig.demo.archive import LoopbackArchive
from heltig.dicom.study import StudyTable
from heltig.errors import ArchiveAccessError, ArchiveAnswerError, ArchiveUnavailableError
from heltig.pipeline.pull.listing import list_studies
from heltig.pipeline.pull.study import pull_study

UIDS = [f"1.2.{n}" for n in range(1, 6)]
OF_STUDY = r"/studies/[^/]+/metadata$"


@pytest.fixture(scope="module")
def running() -> Iterator[LoopbackArchive]:
    with running_loopback(i for n, uid in enumerate(UIDS) for i in study(uid, instances=3 + n)) as archive:
        yield archive


@pytest.fixture
def loopback(running: LoopbackArchive) -> LoopbackArchive:
    return made_well(running)


async def pulled(loopback: LoopbackArchive, faults: Faults, waits: NoWaits | None = None) -> list[StudyTable]:
    loopback.faults = faults
    async with connected(loopback.url, waits=waits) as archive:
        listing = await list_studies(archive, {}, page_rows=4)
        tables = [await pull_study(archive, s.uid, listed=s.rows) for s in listing.studies]
    for table in tables:
        table.arrange()
    return tables


def failures(tables: list[StudyTable]) -> set[str]:
    return {failure.kind for table in tables for failure in table.source.failures}


@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults(page_cap=2),
        Faults(page_cap=2, warn_of_more=False),
        Faults(empty_status=200),
        Faults(clock_skew=-7200),
        Faults(status=503, retry_after="3", times=1),
        Faults(status=429, retry_after="3", after=4, times=1),
        Faults(status=502, only=OF_STUDY, times=1),
        Faults(omit_counts=True),
    ],
)
async def test_everything_comes(loopback: LoopbackArchive, faults: Faults) -> None:
    waits = NoWaits()
    tables = await pulled(loopback, faults, waits)
    assert [(table.key, table.rows) for table in tables] == [(uid, 2 * (3 + n)) for n, uid in enumerate(UIDS)]
    assert all("complete_study" in table.source.shows for table in tables)
    assert failures(tables) == set()
    assert waits.waits == ([3.0] if faults.retry_after else waits.waits)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(cut_after=300, only=OF_STUDY),
        Faults(cut_after=100, only=OF_STUDY),
        Faults(gzip_lie=True, only=OF_STUDY),
        Faults(status=413, only=OF_STUDY),
        Faults(status=500, only=OF_STUDY),
        Faults(status=503, only=OF_STUDY),
        Faults(login_page=True, only=OF_STUDY),
        Faults(too_large_above=5),
        Faults(too_large_above=2),
    ],
)
async def test_everything_comes_in_parts(loopback: LoopbackArchive, faults: Faults) -> None:
    tables = await pulled(loopback, faults)
    assert [(table.key, table.rows) for table in tables] == [(uid, 2 * (3 + n)) for n, uid in enumerate(UIDS)]
    assert failures(tables) == {"metadata-in-parts"}


async def test_a_slow_drip_is_as_good_as_silence(loopback: LoopbackArchive) -> None:
    waits = NoWaits(seconds_a_look=31)
    with pytest.raises(ArchiveUnavailableError):
        await pulled(loopback, Faults(drip_seconds=0.001), waits)


async def test_an_archive_that_ignores_offset_gives_one_page(loopback: LoopbackArchive) -> None:
    assert len(await pulled(loopback, Faults(ignore_offset=True))) == 4


@pytest.mark.parametrize("after", range(2, 9))
async def test_a_session_that_ends_in_the_middle_ends_the_pull(loopback: LoopbackArchive, after: int) -> None:
    with pytest.raises(ArchiveAccessError):
        await pulled(loopback, Faults(status=401, after=after))
    with pytest.raises(ArchiveAnswerError):
        await pulled(loopback, Faults(login_page=True, after=after))


async def test_what_is_counted_and_not_shown_is_not_forgotten(loopback: LoopbackArchive) -> None:
    loopback.faults = Faults()
    tables = await pulled(loopback, Faults(withheld=frozenset({"1.2.1.1.1"})))
    assert tables[0].rows == 5
    assert b"6" in bytes(tables[0].source.study_rows[0].raws[-1])
    assert "complete_study" in tables[0].source.shows


async def test_a_study_of_one_instance_may_come_without_its_array() -> None:
    async with LoopbackArchive(study("1.2.9", series=1, instances=1)) as loopback:
        (table,) = await pulled(loopback, Faults(object_not_array=True))
    assert table.rows == 1
    assert table.faults[0][0].kind == "json-model"
