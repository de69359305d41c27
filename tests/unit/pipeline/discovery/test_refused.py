"""Archives that refuse to search by StudyTime or ModalitiesInStudy, as Azure's DICOM service does."""

from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from servers.dicomweb import connected
from servers.fault_archive import FaultArchive, Habits, many, running_fault_archive
from unit.pipeline.discovery.model import NOON, Entry, ModelArchive, broken_round, round_of, uids

from connectors.dicomweb import DicomWebArchive
from heltig.errors import ArchiveAnswerError
from heltig.jobs.queue import JobQueue, utc_now
from heltig.pipeline.archives.opened import Opened
from heltig.pipeline.backfill import walking as backfill
from heltig.pipeline.backfill.listing import list_on
from heltig.pipeline.discovery.listed import ColdSweep, Window
from heltig.pipeline.discovery.lister import Lister
from heltig.store import archives, backfill_studies
from heltig.store.archives import Archive
from heltig.store.engine import Store

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def running() -> Iterator[FaultArchive]:
    with running_fault_archive() as started:
        yield started


@pytest.fixture
def server(running: FaultArchive) -> FaultArchive:
    running.begin_anew(many(300, days=1))
    running.habits = Habits(refused_keys=frozenset({"StudyTime", "ModalitiesInStudy"}))
    return running


@pytest.fixture
async def archive(server: FaultArchive) -> AsyncIterator[DicomWebArchive]:
    async with connected(server.url) as connector:
        yield connector


def cold(archive: ModelArchive) -> ColdSweep:
    lister = Lister(archive, page_rows=25, most_slice_rows=120, most_pages=40)  # type: ignore[arg-type]
    return ColdSweep(archive, lister, every=DAY, page_rows=25)  # type: ignore[arg-type]


def window(archive: ModelArchive, name: str) -> Window:
    lister = Lister(archive, page_rows=25, most_slice_rows=120, most_pages=40)  # type: ignore[arg-type]
    return Window(archive, lister, name=name, every=DAY, today=NOON.date(), days=(0, -1))  # type: ignore[arg-type]


@pytest.mark.parametrize("refusal", [400, 422, 501])
@pytest.mark.parametrize(
    "refuses", [{"StudyTime"}, {"StudyTime", "ModalitiesInStudy"}], ids=lambda keys: " ".join(sorted(keys))
)
async def test_a_round_day_stays_as_it_is_where_parts_of_it_are_refused(
    refuses: set[str], refusal: int
) -> None:
    entries = [Entry(f"1.{n}", time=f"{n % 24:02}{n % 60:02}00") for n in range(100)]
    entries += [Entry(f"2.{n}", date=f"202603{10 + n % 3}") for n in range(100)]
    archive = ModelArchive(entries, refuses=frozenset(refuses), refusal=refusal)
    found = await round_of(cold(archive))
    assert uids(found) == {one.uid for one in entries}
    assert ("20260315", "20260315") not in [batch.swept for batch in found]
    assert len([one for one in archive.searches if "StudyTime" in one]) == 1
    (said,) = {note for batch in found for note in batch.notes}
    assert "does not search by StudyTime" in said
    resumed = await broken_round(lambda: cold(archive))
    assert uids(resumed) == uids(found)
    for name in ("hot", "warm"):
        batches = await round_of(window(archive, name))
        assert uids(batches) == {f"1.{n}" for n in range(100)}
        assert not any(batch.swept for batch in batches if batch.studies)


@pytest.mark.parametrize("habit", ["refuses", "ignores"])
async def test_hours_are_listed_where_no_modality_is_searched_by(habit: str) -> None:
    """Ten minutes are capped: they are not cut any more, and all other hours are listed."""
    entries = [Entry(f"1.{n}", time=f"{n % 20:02}3000", modalities=("CT", "SR")[n % 2 :]) for n in range(40)]
    entries += [Entry(f"2.{n}", time=f"22100{n % 10}", modalities=("CT", "SR")[n % 2 :]) for n in range(30)]
    archive = ModelArchive(entries, search_cap=10, warns=True)
    setattr(archive, habit, frozenset({"ModalitiesInStudy"}))
    found = await round_of(cold(archive))
    assert uids(found) == {f"1.{n}" for n in range(40)} | {f"2.{n}" for n in range(10)}
    assert not any(batch.swept for batch in found if batch.studies)
    notes = " ".join({note for batch in found for note in batch.notes})
    assert "by hour, minute" in notes
    assert "does not search by ModalitiesInStudy" in notes


async def test_a_part_that_is_refused_where_others_were_given_is_cut_smaller() -> None:
    """Some archives answer 400, not 413, to searches that find too much."""

    class Picky(ModelArchive):
        async def search_studies(self, query, *, limit: int, offset: int):  # type: ignore[no-untyped-def]
            is_hour = query.get("StudyTime", "").startswith("080000-085959")
            self.refuses = frozenset({"StudyTime"} if is_hour else ())
            return await super().search_studies(query, limit=limit, offset=offset)

    entries = [Entry(f"1.{n}", time=f"08{n:02}00") for n in range(60)]
    archive = Picky(entries, search_cap=15, warns=True)
    assert uids(await round_of(cold(archive))) == {one.uid for one in entries}


@pytest.mark.parametrize("refusal", [400, 500])
async def test_a_day_that_is_refused_is_asked_for_later(refusal: int) -> None:
    archive = ModelArchive([Entry("1.1")], refuses=frozenset({"StudyDate"}), refusal=refusal)
    with pytest.raises(ArchiveAnswerError):
        await round_of(window(archive, "hot"))


async def test_a_day_of_an_archive_that_refuses_to_search_by_times_is_listed(
    archive: DicomWebArchive,
) -> None:
    """300 studies are what a limit may look like, and Azure's DICOM service does not know StudyTime."""
    wanted = {f"1.{n}" for n in range(300)}
    found = await round_of(ColdSweep(archive, Lister(archive), every=DAY))
    assert uids(found) == wanted
    assert not any(batch.swept for batch in found if batch.studies)
    hot = Window(archive, Lister(archive), name="hot", every=DAY, today=date(2026, 1, 1), days=(3, -1))
    assert uids(await round_of(hot)) == wanted


@pytest.mark.parametrize("dates", ["", "20260101", "20251230-20260102"])
async def test_a_backfill_lists_a_day_of_an_archive_that_refuses_to_search_by_times(
    server: FaultArchive, archive: DicomWebArchive, store: Store, dates: str
) -> None:
    far = Archive(name="far", qido_url=server.url, wado_url=server.url)
    await store.write(archives.add, far)
    known, _ = await backfill.start(JobQueue(store), "far", dates=dates, actor="test", origin="cli")
    opened = cast(Opened, SimpleNamespace(archive=archive, options=far.options))
    listed = await list_on(store, opened, known, clock=utc_now, until=None)
    assert listed.listed
    assert listed.error is None
    assert (await store.read(backfill_studies.counts, known.id, now=utc_now())).studies == 300
    assert [note for note in listed.notes if "StudyTime" in note] == list(listed.notes)
