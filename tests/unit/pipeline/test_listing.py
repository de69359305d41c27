"""Which studies an archive is said to have, however it pages."""

from collections.abc import Mapping

import pytest
from servers.dicomweb import instance, study

from connectors.base import Faults, InMemoryArchive
from heltig.errors import ArchiveUnavailableError
from heltig.pipeline.pull.listing import Listing, list_studies


def archive(studies: int, faults: Faults | None = None) -> InMemoryArchive:
    made = InMemoryArchive(faults=faults)
    for n in range(studies):
        for one in study(f"1.{n}", series=1, instances=1, date=f"202601{n + 1:02}"):
            made.store(one)
    return made


def uids(listing: Listing) -> list[str]:
    return [study.uid for study in listing.studies]


@pytest.mark.parametrize("faults", [None, Faults(page_cap=2)])
@pytest.mark.parametrize("page_rows", [1, 3, 7, 200])
async def test_every_study_is_listed_once(faults: Faults | None, page_rows: int) -> None:
    listing = await list_studies(archive(7, faults), {}, page_rows=page_rows)
    assert uids(listing) == [f"1.{n}" for n in range(7)]
    assert listing.notes == ()


async def test_rows_of_one_study_stay_together_wherever_they_stand() -> None:
    made = archive(3)
    made.store(instance("1.0", "1.0.9", "1.0.9.1", patient="P2"))
    listing = await list_studies(made, {}, page_rows=2)
    assert [len(study.rows) for study in listing.studies] == [2, 1, 1]


async def test_an_archive_that_ignores_offset_gives_its_first_page_and_a_note() -> None:
    listing = await list_studies(archive(7, Faults(ignores_offset=True)), {}, page_rows=3)
    assert len(listing.studies) == 3
    assert "offset" in listing.notes[0]


async def test_listing_ends_somewhere() -> None:
    listing = await list_studies(archive(7), {}, page_rows=1, most_pages=4)
    assert len(listing.studies) == 4
    assert "4 pages" in listing.notes[0]


async def test_studies_of_other_dates_are_left_out_where_the_archive_does_not_do_so() -> None:
    made = archive(7, Faults(ignores_filters=True))
    made.store(instance("1.9", "1.9.1", "1.9.1.1", date=""))
    for dates, expected in {
        "20260102-20260103": ["1.1", "1.2", "1.9"],
        "20260106-": ["1.5", "1.6", "1.9"],
        "-20260102": ["1.0", "1.1", "1.9"],
        "20260104": ["1.3", "1.9"],
    }.items():
        listing = await list_studies(made, {"StudyDate": dates})
        assert uids(listing) == expected
        assert "date" in listing.notes[0]


async def test_studies_without_a_uid_are_counted() -> None:
    made = archive(2)
    made.store(instance("", "1.9.1", "1.9.1.1"))
    listing = await list_studies(made, {})
    assert (uids(listing), listing.nameless) == (["1.0", "1.1"], 1)
    assert "StudyInstanceUID" in listing.notes[0]


class Moving(InMemoryArchive):
    """An archive in which a study is deleted after its first page was asked for."""

    asked = 0

    async def search_studies(self, query: Mapping[str, str], *, limit: int, offset: int) -> list[bytes]:
        self.asked += 1
        if self.asked == 2:
            self.remove("1.0")
        return await super().search_studies(query, limit=limit, offset=offset)


async def test_a_study_that_a_deletion_moved_into_an_earlier_page_is_found() -> None:
    made = Moving()
    for n in range(6):
        made.store(instance(f"1.{n}", f"1.{n}.1", f"1.{n}.1.1"))
    assert set(uids(await list_studies(made, {}, page_rows=2))) == {f"1.{n}" for n in range(6)}


async def test_progress_is_told() -> None:
    told: list[int] = []
    await list_studies(archive(5), {}, page_rows=4, progress=told.append)
    assert told == [4, 5]


async def test_an_archive_that_does_not_answer_is_an_error() -> None:
    class Silent(InMemoryArchive):
        async def search_studies(self, query: Mapping[str, str], *, limit: int, offset: int) -> list[bytes]:
            raise ArchiveUnavailableError("silent")

    with pytest.raises(ArchiveUnavailableError):
        await list_studies(Silent(), {})
