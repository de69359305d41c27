"""Layout of the pictures: numbers in, places out. Templates draw them as SVG."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from heltig.verdict import READINESS, Readiness

WIDTH: Final = 1000
"""Units from one end of a bar to the other."""

GAP: Final = 3
"""Units between two parts of a bar."""

HEIGHT: Final = 100
"""Units from the foot of the highest column to its top."""

_FOOT: Final = 2
"""Units of a column of nothing: a day without a study is a day too."""

NARROWEST: Final = 6
"""Units of a part that would be too narrow to be seen: one study in 100,000 is still there."""


class Share(msgspec.Struct, frozen=True):
    """One part of a bar.

    Attributes:
        readiness: The verdict.
        number: How many studies have it.
        x: Where the part begins, in units of `WIDTH`.
        width: In the same units.
    """

    readiness: Readiness
    number: int
    x: float
    width: float


def verdict_bar(numbers: Mapping[Readiness, int]) -> tuple[Share, ...]:
    """The parts of a bar of verdicts, worst first; verdicts that no study has are left out."""
    present: list[tuple[Readiness, int]] = [
        (readiness, numbers[readiness]) for readiness in READINESS if numbers.get(readiness)
    ]
    return tuple(_shares(present)) if present else ()


def _shares(present: list[tuple[Readiness, int]]) -> Iterator[Share]:
    total = sum(number for _, number in present)
    room = WIDTH - GAP * (len(present) - 1)
    widths = [max(room * number / total, NARROWEST) for _, number in present]
    widths[widths.index(max(widths))] -= sum(widths) - room
    x = 0.0
    for (readiness, number), width in zip(present, widths, strict=True):
        yield Share(readiness, number, round(x, 2), round(width, 2))
        x += width + GAP


class Column(msgspec.Struct, frozen=True):
    """One of the columns of a chart, side by side and all of one width.

    Attributes:
        number: What it stands for.
        x: Where it begins, in units of `WIDTH`.
        width: In the same units.
        y: Where its top is, counted from above in units of `HEIGHT`.
        height: In the same units.
    """

    number: int
    x: float
    width: float
    y: float
    height: float


def columns(numbers: Sequence[int]) -> tuple[Column, ...]:
    """Columns for some numbers; the highest is as high as the chart."""
    most = max(numbers, default=0) or 1
    step = WIDTH / max(len(numbers), 1)
    made = []
    for place, number in enumerate(numbers):
        height = max(HEIGHT * number / most, _FOOT)
        made.append(
            Column(
                number,
                round(place * step, 2),
                round(step * 0.78, 2),
                round(HEIGHT - height, 2),
                round(height, 2),
            )
        )
    return tuple(made)
