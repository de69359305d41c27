"""Windows of the week, by the clock on the wall."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.work_hours import WorkHours

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("hours", "zone", "now", "opens"),
    [
        ((), "UTC", "2026-03-02T12:00Z", None),
        (("mon-fri 19:00-06:00",), "UTC", "2026-03-02T12:00Z", "2026-03-02T19:00Z"),  # a Monday
        (("mon-fri 19:00-06:00",), "UTC", "2026-03-02T19:00Z", None),
        (("mon-fri 19:00-06:00",), "UTC", "2026-03-07T05:59Z", None),  # Friday's night
        (("mon-fri 19:00-06:00",), "UTC", "2026-03-07T06:00Z", "2026-03-09T19:00Z"),
        (("sat,sun 00:00-24:00",), "UTC", "2026-03-06T23:59Z", "2026-03-07T00:00Z"),
        (("sat,sun 00:00-24:00",), "UTC", "2026-03-08T23:59Z", None),
        (("fri-mon 08:00-09:00",), "UTC", "2026-03-08T08:30Z", None),
        (("daily 22:00-05:00", "sun 12:00-13:00"), "UTC", "2026-03-08T06:00Z", "2026-03-08T12:00Z"),
        (("wed 08:00-08:00",), "UTC", "2026-03-05T07:59Z", None),  # a whole day
        (("daily 19:00-06:00",), BERLIN, "2026-01-05T17:59Z", "2026-01-05T18:00Z"),
        (("daily 19:00-06:00",), BERLIN, "2026-07-05T16:59Z", "2026-07-05T17:00Z"),
        # The clock goes from 2 to 3 on 2026-03-29: half past two is half past three.
        (("sun 02:30-04:00",), BERLIN, "2026-03-29T00:30Z", "2026-03-29T01:30Z"),
    ],
)
def test_when_the_next_window_begins(hours: tuple[str, ...], zone: str, now: str, opens: str | None) -> None:
    assert WorkHours(hours, zone).opens(at(now)) == (at(opens) if opens else None)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001  # made aware below
    st.sampled_from(["mon-fri 19:00-06:00", "sat,sun 00:00-24:00", "tue 02:30-02:31", "daily 23:00-01:00"]),
)
def test_when_a_window_has_begun_it_is_open(now: datetime, window: str) -> None:
    hours = WorkHours((window,), BERLIN)
    opens = hours.opens(now.replace(tzinfo=UTC))
    if opens is not None:
        assert hours.opens(opens) is None
        assert hours.opens(opens - timedelta(seconds=1)) is not None
        assert opens - now.replace(tzinfo=UTC) <= timedelta(days=7, hours=1)


@pytest.mark.parametrize(
    "window", ["", "mon", "mon 8:00-9:00", "mon-fry 08:00-09:00", "mon 25:00-26:00", "mon,, 08:00-09:00"]
)
def test_what_is_no_window_is_refused(window: str) -> None:
    with pytest.raises(ValueError, match="mon-fri 19:00-06:00"):
        WorkHours((window,), "UTC")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="Europe/Berlin"):
        WorkHours((), zone)
