"""Archives with a change feed: what a sweep lists is compared with what was pulled."""

import msgspec
import pytest
from servers.dicomweb import instance, study
from unit.pipeline.watched import COLD, MINUTE, QUIET, Site, TellingArchive, told_and_listed

from connectors.base import Faults, Page
from heltig.store.engine import Store

UID = "1.2.1"
FIRST = study(UID, series=1, instances=3)
LATE = instance(UID, "1.2.1.1", "1.2.1.1.9", number=9)


class CountingArchive(TellingArchive):
    """Remembers the studies whose metadata it was asked for."""

    def __init__(self, *, faults: Faults | None = None) -> None:
        super().__init__(faults=faults)
        self.pulled: list[str] = []

    def retrieve_metadata(self, study: str, series: str | None = None, instance: str | None = None):
        if series is None:
            self.pulled.append(study)
        return super().retrieve_metadata(study, series, instance)


class OtherRows(CountingArchive):
    """Whoever searches for one study is shown another row of it than whoever lists all."""

    async def search_studies(self, query, *, limit: int, offset: int) -> Page:
        rows = await super().search_studies(query, limit=limit, offset=offset)
        if "StudyInstanceUID" not in query:
            return rows
        return Page(
            [
                msgspec.json.encode(msgspec.json.decode(row) | {"00081030": {"vr": "LO", "Value": ["One"]}})
                for row in rows
            ]
        )


class LyingRows(CountingArchive):
    """Every row counts one instance too many."""

    async def search_studies(self, query, *, limit: int, offset: int) -> Page:
        lies = []
        for row in await super().search_studies(query, limit=limit, offset=offset):
            told = msgspec.json.decode(row)
            told["00201208"]["Value"][0] += 1
            lies.append(msgspec.json.encode(told))
        return Page(lies)


async def watching(store: Store, archive: CountingArchive) -> Site:
    """A site that has judged a study of this archive, and swept it never since."""
    site = Site(store, archive, strategies=told_and_listed)
    await site.register()
    await site.pass_time(COLD + MINUTE)  # the first sweep lists everything
    for one in FIRST:
        archive.store(one)
    await site.pass_time(QUIET + 2 * MINUTE)
    return site


async def standing(site: Site) -> tuple[str, int, int]:
    found = await site.study(UID)
    assert found is not None
    return found.state, found.revision, found.instances


async def version(site: Site) -> int:
    """Of the study: another one whenever it becomes PENDING, or is judged."""
    found = await site.study(UID)
    assert found is not None
    return found.version


@pytest.fixture
def archive() -> CountingArchive:
    return CountingArchive()


async def test_a_deleted_instance_is_found_by_the_sweep(store: Store, archive: CountingArchive) -> None:
    site = await watching(store, archive)
    assert await standing(site) == ("JUDGED", 1, 3)
    archive.leave(UID, FIRST[:2])
    await site.pass_time(2 * COLD)
    assert await standing(site) == ("JUDGED", 2, 2)
    assert archive.pulled == [UID, UID]


async def test_a_sweep_after_a_late_instance_is_quiet(store: Store, archive: CountingArchive) -> None:
    site = await watching(store, archive)
    await site.pass_time(2 * COLD)
    archive.store(LATE)
    await site.pass_time(QUIET + 2 * MINUTE)
    assert await standing(site) == ("JUDGED", 2, 4)
    before, pulled = await version(site), list(archive.pulled)
    await site.pass_time(2 * COLD)
    assert await version(site) == before
    assert archive.pulled == pulled == [UID, UID]


async def test_a_late_instance_and_a_deleted_one_between_two_sweeps(
    store: Store, archive: CountingArchive
) -> None:
    site = await watching(store, archive)
    archive.store(LATE)
    await site.pass_time(QUIET + 2 * MINUTE)
    archive.leave(UID, FIRST)  # listed again as it was before the late one came
    await site.pass_time(2 * COLD)
    assert await standing(site) == ("JUDGED", 3, 3)


@pytest.mark.parametrize("kind", [OtherRows, LyingRows])
async def test_rows_that_lie_are_not_pulled_for_ever(store: Store, kind: type[CountingArchive]) -> None:
    archive = kind()
    site = await watching(store, archive)
    await site.pass_time(6 * COLD)
    assert (await standing(site))[0] == "JUDGED"
    before, pulled = await version(site), list(archive.pulled)
    await site.pass_time(3 * COLD)
    assert await version(site) == before
    assert archive.pulled == pulled


async def test_rows_that_differ_with_the_search_cost_one_more_pull(store: Store) -> None:
    archive = OtherRows()
    site = await watching(store, archive)
    await site.pass_time(3 * COLD)
    assert await standing(site) == ("JUDGED", 1, 3)
    assert archive.pulled == [UID, UID]


async def test_an_archive_that_does_not_count_is_left_alone(store: Store) -> None:
    archive = CountingArchive(faults=Faults(no_counts=True))
    site = await watching(store, archive)
    before = await version(site)
    await site.pass_time(2 * COLD)
    assert await standing(site) == ("JUDGED", 1, 3)
    assert (await version(site), archive.pulled) == (before, [UID])
