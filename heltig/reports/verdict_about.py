"""What a report of stored verdicts is about, in words."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.errors import UsageError
from heltig.store.judged_studies import Scope

Kind: TypeAlias = Literal["study", "batch", "archive", "period", "everything"]


_UID: Final = re.compile(r"[0-9.]{1,64}", re.ASCII)
_YEARS: Final = range(2, 9999)
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9.]+")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is about.

    Attributes:
        kind: One word for it.
        title: The same in words.
        redacted: Text, names, dates and times that could name a patient are left out.
        written: When, in UTC; null where the same report is to have the same bytes.
    """

    kind: Kind
    title: str
    redacted: bool = False
    written: datetime | None = None

    @property
    def file_name(self) -> str:
        """A name for its file, without an ending: of a study its UID, and nothing that anybody typed."""
        if self.kind == "study":
            return plainly_named("heltig-study", self.title.removeprefix("Study "))
        return "heltig-" + _NO_NAME.sub("-", self.title)[:120].lower()


def plainly_named(name: str, key: str) -> str:
    """A name with the key of a study, where that is a UID."""
    return f"{name}-{key}" if _UID.fullmatch(key) else name


def about_scope(scope: Scope, *, redact: bool, written: datetime) -> About:
    """What a report of several studies is about.

    Raises:
        UsageError: The period ends before it begins, or both a backfill and a location are named.
    """
    if scope.backfill is not None and scope.location is not None:
        raise UsageError("A backfill has its archive: name the backfill or the location, not both.")
    if scope.since and scope.until and scope.since >= scope.until:
        raise UsageError("The period ends before it begins: `until` has to be after `since`.")
    kind: Kind = "everything"
    of = "Every study"
    if scope.backfill is not None:
        kind, of = "batch", f"Backfill {scope.backfill}"
    elif scope.location is not None and scope.location.kind == "upload":
        kind, of = "batch", f"Upload {scope.location.name}"
    elif scope.location is not None:
        named = "Archive" if scope.location.kind == "archive" else "Gate"
        kind, of = "archive", f"{named} {scope.location.name}"
    elif scope.since or scope.until:
        kind, of = "period", "Studies"
    period = _period(scope)
    if period and kind != "period":
        of += ","
    return About(kind=kind, title=f"{of} {period}".strip(), redacted=redact, written=written)


def moment(text: str, *, ends: bool = False) -> datetime:
    """A day or a time as somebody writes it, in UTC where it has no offset.

    Args:
        text: `2026-03-01`, or a time in ISO 8601.
        ends: It ends a period: a day is in it to its last moment.

    Raises:
        UsageError: It is neither, or far from now.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            "A period begins and ends with a day, as 2026-03-01, or a time (ISO 8601)."
        ) from error
    if time.year not in _YEARS:  # a day more or less, or an offset, and it is beyond the calendar
        raise UsageError("A period lies within the years 2 to 9998: of one without an end leave the end out.")
    if ends and len(text) <= len("2026-03-01"):
        time += timedelta(days=1)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _period(scope: Scope) -> str:
    """When the verdicts were given; the last day is in it, as people say it."""
    first = _day(scope.since)
    last = _day(scope.until, ends=True)
    if first and last:
        return f"judged on {first}" if first == last else f"judged from {first} to {last}"
    if first:
        return f"judged from {first} on"
    return f"judged until {last}" if last else ""


def _day(time: datetime | None, *, ends: bool = False) -> str:
    """The day that a time begins, or the one that it ends; of a time within a day the time, too."""
    if time is None:
        return ""
    if not (time.hour or time.minute or time.second):
        return (time - timedelta(days=1) if ends else time).date().isoformat()
    return f"{time.date()} {time:%H:%M:%S}".removesuffix(":00") + " UTC"
