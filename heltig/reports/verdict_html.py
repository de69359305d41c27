"""Stored verdicts as one HTML file: to be read in a browser, sent to someone, or printed."""

import heapq
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final

from markupsafe import Markup

from heltig import __version__, charts
from heltig.reports import reasons
from heltig.reports.charts import verdict_bar
from heltig.reports.rendering import BASE_STYLE, LISTED, SHOWN, environment, running_head
from heltig.reports.study_pictures import StudyPictures
from heltig.reports.verdict_about import About
from heltig.reports.verdict_figures import (
    Figure,
    Share,
    Tally,
    VerdictFigures,
    by_period,
)
from heltig.reports.verdict_line import VerdictLine
from heltig.reports.wording import FAMILIES
from heltig.rules.catalogue import catalogue
from heltig.rules.finding import Finding
from heltig.verdict import READINESS

RULES: Final = 20
ROWS: Final = 15
DAYS: Final = 92
"""What is drawn; tables have as many rows as `VALUES`."""

VALUES: Final = 40

_ORDER: Final = {"BLOCKED": 0, "NEEDS_REVIEW": 1, "READY": 3}


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
    yield _macros().begin(about, style(about))
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
    begin: str = _macros().begin(about, style(about))
    return "".join([begin, *_body(about, tally.figures(), [line], pictures)])


def _body(
    about: About, figures: VerdictFigures, listed: Sequence[VerdictLine], pictures: StudyPictures | None
) -> Iterator[str]:
    module = _macros()
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
        yield charts.bars("top-rules", "Rules by studies affected", found)
    for id, by, values in (
        ("heat-models", "Model", figures.models),
        ("heat-locations", "Source", figures.locations),
    ):
        if by == "Model" or len(values) > 1:
            yield from _heat(id, by, values, figures.shares)


def _heat(id: str, by: str, values: Sequence[Figure], shares: Iterable[Share]) -> Iterator[Markup]:
    fields: dict[str, dict[str, charts.Cell]] = {one.value: {} for one in values[:ROWS]}
    for share in shares:
        if share.value in fields:
            fields[share.value][share.family] = charts.Cell(share.failing, share.studies)
    families = sorted({family for cells in fields.values() for family in cells})
    if not families:
        return
    rows = [
        charts.HeatRow(one.value or "None named", sum(one.verdicts.values()), fields[one.value])
        for one in values[:ROWS]
    ]
    more = f"{len(values) - ROWS:,} more are not shown. " if len(values) > ROWS else ""
    several = "A study that comes from several counts in each." if by == "Model" else ""
    yield charts.heat_map(
        id, by, [(family, FAMILIES.get(family, "")) for family in families], rows, note=more + several
    )


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
    when = f"{about.written:%Y-%m-%d %H:%M} UTC" if about.written else ""
    return _style() + running_head(f"Heltig: {about.title}", when)


@cache
def _macros() -> Any:
    """The macros of the template: what mypy cannot know."""
    made = environment()
    made.globals.update(day=_day)
    return made.get_template("verdicts.html").module


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
    sheets = (BASE_STYLE, own / "report.css", charts.STYLE, own / "verdicts.css", own / "paper.css")
    return "".join(sheet.read_text("utf-8") for sheet in sheets)
