"""Time zones: do the times of a series, and of a study, go by one clock (PS3.3 C.12.1.1.8)?"""

from collections.abc import Iterator, Sequence
from typing import Final

from heltig.rules.conflict import values_of
from heltig.rules.rule import Hit, rule
from heltig.rules.value_meanings import offset_minutes
from heltig.rules.views import Group, SeriesView, StudyView
from heltig.rules.wording import counted, counted_groups

_OFFSET: Final = "TimezoneOffsetFromUTC"
_DATES: Final = ("ContentDate", "AcquisitionDate", "InstanceCreationDate")
_CHANGE: Final = 60
"""Minutes by which clocks are changed in spring and autumn, at most."""


@rule("SER-TIMEZONE-CONFLICT", level="series", severity="review", compares=True, reads=(_OFFSET, *_DATES),
    requires=(_OFFSET,), reference="PS3.3 C.12.1.1.8")  # fmt: skip
def conflict_in_series(series: SeriesView) -> Iterator[Hit]:
    """The times of a series are told in several time zones.

    Finds: Series whose instances have different values of TimezoneOffsetFromUTC (0008,0201). Two offsets an
        hour apart are left alone where no day has both: clocks are changed in spring and autumn, and objects
        may be added to a series in another season. What is no time zone is a matter of VAL-TIMEZONE, an
        offset in a part of the series one of SER-TIMEZONE-PART.
    Why: Software that takes the offset into account moves a part of the images by hours against the others:
        orders, intervals and decay are wrong, and the series falls apart into two examinations.
    Mend: Find out where the series was made, and have the offset of that place written into the rarer
        instances. Mostly a gateway or a workstation in another place wrote its own.
    Example: Half of a series through a cloud gateway that writes `-0500` into what a scanner in Berlin sends.
    """
    if series.uniform(_OFFSET) or not series.has_uid:
        return
    groups = _zones(series)
    if len(groups) > 1 and not _is_change_of_clocks(series, groups):
        yield Hit(
            tags=(_OFFSET,),
            observed=counted_groups(groups),
            expected="one time zone in the series",
            rows=sorted(row for group in groups[1:] for row in group.rows),
        )


@rule("STU-TIMEZONE-CONFLICT", level="study", severity="note", compares=True, reads=(_OFFSET,),
    reference="PS3.3 C.12.1.1.8")  # fmt: skip
def conflict_in_study(study: StudyView) -> Iterator[Hit]:
    """The series of a study are told in several time zones.

    Finds: Studies whose series have values of TimezoneOffsetFromUTC (0008,0201) that are more than an hour
        apart: that much daylight saving explains. Several offsets within one series are a matter of
        SER-TIMEZONE-CONFLICT.
    Why: Software that takes the offset into account moves a series by hours against the others. That is right
        where it was made elsewhere, and wrong where a machine was set up for another place.
    Mend: Nothing, where the rarer series were read or worked on in another place. Else have the time zone of
        the machine that made them corrected.
    Example: A structured report with `+0000` from a workstation that was never told its time zone, beside
        images with `+0900`.
    """
    zones: dict[str, list[int]] = {}
    for series in study.series:
        groups = _zones(series)
        if groups:
            zones.setdefault(groups[0].key, []).extend(groups[0].rows)
    minutes = [offset_minutes(zone) or 0 for zone in zones]
    if len(zones) > 1 and study.has_uid and max(minutes) - min(minutes) > _CHANGE:
        ordered = sorted(zones, key=lambda zone: (-len(zones[zone]), zone))
        yield Hit(
            tags=(_OFFSET,),
            observed=counted((zone, len(zones[zone])) for zone in ordered),
            expected="one time zone in the study",
            rows=sorted(row for zone in ordered[1:] for row in zones[zone]),
        )


def _zones(series: SeriesView) -> list[Group]:
    """The instances by the time zone that they tell, the most frequent one first."""
    return [group for group in values_of(series, _OFFSET) if offset_minutes(group.key) is not None]


def _is_change_of_clocks(series: SeriesView, groups: Sequence[Group]) -> bool:
    """Two offsets an hour apart or less, each of days of its own."""
    minutes = [offset_minutes(group.key) or 0 for group in groups]
    if len(groups) != 2 or max(minutes) - min(minutes) > _CHANGE:
        return False
    days = dict(zip(series.rows, map(_first, zip(*map(series.texts, _DATES), strict=True)), strict=True))
    one, other = ({days[row] for row in group.rows} for group in groups)
    return one.isdisjoint(other) and "" not in one | other


def _first(dates: Sequence[str]) -> str:
    return next((date for date in dates if date), "")
