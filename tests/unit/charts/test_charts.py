"""Charts as text: what they show can be read in them, and from whom a text came does not matter."""

import re
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from heltig.charts import (
    STYLE,
    Bar,
    Cell,
    Day,
    HeatRow,
    Mark,
    SliceStrip,
    Space,
    Span,
    bars,
    heat_map,
    in_words,
    slice_strip,
    sparkline,
    timeline,
    verdicts_by_day,
)

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
ELEMENTS = {
    *("figure", "figcaption", "div", "details", "summary"),
    *("svg", "title", "desc", "defs", "pattern", "g", "rect", "text", "path", "line", "circle"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


def picture(chart: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(chart)  # noqa: S314 - our own


def told(chart: Markup) -> list[str]:
    """What a pointer is told, mark by mark."""
    return [title.text or "" for title in picture(chart).findall(".//g/title")]


def told_of(mark: ElementTree.Element) -> str:
    return mark.findtext("title") or ""


def figures(chart: Markup) -> list[list[str]]:
    """The rows of the table behind a chart."""
    rows = picture(chart).findall(".//table//tr")
    return [[cell.text or "" for cell in row] for row in rows]


def test_bars_are_as_long_as_their_numbers() -> None:
    chart = bars(
        "top", "Top rules", [Bar("A-RULE", 40, "block", before=30), Bar("B-RULE", 10, "review", before=10)]
    )
    assert told(chart) == ["A-RULE: 40 (+10) studies, block", "B-RULE: 10 (±0) studies, review"]
    first, second = (float(mark.attrib["width"]) for mark in picture(chart).findall(".//svg//rect"))
    assert first == 4 * second
    assert figures(chart)[1:] == [["A-RULE", "block", "40", "+10"], ["B-RULE", "review", "10", "±0"]]


def test_a_heat_map_says_its_shares_in_text_and_in_colour() -> None:
    families = [("PAT", "Patient"), ("UID", "UID")]
    rows = [
        HeatRow("CT", 400, {"PAT": Cell(1, 400), "UID": Cell(400, 400)}),
        HeatRow("MR", 7, {"UID": Cell(0, 7)}),
    ]
    chart = heat_map("heat", "Model", families, rows, note="Each once.")
    said = [["".join(cell.itertext()) for cell in row] for row in picture(chart).findall(".//table//tr")]
    assert said == [
        ["Model", "Studies", "PAT", "UID"],
        ["CT", "400", "<1 %1", "100 %400"],
        ["MR", "7", "·", "·"],
    ]
    fields = [cell.attrib["class"] for cell in picture(chart).findall(".//td")]
    assert fields == [
        *("number", "chart-heat-1", "chart-heat-5"),
        *("number", "chart-heat-none", "chart-heat-none"),
    ]
    assert "by model and family of rules" in chart
    assert "The families: PAT Patient, UID UID. Each once." in chart


def test_a_slice_strip_shows_gaps_doubles_and_uneven_spaces() -> None:
    strip = SliceStrip(
        places=[0, 3, 6, 15, 18, 19.2], step=3, spaces=[Space(6, 15, 2), Space(18, 19.2)], doubles=[(3, 1)]
    )
    chart = slice_strip("slices", "Series 3", strip)
    assert told(chart) == [
        "6.00 to 15.00 mm: room for 2 slices",
        "18.00 to 19.20 mm: 1.20 mm apart",
        "3.00 mm: 1 more than usual",
    ]
    description = picture(chart).findtext(".//desc")
    assert description == (
        "6 slices over 19.2 mm; usually 3.00 mm apart; 1 gap with room for 2 slices; 1 uneven space; "
        "1 place with more slices than usual."
    )
    strokes = picture(chart).find(".//svg/path[@class='chart-slice']")
    assert strokes is not None
    assert strokes.attrib["d"].count("M") == 5
    even = slice_strip("slices", "Series 4", SliceStrip([0, 1, 2], 1))
    assert "all evenly spaced, none missing, none doubled" in even
    in_time = in_words(SliceStrip([0, 1, 2], 1, usual=4))
    assert in_time.startswith("3 places over 2.0 mm, usually with 4 slices; usually 1.00 mm apart;")


def test_a_timeline_shows_pauses_and_hides_times_of_day_where_it_should() -> None:
    spans = [
        Span("2 CT", NINE + timedelta(minutes=12), NINE + timedelta(minutes=13), 600),
        Span("1 CT", NINE, NINE + timedelta(seconds=4), 1),
    ]
    chart = timeline("time", "Series", spans)
    assert told(chart)[0] == "nothing acquired for 11 min 56 s"
    assert [row[0] for row in figures(chart)[1:]] == ["1 CT", "2 CT"]
    assert "2026-03-01 09:12:00" in chart
    hidden = timeline("time", "Series", spans, relative=True)
    assert "2026" not in hidden
    assert "09:" not in hidden
    assert "+12 min" in hidden


def test_a_timeline_of_many_series_is_made_of_pictures_that_fit_on_paper() -> None:
    spans = [Span(f"{n} CT", NINE + timedelta(minutes=n), NINE + timedelta(minutes=n), 1) for n in range(95)]
    pictures = picture(timeline("time", "Series", spans)).findall(".//svg")
    assert [one.findtext("title") for one in pictures][::9] == [
        "Series: series 1 to 10 of 95",
        "Series: series 91 to 95 of 95",
    ]
    assert max(int(one.attrib["height"]) for one in pictures) < 300
    drawn = [one.findtext("text") for part in pictures for one in part.findall("g") if "CT" in told_of(one)]
    assert drawn == [span.name for span in spans]
    scales = {tuple(label.text for label in part.findall("text")) for part in pictures}
    assert len(scales) == 1


def test_days_stack_verdicts_and_mark_what_happened() -> None:
    days = [Day(date(2026, 3, 1), 1, 2, 7), Day(date(2026, 3, 2)), Day(date(2026, 3, 3), 0, 0, 5)]
    marks = [Mark(date(2026, 3, 2), "ruleset 2"), Mark(date(2020, 1, 1), "before")]
    chart = verdicts_by_day("days", "Verdicts", days, marks=marks)
    assert told(chart)[0] == "2026-03-01: 1 BLOCKED, 2 NEEDS_REVIEW, 7 READY"
    assert told(chart)[-1] == "2026-03-02: ruleset 2"
    assert figures(chart)[2] == ["2026-03-02", "0", "0", "0", "ruleset 2"]
    assert "before" not in chart


def test_nothing_is_a_chart_too() -> None:
    empty = [
        bars("a", "Nothing", []),
        slice_strip("c", "Nothing", SliceStrip([])),
        timeline("d", "Nothing", []),
        verdicts_by_day("e", "Nothing", []),
    ]
    for chart in empty:
        assert picture(chart).findtext(".//svg/title") == "Nothing"
        assert picture(chart).findtext(".//desc")
    assert sparkline([], title="nothing") == ""
    assert "first 1, last 3, highest 5" in sparkline([1, 5, 3], title="studies")


@given(name=_TEXT)
def test_a_text_of_anybody_stays_text_in_a_heat_map(name: str) -> None:
    chart = heat_map("b", "Model", [("PAT", name)], [HeatRow(name, 2, {"PAT": Cell(1, 2)})], note=name)
    assert picture(chart).findtext(".//tbody//bdi") == name
    elements = {element.tag for element in picture(chart).iter()}
    assert elements <= {*ELEMENTS, "bdi", "small", "p"}


@given(name=_TEXT)
def test_a_text_of_anybody_stays_text(name: str) -> None:
    for chart in (
        bars("a", name, [Bar(name, 1)]),
        slice_strip("c", name, SliceStrip([0, 1], 1)),
        timeline("d", name, [Span(name, NINE, NINE, 1)]),
        verdicts_by_day("e", name, [Day(date(2026, 3, 1), 1)], marks=[Mark(date(2026, 3, 1), name)]),
    ):
        assert picture(chart).findtext(".//svg/title") == name
        elements = {element.tag for element in picture(chart).iter()}
        assert elements <= ELEMENTS, elements - ELEMENTS
        assert not [element for element in picture(chart).iter() if "style" in element.attrib]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_can_be_told_apart(scheme: int) -> None:
    """WCAG 2.2: 1.4.3 for text, 1.4.11 for marks, in the light and the dark scheme."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    colours = dict(re.findall(r"--chart-([a-z0-9-]+): (#[0-9a-f]{6})", blocks[scheme]))
    surface = colours["surface"]
    for mark in ("block", "review", "ready", "note"):
        assert contrast(colours[mark], surface) >= 3, mark
    for text in ("text", "quiet"):
        assert contrast(colours[text], surface) >= 4.5, text
        assert contrast(colours[text], colours["pause"]) >= 4.5, text
    for heat in range(6):
        assert contrast(colours[f"heat-{heat}-text"], colours[f"heat-{heat}"]) >= 4.5, heat
