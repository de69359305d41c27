"""Watching an archive by listing it: what is found, what is proven, how it is gone on with."""

from collections.abc import Mapping
from contextlib import aclosing
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.pipeline.discovery.model import NOON, Entry, ModelArchive, broken_round, round_of, uids

from connectors.base import InMemoryArchive, Page
from heltig.pipeline.discovery.batch import UNDATED, Batch
from heltig.pipeline.discovery.listed import ColdSweep, Window
from heltig.pipeline.discovery.lister import Lister
from heltig.pipeline.discovery.rounds import Place, note_of_size, place_of
from heltig.pipeline.discovery.unfiltered import every_study

DAY = timedelta(days=1)


def cold(archive: ModelArchive, *, slice_rows: int = 20, page_rows: int = 7) -> ColdSweep:
    lister = Lister(archive, page_rows=page_rows, most_slice_rows=slice_rows, most_pages=40)  # type: ignore[arg-type]
    return ColdSweep(archive, lister, every=DAY, page_rows=page_rows)  # type: ignore[arg-type]


def window(archive: ModelArchive, *, name: str = "warm", first: int = 3, last: int = -1) -> Window:
    lister = Lister(archive, page_rows=7, most_slice_rows=20, most_pages=40)  # type: ignore[arg-type]
    return Window(archive, lister, name=name, every=DAY, today=NOON.date(), days=(first, last))  # type: ignore[arg-type]


def proven(batches: list[Batch]) -> set[str]:
    """The studies of proven listings, of which every other one is to be asked for."""
    return {uid for batch in batches if batch.swept for uid in batch.swept_uids}


ENTRIES = st.builds(
    Entry,
    uid=st.integers(1, 10**6).map(lambda number: f"1.{number}"),
    date=st.one_of(
        st.dates(date(2025, 11, 1), date(2026, 3, 15)).map(lambda day: f"{day:%Y%m%d}"),
        st.sampled_from(["", "20260315", "20260314", "18500101", "21000101", "0000"]),
    ),
    time=st.one_of(st.times().map(lambda time: f"{time:%H%M%S}"), st.just("")),
    modalities=st.sampled_from([("CT",), ("MR",), ("CT", "SR"), ("XYZ",), ()]),
)
ARCHIVES = st.lists(ENTRIES, max_size=60, unique_by=lambda one: one.uid)


@given(
    entries=ARCHIVES,
    page_cap=st.sampled_from([None, 2, 3, 5]),
    ignores=st.sets(st.sampled_from(["StudyDate", "StudyTime", "ModalitiesInStudy"])),
    undated_match=st.booleans(),
    slice_rows=st.integers(1, 70),
)
async def test_every_study_is_found_however_the_archive_is_cut(
    entries: list[Entry], page_cap: int | None, ignores: set[str], undated_match: bool, slice_rows: int
) -> None:
    archive = ModelArchive(
        entries, page_cap=page_cap, ignores=frozenset(ignores), undated_match=undated_match
    )
    found = await round_of(cold(archive, slice_rows=slice_rows))
    assert uids(found) == {one.uid for one in entries}
    assert proven(found) <= uids(found)
    swept = [batch.swept for batch in found if batch.swept]
    if "StudyDate" not in ignores:
        assert swept == [("", "")] or UNDATED in swept
    resumed = await broken_round(lambda: cold(archive, slice_rows=slice_rows))
    assert uids(resumed) == uids(found)


@given(entries=ARCHIVES, cap=st.integers(3, 30), warns=st.booleans(), refuses=st.booleans())
async def test_what_an_archive_caps_is_found_in_smaller_searches(
    entries: list[Entry], cap: int, warns: bool, refuses: bool
) -> None:
    archive = ModelArchive(entries, ignores=frozenset({"offset"}), page_cap=cap, warns=warns)
    if refuses:
        archive = ModelArchive(entries, refuses_above=cap)
    found = await round_of(cold(archive))
    listed = uids(found)
    assert listed <= {one.uid for one in entries}
    most = cap if refuses else min(cap, 7)  # rows that one search gives
    for one in entries:
        tens = [
            other
            for other in entries
            if (other.date, other.time[:3], other.modalities) == (one.date, one.time[:3], one.modalities)
        ]
        can_be_found = (
            one.date > "1900" and one.date < "21" and one.time and one.modalities not in ((), ("XYZ",))
        )
        if len(entries) <= most or (can_be_found and len(tens) < most):
            assert one.uid in listed
    for batch in found:
        if batch.swept:
            first, last = batch.swept
            inside = {one.uid for one in entries if first <= one.date <= (last or "9")}
            assert batch.swept == UNDATED or inside <= batch.swept_uids


async def test_a_small_archive_costs_one_search_and_proves_everything() -> None:
    archive = ModelArchive([Entry(f"1.{n}", date="" if n % 3 else "20250101") for n in range(5)])
    (batch,) = await round_of(cold(archive))
    assert (batch.swept, batch.swept_uids) == (("", ""), {f"1.{n}" for n in range(5)})
    assert (batch.covered, batch.cursor) == (NOON, "")
    assert len(archive.searches) == 2  # a page, and its last row again with nothing behind it


async def test_the_newest_come_first_and_the_undated_last() -> None:
    entries = [Entry(f"1.{n}", date=f"{2020 + n % 6}0{1 + n % 9}11") for n in range(60)]
    archive = ModelArchive([*entries, Entry("1.99", date="")])
    found = await round_of(cold(archive))
    dates = [batch.swept[0] for batch in found if batch.swept and batch.swept != UNDATED]
    assert dates == sorted(dates, reverse=True)
    assert uids(found[-1:]) == {"1.99"}
    assert found[-1].swept == UNDATED
    assert found[-1].covered == NOON


async def test_a_sweep_costs_what_listing_costs() -> None:
    entries = [Entry(f"1.{n}", date=f"{2016 + n % 10}{1 + n % 12:02}{1 + n % 28:02}") for n in range(2985)]
    archive = ModelArchive(entries)
    await round_of(cold(archive, slice_rows=500, page_rows=50))
    listings = 2  # by dates, and without
    years = 10 * 4  # a page not full, one with nothing, whether there are many more, the first again
    cutting = 45
    assert len(archive.searches) < listings * 2985 / 49 + years + cutting


async def test_no_more_than_a_slice_is_held() -> None:
    entries = [Entry(f"1.{n}", date=f"{2016 + n % 10}{1 + n % 12:02}{1 + n % 28:02}") for n in range(2985)]
    found = await round_of(cold(ModelArchive(entries), slice_rows=100, page_rows=20))
    assert uids(found) == {one.uid for one in entries}
    assert max(len(batch.studies) for batch in found) <= 100 + 20


async def test_an_archive_without_an_end_is_given_up() -> None:
    class Endless(ModelArchive):
        async def search_studies(self, query, *, limit: int, offset: int):  # type: ignore[no-untyped-def]
            day = query.get("StudyDate", "20260315").partition("-")[0]
            self.entries = [Entry(f"1.{offset + n}", date=day) for n in range(limit)]
            return await super().search_studies(query, limit=limit, offset=0)

    archive = Endless([])
    found = await round_of(cold(archive))
    assert "without an end" in found[-1].notes[0]
    assert len(archive.searches) < 100


async def test_what_a_deletion_moves_is_found() -> None:
    entries = [Entry(f"1.{n}", date="20260315") for n in range(60)]
    archive = ModelArchive(list(entries))

    def delete(number: int) -> None:
        if number == 4:
            del archive.entries[:15]

    archive.before = delete
    found = await round_of(cold(archive, slice_rows=70))
    assert uids(found) >= {one.uid for one in entries[15:]}


async def test_a_page_that_is_another_one_at_the_end_has_everything_read_again() -> None:
    """An archive that puts what changed last in front: a study may overtake us."""
    entries = [Entry(f"1.{n}", date="20260315") for n in range(30)]
    archive = ModelArchive(list(entries))

    def overtake(number: int) -> None:
        if number == 2:
            archive.entries.insert(0, archive.entries.pop())

    archive.before = overtake
    (batch,) = await round_of(cold(archive, slice_rows=70))
    assert uids([batch]) == {one.uid for one in entries}
    assert batch.swept == ("", "")


async def test_studies_without_a_uid_are_told_of() -> None:
    (batch,) = await round_of(cold(ModelArchive([Entry("1.1"), Entry("")])))
    assert uids([batch]) == {"1.1"}
    assert "StudyInstanceUID" in batch.notes[0]


async def test_a_day_that_is_capped_proves_nothing_and_says_so() -> None:
    entries = [Entry(f"1.{n}", time=f"{n % 24:02}{n % 60:02}00") for n in range(50)]
    archive = ModelArchive(entries, search_cap=10, warns=True)
    found = await round_of(cold(archive))
    assert uids(found) == {one.uid for one in entries}
    assert not proven(found)
    assert any("20260315" in note for batch in found for note in batch.notes)
    assert any("without a StudyDate" in note for batch in found for note in batch.notes)


async def test_a_day_with_a_round_number_of_studies_is_looked_at_closely_and_proven() -> None:
    entries = [Entry(f"1.{n}", time=f"{n % 24:02}{n % 60:02}00") for n in range(100)]
    entries += [Entry(f"2.{n}", date="20250101") for n in range(40)]
    found = await round_of(cold(ModelArchive(entries), slice_rows=120, page_rows=50))
    assert ("20260315", "20260315") in [batch.swept for batch in found]
    assert uids(found) == {one.uid for one in entries}


@pytest.mark.parametrize("broken", ["", "nonsense", "{}", '{"day": 3}', "d:20260101"])
async def test_a_cursor_that_is_not_ours_begins_anew(broken: str) -> None:
    archive = ModelArchive([Entry("1.1")])
    found = await round_of(cold(archive), broken)
    assert uids(found) == {"1.1"} or broken == "{}"


@given(entries=ARCHIVES, ignores=st.sets(st.sampled_from(["StudyTime", "ModalitiesInStudy"])))
async def test_a_window_holds_the_studies_of_its_days(entries: list[Entry], ignores: set[str]) -> None:
    archive = ModelArchive(entries, ignores=frozenset(ignores))
    inside = {one.uid for one in entries if "20260228" <= one.date <= "20260316"}
    found = await round_of(window(archive, first=15))
    assert uids(found) == inside
    assert uids(await broken_round(lambda: window(archive, first=15))) == inside
    assert found[-1].covered == NOON


async def test_the_hot_window_costs_two_small_searches_and_sweeps_nothing() -> None:
    archive = ModelArchive([Entry("1.1"), Entry("1.2", date="20260101")])
    (batch,) = await round_of(window(archive, name="hot"))
    assert (uids([batch]), batch.swept) == ({"1.1"}, None)
    assert [search["StudyDate"] for search in archive.searches] == ["20260312-20260316"] * 2


@pytest.mark.parametrize(
    ("clock", "found"),
    [
        (NOON + timedelta(hours=1), {"today"}),
        (NOON - timedelta(hours=20), {"today"}),
        (NOON + 3 * DAY, {"today", "ahead"}),
        (NOON + 400 * DAY, {"today", "next year"}),
        (NOON - 6 * DAY, {"today", "behind"}),
        (None, {"today"}),
    ],
)
async def test_what_day_it_is_goes_by_the_archives_clock_too(clock: datetime | None, found: set[str]) -> None:
    dates = {"today": NOON, "ahead": NOON + 3 * DAY, "next year": NOON + 400 * DAY, "behind": NOON - 6 * DAY}
    archive = ModelArchive([Entry(uid, date=f"{at:%Y%m%d}") for uid, at in dates.items()], clock=clock)
    assert uids(await round_of(window(archive))) == found


async def test_an_archive_that_does_not_search_by_dates_is_listed_by_the_warm_window() -> None:
    entries = [Entry(f"1.{n}", date=f"20{n:02}0101") for n in range(1, 80)]
    archive = ModelArchive(entries, ignores=frozenset({"StudyDate"}))
    (hot,) = await round_of(window(archive, name="hot"))
    assert hot.studies == ()
    assert "StudyDate" in hot.notes[0]
    assert len(archive.searches) == 1
    warm = await round_of(window(archive))
    assert uids(warm) == {one.uid for one in entries}
    assert warm[-1].swept == ("", "")


async def test_a_round_that_stood_still_until_its_days_were_over_ends() -> None:
    archive = ModelArchive([Entry("1.1", date="20260301")])
    late = window(archive)
    (batch,) = await round_of(late, '{"day": "20260301"}')
    assert batch.studies == ()


async def test_our_own_clock_counts_where_an_archive_sends_no_date() -> None:
    archive = ModelArchive([Entry("1.1", date="20260314")], clock=None)
    earlier = NOON - timedelta(minutes=3)
    lister = Lister(archive, clock=lambda: earlier)  # type: ignore[arg-type]
    hot = Window(archive, lister, name="hot", every=DAY, today=NOON.date(), days=(3, -1))  # type: ignore[arg-type]
    assert (await round_of(hot))[-1].covered == earlier


async def test_an_archive_that_gives_ever_new_studies_is_told_of_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heltig.pipeline.discovery.rounds.MANY_ROWS", 3000)

    class Endless(InMemoryArchive):
        async def search_studies(self, query: Mapping[str, str], *, limit: int, offset: int) -> Page:
            uids = (f"1.2.{offset + number}" for number in range(min(limit, 100)))
            return Page(b'{"0020000D":{"vr":"UI","Value":["%s"]}}' % uid.encode() for uid in uids)

    cursors: list[str] = []
    async with aclosing(every_study(Endless(), Place(has_no_dates=True))) as batches:
        async for batch in batches:
            cursors.append(batch.cursor)
            if batch.notes:
                break
    assert "more than 3,000 rows" in batch.notes[0]
    assert not batch.is_last
    assert 2 < len(cursors) < 6
    assert note_of_size(place_of(cursors[-1])) == batch.notes[0]
    assert note_of_size(place_of(cursors[0])) == ""
