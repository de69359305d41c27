"""A heat map: the share of studies that something of a kind was found in, by who made or sent them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from markupsafe import Markup

from heltig.charts.drawing import shape

STEPS: Final = (0.0, 0.02, 0.05, 0.15, 0.4)
"""A share above the n-th of these has the colour n + 1; nothing has the colour 0."""


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


class Row(msgspec.Struct, frozen=True):
    """A row: who made or sent so many judged studies, and its fields by family of rules."""

    name: str
    studies: int
    cells: Mapping[str, Cell]


def heat_map(
    id: str, by: str, families: Sequence[tuple[str, str]], rows: Iterable[Row], *, note: str = ""
) -> Markup:
    """A table as that of the overview: each field has its share as text, and colour is not needed to read it.

    Args:
        id: Names it within its page.
        by: What the rows are, in one word.
        families: The columns: what the ids of their rules begin with, and their titles.
        rows: In their order.
        note: What else is to be known.
    """
    title = f"Share of studies that fail, by {by.lower()} and family of rules"
    heads = [shape("th", by, scope="col"), shape("th", "Studies", scope="col", class_="number")]
    heads += [shape("th", family, scope="col", class_="number mono") for family, _ in families]
    body = [shape("tr", *_fields(row, families)) for row in rows]
    table = shape(
        "table",
        shape("caption", title, class_="visually-hidden"),
        shape("thead", shape("tr", *heads)),
        shape("tbody", *body),
        class_="chart-heat",
    )
    known = ", ".join(f"{family} {name}" if name else family for family, name in families)
    said = (
        "A field is the share of the row's judged studies in which a rule of the family found more than a "
        f"note, with their number. The families: {known}. {note}"
    )
    return shape(
        "figure",
        shape("figcaption", title),
        shape("div", table, class_="chart-scroll", tabindex="0", role="group", aria_label=title),
        shape("p", said.strip(), class_="chart-said"),
        class_="chart",
        id=id,
    )


def _fields(row: Row, families: Iterable[tuple[str, str]]) -> Iterator[Markup]:
    yield shape("th", shape("bdi", row.name), scope="row")
    yield shape("td", f"{row.studies:,}", class_="number")
    for family, _ in families:
        cell = row.cells.get(family)
        if cell is None or not cell.failing:
            yield shape("td", "·", class_="chart-heat-none", aria_label="none")
        else:
            number = shape("small", f"{cell.failing:,}")
            yield shape("td", percent(cell.share), number, class_=f"chart-heat-{cell.heat}")
