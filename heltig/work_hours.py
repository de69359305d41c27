"""When an archive may be asked: windows of the week, by the clock on the wall of the site."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW: Final = re.compile(r"(?P<days>[a-z, -]+?)\s+(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)")
_DAY: Final = timedelta(days=1)
_A_WEEK_AND_MORE: Final = 9


class Window(msgspec.Struct, frozen=True):
    """A span of time on some days of the week.

    Attributes:
        days: Those on which it begins, 0 for Monday.
        start: When it begins.
        end: When it ends; on the next day where that is not after `start`. `24:00` is `00:00`.
    """

    days: frozenset[int]
    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Reads `mon-fri 19:00-06:00`, `sat,sun 00:00-24:00` or `daily 22:00-05:00`.

        Raises:
            ValueError: It is none of these.
        """
        found = _WINDOW.fullmatch(text.strip().lower())
        try:
            if found is None:
                raise ValueError
            end = "00:00" if found["end"] == "24:00" else found["end"]
            return cls(
                frozenset(_days(found["days"])), time.fromisoformat(found["start"]), time.fromisoformat(end)
            )
        except ValueError:
            raise ValueError(
                f"{text!r} is no window of the week: write DAYS HH:MM-HH:MM, such as mon-fri 19:00-06:00, "
                "sat,sun 00:00-24:00 or daily 22:00-05:00"
            ) from None


class WorkHours:
    """The windows of a week in a time zone. No window at all means always."""

    def __init__(self, windows: Iterable[str], timezone: str) -> None:
        """Reads them.

        Args:
            windows: As `Window.parse` reads them.
            timezone: An IANA name, such as `Europe/Berlin`.

        Raises:
            ValueError: A window is none, or the zone is not known.
        """
        self._windows = [Window.parse(window) for window in windows]
        try:
            self._zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{timezone!r} is no time zone that is known here: give an IANA name such as Europe/Berlin"
            ) from None

    def opens(self, now: datetime) -> datetime | None:
        """When the next window begins; None where one is open now."""
        if not self._windows:
            return None
        begins: list[datetime] = []
        for start, end in self._spans(now):
            if start <= now < end:
                return None
            if start > now:
                begins.append(start)
        return min(begins)

    def _spans(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Every window from yesterday to a week ahead, in UTC: so a clock that is put forward skews none."""
        first = now.astimezone(self._zone).date() - _DAY
        for ahead in range(_A_WEEK_AND_MORE):
            day = first + ahead * _DAY
            for window in self._windows:
                if day.weekday() in window.days:
                    last = day if window.end > window.start else day + _DAY
                    yield self._utc(day, window.start), self._utc(last, window.end)

    def _utc(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self._zone).astimezone(UTC)


def _days(text: str) -> Iterator[int]:
    for part in text.replace(" ", "").split(","):
        if part == "daily":
            yield from range(len(_DAYS))
            continue
        first, _, last = part.partition("-")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        yield from ((start + step) % 7 for step in range((end - start) % 7 + 1))
