"""A heat map: the share of studies that something of a kind was found in, by who made or sent them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from markupsafe import Markup

from heltig.charts.drawing import WIDTH, chart, cut, label, shape, told

STEPS: Final = (0.0, 0.02, 0.05, 0.15, 0.4)
"""A share above the n-th of these has the colour n + 1; nothing has the colour 0."""

_NAME: Final = 208
_HEAD: Final = 84
_ROW: Final = 26
_WIDEST: Final = 64


class Cell(msgspec.Struct, frozen=True):
    """One field.

    Attributes:
        failing: Studies with a finding of the kind.
        studies: All studies of the row.
    """

    failing: int
    studies: int

    @property
    def share(self) -> float:
        """Of one."""
        return self.failing / self.studies if self.studies else 0.0

    @property
    def heat(self) -> int:
        """The number of its colour, from 0 for nothing to `len(STEPS)`."""
        return sum(self.share > step for step in STEPS)


def percent(share: float) -> str:
    """A share of one; what is not nothing is not shown as nothing, and what is not all not as all.

    >>> [percent(share) for share in (0, 0.001, 0.034, 0.998, 1)]
    ['0 %', '<1 %', '3 %', '>99 %', '100 %']
    """
    rounded = round(100 * share)
    if share > 0 and rounded == 0:
        return "<1 %"
    return ">99 %" if share < 1 and rounded == 100 else f"{rounded} %"


def heat_map(
    id: str,
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[str, str], Cell],
) -> Markup:
    """Rows by columns; each field has its share as text, so that colour is not needed to read it.

    Args:
        id: Names the chart within its page.
        title: What it shows.
        rows: Their names, in their order: archives, or models.
        columns: Likewise: families of rules.
        cells: The fields by row and column; those that are not there are empty.
    """
    found = [(row, column) for row in rows for column in columns if (row, column) in cells]
    worst = max(found, key=lambda place: cells[place].share, default=None)
    description = f"{len(rows)} rows by {len(columns)} columns. " + (
        f"The highest share: {percent(cells[worst].share)} of {worst[0]} in {worst[1]}."
        if worst
        else "There is nothing to show."
    )
    return chart(
        id,
        title,
        description,
        height=_HEAD + len(rows) * _ROW + 4,
        marks=_marks(rows, columns, cells),
        heads=["", *columns],
        rows=[[row, *(_said(cells.get((row, column))) for column in columns)] for row in rows],
    )


def _marks(
    rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[str, str], Cell]
) -> Iterator[Markup]:
    width = min(_WIDEST, (WIDTH - _NAME - 40) / max(len(columns), 1))
    for place, column in enumerate(columns):
        x = _NAME + (place + 0.5) * width
        yield shape(
            "text",
            cut(column, 108),
            x=x,
            y=_HEAD - 8,
            transform=f"rotate(-40 {x:.2f} {_HEAD - 8})",
            class_="chart-name",
        )
    for line, row in enumerate(rows):
        y = _HEAD + line * _ROW
        yield label(cut(row, _NAME - 12), _NAME - 10, y + 17, anchor="end", class_="chart-name")
        for place, column in enumerate(columns):
            cell = cells.get((row, column))
            if cell is None:
                continue
            x = _NAME + place * width
            yield told(
                f"{row}, {column}: {cell.failing:,} of {cell.studies:,} studies ({percent(cell.share)})",
                shape("rect", x=x + 1, y=y + 1, width=width - 2, height=_ROW - 2, rx=2),
                label(percent(cell.share) if cell.failing else "·", x + width / 2, y + 17, anchor="middle"),
                class_=f"chart-heat-{cell.heat}",
            )


def _said(cell: Cell | None) -> str:
    return f"{cell.failing:,} of {cell.studies:,}" if cell else ""
