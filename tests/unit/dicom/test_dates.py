"""Dates, times, ages (PS3.5 6.2): values and what is wrong with them."""

import datetime
from datetime import date, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.valuerep import DA, DT, TM

from heltig.dicom.dates import (
    as_fault,
    da_fault,
    dt_fault,
    parse_as,
    parse_da,
    parse_dt,
    parse_tm,
    tm_fault,
)


@pytest.mark.parametrize(
    ("text", "value", "fault"),
    [
        ("20240229", date(2024, 2, 29), None),
        ("00010101", date(1, 1, 1), None),
        ("20230229", None, "day 29 in month 02"),
        ("20230431", None, "day 31 in month 04"),
        ("20230100", None, "day 00 in month 01"),
        ("20231301", None, "month 13"),
        ("20230001", None, "month 00"),
        ("00000101", None, "year 0000"),
        ("2023.01.01", None, "ACR-NEMA form with dots"),
        ("2023-01-01", None, "ISO 8601 form with hyphens"),
        ("20230101-20230102", None, "a range, not a date"),
        ("20230101-", None, "a range, not a date"),
        ("-20230101", None, "a range, not a date"),
        ("2023", None, "not YYYYMMDD"),
        ("202301011", None, "not YYYYMMDD"),
        ("20230101 ", None, "not YYYYMMDD"),
        ("20230101\n", None, "not YYYYMMDD"),
        ("٢٠٢٣٠١٠١", None, "not YYYYMMDD"),
        ("2023010*", None, "not YYYYMMDD"),
        ("", None, "not YYYYMMDD"),
    ],
)
def test_a_date(text: str, value: date | None, fault: str | None) -> None:
    assert (parse_da(text), da_fault(text)) == (value, fault)


@pytest.mark.parametrize(
    ("text", "value", "fault"),
    [
        ("00", time(0), None),
        ("2359", time(23, 59), None),
        ("070907.0705 ", time(7, 9, 7, 70500), None),
        ("235959.999999", time(23, 59, 59, 999999), None),
        ("235960", time(23, 59, 59), None),
        ("24", None, "hour 24"),
        ("2400", None, "hour 24"),
        ("1060", None, "minute 60"),
        ("101061", None, "second 61"),
        ("10:11:12", None, "ACR-NEMA form with colons"),
        ("10:11:12.5", None, "ACR-NEMA form with colons"),
        ("101112.1234567", None, "more than 6 digits of a second"),
        ("1011-1012", None, "a range, not a time"),
        ("101112.", None, "not HHMMSS.FFFFFF"),
        ("1011.5", None, "not HHMMSS.FFFFFF"),
        ("101", None, "not HHMMSS.FFFFFF"),
        (" 1011", None, "not HHMMSS.FFFFFF"),
        ("1011\n", None, "not HHMMSS.FFFFFF"),
        ("", None, "not HHMMSS.FFFFFF"),
    ],
)
def test_a_time(text: str, value: time | None, fault: str | None) -> None:
    assert (parse_tm(text), tm_fault(text)) == (value, fault)


def moment(*parts: int, offset: int | None = None) -> datetime.datetime:
    zone = None if offset is None else timezone(timedelta(minutes=offset))
    return datetime.datetime(*parts, tzinfo=zone)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "value", "fault"),
    [
        ("2024", moment(2024, 1, 1), None),
        ("202402", moment(2024, 2, 1), None),
        ("2024022910", moment(2024, 2, 29, 10), None),
        ("20240229101112.5 ", moment(2024, 2, 29, 10, 11, 12, 500000), None),
        ("20240229101112.000001+0530", moment(2024, 2, 29, 10, 11, 12, 1, offset=330), None),
        ("2024-0500", moment(2024, 1, 1, offset=-300), None),
        ("2024+0000", moment(2024, 1, 1, offset=0), None),
        ("20240101+1400", moment(2024, 1, 1, offset=840), None),
        ("20240101-1200", moment(2024, 1, 1, offset=-720), None),
        ("20241231235960", moment(2024, 12, 31, 23, 59, 59), None),
        ("20240101+1401", None, "offset +1401"),
        ("20240101-1201", None, "offset -1201"),
        ("20240101+0160", None, "offset +0160"),
        ("20240101-0000", None, "offset -0000"),
        ("202413", None, "month 13"),
        ("20230229", None, "day 29 in month 02"),
        ("2024010125", None, "hour 25"),
        ("00000101", None, "year 0000"),
        ("20240101101112.1234567", None, "more than 6 digits of a second"),
        ("20240101-20240201", None, "a range, not a date and time"),
        ("20240101+0100-20240201+0100", None, "a range, not a date and time"),
        ("2024-01-01T10:11:12", None, "not YYYYMMDDHHMMSS.FFFFFF&ZZXX"),
        ("20240", None, "not YYYYMMDDHHMMSS.FFFFFF&ZZXX"),
        ("202401011011.5", None, "not YYYYMMDDHHMMSS.FFFFFF&ZZXX"),
        ("20240101Z", None, "not YYYYMMDDHHMMSS.FFFFFF&ZZXX"),
        ("", None, "not YYYYMMDDHHMMSS.FFFFFF&ZZXX"),
    ],
)
def test_a_date_and_time(text: str, value: datetime.datetime | None, fault: str | None) -> None:
    parsed = parse_dt(text)
    assert (parsed, dt_fault(text)) == (value, fault)
    if parsed and value:
        assert parsed.tzinfo == value.tzinfo


@pytest.mark.parametrize(
    ("text", "value"),
    [("018M", (18, "M")), ("000D", (0, "D")), ("999Y", (999, "Y")), ("002W", (2, "W"))]
    + [(text, None) for text in ("18Y", "0018Y", "018y", "018", "018X", "018M ", "٠١٨M", "018M\n", "")],
)
def test_an_age(text: str, value: tuple[int, str] | None) -> None:
    assert parse_as(text) == value
    assert as_fault(text) == (None if value else "not nnnD, nnnW, nnnM or nnnY")


@given(st.dates(date(1000, 1, 1)), st.times())  # pydicom writes earlier years without leading zeros
def test_what_pydicom_writes_is_read(day: date, clock: time) -> None:
    assert parse_da(str(DA(day))) == day
    assert parse_tm(str(TM(clock))) == clock


@given(
    st.datetimes(
        datetime.datetime(1000, 1, 1),  # noqa: DTZ001 (hypothesis adds the zone)
        timezones=st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_moments_that_pydicom_writes_are_read(value: datetime.datetime) -> None:
    assert parse_dt(str(DT(value))) == value


@given(st.text("0123456789.:+- \n", max_size=28) | st.text(max_size=12))
def test_no_value_means_a_fault_and_a_value_none(text: str) -> None:
    assert (parse_da(text) is None) == (da_fault(text) is not None)
    assert (parse_tm(text) is None) == (tm_fault(text) is not None)
    assert (parse_dt(text) is None) == (dt_fault(text) is not None)
    assert (parse_as(text) is None) == (as_fault(text) is not None)
