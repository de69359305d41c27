"""What all charts share: elements of SVG, the frame around a picture, its figures as a table."""

from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 720
"""Units of a chart from left to right: CSS pixels where there is room for them."""

_NARROW: Final = frozenset("fijlrtI.,:;!|'()[]- ")


def shape(name: str, /, *inside: str | Markup, **attributes: object) -> Markup:
    """An element of SVG; `class_` is `class`, and an underscore in a name a hyphen.

    >>> str(shape("rect", x=1.25, class_="is-block"))
    '<rect x="1.25" class="is-block"/>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not inside:
        return Markup(f"<{name}{written}/>")  # noqa: S704 - all parts are escaped
    content = Markup().join(map(escape, inside))
    return Markup(f"<{name}{written}>{content}</{name}>")  # noqa: S704 - all parts are escaped


def label(text: str, x: float, y: float, *, anchor: str = "start", class_: str | None = None) -> Markup:
    """A piece of text.

    Args:
        text: What it says.
        x: Where it is anchored.
        y: Its base line.
        anchor: What of it stands there: `start`, `middle` or `end`.
        class_: Of the style sheet.
    """
    return shape("text", text, x=x, y=y, text_anchor=None if anchor == "start" else anchor, class_=class_)


def told(text: str, *marks: Markup, **attributes: object) -> Markup:
    """Marks that a pointer is told something about."""
    return shape("g", shape("title", text), *marks, **attributes)


def cut(text: str, room: float) -> str:
    """A text in so many units at most.

    >>> cut("PAT-ID-CONFLICT", 80), cut("CT", 80)
    ('PAT-ID-CO…', 'CT')
    """
    if width_of(text) <= room:
        return text
    while text and width_of(text) + 9 > room:
        text = text[:-1]
    return text + "…"


def width_of(text: str) -> float:
    """The units that a label takes, rather more than fewer: the fonts of whoever looks are not known."""
    return sum(4.6 if c in _NARROW else 8.9 if c.isupper() else 7.2 if c.isascii() else 12.5 for c in text)


def chart(
    id: str,
    title: str,
    description: str,
    *,
    height: float,
    marks: Iterable[Markup],
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    left: float = 0,
    axis: Iterable[Markup] = (),
    legend: Markup | str = "",
) -> Markup:
    """A picture with its title, its description and its figures as a table.

    Args:
        id: Names it within its page.
        title: What it shows.
        description: What is to be seen in it, in a sentence or two.
        height: In units.
        marks: What is drawn.
        heads: Of the table's columns; the first names the rows, numbers stand in the others.
        rows: The table's rows.
        left: Where the marks begin, in units; before it stands the axis.
        axis: What is drawn there and stays in sight where the picture is scrolled.
        legend: What stands above the picture, and stays in sight, too.
    """
    drawn = picture(id, title, description, height=height, marks=marks, left=left)
    if left:
        size = {"viewBox": f"0 0 {_text(left)} {_text(height)}", "width": left, "height": height}
        beside = shape("svg", *axis, class_="chart-axis", aria_hidden="true", **size)
        drawn = shape("div", beside, drawn, class_="chart-beside")
    return figure(id, title, [drawn], heads, rows, legend=legend)


def picture(
    id: str, title: str, description: str, *, height: float, marks: Iterable[Markup], left: float = 0
) -> Markup:
    """A picture alone: one of those of a `figure`.

    Args:
        id: Names it within its page.
        title: What it shows.
        description: What is to be seen in it, in a sentence or two.
        height: In units; what is higher than a page of paper is cut there.
        marks: What is drawn.
        left: Where it begins, in units.
    """
    return shape(
        "svg",
        shape("title", title, id=f"{id}-title"),
        shape("desc", description, id=f"{id}-desc"),
        *marks,
        class_="chart-picture",
        role="img",
        aria_labelledby=f"{id}-title {id}-desc",
        viewBox=f"{_text(left)} 0 {_text(WIDTH - left)} {_text(height)}",
        width=WIDTH - left,
        height=height,
    )


def figure(
    id: str,
    title: str,
    pictures: Sequence[Markup],
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    legend: Markup | str = "",
) -> Markup:
    """Pictures of one thing, one below the other, with its figures as a table.

    Args:
        id: Names it within its page.
        title: What it shows.
        pictures: On paper each stays whole, and a page may end between them.
        heads: Of the table's columns; the first names the rows, numbers stand in the others.
        rows: The table's rows.
        legend: What stands above the pictures.
    """
    scroll = shape("div", *pictures, class_="chart-scroll", tabindex="0", role="group", aria_label=title)
    return shape(
        "figure",
        shape("figcaption", title),
        legend,
        scroll,
        shape(
            "details",
            shape("summary", "These figures as a table"),
            table(title, heads, rows),
            class_="chart-figures",
        ),
        class_="chart" if len(pictures) == 1 else "chart chart-parts",
        id=id,
    )


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table whose first column names its rows."""
    head = shape(
        "tr", *(shape("th", text, scope="col", class_=_alignment(n)) for n, text in enumerate(heads))
    )
    body = [
        shape(
            "tr",
            shape("th", _cell(first), scope="row"),
            *(shape("td", _cell(value), class_=_kind(value)) for value in others),
        )
        for first, *others in rows
    ]
    return shape(
        "div",
        shape(
            "table",
            shape("caption", caption, class_="visually-hidden"),
            shape("thead", head),
            shape("tbody", *body) if body else Markup("<tbody></tbody>"),
        ),
        class_="chart-table",
        tabindex="0",
        role="group",
        aria_label=f"{caption}: table",
    )


def nice_step(most: float, parts: int) -> float:
    """A round distance of the lines of a scale: 1, 2 or 5 times a power of ten.

    >>> nice_step(1, 4), nice_step(37, 4), nice_step(1200, 4)
    (1.0, 10.0, 500.0)
    """
    rough = max(most / parts, 1)
    power = float(10 ** (len(str(int(rough))) - 1))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough)


def _alignment(column: int) -> str | None:
    return "number" if column else None


def _kind(value: object) -> str | None:
    return "number" if isinstance(value, int | float) else None


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)


def _text(value: object) -> str:
    """A number without more digits than can be seen."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
