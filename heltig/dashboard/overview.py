"""The overview: how the data is, where it comes from, and what waits for somebody."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Final

import msgspec
from litestar import HttpMethod, Response, route
from markupsafe import Markup

from heltig.api.services import services_of
from heltig.charts import Day, Mark, sparkline, verdicts_by_day
from heltig.dashboard.filters import insist_on_names, number, one_of
from heltig.dashboard.heat import BY, HeatMap, heat_map, place_of
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.dashboard.pages import page
from heltig.dashboard.visibility import sight_of
from heltig.pipeline.archives import watching
from heltig.pipeline.archives.status import ArchiveStatus
from heltig.rules.catalogue import catalogue
from heltig.rules.rule import Severity
from heltig.store import alerts, study_rules
from heltig.store import overview as counts
from heltig.store.overview import Measure, Waiting
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Readiness

DAYS: Final = 30
ARRIVAL_DAYS: Final = 14
RULES_SHOWN: Final = 12

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)


class TopRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that found something in many studies.

    Attributes:
        width: Of its bar, in percent of the longest one.
        lately: Of the studies, those that came in the last seven days; `change` against the seven before.
    """

    id: str
    title: str
    severity: Severity
    studies: int
    width: float
    lately: int
    change: int


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive or a gate showed for the first time.

    Attributes:
        status: How the archive stands; None of a gate.
        line: The days as a picture.
        week: Studies of the last seven days, today too.
    """

    place: str
    status: ArchiveStatus | None
    line: Markup
    today: int
    week: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows.

    Attributes:
        chart: The verdicts of each day.
        verdicts: How many these are.
        jobs: How many are queued, and how many were given up.
        troubled: Archives that somebody should look at.
        alerts: Those that stand.
    """

    chart: Markup
    verdicts: int
    rules: tuple[TopRule, ...]
    more_rules: int
    heat: HeatMap
    arrivals: tuple[Arrivals, ...]
    pending: Waiting
    quarantined: Waiting
    jobs: Waiting
    dead: int
    troubled: int
    alerts: int
    studies: int


@route("/overview", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def show_overview(request: AnyRequest) -> Response[str]:
    """The page."""
    services = services_of(request.app.state)
    now = services.clock()
    ways = dict(BY)
    if not sight_of(principal_of(request), services.sights).searches:
        del ways["station"]  # an identifier
    insist_on_names(request.query_params, "heat", "page")
    wanted = one_of(request.query_params, "heat", BY, otherwise="source")
    by = wanted if wanted in ways else "source"
    heat_page = max(number(request.query_params, "page") or 1, 1)
    found = await services.store.read(overview, now=now, by=by, heat_page=heat_page)
    return page(
        request,
        "overview.html",
        now=now,
        shown=found,
        days=DAYS,
        arrival_days=ARRIVAL_DAYS,
        ways=ways,
    )


def overview(
    transaction: ReadTransaction, *, now: datetime, by: str = "source", heat_page: int = 1
) -> Overview:
    """Collects what the page shows. Days are those of the server's time zone, as all times on the pages.

    Args:
        transaction: Any.
        now: The time.
        by: What the heat map has a row for each of, one of `heltig.dashboard.heat.BY`.
        heat_page: Which of its rows.
    """
    begins = _days(now, DAYS)
    verdicts = counts.verdicts_between(transaction, begins)
    rules = study_rules.by_rule(transaction, since=now - _WEEK, before=now - 2 * _WEEK)
    judged = _together(counts.judged_at(transaction))
    service = watching.service_status(transaction, now=now, windows={})
    return Overview(
        chart=_verdict_chart(begins, verdicts, counts.measures_since(transaction, begins[0])),
        verdicts=sum(sum(day.values()) for day in verdicts),
        rules=_top_rules(rules),
        more_rules=max(0, len(rules) - RULES_SHOWN),
        heat=heat_map(transaction, by, judged=judged, page=heat_page),
        arrivals=_arrivals(
            counts.seen_between(transaction, _days(now, ARRIVAL_DAYS)),
            {status.name: status for status in service.archives},
        ),
        pending=counts.pending(transaction),
        quarantined=counts.quarantined(transaction),
        jobs=Waiting(sum(job.number for job in service.jobs if job.state == "queued"), service.oldest_queued),
        dead=sum(job.number for job in service.jobs if job.state in ("dead", "failed")),
        alerts=len(alerts.standing(transaction)),
        troubled=sum(status.state in ("stopped", "failing", "behind") for status in service.archives),
        studies=sum(judged.values()),
    )


def _days(now: datetime, number: int) -> list[datetime]:
    """The beginnings of some days, the last of them tomorrow's."""
    today = now.astimezone().date()
    dates = [today - n * _DAY for n in range(number - 1, -2, -1)]
    return [datetime.combine(day, time.min).astimezone() for day in dates]


def _verdict_chart(
    begins: Sequence[datetime], verdicts: Sequence[Mapping[Readiness, int]], measures: Sequence[Measure]
) -> Markup:
    days = [
        Day(begin.date(), found.get("BLOCKED", 0), found.get("NEEDS_REVIEW", 0), found.get("READY", 0))
        for begin, found in zip(begins, verdicts, strict=False)
    ]
    happened: dict[datetime, list[str]] = {}
    for measure in measures:
        local = measure.at.astimezone()
        begin = next(time for time in reversed(begins) if time <= local)
        happened.setdefault(begin, []).append(f"{measure.kind} {measure.name}")
    marks = [
        Mark(begin.date(), "new: " + ", ".join(dict.fromkeys(texts))) for begin, texts in happened.items()
    ]
    return verdicts_by_day("verdicts", f"Verdicts a day, {DAYS} days", days, marks=marks)


def _top_rules(found: Sequence[study_rules.RuleCount]) -> tuple[TopRule, ...]:
    """Those of most studies; what only notes comes after what asks for something."""
    ordered = sorted(found, key=lambda rule: (rule.severity == "note", -rule.total, rule.rule))
    top = ordered[:RULES_SHOWN]
    longest = max((rule.total for rule in top), default=1)
    known = catalogue()
    return tuple(
        TopRule(
            id=rule.rule,
            title=known[rule.rule].title if rule.rule in known else "",
            severity=rule.severity,
            studies=rule.total,
            width=round(max(100 * rule.total / longest, 1), 1),
            lately=rule.lately,
            change=rule.lately - rule.earlier,
        )
        for rule in top
    )


def _arrivals(
    seen: Mapping[Location, Sequence[int]], statuses: Mapping[str, ArchiveStatus]
) -> tuple[Arrivals, ...]:
    places = {Location("archive", name) for name in statuses} | set(seen)
    rows = []
    for place in sorted(places, key=lambda place: (place.kind, place.name)):
        numbers = seen.get(place, [0] * ARRIVAL_DAYS)
        rows.append(
            Arrivals(
                place=str(place),
                status=statuses.get(place.name) if place.kind == "archive" else None,
                line=sparkline(numbers, title=f"Studies a day at {place.name}"),
                today=numbers[-1],
                week=sum(numbers[-7:]),
            )
        )
    return tuple(rows)


def _together(judged: Mapping[Location, int]) -> dict[str, int]:
    """All uploads as one place."""
    found: dict[str, int] = {}
    for location, studies in judged.items():
        found[place_of(location)] = found.get(place_of(location), 0) + studies
    return found


OVERVIEW: Final = (show_overview,)
"""The routes."""
