"""Watching archives that fail, cap, refuse and go on for ever, over HTTP: what is lost, and what is said."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import pytest
from servers.dicomweb import connected
from servers.fault_archive import FaultArchive, Habits, many, running_fault_archive
from unit.pipeline.discovery.model import round_of, uids

from connectors.dicomweb import DicomWebArchive
from heltig.demo.answer import Faults
from heltig.errors import ArchiveError
from heltig.pipeline.discovery.batch import UNDATED, Batch
from heltig.pipeline.discovery.listed import ColdSweep, Window
from heltig.pipeline.discovery.lister import Lister

DAY = timedelta(days=1)
STUDIES = 40
LATER = format_datetime(datetime(2031, 1, 1, tzinfo=UTC), usegmt=True)


@pytest.fixture(scope="module")
def _server() -> Iterator[FaultArchive]:
    with running_fault_archive() as running:
        yield running


@pytest.fixture
def server(_server: FaultArchive) -> FaultArchive:
    _server.begin_anew(many(STUDIES, undated=4))
    return _server


@pytest.fixture
async def archive(server: FaultArchive) -> AsyncIterator[DicomWebArchive]:
    async with connected(server.url) as connector:
        yield connector


def cold(archive: DicomWebArchive) -> ColdSweep:
    lister = Lister(archive, page_rows=10, most_slice_rows=15, most_pages=30)
    return ColdSweep(archive, lister, every=DAY, page_rows=10)


async def read_into(found: list[Batch], archive: DicomWebArchive) -> None:
    async with aclosing(cold(archive).batches(None)) as batches:
        async for batch in batches:
            found.append(batch)


def insist_on_proofs(batches: list[Batch]) -> None:
    """No study that is there may be missing from a listing that is said to be whole."""
    days = {f"1.{n}": "" if n < 4 else f"202601{1 + (n - 4) % 28:02}" for n in range(STUDIES)}
    for batch in batches:
        if batch.swept:
            first, last = batch.swept
            inside = {
                uid
                for uid, day in days.items()
                if (not day if batch.swept == UNDATED else first <= day <= (last or "9"))
            }
            assert batch.swept_uids >= inside


@pytest.mark.parametrize(
    "faults",
    [
        Faults(status=500),
        Faults(status=503, retry_after="2"),
        Faults(status=503, retry_after=LATER),
        Faults(status=429, retry_after="1"),
        Faults(status=429),
        Faults(status=401),
        Faults(status=404),
        Faults(cut_after=0),
        Faults(cut_after=400),
        Faults(gzip_lie=True),
        Faults(login_page=True),
    ],
    ids=lambda faults: " ".join(f"{k}={v}" for k, v in vars(faults).items() if v != vars(Faults()).get(k)),
)
@pytest.mark.parametrize("spared", [0, 12])
async def test_a_round_that_an_archive_breaks_off_goes_on_and_loses_nothing(
    server: FaultArchive, archive: DicomWebArchive, faults: Faults, spared: int
) -> None:
    faults.after = spared
    server.faults = faults
    found: list[Batch] = []
    with pytest.raises(ArchiveError):
        await read_into(found, archive)
    insist_on_proofs(found)
    server.faults = Faults()
    found += await round_of(cold(archive), found[-1].cursor if found else None)
    assert uids(found) == {f"1.{n}" for n in range(STUDIES)}
    insist_on_proofs(found)


@pytest.mark.parametrize(
    ("faults", "habits"),
    [
        (Faults(page_cap=4, warn_of_more=False), Habits()),
        (Faults(page_cap=4), Habits()),
        (Faults(empty_status=200), Habits()),
        (Faults(too_large_above=5), Habits()),
        (Faults(drip_seconds=1e-4), Habits()),
        (Faults(clock_skew=3600), Habits()),
        (Faults(omit_counts=True), Habits(counts_lie_by=0)),
        (Faults(object_not_array=True), Habits()),
        (Faults(), Habits(counts_lie_by=7)),
        (Faults(), Habits(ignored_keys=frozenset({"StudyDate"}))),
        (Faults(status=503, retry_after="0", times=1, after=3), Habits()),
    ],
)
async def test_odd_habits_hide_no_study(
    server: FaultArchive, archive: DicomWebArchive, faults: Faults, habits: Habits
) -> None:
    server.faults, server.habits = faults, habits
    found = await round_of(cold(archive))
    assert uids(found) == {f"1.{n}" for n in range(STUDIES)}
    insist_on_proofs(found)
    assert found[-1].swept is not None


@pytest.mark.parametrize(
    ("faults", "habits"),
    [
        (Faults(ignore_offset=True), Habits()),
        (Faults(ignore_offset=True, page_cap=8, warn_of_more=False), Habits()),
        (Faults(), Habits(search_cap=9)),
        (Faults(), Habits(refuses_above=9)),
    ],
)
async def test_studies_of_an_archive_that_does_not_list_all_are_found_by_date(
    server: FaultArchive, archive: DicomWebArchive, faults: Faults, habits: Habits
) -> None:
    server.faults, server.habits = faults, habits
    found = await round_of(cold(archive))
    assert uids(found) >= {f"1.{n}" for n in range(4, STUDIES)}
    insist_on_proofs(found)
    assert "without a StudyDate" in found[-1].notes[0] or faults == Faults()


async def test_pages_without_an_end_are_given_up(server: FaultArchive, archive: DicomWebArchive) -> None:
    server.habits = Habits(endless=True)
    found = await round_of(cold(archive))
    assert "without an end" in found[-1].notes[-1]
    assert len(server.requests) < 100
    assert not any(batch.swept for batch in found)


@pytest.mark.parametrize("skew", [-3600.0, 3600.0, 30 * 86400.0])
async def test_the_hot_window_goes_by_the_archives_clock(
    server: FaultArchive, archive: DicomWebArchive, skew: float
) -> None:
    today = datetime.now(UTC).date()
    theirs = (datetime.now(UTC) + timedelta(seconds=skew)).date()
    server.receive("7.1", ago=0, date=f"{theirs:%Y%m%d}")
    server.faults = Faults(clock_skew=skew)
    hot = Window(archive, Lister(archive), name="hot", every=DAY, today=today, days=(3, -1))
    (*_, last) = found = await round_of(hot)
    assert uids(found) == {"7.1"}
    assert last.covered
    assert abs((last.covered - datetime.now(UTC)).total_seconds() - skew) < 60


async def test_what_is_not_counted_is_listed_and_marked(
    server: FaultArchive, archive: DicomWebArchive
) -> None:
    server.faults = Faults(omit_counts=True)

    def hot() -> Window:
        return Window(
            archive, Lister(archive), name="hot", every=DAY, today=date(2026, 1, 30), days=(3, -1), marks=True
        )

    first = {study.uid: study.mark for batch in await round_of(hot()) for study in batch.studies}
    assert first
    assert all(first.values())
    uid = min(first)
    server.receive(uid, ago=0, date="20260128")
    later = {study.uid: study.mark for batch in await round_of(hot()) for study in batch.studies}
    assert {name for name, mark in later.items() if first[name] != mark} == {uid}
