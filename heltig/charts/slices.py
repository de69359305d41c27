"""Where the slices of a stack stand along their normal, with what is missing, doubled or uneven."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
from markupsafe import Markup

from heltig.charts.drawing import WIDTH, chart, label, nice_step, shape, told, width_of

_EDGE: Final = 16
_TOP: Final = 40
_DEEP: Final = 34
_AXIS: Final = 92
_HEIGHT: Final = 134
_DENSE: Final = 2.5
_MOST_ROWS: Final = 200


class Space(msgspec.Struct, frozen=True):
    """A space between two neighbouring slices that is not as wide as the others.

    Attributes:
        begin: Where it begins, in millimetres along the normal.
        end: Where it ends.
        missing: How many slices fit into it; 0 where it is merely uneven.
    """

    begin: float
    end: float
    missing: int = 0


class SliceStrip(msgspec.Struct, frozen=True):
    """The slices of one stack.

    Attributes:
        places: Where they stand along the normal, in millimetres, ascending.
        step: The usual distance, in millimetres; 0 where there is none.
        spaces: Those that are not one step wide.
        doubles: Places with more slices than usual, and how many more.
        thin: Places with fewer slices than usual, and how many fewer.
        usual: Slices that most places have: several in a series in time.
    """

    places: Sequence[float]
    step: float = 0.0
    spaces: Sequence[Space] = ()
    doubles: Sequence[tuple[float, int]] = ()
    thin: Sequence[tuple[float, int]] = ()
    usual: int = 1

    @property
    def has_flaws(self) -> bool:
        """There is something to see in it."""
        return bool(self.spaces or self.doubles or self.thin)


def slice_strip(id: str, title: str, strip: SliceStrip) -> Markup:
    """A stroke for each slice; gaps hatched, doubles with a dot above them.

    Args:
        id: Names the chart within its page.
        title: Which series it is about.
        strip: The slices.
    """
    return chart(
        id,
        title,
        in_words(strip),
        height=_HEIGHT,
        marks=_marks(id, strip) if strip.places else [label("no slices", 0, 18, class_="chart-quiet")],
        heads=["what", "from (mm)", "to (mm)", "how many"],
        rows=list(_rows(strip))[:_MOST_ROWS],
    )


def in_words(strip: SliceStrip) -> str:
    """What is to be seen in a strip, in a sentence."""
    if not strip.places:
        return "There is nothing to show."
    length = strip.places[-1] - strip.places[0]
    said = [f"{len(strip.places):,} slices over {length:,.1f} mm"]
    if strip.usual > 1:
        said = [f"{len(strip.places):,} places over {length:,.1f} mm, usually with {strip.usual:,} slices"]
    if strip.step:
        said.append(f"usually {strip.step:.2f} mm apart")
    gaps = [space for space in strip.spaces if space.missing]
    uneven = len(strip.spaces) - len(gaps)
    if gaps:
        number = sum(gap.missing for gap in gaps)
        said.append(f"{_counted(len(gaps), 'gap')} with room for {_counted(number, 'slice')}")
    if uneven:
        said.append(_counted(uneven, "uneven space"))
    if strip.doubles:
        said.append(f"{_counted(len(strip.doubles), 'place')} with more slices than usual")
    if strip.thin:
        said.append(f"{_counted(len(strip.thin), 'place')} with fewer slices than usual")
    if not strip.has_flaws:
        said.append("all evenly spaced, none missing, none doubled")
    return "; ".join(said) + "."


def _rows(strip: SliceStrip) -> Iterator[Sequence[object]]:
    if strip.places:
        yield "all slices", _mm(strip.places[0]), _mm(strip.places[-1]), len(strip.places)
    for space in strip.spaces:
        kind = "gap" if space.missing else f"uneven: {space.end - space.begin:.2f} mm"
        yield kind, _mm(space.begin), _mm(space.end), f"{space.missing} missing" if space.missing else ""
    for place, more in strip.doubles:
        yield "doubled", _mm(place), _mm(place), f"{more} more"
    for place, fewer in strip.thin:
        yield "too few", _mm(place), _mm(place), f"{fewer} fewer"


def _marks(id: str, strip: SliceStrip) -> Iterator[Markup]:
    first, last = strip.places[0], strip.places[-1]
    room = WIDTH - 2 * _EDGE

    def at(place: float) -> float:
        return _EDGE + (room * (place - first) / (last - first) if last > first else room / 2)

    yield _pattern(id)
    labels = _Labels()
    for space in strip.spaces:
        yield _space(id, space, at(space.begin), at(space.end), labels)
    doubled = {place for place, _ in strip.doubles}
    thin = {place for place, _ in strip.thin}
    plain = {round(at(place), 1) for place in strip.places if place not in doubled and place not in thin}
    is_dense = len(plain) * _DENSE > room
    class_ = "chart-slice chart-slice-dense" if is_dense else "chart-slice"
    yield shape("path", d=_strokes(sorted(plain), _TOP, _DEEP), class_=class_)
    for places, class_, sign in (
        (strip.doubles, "chart-double", "more"),
        (strip.thin, "chart-thin", "fewer"),
    ):
        for place, number in places:
            x = at(place)
            yield told(
                f"{_mm(place)} mm: {number:,} {sign} than usual",
                shape("path", d=_strokes([x], _TOP - 6, _DEEP + 6), class_=class_),
                shape("circle", cx=x, cy=_TOP - 9, r=3, class_=f"{class_}-head"),
                *labels.put(f"{'+' if sign == 'more' else '−'}{number:,}", x, 10 + 11),
            )
    yield from _axis(first, last, at)


def _space(id: str, space: Space, x1: float, x2: float, labels: "_Labels") -> Markup:
    width = max(x2 - x1, 1.5)
    middle = (x1 + x2) / 2
    distance = space.end - space.begin
    if space.missing:
        said = f"{_mm(space.begin)} to {_mm(space.end)} mm: room for {_counted(space.missing, 'slice')}"
        return told(
            said,
            shape("rect", x=x1, y=_TOP, width=width, height=_DEEP, class_="chart-gap"),
            shape("rect", x=x1, y=_TOP, width=width, height=_DEEP, fill=f"url(#{id}-hatch)"),
            *labels.put(f"{space.missing:,} missing", middle, 21),
        )
    said = f"{_mm(space.begin)} to {_mm(space.end)} mm: {distance:.2f} mm apart"
    width = max(width, 7.0)
    x1 = middle - width / 2
    return told(
        said,
        shape("path", d=f"M{x1:.1f} {_TOP + _DEEP + 3}v4H{x1 + width:.1f}v-4", class_="chart-uneven"),
        *labels.put(f"{distance:.2f} mm", middle, 21),
    )


class _Labels:
    """Labels in a line; one that would stand on another is left out: the table has all."""

    def __init__(self) -> None:
        self._taken: list[tuple[float, float]] = []

    def put(self, text: str, x: float, y: float) -> Iterable[Markup]:
        half = width_of(text) / 2 + 4
        x = min(max(x, half), WIDTH - half)
        if any(x - half < end and begin < x + half for begin, end in self._taken):
            return ()
        self._taken.append((x - half, x + half))
        return (label(text, x, y, anchor="middle", class_="chart-name"),)


def _axis(first: float, last: float, at: Callable[[float], float]) -> Iterator[Markup]:
    yield shape("line", x1=_EDGE, x2=WIDTH - _EDGE, y1=_AXIS, y2=_AXIS, class_="chart-line")
    step = nice_step(last - first, 6)
    place = -(-first // step) * step
    while place <= last and last > first:
        x = at(place)
        yield shape("line", x1=x, x2=x, y1=_AXIS, y2=_AXIS + 4, class_="chart-line")
        yield label(f"{place:g}", x, _AXIS + 18, anchor="middle", class_="chart-quiet")
        place += step
    yield label("millimetres along the normal", WIDTH - _EDGE, _AXIS + 36, anchor="end", class_="chart-quiet")


def _pattern(id: str) -> Markup:
    line = shape("path", d="M0 6L6 0", class_="chart-gap-hatch")
    return shape(
        "defs", shape("pattern", line, id=f"{id}-hatch", width=6, height=6, patternUnits="userSpaceOnUse")
    )


def _strokes(places: Iterable[float], top: float, length: float) -> str:
    return "".join(f"M{x:.1f} {top:g}v{length:g}" for x in places)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _mm(place: float) -> str:
    return f"{place:.2f}"
