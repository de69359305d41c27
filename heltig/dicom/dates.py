"""Dates, times and ages written as text: DA, TM, DT and AS (PS3.5 6.2).

Each `parse_*` returns the value, or `None` where the text is not written as the standard says or names a day
or time that does not exist; `*_fault` then says why. Ranges and wildcards are forms of queries
(PS3.4 C.2.2.2), not values.
"""

import datetime
import re
from functools import lru_cache

_DAYS = 1024
"""Days that are remembered: many attributes and studies have the same."""

_DA = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_TM = re.compile(r"([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)? *")
_DT = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.([0-9]{1,6}))?)?)?)?)?)?"
    r"([+-][0-9]{4})? *"
)
_AS = re.compile(r"([0-9]{3})([DWMY])")
_DOTTED_DATE = re.compile(r"[0-9]{4}\.[0-9]{2}\.[0-9]{2}")
_DASHED_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COLON_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)? *")
_LONG_FRACTION = re.compile(r"[0-9]+\.[0-9]{7,} *")


def _range_of(form: str) -> re.Pattern[str]:
    return re.compile(f"{form}-(?:{form})? *|-{form} *")


_DATE_RANGE = _range_of("[0-9]{8}")
_TIME_RANGE = _range_of(r"[0-9]{2,6}(?:\.[0-9]{1,6})?")
_MOMENT_RANGE = _range_of(r"[0-9]{4,14}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?")


def parse_da(text: str) -> datetime.date | None:
    """Return the day of a DA value (`YYYYMMDD`)."""
    return _day(text) if len(text) == 8 else None


@lru_cache(_DAYS)
def _day(text: str) -> datetime.date | None:
    parts = _DA.fullmatch(text)
    if parts is None:
        return None
    try:
        return datetime.date(int(parts[1]), int(parts[2]), int(parts[3]))
    except ValueError:
        return None


def da_fault(text: str) -> str | None:
    """Say what is wrong with a DA value; `None` where nothing is."""
    parts = _DA.fullmatch(text)
    if parts:
        return _day_fault(parts[1], parts[2], parts[3])
    if _DOTTED_DATE.fullmatch(text):
        return "ACR-NEMA form with dots"
    if _DASHED_DATE.fullmatch(text):
        return "ISO 8601 form with hyphens"
    return "a range, not a date" if _DATE_RANGE.fullmatch(text) else "not YYYYMMDD"


def parse_tm(text: str) -> datetime.time | None:
    """Return the time of a TM value (`HHMMSS.FFFFFF`, cut off anywhere after `HH`).

    Missing parts count as zero. A leap second (60) becomes second 59, since Python's clock has none.
    """
    parts = _TM.fullmatch(text)
    if parts is None or _clock_fault(parts[1], parts[2], parts[3]):
        return None
    return _time(parts[1], parts[2], parts[3], parts[4])


def tm_fault(text: str) -> str | None:
    """Say what is wrong with a TM value; `None` where nothing is."""
    parts = _TM.fullmatch(text)
    if parts:
        return _clock_fault(parts[1], parts[2], parts[3])
    if _COLON_TIME.fullmatch(text):
        return "ACR-NEMA form with colons"
    if _LONG_FRACTION.fullmatch(text):
        return "more than 6 digits of a second"
    return "a range, not a time" if _TIME_RANGE.fullmatch(text) else "not HHMMSS.FFFFFF"


def parse_dt(text: str) -> datetime.datetime | None:
    """Return the moment of a DT value (`YYYYMMDDHHMMSS.FFFFFF&ZZXX`, cut off anywhere after `YYYY`).

    Missing parts count as the first: `2024` is midnight of 1 January. The result has a time zone if the value
    has an offset, and none otherwise (local time, or Timezone Offset From UTC). A leap second becomes
    second 59.
    """
    parts = _DT.fullmatch(text)
    if parts is None or _moment_fault(parts):
        return None
    day = datetime.date(int(parts[1]), int(parts[2] or 1), int(parts[3] or 1))
    time = _time(parts[4] or "00", parts[5], parts[6], parts[7])
    return datetime.datetime.combine(day, time, tzinfo=_zone(parts[8]))


def dt_fault(text: str) -> str | None:
    """Say what is wrong with a DT value; `None` where nothing is."""
    parts = _DT.fullmatch(text)
    if parts:
        return _moment_fault(parts)
    if _LONG_FRACTION.fullmatch(text):
        return "more than 6 digits of a second"
    return (
        "a range, not a date and time" if _MOMENT_RANGE.fullmatch(text) else "not YYYYMMDDHHMMSS.FFFFFF&ZZXX"
    )


def parse_as(text: str) -> tuple[int, str] | None:
    """Return the age of an AS value as number and unit: `D` days, `W` weeks, `M` months, `Y` years."""
    parts = _AS.fullmatch(text)
    return (int(parts[1]), parts[2]) if parts else None


def as_fault(text: str) -> str | None:
    """Say what is wrong with an AS value; `None` where nothing is."""
    return None if _AS.fullmatch(text) else "not nnnD, nnnW, nnnM or nnnY"


def _day_fault(year: str, month: str | None, day: str | None) -> str | None:
    if year == "0000":
        return "year 0000"
    if month and not "01" <= month <= "12":
        return f"month {month}"
    if month and day:
        try:
            datetime.date(int(year), int(month), int(day))
        except ValueError:
            return f"day {day} in month {month}"
    return None


def _clock_fault(hour: str | None, minute: str | None, second: str | None) -> str | None:
    if hour and hour > "23":
        return f"hour {hour}"
    if minute and minute > "59":
        return f"minute {minute}"
    if second and second > "60":  # 60 is a leap second
        return f"second {second}"
    return None


def _moment_fault(parts: re.Match[str]) -> str | None:
    fault = _day_fault(parts[1], parts[2], parts[3]) or _clock_fault(parts[4], parts[5], parts[6])
    offset = parts[8]
    if fault or offset is None:
        return fault
    minutes = _offset_minutes(offset)
    if offset == "-0000" or offset[3:] > "59" or not -12 * 60 <= minutes <= 14 * 60:
        return f"offset {offset}"
    return None


def _time(hour: str, minute: str | None, second: str | None, fraction: str | None) -> datetime.time:
    return datetime.time(
        int(hour), int(minute or 0), min(int(second or 0), 59), int((fraction or "").ljust(6, "0"))
    )


def _offset_minutes(offset: str) -> int:
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    return -minutes if offset[0] == "-" else minutes


def _zone(offset: str | None) -> datetime.timezone | None:
    return datetime.timezone(datetime.timedelta(minutes=_offset_minutes(offset))) if offset else None
