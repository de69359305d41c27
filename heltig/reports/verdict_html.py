"""Stored verdicts as one HTML file: to be read in a browser, sent to someone, or printed."""

import heapq
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Template
from markupsafe import Markup

from heltig import __version__, charts
from heltig.reports import reasons
from heltig.reports.charts import verdict_bar
from heltig.reports.rendering import BASE_STYLE, environment
from heltig.reports.study_pictures import StudyPictures
from heltig.reports.verdict_about import About
from heltig.reports.verdict_figures import (
    Figure,
    Tally,
    VerdictFigures,
    by_period,
)
from heltig.reports.verdict_line import VerdictLine
from heltig.rules.catalogue import catalogue
from heltig.rules.finding import Finding
from heltig.verdict import READINESS

LISTED: Final = 1000
"""Studies that are listed, the worst; CSV, JSON and NDJSON have all of them."""

SHOWN: Final = 50
"""Studies that are shown with all their findings."""

RULES: Final = 20
ROWS: Final = 15
FAMILIES: Final = 12
DAYS: Final = 92
"""What is drawn; tables have as many rows as `VALUES`."""

VALUES: Final = 40

_ORDER: Final = {"BLOCKED": 0, "NEEDS_REVIEW": 1, "READY": 3}
_PLAIN: Final = re.compile(r"[^A-Za-z0-9 .,:;()/-]")


class _Worst:
    """The worst studies of many, those that came first before others that are alike."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[tuple[int, int], VerdictLine]] = []
        self._number = 0

    def add(self, line: VerdictLine) -> None:
        """One more study."""
        key = (-_ORDER.get(line.standing or "", 2), -self._number)
        self._number += 1
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, (key, line))
        elif key > self._heap[0][0]:
            heapq.heapreplace(self._heap, (key, line))

    def lines(self) -> list[VerdictLine]:
        """The worst first."""
        return [line for _, line in sorted(self._heap, key=lambda pair: pair[0], reverse=True)]


async def written(
    lines: AsyncIterable[VerdictLine], about: About, *, pictures: StudyPictures | None = None
) -> AsyncIterator[str]:
    """The report, in pieces; the first has the whole style sheet.

    Args:
        lines: The studies.
        about: What it is about.
        pictures: Of the one study that it is about.
    """
    yield _template().module.begin(about, style(about))  # type: ignore[attr-defined]
    tally, worst = Tally(), _Worst(LISTED)
    async for line in lines:
        tally.add(line)
        worst.add(line)
    for piece in _body(about, tally.figures(), worst.lines(), pictures):
        yield piece


def study_page(line: VerdictLine, about: About, pictures: StudyPictures | None) -> str:
    """The report of one study, at once."""
    tally = Tally()
    tally.add(line)
    begin: str = _template().module.begin(about, style(about))  # type: ignore[attr-defined]
    return "".join([begin, *_body(about, tally.figures(), [line], pictures)])


def _body(
    about: About, figures: VerdictFigures, listed: Sequence[VerdictLine], pictures: StudyPictures | None
) -> Iterator[str]:
    module: Any = _template().module
    is_study = about.kind == "study"
    if not is_study:
        yield module.summary(
            about,
            figures.total,
            verdict_bar(figures.total.verdicts),
            READINESS,
            list(_charts(figures)),
            _tables(figures),
            VALUES,
        )
        yield module.listing(listed, figures.total.studies, SHOWN)
    for number, line in enumerate(listed[:SHOWN], 1):
        if is_study or line.findings or line.errors:
            drawn = list(pictures.drawn(redact=about.redacted)) if pictures else []
            yield module.study(
                line, number, _parts_of(line), drawn, pictures.left_out if pictures else 0, is_study
            )
    yield module.end(about, _judged_with(listed), __version__, is_study)


def _parts_of(line: VerdictLine) -> Mapping[str, Any]:
    return {
        "groups": reasons.together(line.findings),
        "unseen": reasons.unseen(line.not_evaluable),
        "required": reasons.unseen(rule for rule in line.not_evaluable if rule.required),
        "manuals": _manuals(line.findings),
    }


def _manuals(findings: Iterable[Finding]) -> dict[str, str]:
    known = catalogue()
    return {f.rule: known[f.rule].manual["Why"] for f in findings if f.rule in known and f.severity != "note"}


def _judged_with(listed: Iterable[VerdictLine]) -> list[tuple[str, str, str, str, str]]:
    """The rulesets and profiles that gave the verdicts, each once."""
    found = dict.fromkeys(
        (
            line.ruleset.version,
            line.ruleset.hash,
            line.ruleset.standard,
            line.profile.name,
            line.profile.hash,
        )
        for line in listed
        if line.ruleset and line.profile
    )
    return list(found)


def _charts(figures: VerdictFigures) -> Iterator[Markup]:
    periods, span = by_period(figures.days, most=DAYS)
    if periods:
        days = [
            charts.Day(
                one.begin,
                one.verdicts.get("BLOCKED", 0),
                one.verdicts.get("NEEDS_REVIEW", 0),
                one.verdicts.get("READY", 0),
            )
            for one in periods
        ]
        yield charts.verdicts_by_day("verdicts-by-day", f"Verdicts a {span} (UTC)", days, span=span)
    loud = [rule for rule in figures.rules if rule.severity != "note"]
    loud.sort(key=lambda rule: (-rule.studies, rule.rule))
    if loud:
        found = [charts.Bar(rule.rule, rule.studies, rule.severity) for rule in loud[:RULES]]
        yield charts.bars("top-rules", "Rules that object to the most studies", found)
    for id, what, values in (
        ("heat-models", "device", figures.models),
        ("heat-locations", "location", figures.locations),
    ):
        if what == "device" or len(values) > 1:
            yield from _heat(id, what, values, figures)


def _heat(id: str, what: str, values: Sequence[Figure], figures: VerdictFigures) -> Iterator[Markup]:
    rows = [one.value for one in values[:ROWS]]
    shares = [share for share in figures.shares if share.value in rows]
    failing: dict[str, int] = {}
    for share in shares:
        failing[share.family] = failing.get(share.family, 0) + share.failing
    columns = sorted(failing, key=lambda family: -failing[family])[:FAMILIES]
    if not columns:
        return
    judged = {one.value: sum(one.verdicts.values()) for one in values}
    named = {value: value or "no device named" for value in rows}
    cells = {(named[value], family): charts.Cell(0, judged[value]) for value in rows for family in columns}
    for share in shares:
        if share.family in columns:
            cells[named[share.value], share.family] = charts.Cell(share.failing, share.studies)
    title = f"Share of studies with a finding that blocks or needs review, by {what} and family of rules"
    yield charts.heat_map(id, title, [named[value] for value in rows], columns, cells)


def _tables(figures: VerdictFigures) -> list[tuple[str, Sequence[Figure], str]]:
    found: list[tuple[str, Sequence[Figure], str]] = [
        ("Modality", figures.modalities, "none named"),
        ("Manufacturer", figures.manufacturers, "none named"),
        ("Station", figures.stations, "none named"),
        ("Day of judging (UTC)", figures.days, "not judged yet"),
    ]
    return [("Location", figures.locations, ""), *found] if len(figures.locations) > 1 else found


def style(about: About) -> str:
    """The style sheet: with the running head, which only a style sheet can put on paper."""
    head = _quoted(f"Heltig: {about.title}")
    when = f"{about.written:%Y-%m-%d %H:%M} UTC" if about.written else ""
    return _style() + (
        "@page { margin: 18mm 14mm 16mm; "
        f"@top-left {{ content: {head}; }} @top-right {{ content: {_quoted(when)}; }} "
        "@bottom-left { content: 'Operational QA of metadata, non-diagnostic'; } "
        "@bottom-right { content: 'Page ' counter(page) ' of ' counter(pages); } }\n"
    )


def _quoted(text: str) -> str:
    """A string of CSS, whatever is in the text."""
    cut = text if len(text) <= 90 else text[:89] + "…"
    return '"' + _PLAIN.sub(lambda found: f"\\{ord(found[0]):x} ", cut) + '"'


@cache
def _template() -> Template:
    made = environment()
    made.globals.update(day=_day)
    return made.get_template("verdicts.html")


def _day(text: str) -> str:
    """A DA value as people write days; what is none stays as it is."""
    if len(text) == 8 and text.isascii() and text.isdigit():
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:])).isoformat()
        except ValueError:
            return text
    return text


@cache
def _style() -> str:
    own = files("heltig.reports") / "style"
    sheets = (BASE_STYLE, own / "report.css", charts.STYLE, own / "verdicts.css")
    return "".join(sheet.read_text("utf-8") for sheet in sheets)
