"""What can be drawn of one study: when its series were acquired, and where their slices stand."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final

import msgspec
from markupsafe import Markup

from heltig.charts import SliceStrip, Space, Span, slice_strip, timeline
from heltig.dicom.dates import parse_da, parse_dt, parse_tm
from heltig.dicom.snapshot import read_snapshot
from heltig.dicom.source import FILES
from heltig.dicom.stacks import Stack
from heltig.dicom.study import StudyTable
from heltig.pipeline.identifiers.vocabulary import REDACTED
from heltig.rules.parameters import Parameters
from heltig.rules.stacking import stacks_of
from heltig.rules.views import Context, StudyView
from heltig.standard.dictionary import tag_of

STRIPS: Final = 12
"""Stacks of a study that are drawn, those with flaws first."""

_MOST_SLICES: Final = 20_000
_TIMES: Final = (
    ("AcquisitionDate", "AcquisitionTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
)


class SeriesSpan(msgspec.Struct, frozen=True):
    """When a series was acquired."""

    begin: datetime
    end: datetime


class SeriesPicture(msgspec.Struct, frozen=True):
    """What is drawn of one series.

    Attributes:
        key: The series' key.
        name: Its number, modality and description.
        plain: The same without what somebody typed.
        instances: Their number.
        span: When it was acquired; None where it does not say.
        strips: Its stacks of slices.
    """

    key: str
    name: str
    plain: str
    instances: int
    span: SeriesSpan | None
    strips: tuple[SliceStrip, ...]


class StudyPictures(msgspec.Struct, frozen=True):
    """What is drawn of a study: its series, in the order of their keys."""

    series: tuple[SeriesPicture, ...]
    is_redacted: bool = False

    def drawn(self, *, redact: bool, id: str = "study") -> Iterator[Markup]:
        """The charts.

        Args:
            redact: No dates, times of day and descriptions.
            id: What their ids begin with.
        """
        redact = redact or self.is_redacted
        spans = [
            Span(one.plain if redact else one.name, one.span.begin, one.span.end, one.instances)
            for one in self.series
            if one.span
        ]
        if spans:
            yield timeline(f"{id}-timeline", "When the series were acquired", spans, relative=redact)
        strips = [(one, number, strip) for one in self.series for number, strip in enumerate(one.strips, 1)]
        strips.sort(key=lambda found: not found[2].has_flaws)
        for place, (one, number, strip) in enumerate(strips[:STRIPS], 1):
            of = f", stack {number} of {len(one.strips)}" if len(one.strips) > 1 else ""
            name = one.plain if redact else one.name
            yield slice_strip(f"{id}-slices-{place}", f"Where the slices are: {name}{of}", strip)

    def redacted(self) -> "StudyPictures":
        """The same without dates, times of day and descriptions, whoever draws it."""
        return msgspec.structs.replace(self, is_redacted=True)

    @property
    def left_out(self) -> int:
        """Stacks that are not drawn."""
        return max(0, sum(len(one.strips) for one in self.series) - STRIPS)


def picture_of(series_key: str, content: bytes, *, reference: date) -> SeriesPicture:
    """What is drawn of a series, from its stored bytes; costs the reading of some of its attributes.

    Args:
        series_key: Its key.
        content: The stored bytes.
        reference: The day that rules take for today.
    """
    table = read_snapshot(series_key, None, FILES, [content])
    number, modality, description = (
        table.at(tag_of(keyword), 0).text if table.rows else ""
        for keyword in ("SeriesNumber", "Modality", "SeriesDescription")
    )
    return SeriesPicture(
        key=series_key,
        name=_name(number, modality, description),
        plain=_name(number, modality, description and REDACTED),
        instances=table.rows,
        span=span_of(table),
        strips=tuple(strips_of(table, reference)),
    )


def _name(number: str, modality: str, description: str) -> str:
    return " ".join(filter(None, (number or "no number", modality, description)))


def strips_of(table: StudyTable, reference: date) -> Iterator[SliceStrip]:
    """The stacks of slices of a series, as they are drawn.

    Args:
        table: The series, alone.
        reference: The day that rules take for today.
    """
    if not 1 < table.rows <= _MOST_SLICES:
        return
    study = StudyView(table, Context(reference, Parameters()))
    for series in study.series:
        for placed in stacks_of(series):
            if len(placed.stack.planes) > 2:
                yield strip_of(placed.stack)


def strip_of(stack: Stack) -> SliceStrip:
    """A stack as it is drawn: what is missing, doubled or uneven is what the rules see."""
    heights, usual = stack.heights, stack.usual or 1
    spaces = [
        Space(heights[space.below], heights[space.below] + space.distance, space.missing)
        for space in stack.uneven
    ]
    numbers = list(zip(heights, map(len, stack.levels), strict=True))
    return SliceStrip(
        places=heights,
        step=stack.step,
        spaces=spaces,
        doubles=[(height, number - usual) for height, number in numbers if number > usual],
        thin=[(height, usual - number) for height, number in numbers if number < usual],
        usual=usual,
    )


def span_of(table: StudyTable) -> SeriesSpan | None:
    """The first and the last time of a series, of the first attributes that say some."""
    column = table.columns.get(tag_of("AcquisitionDateTime"))
    if column is not None:
        said = [parse_dt(table.cell(column, code).text) for code in set(column.codes) if code]
        times = [time.replace(tzinfo=None) for time in said if time is not None]
        if times:
            return SeriesSpan(min(times), max(times))
    for date_keyword, time_keyword in _TIMES:
        found = _times(table, tag_of(date_keyword), tag_of(time_keyword))
        if found:
            return SeriesSpan(min(found), max(found))
    return None


def _times(table: StudyTable, date_tag: str, time_tag: str) -> Sequence[datetime]:
    dates, times = table.columns.get(date_tag), table.columns.get(time_tag)
    if dates is None or times is None:
        return ()
    pairs: Iterable[tuple[int, int]] = set(zip(dates.codes, times.codes, strict=True))
    found = []
    for date_code, time_code in pairs:
        if date_code and time_code:
            day = parse_da(table.cell(dates, date_code).text)
            time = parse_tm(table.cell(times, time_code).text)
            if day is not None and time is not None:
                found.append(datetime.combine(day, time.replace(tzinfo=None)))
    return found
