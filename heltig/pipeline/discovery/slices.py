"""Slices of an archive by date and time of the studies: what to search for, and how to cut it smaller."""

import calendar
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from connectors.base import read_row
from heltig.dicom.study import STUDY_INSTANCE_UID, element

FIRST_DAY: Final = "19000101"
LAST_DAY: Final = "20991231"
"""Studies of other dates are looked for among those without a date."""

_DATE, _TIME, _MODALITIES = "00080020", "00080030", "00080061"
_TEN_MINUTES: Final = 10
_SEPARATORS: Final = str.maketrans("", "", "-:")


class StudyKey(msgspec.Struct, frozen=True):
    """What a slice goes by, of a study's row.

    Attributes:
        uid: StudyInstanceUID; empty where the row has none.
        date: StudyDate as YYYYMMDD; empty where there is none, or something else.
        time: StudyTime as the row has it.
        modalities: ModalitiesInStudy.
    """

    uid: str
    date: str
    time: str
    modalities: tuple[str, ...]


class Slice(msgspec.Struct, frozen=True):
    """Studies to be listed by one search.

    Attributes:
        first: The earliest StudyDate, YYYYMMDD; empty for no limit, with `last`: every study is searched for.
        last: The latest StudyDate.
        times: First and last StudyTime, HHMMSS; empty for all.
        modality: One of ModalitiesInStudy; empty for all.
    """

    first: str = ""
    last: str = ""
    times: tuple[str, str] | tuple[()] = ()
    modality: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The matching keys of its search (PS3.18 10.6.1.2)."""
        keys = {}
        if self.first:
            keys["StudyDate"] = self.first if self.first == self.last else f"{self.first}-{self.last}"
        if self.times:
            keys["StudyTime"] = f"{self.times[0]}-{self.times[1]}.999999"
        if self.modality:
            keys["ModalitiesInStudy"] = self.modality
        return keys

    @property
    def narrowed_by(self) -> str:
        """The key by which it is a part of a day; empty where it is none."""
        return "ModalitiesInStudy" if self.modality else "StudyTime" if self.times else ""

    @property
    def is_day(self) -> bool:
        """Whether it cannot be cut by dates any more."""
        return bool(self.first) and self.first == self.last

    def holds(self, study: StudyKey) -> bool:
        """Whether a study belongs to it; one that lacks what it goes by may."""
        return (
            (not self.first or not study.date or self.first <= study.date <= self.last)
            and (not self.times or not study.time or self.times[0] <= _full(study.time) <= self.times[1])
            and (not self.modality or not study.modalities or self.modality in study.modalities)
        )

    def by_dates(self) -> tuple["Slice", ...]:
        """It in decades, years, months or days, whichever is the first to cut it; the earliest first."""
        if not self.first or self.is_day:
            return ()
        first, last = _date(self.first), _date(self.last)
        end_of = next(cut for cut in _CUTS if cut(first) < last)
        pieces = []
        while first <= last:
            end = min(end_of(first), last)
            pieces.append(Slice(_text(first), _text(end)))
            first = end + timedelta(days=1)
        return tuple(pieces)

    def within_a_day(self, modalities: Iterable[str]) -> tuple["Slice", ...]:
        """A day in hours, an hour in ten minutes, these by modality; nothing for what cannot be cut.

        Together these are not the whole: studies without a time, or of another modality, are in none.
        """
        if not self.is_day or self.modality:
            return ()
        if not self.times:
            spans = [(f"{hour:02}0000", f"{hour:02}5959") for hour in range(24)]
            return tuple(Slice(self.first, self.last, span) for span in spans)
        hour, is_hour = self.times[0][:2], self.times[1][2:] == "5959" and self.times[0][2:] == "0000"
        if is_hour:
            starts = range(0, 60, _TEN_MINUTES)
            spans = [(f"{hour}{start:02}00", f"{hour}{start + _TEN_MINUTES - 1:02}59") for start in starts]
            return tuple(Slice(self.first, self.last, span) for span in spans)
        return tuple(Slice(self.first, self.last, self.times, modality) for modality in modalities)


class _Element(msgspec.Struct, frozen=True, gc=False):
    Value: list[Any] = []


class _Row(msgspec.Struct, frozen=True, gc=False):
    uid: _Element | None = msgspec.field(default=None, name=STUDY_INSTANCE_UID)
    date: _Element | None = msgspec.field(default=None, name=_DATE)
    time: _Element | None = msgspec.field(default=None, name=_TIME)
    modalities: _Element | None = msgspec.field(default=None, name=_MODALITIES)


_decode_row = msgspec.json.Decoder(_Row).decode


def study_key(row: bytes) -> StudyKey:
    """What a slice goes by, of a row of a search for studies."""
    try:
        read = _decode_row(row)
        uid, day, time, modalities = (
            _texts(one.Value) if one else [] for one in (read.uid, read.date, read.time, read.modalities)
        )
    except msgspec.DecodeError:
        return _read_slowly(row)
    if len(uid) != 1 or uid[0] != uid[0].strip(" \0"):
        return _read_slowly(row)
    return StudyKey(uid[0], _day(day), time[0].strip() if time else "", tuple(modalities))


def _read_slowly(row: bytes) -> StudyKey:
    """The same of a row that is damaged, or written in another way than it should be."""
    elements = read_row(row)
    day, time, modalities = (_texts(element(elements, tag).values) for tag in (_DATE, _TIME, _MODALITIES))
    uid = element(elements, STUDY_INSTANCE_UID).text
    return StudyKey(uid, _day(day), time[0].strip() if time else "", tuple(modalities))


def is_dated(study: StudyKey) -> bool:
    """Whether a study can be found by a range of dates between `FIRST_DAY` and `LAST_DAY`."""
    return FIRST_DAY <= study.date <= LAST_DAY


def day_before(day: str) -> str:
    """The day before a day, YYYYMMDD."""
    return _text(_date(day) - timedelta(days=1))


def day_after(day: str) -> str:
    """The day after a day, YYYYMMDD."""
    return _text(_date(day) + timedelta(days=1))


def _texts(values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values if value is not None]


def _day(values: list[str]) -> str:
    """A date as YYYYMMDD; also from YYYY.MM.DD, which PS3.5 6.2 once allowed, and YYYY-MM-DD."""
    digits = values[0].strip().replace(".", "").translate(_SEPARATORS) if values else ""
    return digits if len(digits) == len("YYYYMMDD") and digits.isdecimal() and digits.isascii() else ""


def _full(time: str) -> str:
    """A time to the second, from one that may end after its hour or minute."""
    return (time.translate(_SEPARATORS).partition(".")[0] + "000000")[: len("HHMMSS")]


def _date(day: str) -> date:
    return date(int(day[:4]), int(day[4:6]), int(day[6:]))


def _text(day: date) -> str:
    return day.isoformat().replace("-", "")  # strftime does not fill up years below 1000


def _decade_end(day: date) -> date:
    return date(day.year - day.year % 10 + 9, 12, 31)


def _year_end(day: date) -> date:
    return date(day.year, 12, 31)


def _month_end(day: date) -> date:
    return date(day.year, day.month, calendar.monthrange(day.year, day.month)[1])


def _same(day: date) -> date:
    return day


_CUTS: Final = (_decade_end, _year_end, _month_end, _same)
