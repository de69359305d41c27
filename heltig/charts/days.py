"""What became of studies, day by day: columns of verdicts, and a line that fits between words."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import msgspec
from markupsafe import Markup

from heltig.charts.drawing import WIDTH, chart, label, nice_step, shape, told, width_of

_VERDICTS: Final = (("blocked", "BLOCKED"), ("needs_review", "NEEDS_REVIEW"), ("ready", "READY"))
_LEFT: Final = 52
_TOP: Final = 16
_DEEP: Final = 150
_BOTTOM: Final = 30
_HATCH: Final = 5
_WIDEST: Final = 64


class Day(msgspec.Struct, frozen=True):
    """What studies were judged to be on one day, or in several that begin with it."""

    day: date
    blocked: int = 0
    needs_review: int = 0
    ready: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.blocked + self.needs_review + self.ready


class Mark(msgspec.Struct, frozen=True):
    """Something that happened on a day and may explain a change: another ruleset, another version."""

    day: date
    text: str


def verdicts_by_day(
    id: str, title: str, days: Sequence[Day], *, marks: Sequence[Mark] = (), span: str = "day"
) -> Markup:
    """Columns, the worst verdicts at their foot.

    Args:
        id: Names the chart within its page.
        title: What it shows.
        days: In their order; a day without a study is a day too.
        marks: What happened meanwhile; those outside of the days are left out.
        span: What a column stands for: `day`, `week` or `month`.
    """
    known = {day.day for day in days}
    shown = [mark for mark in marks if mark.day in known]
    total = sum(day.total for day in days)
    description = (
        f"{len(days)} columns, one a {span}, from {days[0].day} to {days[-1].day}: {total:,} verdicts, "
        f"{sum(day.blocked for day in days):,} BLOCKED, "
        f"{sum(day.needs_review for day in days):,} NEEDS_REVIEW, "
        f"{sum(day.ready for day in days):,} READY."
        if days
        else "There is nothing to show."
    )
    happened = {mark.day: mark.text for mark in shown}
    return chart(
        id,
        title,
        description,
        height=_TOP + _DEEP + _BOTTOM,
        marks=_marks(id, days, shown) if days else [label("nothing", 0, 18, class_="chart-quiet")],
        left=_LEFT if days else 0,
        axis=[
            label(f"{line:,}", _LEFT - 8, y + 4, anchor="end", class_="chart-quiet")
            for line, y in _lines(days)
        ],
        legend=_legend(id) if days else "",
        heads=[span, *(name for _, name in _VERDICTS), *(["mark"] if shown else [])],
        rows=[
            [
                day.day.isoformat(),
                *(getattr(day, name) for name, _ in _VERDICTS),
                *([happened.get(day.day, "")] if shown else []),
            ]
            for day in days
        ],
    )


def _marks(id: str, days: Sequence[Day], happened: Sequence[Mark]) -> Iterator[Markup]:
    yield _hatch(id)
    for _, y in _lines(days):
        yield shape("line", x1=_LEFT, x2=WIDTH, y1=y, y2=y, class_="chart-line")
    most = _most(days)
    width = min((WIDTH - _LEFT) / len(days), _WIDEST)
    for place, day in enumerate(days):
        yield _column(id, day, _LEFT + place * width, width, most)
    places = {day.day: _LEFT + (place + 0.5) * width for place, day in enumerate(days)}
    yield from _dates(days, places)
    for mark in happened:
        x = places[mark.day]
        yield told(
            f"{mark.day}: {mark.text}",
            shape("line", x1=x, x2=x, y1=_TOP - 8, y2=_TOP + _DEEP, class_="chart-event"),
            shape("path", d=f"M{x - 5:.1f} {_TOP - 12}h10l-5 7z", class_="chart-event-head"),
        )


def _most(days: Sequence[Day]) -> float:
    """What the scale goes up to."""
    highest = max(day.total for day in days)
    step = nice_step(highest, 4)
    return step * max(-(-highest // step), 1)


def _lines(days: Sequence[Day]) -> Iterator[tuple[int, float]]:
    """The numbers of the scale, and where they stand."""
    if not days:
        return
    step, most = nice_step(max(day.total for day in days), 4), _most(days)
    for line in range(int(most / step) + 1):
        yield int(line * step), _TOP + _DEEP - _DEEP * line * step / most


def _column(id: str, day: Day, x: float, width: float, most: float) -> Markup:
    foot = float(_TOP + _DEEP)
    parts: list[Markup] = []
    gap = min(width * 0.18, 6)
    for name, _ in _VERDICTS:
        number = getattr(day, name)
        if not number:
            continue
        height = max(_DEEP * number / most, 1.5)
        foot -= height
        place = {"x": x + gap / 2, "y": foot, "width": width - gap, "height": height}
        parts.append(shape("rect", **place, class_=f"chart-mark is-{name}"))
        if name == "needs_review":
            parts.append(shape("rect", **place, fill=f"url(#{id}-hatch)"))
    said = ", ".join(f"{getattr(day, name):,} {verdict}" for name, verdict in _VERDICTS)
    return told(f"{day.day}: {said}", *parts)


def _hatch(id: str) -> Markup:
    """Lines over what needs review: told from what is ready without colour, too."""
    line = shape("path", d=f"M0 {_HATCH}L{_HATCH} 0", class_="chart-hatch")
    pattern = shape(
        "pattern", line, id=f"{id}-hatch", width=_HATCH, height=_HATCH, patternUnits="userSpaceOnUse"
    )
    return shape("defs", pattern)


def _legend(id: str) -> Markup:
    parts: list[Markup] = []
    x = 0.0
    for name, verdict in _VERDICTS:
        parts.append(shape("rect", x=x, y=2, width=12, height=12, rx=2, class_=f"chart-mark is-{name}"))
        if name == "needs_review":
            parts.append(shape("rect", x=x, y=2, width=12, height=12, fill=f"url(#{id}-hatch)"))
        parts.append(label(verdict, x + 18, 12, class_="chart-name"))
        x += 34 + width_of(verdict)
    size = {"viewBox": f"0 0 {x:.0f} 16", "width": round(x), "height": 16}
    return shape("svg", *parts, class_="chart-legend", aria_hidden="true", **size)


def _dates(days: Sequence[Day], places: dict[date, float]) -> Iterator[Markup]:
    """As many dates as there is room for, the first among them."""
    last = -1000.0
    for day in days:
        x = max(places[day.day], _LEFT + 36)
        if x - last >= 88 and x <= WIDTH - 34:
            yield label(day.day.isoformat(), x, _TOP + _DEEP + 18, anchor="middle", class_="chart-quiet")
            last = x


def sparkline(numbers: Sequence[float], *, title: str, width: int = 120, height: int = 24) -> Markup:
    """A line without a scale, to stand beside a number.

    Args:
        numbers: In their order.
        title: What they are; with the first, the last and the highest it is all that is told of them.
        width: In CSS pixels.
        height: Likewise.
    """
    if not numbers:
        return Markup("")
    most = max(max(numbers), 1)
    step = (width - 6) / max(len(numbers) - 1, 1)
    points = [(3 + n * step, height - 3 - (height - 6) * number / most) for n, number in enumerate(numbers)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    said = f"{title}: first {numbers[0]:,}, last {numbers[-1]:,}, highest {max(numbers):,}"
    return shape(
        "svg",
        shape("title", said),
        shape("path", d=path, class_="chart-thread"),
        shape("circle", cx=points[-1][0], cy=points[-1][1], r=2.5, class_="chart-thread-end"),
        class_="chart-sparkline",
        role="img",
        aria_label=said,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
    )
