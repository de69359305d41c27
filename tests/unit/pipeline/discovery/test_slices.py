"""Slices of an archive: what they search for, what they hold, how they are cut."""

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.pipeline.discovery.model import Entry

from heltig.pipeline.discovery.slices import Slice, StudyKey, study_key

DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31))


def text(day: date) -> str:
    return f"{day:%Y%m%d}"


def days(one: Slice) -> range:
    return range(*(date.fromisoformat(day).toordinal() for day in (one.first, one.last)))


@given(st.lists(DAYS, min_size=2, max_size=2, unique=True).map(sorted))
def test_a_range_is_cut_into_days_that_follow_one_another(ends: list[date]) -> None:
    whole = Slice(*map(text, ends))
    pieces = whole.by_dates()
    assert len(pieces) > 1
    assert (pieces[0].first, pieces[-1].last) == (whole.first, whole.last)
    for before, after in itertools.pairwise(pieces):
        assert date.fromisoformat(before.last) + timedelta(days=1) == date.fromisoformat(after.first)
    assert all(len(days(piece)) < len(days(whole)) for piece in pieces)


@pytest.mark.parametrize(
    ("first", "last", "pieces"),
    [
        ("19000101", "20991231", 20),
        ("20260101", "20291231", 4),
        ("20240101", "20241231", 12),
        ("20240201", "20240229", 29),
        ("20231231", "20240101", 2),
        ("20240229", "20240229", 0),
    ],
)
def test_it_is_cut_into_decades_years_months_or_days(first: str, last: str, pieces: int) -> None:
    assert len(Slice(first, last).by_dates()) == pieces


@given(st.times())
def test_a_day_is_cut_into_times_that_leave_no_gap(time: object) -> None:
    entry = study_key(Entry("1.2", "20260315", f"{time:%H%M%S}").row)
    hours = Slice("20260315", "20260315").within_a_day(())
    (hour,) = [one for one in hours if one.holds(entry)]
    (minutes,) = [one for one in hour.within_a_day(()) if one.holds(entry)]
    assert [one.modality for one in minutes.within_a_day(["CT", "MR"]) if one.holds(entry)] == ["CT"]
    assert minutes.within_a_day(["CT"])[0].within_a_day(["CT"]) == ()


def test_what_is_searched_for() -> None:
    assert Slice().query == {}
    assert Slice("20260301", "20260331").query == {"StudyDate": "20260301-20260331"}
    day = Slice("20260315", "20260315")
    assert day.query == {"StudyDate": "20260315"}
    (part,) = day.within_a_day(())[9].within_a_day(())[2].within_a_day(["MR"])
    assert part.query == {
        "StudyDate": "20260315",
        "StudyTime": "092000-092959.999999",
        "ModalitiesInStudy": "MR",
    }


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            Entry("1.2", "20260315", "101112", ("CT", "SR")).row,
            StudyKey("1.2", "20260315", "101112", ("CT", "SR")),
        ),
        (Entry("1.2", "2026.03.15").row, StudyKey("1.2", "20260315", "101112", ("CT",))),
        (Entry("1.2", "2026-03-15").row, StudyKey("1.2", "20260315", "101112", ("CT",))),
        (Entry("1.2", "yesterday").row, StudyKey("1.2", "", "101112", ("CT",))),
        (Entry("1.2 ", "").row, StudyKey("1.2", "", "101112", ("CT",))),
        (b'{"0020000D": {"vr": "UI", "Value": null}}', StudyKey("", "", "", ())),
        (b'{"0020000D": {"vr": "UI", "Value": ["1.2"]}, "00080020": nonsense}', StudyKey("1.2", "", "", ())),
    ],
)
def test_what_a_row_says_of_dates_and_times(row: bytes, expected: StudyKey) -> None:
    assert study_key(row) == expected


@pytest.mark.parametrize("time", ["10", "1011", "101112", "101112.5", "10:11:12"])
def test_times_may_be_short(time: str) -> None:
    hour = Slice("20260315", "20260315").within_a_day(())[10]
    assert hour.holds(study_key(Entry("1.2", "20260315", time).row))
