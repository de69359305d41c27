from datetime import UTC, datetime, timedelta

import pytest

from heltig.dashboard import wording

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch):
    """The server is somewhere."""
    import time

    def go(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield go
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "written"), [("20240314", "2024-03-14"), ("20240230", "20240230"), ("2024", "2024"), ("", "")]
)
def test_dates(text: str, written: str) -> None:
    assert wording.dicom_date(text) == written


@pytest.mark.parametrize(
    ("text", "written"), [("101502.25", "10:15"), ("1015", "10:15"), ("10", "10"), ("late", "late"), ("", "")]
)
def test_times(text: str, written: str) -> None:
    assert wording.dicom_time(text) == written


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Müller^Anna^^Dr.", "Müller, Anna, Dr."),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou · 山田 太郎"),
        ("=山田^太郎", "山田 太郎"),
        ("==やまだ^たろう", "やまだ たろう"),
        ("^^^", ""),
        ("", ""),
    ],
)
def test_names(name: str, written: str) -> None:
    assert wording.person(name) == written


@pytest.mark.parametrize(
    ("minutes", "written"),
    [
        (-5, "just now"),
        (0, "just now"),
        (59, "59 min ago"),
        (60, "1 h ago"),
        (2879, "47 h ago"),
        (2880, "2 days ago"),
    ],
)
def test_ages(minutes: int, written: str) -> None:
    assert wording.ago(NOON - timedelta(minutes=minutes), NOON) == written


def test_times_are_in_the_zone_of_the_server(in_zone) -> None:
    in_zone("Europe/Berlin")
    assert wording.zone(NOON) == "CET (UTC+01:00)"
    assert wording.moment(NOON, NOON) == "today 13:00"
    assert wording.moment(NOON - timedelta(days=2), NOON) == "27 Feb 13:00"
    assert wording.moment(NOON - timedelta(days=80), NOON) == "2025-12-11 13:00"
    assert wording.exact(NOON) == "2026-03-01 13:00:00 CET (UTC+01:00)"
    in_zone("UTC")
    assert wording.zone(NOON) == "UTC"
