"""Studies that an archive does not list any more: when they are asked for, and what becomes of them."""

from collections.abc import Mapping

import pytest
from servers.dicomweb import study
from unit.pipeline.scoring import scoring

from connectors.base import InMemoryArchive
from heltig.errors import ArchiveUnavailableError
from heltig.pipeline.pull.listing import Listing, list_studies
from heltig.pipeline.pull.run import pull_archive
from heltig.pipeline.pull.vanished import Vanished, vanished_studies
from heltig.store import studies
from heltig.store.engine import Store
from heltig.store.records import Location

HERE = Location("archive", "memory")
ALL: Mapping[str, str] = {}


def holding(*uids: str, **attributes: str) -> InMemoryArchive:
    archive = InMemoryArchive()
    for uid in uids:
        for one in study(uid, **attributes):
            archive.store(one)
    return archive


async def pull(archive: InMemoryArchive, store: Store, query: Mapping[str, str] = ALL) -> dict[str, str]:
    """A pull as the command does it; what became of each study."""
    listing = await list_studies(archive, query)
    missing = await vanished_studies(store, HERE, listing, query)
    results = pull_archive(archive, listing.studies + missing.studies, scoring=scoring(store))
    return {result.uid: result.outcome async for result in results}


async def missing_from(store: Store, *uids: str, query: Mapping[str, str] = ALL) -> Vanished:
    return await vanished_studies(store, HERE, await list_studies(holding(*uids), query), query)


async def test_a_study_that_is_gone_is_withdrawn_by_a_full_pull(store: Store) -> None:
    archive = holding("1.2.1", "1.2.2", "1.2.3")
    await pull(archive, store)
    archive.remove("1.2.2")
    assert await pull(archive, store) == {"1.2.1": "unchanged", "1.2.2": "gone", "1.2.3": "unchanged"}
    found = await store.read(studies.find, HERE, "1.2.2")
    assert found is not None
    assert found.state == "WITHDRAWN"
    assert await pull(archive, store) == {"1.2.1": "unchanged", "1.2.3": "unchanged"}


async def test_a_study_that_is_only_not_listed_is_not_withdrawn(store: Store) -> None:
    class Forgetful(InMemoryArchive):
        """Leaves a study out of the list of all, and finds it by its UID."""

        async def search_studies(self, query, *, limit, offset):
            if query:
                return await super().search_studies(query, limit=limit, offset=offset)
            rows = await super().search_studies({}, limit=100, offset=0)
            return [row for row in rows if b'"1.2.2"' not in row][offset : offset + limit]

    archive = Forgetful()
    for uid in ("1.2.1", "1.2.2", "1.2.3"):
        for one in study(uid):
            archive.store(one)
    await pull(holding("1.2.1", "1.2.2", "1.2.3"), store)
    assert await pull(archive, store) == dict.fromkeys(("1.2.1", "1.2.2", "1.2.3"), "unchanged")


async def test_no_answer_withdraws_nothing(store: Store) -> None:
    class Silent(InMemoryArchive):
        """Lists less, and does not answer for what it does not list."""

        async def search_studies(self, query, *, limit, offset):
            if query.get("StudyInstanceUID") == "1.2.2":
                raise ArchiveUnavailableError("not now")
            return await super().search_studies(query, limit=limit, offset=offset)

    await pull(holding("1.2.1", "1.2.2", "1.2.3"), store)
    archive = Silent()
    for uid in ("1.2.1", "1.2.3"):
        for one in study(uid):
            archive.store(one)
    assert (await pull(archive, store))["1.2.2"] == "failed"
    found = await store.read(studies.find, HERE, "1.2.2")
    assert found is not None
    assert found.state == "JUDGED"


@pytest.mark.parametrize(("left", "asked"), [(4, 0), (3, 1), (2, 2), (1, 0), (0, 0)])
async def test_when_more_than_half_are_missing_none_is_asked_for(store: Store, left: int, asked: int) -> None:
    uids = [f"1.2.{n}" for n in range(4)]
    await pull(holding(*uids), store)
    missing = await missing_from(store, *uids[:left])
    assert sorted(study.uid for study in missing.studies) == (uids[left:] if asked else [])
    assert len(missing.studies) == asked
    assert any("far fewer" in note for note in missing.notes) == (left < 2)


async def test_a_list_that_may_be_cut_short_says_nothing(store: Store) -> None:
    await pull(holding("1.2.1", "1.2.2", "1.2.3"), store)
    listing = await list_studies(holding("1.2.1", "1.2.2"), ALL)
    cut = Listing(listing.studies, notes=("It ends early.",), is_whole=False)
    assert await vanished_studies(store, HERE, cut, ALL) == Vanished()


@pytest.mark.parametrize(
    ("dates", "asked"),
    [
        ("20260102", ["1.2.2"]),
        ("20260102-20260103", ["1.2.2"]),
        ("20260102-", ["1.2.2"]),
        ("-20260102", ["1.2.2"]),
        ("20260103-", []),
        ("-20260101", []),
    ],
)
async def test_a_pull_of_some_days_looks_at_studies_of_these_days(
    store: Store, dates: str, asked: list[str]
) -> None:
    archive = holding("1.2.1", StudyDate="20260101")
    for uid, day in (("1.2.2", "20260102"), ("1.2.3", "20260102"), ("1.2.4", "20260103"), ("1.2.5", "")):
        for one in study(uid, StudyDate=day):
            archive.store(one)
    await pull(archive, store)
    archive.remove("1.2.2")
    query = {"StudyDate": dates}
    missing = await vanished_studies(store, HERE, await list_studies(archive, query), query)
    assert [study.uid for study in missing.studies] == asked


async def test_other_locations_are_left_alone(store: Store) -> None:
    await pull(holding("1.2.1", "1.2.2"), store)
    listing = await list_studies(holding("1.2.1"), ALL)
    assert await vanished_studies(store, Location("archive", "other"), listing, ALL) == Vanished()
