"""When the series of a study were acquired: what came after what, with the pauses between."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from markupsafe import Markup

from heltig.charts.drawing import WIDTH, cut, figure, label, picture, shape, told, width_of

_NAME: Final = 208
_ROW: Final = 24
_TOP: Final = 8
_EDGE: Final = 34
_HEADS: Final = ("series", "begins", "ends", "lasts", "instances")

_AT_ONCE: Final = 10
"""Series of one picture: three such pictures fit a page of A4 or Letter, and little of one stays empty."""

_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 604800)
"""Seconds between two times of the scale."""

PAUSE: Final = timedelta(minutes=5)
"""Nothing was acquired for so long: it is shown as a pause."""


class Span(msgspec.Struct, frozen=True):
    """One series.

    Attributes:
        name: What it is called.
        begin: The first time of its instances.
        end: The last.
        instances: Their number.
    """

    name: str
    begin: datetime
    end: datetime
    instances: int


def timeline(id: str, title: str, spans: Sequence[Span], *, relative: bool = False) -> Markup:
    """A bar for each series, in the order in which they began; every few have the scale below them again.

    Args:
        id: Names the chart within its page.
        title: What it shows.
        spans: The series, in any order.
        relative: Times count from the first one, and no date or time of day is shown.
    """
    ordered = sorted(spans, key=lambda span: (span.begin, span.end, span.name))
    if not ordered:
        nothing = label("no times", 0, 20, class_="chart-quiet")
        said = "No series says when it was acquired."
        return figure(id, title, [picture(id, title, said, height=62, marks=[nothing])], _HEADS, [])
    clock = _Clock(ordered[0].begin, relative)
    pauses = list(_pauses(ordered))
    said = _description(ordered, pauses)
    parts = [ordered[at : at + _AT_ONCE] for at in range(0, len(ordered), _AT_ONCE)]
    pictures = []
    for number, part in enumerate(parts):
        first = number * _AT_ONCE + 1
        of = f": series {first} to {first + len(part) - 1} of {len(ordered)}" if len(parts) > 1 else ""
        pictures.append(
            picture(
                f"{id}-{number + 1}" if number else id,
                title + of,
                said,
                height=_TOP + len(part) * _ROW + 30,
                marks=_marks(part, ordered, pauses, clock),
            )
        )
    rows = [
        [
            span.name,
            clock.written(span.begin),
            clock.written(span.end),
            lasting(span.end - span.begin),
            span.instances,
        ]
        for span in ordered
    ]
    return figure(id, title, pictures, _HEADS, rows)


def lasting(time: timedelta) -> str:
    """A span of time in the units that tell.

    >>> [lasting(timedelta(seconds=s)) for s in (0, 42, 150, 9000, 200000)]
    ['0 s', '42 s', '2 min 30 s', '2 h 30 min', '2 d 7 h']
    """
    seconds = int(time.total_seconds())
    for size, unit, rest, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            more = seconds % size // rest
            return f"{seconds // size} {unit}" + (f" {more} {smaller}" if more else "")
    return f"{seconds} s"


class _Clock:
    """Writes times: as they are, or as what passed since the first."""

    def __init__(self, first: datetime, relative: bool) -> None:
        self._first = first
        self.is_relative = relative

    def written(self, time: datetime) -> str:
        if self.is_relative:
            return f"+{lasting(time - self._first)}"
        return f"{time:%Y-%m-%d %H:%M:%S}"

    def short(self, time: datetime, step: int) -> str:
        if self.is_relative:
            return f"+{lasting(time - self._first)}"
        if step >= 86400:
            return f"{time:%Y-%m-%d}"
        return f"{time:%H:%M}" if step >= 60 else f"{time:%H:%M:%S}"


def _pauses(ordered: Sequence[Span]) -> Iterator[tuple[datetime, datetime]]:
    """Where nothing was acquired for long."""
    until = ordered[0].end
    for span in ordered[1:]:
        if span.begin - until >= PAUSE:
            yield until, span.begin
        until = max(until, span.end)


def _description(ordered: Sequence[Span], pauses: Sequence[tuple[datetime, datetime]]) -> str:
    whole = max(span.end for span in ordered) - ordered[0].begin
    said = f"{len(ordered)} series within {lasting(whole)}."
    if pauses:
        longest = max(end - begin for begin, end in pauses)
        pause = "pause" if len(pauses) == 1 else "pauses"
        said += f" {len(pauses)} {pause} of five minutes or more, the longest of {lasting(longest)}."
    return said


def _pause_label(text: str, begin: float, end: float) -> tuple[Markup, ...]:
    """How long a pause is, where there is room for it."""
    said = f"nothing for {text}"
    if width_of(said) + 8 > end - begin:
        return ()
    return (label(said, (begin + end) / 2, _TOP + 15, anchor="middle", class_="chart-quiet"),)


def _round(first: datetime, step: int) -> datetime:
    """The first time from then on that is a whole number of steps after midnight."""
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    steps = -(-(first - midnight) // timedelta(seconds=step))
    return midnight + steps * timedelta(seconds=step)


def _marks(
    part: Sequence[Span],
    ordered: Sequence[Span],
    pauses: Sequence[tuple[datetime, datetime]],
    clock: _Clock,
) -> Iterator[Markup]:
    """Some of the series, on the scale of all of them."""
    first, last = ordered[0].begin, max(span.end for span in ordered)
    whole = max((last - first).total_seconds(), 1.0)
    foot = _TOP + len(part) * _ROW

    def at(time: datetime) -> float:
        return _NAME + (WIDTH - _NAME - _EDGE) * (time - first).total_seconds() / whole

    for begin, end in pauses:
        x1, x2 = at(begin), at(end)
        yield told(
            f"nothing acquired for {lasting(end - begin)}",
            shape("rect", x=x1, y=_TOP, width=x2 - x1, height=foot - _TOP, class_="chart-pause"),
            *_pause_label(lasting(end - begin), x1, x2),
        )
    step = next(
        (step for step in _STEPS if whole / step <= 7), _STEPS[-1] * (int(whole / _STEPS[-1] / 7) + 1)
    )
    begin = first if clock.is_relative else _round(first, step)
    for number in range(int((last - begin).total_seconds() / step) + 1):
        time = begin + timedelta(seconds=number * step)
        x = at(time)
        yield shape("line", x1=x, x2=x, y1=_TOP, y2=foot + 4, class_="chart-line")
        yield label(clock.short(time, step), x, foot + 18, anchor="middle", class_="chart-quiet")
    for place, span in enumerate(part):
        y = _TOP + place * _ROW
        x1, x2 = at(span.begin), at(span.end)
        yield told(
            f"{span.name}: {clock.written(span.begin)} to {clock.written(span.end)}, "
            f"{span.instances:,} instance{'' if span.instances == 1 else 's'}",
            label(cut(span.name, _NAME - 12), _NAME - 10, y + 16, anchor="end", class_="chart-name"),
            shape(
                "rect", x=x1, y=y + 5, width=max(x2 - x1, 3.0), height=_ROW - 10, rx=2, class_="chart-mark"
            ),
        )
