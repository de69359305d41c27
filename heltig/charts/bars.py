"""Bars that lie: how often each of some things is."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from markupsafe import Markup

from heltig.charts.drawing import WIDTH, chart, cut, label, shape, told

_ROW: Final = 26
_NAME: Final = 220
_NUMBER: Final = 120


class Bar(msgspec.Struct, frozen=True):
    """One bar.

    Attributes:
        name: What it is about.
        number: How long it is.
        tone: Its class: `block`, `review`, `note`, or empty.
        before: The number it is compared with, such as last week's; None for no comparison.
    """

    name: str
    number: int
    tone: str = ""
    before: int | None = None

    @property
    def change(self) -> str:
        """How the number changed, with its sign; empty where it is not compared.

        >>> Bar("a", 5, before=3).change, Bar("a", 5, before=5).change, Bar("a", 2, before=3).change
        ('+2', '±0', '−1')
        """
        if self.before is None:
            return ""
        more = self.number - self.before
        return f"+{more:,}" if more > 0 else f"−{-more:,}" if more else "±0"


def bars(id: str, title: str, found: Sequence[Bar], *, unit: str = "studies") -> Markup:
    """Bars one below the other, with their names before and their numbers behind them.

    Args:
        id: Names the chart within its page.
        title: What it shows.
        found: The bars, in their order.
        unit: What the numbers count.
    """
    most = max((bar.number for bar in found), default=0)
    description = (
        f"{len(found)} bars. The longest: {_longest(found)} with {most:,} {unit}."
        if found
        else "There is nothing to show."
    )
    is_compared = any(bar.before is not None for bar in found)
    heads = ["", *(["severity"] if any(bar.tone for bar in found) else []), unit]
    return chart(
        id,
        title,
        description,
        height=max(len(found), 1) * _ROW + 8,
        marks=_marks(found, max(most, 1), unit) if found else [label("nothing", 0, 18, class_="chart-quiet")],
        heads=[*heads, "change"] if is_compared else heads,
        rows=[
            [
                bar.name,
                *([bar.tone] if len(heads) > 2 else []),
                bar.number,
                *([bar.change] if is_compared else []),
            ]
            for bar in found
        ],
    )


def _marks(found: Sequence[Bar], most: int, unit: str) -> Iterator[Markup]:
    room = WIDTH - _NAME - _NUMBER
    for place, bar in enumerate(found):
        top = 4 + place * _ROW
        length = max(room * bar.number / most, 2.0)
        said = f"{bar.number:,}" + (f" ({bar.change})" if bar.change else "")
        yield told(
            f"{bar.name}: {said} {unit}" + (f", {bar.tone}" if bar.tone else ""),
            label(cut(bar.name, _NAME - 12), _NAME - 10, top + 17, anchor="end", class_="chart-name"),
            shape("rect", x=_NAME, y=top + 5, width=length, height=_ROW - 10, rx=2, class_="chart-mark"),
            label(said, _NAME + length + 7, top + 17, class_="chart-number"),
            class_=f"is-{bar.tone}" if bar.tone else None,
        )


def _longest(found: Sequence[Bar]) -> str:
    return max(found, key=lambda bar: bar.number).name
