"""The pages of rules: what is checked, how severe it is here, and in how many studies it found something."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.asking import went
from heltig.dashboard.filters import insist_on_names, one_of, text
from heltig.dashboard.own_forms import FORM_HEADERS, AnyRequest, insist_on_our_page, principal_of, who
from heltig.dashboard.pages import page
from heltig.errors import NotFoundError
from heltig.pipeline.again.rule_costs import KIND as TIME_RULES
from heltig.pipeline.judging import ruleset_name
from heltig.pipeline.timing import RuleCosts
from heltig.reports.explanation import facts_of
from heltig.reports.wording import FAMILIES
from heltig.rules.catalogue import catalogue
from heltig.rules.profile import Profile
from heltig.rules.rule import Rule, Severity
from heltig.store import jobs, study_rules
from heltig.store.jobs import Job
from heltig.store.study_rules import RuleCount, family_of
from heltig.store.transaction import ReadTransaction

LONGEST: Final = 64  # characters of a filter

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_WEEK: Final = timedelta(days=7)

Order: TypeAlias = Literal["family", "studies", "cost"]

_ORDERS: Final[tuple[Order, ...]] = ("family", "studies", "cost")


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in the list.

    Attributes:
        severity: In force here; None where it is switched off.
        own: Its own, where that is another.
        required: A study that it cannot be evaluated for needs a review.
        studies: In which it found something, by their verdicts as they stand; `lately` of the last 7 days.
        cost: Processor time an instance when that was last taken, in µs; None where it was not called then.
    """

    rule: Rule
    severity: Severity | None
    own: Severity | None
    required: bool
    studies: int
    lately: int
    cost: float | None = None


class Timing(msgspec.Struct, frozen=True):
    """When the time of rules was last taken; `costs` is None until that is done."""

    job: Job
    costs: RuleCosts | None


class Group(msgspec.Struct, frozen=True):
    """Rules that are shown together: all, or a family by what their ids begin with."""

    family: str
    title: str
    rows: tuple[RuleRow, ...]


@route("/rules", http_method=_GET)
async def show_rules(request: AnyRequest) -> Response[str]:
    """The list, by family or by studies."""
    services = services_of(request.app.state)
    query = request.query_params
    insist_on_names(query, "order", "text", "done")
    order = one_of(query, "order", _ORDERS, otherwise="family")
    wanted = text(query, "text", most=LONGEST)
    now = services.clock()
    counts, timing = await services.store.read(_counts_and_timing, now)
    rows = [row for row in rule_rows(services.profile, counts, timing) if _has(row.rule, wanted)]
    return page(
        request,
        "rules.html",
        now=now,
        order=order,
        text=wanted,
        groups=_grouped(rows, order),
        number=len(rows),
        finding=sum(row.studies > 0 for row in rows),
        off=sum(row.severity is None for row in rows),
        profile=services.profile,
        ruleset=ruleset_name(),
        sees_studies=_sees_studies(request),
        timing=timing,
        may_time=refusal(principal_of(request), "POST", "/rules/timing") is None,
        headers=FORM_HEADERS,
    )


@route("/rules/timing", http_method=[HttpMethod.POST])
async def take_time(request: AnyRequest) -> Response[None]:
    """Has the time of rules taken on the newest studies; nothing of these is written."""
    services = insist_on_our_page(request)
    await services.rule_costs.start(**who(request))
    return went("../rules?order=cost", "timing")


@route("/rules/{id:str}", http_method=_GET)
async def show_rule(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """A rule with its manual."""
    services = services_of(request.app.state)
    profile = services.profile
    rule = profile.rules_among(catalogue()).get(id.upper())
    if rule is None:
        raise NotFoundError("There is no rule of this id.")
    now = services.clock()
    counts, timing = await services.store.read(_counts_and_timing, now)
    found = next((count for count in counts if count.rule == rule.id), None)
    return page(
        request,
        "rule.html",
        now=now,
        rule=rule,
        row=_row(rule, profile, found, timing),
        timing=timing,
        by_severity=found.studies if found else {},
        change=found.lately - found.earlier if found else 0,
        facts={**facts_of(rule), "Family": FAMILIES.get(family_of(rule.id), "Site")},
        profile=profile,
        exceptions=[one for one in profile.exceptions if rule.id in {*one.off, *one.on, *one.severity}],
        sees_studies=_sees_studies(request),
        sees_waivers=refusal(principal_of(request), "GET", "/waivers") is None,
    )


RULES: Final = (show_rules, take_time, show_rule)
"""The routes."""


def rule_rows(profile: Profile, counts: Sequence[RuleCount], timing: Timing | None = None) -> list[RuleRow]:
    """Every rule that there is under a profile, families in their order, the profile's own last."""
    found = {count.rule: count for count in counts}
    return [
        _row(rule, profile, found.get(id), timing) for id, rule in profile.rules_among(catalogue()).items()
    ]


def _counts_and_timing(transaction: ReadTransaction, now: datetime) -> tuple[list[RuleCount], Timing | None]:
    counts = study_rules.by_rule(transaction, since=now - _WEEK, before=now - 2 * _WEEK)
    newest = jobs.newest(transaction, kind=TIME_RULES, limit=1)
    if not newest:
        return counts, None
    done = jobs.newest(transaction, kind=TIME_RULES, state="succeeded", limit=1)
    costs = msgspec.convert(done[0].result, RuleCosts) if done else None
    return counts, Timing(newest[0], costs)


def _row(rule: Rule, profile: Profile, found: RuleCount | None, timing: Timing | None) -> RuleRow:
    severity = profile.severity(rule)
    return RuleRow(
        rule=rule,
        severity=severity if profile.runs(rule.id) else None,
        own=rule.severity if severity != rule.severity else None,
        required=rule.id in profile.required,
        studies=found.total if found else 0,
        lately=found.lately if found else 0,
        cost=_cost(rule.id, timing.costs if timing else None),
    )


def _cost(rule: str, costs: RuleCosts | None) -> float | None:
    if costs is None or rule not in costs.by_rule or not costs.instances:
        return None
    return costs.by_rule[rule] / costs.instances * 1e6


def _grouped(rows: Sequence[RuleRow], order: Order) -> list[Group]:
    if order == "studies":
        found = [row for row in rows if row.studies]
        return [Group("", "", tuple(sorted(found, key=lambda row: (-row.studies, row.rule.id))))]
    if order == "cost":
        timed = [(row.cost, row) for row in rows if row.cost is not None]
        return [
            Group("", "", tuple(row for _, row in sorted(timed, key=lambda one: (-one[0], one[1].rule.id))))
        ]
    families: dict[str, list[RuleRow]] = {}
    for row in rows:
        families.setdefault(family_of(row.rule.id), []).append(row)
    return [Group(family, FAMILIES.get(family, "Site"), tuple(of)) for family, of in families.items()]


def _has(rule: Rule, text: str) -> bool:
    return text.lower() in f"{rule.id} {rule.title}".lower()


def _sees_studies(request: AnyRequest) -> bool:
    return refusal(principal_of(request), "GET", "/") is None
