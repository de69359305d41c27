"""The pages of rules: what is checked, how severe it is here, and in how many studies it found something."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal, TypeAlias

import msgspec
from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from heltig.api.services import services_of
from heltig.auth.policy import refusal
from heltig.dashboard.own_forms import AnyRequest, principal_of
from heltig.dashboard.pages import page
from heltig.errors import NotFoundError
from heltig.pipeline.judging import ruleset_name
from heltig.reports.explanation import facts_of
from heltig.rules.catalogue import catalogue, family_of
from heltig.rules.profile import Profile
from heltig.rules.rule import Rule, Severity
from heltig.store import study_rules
from heltig.store.study_rules import RuleCount

LONGEST: Final = 64  # characters of a filter

_GET: Final = [HttpMethod.GET, HttpMethod.HEAD]
_WEEK: Final = timedelta(days=7)

Order: TypeAlias = Literal["family", "studies"]


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in the list.

    Attributes:
        severity: In force here; None where it is switched off.
        own: Its own, where that is another.
        required: A study that it cannot be evaluated for needs a review.
        studies: In which it found something, by their verdicts as they stand; `lately` of the last 7 days.
    """

    rule: Rule
    severity: Severity | None
    own: Severity | None
    required: bool
    studies: int
    lately: int


class Group(msgspec.Struct, frozen=True):
    """Rules that are shown together; `id` is the anchor of their heading."""

    id: str
    title: str
    rows: tuple[RuleRow, ...]


@route("/rules", http_method=_GET)
async def show_rules(request: AnyRequest) -> Response[str]:
    """The list, by family or by studies."""
    services = services_of(request.app.state)
    query = request.query_params
    order: Order = "studies" if query.get("order") == "studies" else "family"
    text = query.get("text", "").replace("\0", "").strip()[:LONGEST]
    now = services.clock()
    counts = await services.store.read(study_rules.by_rule, since=now - _WEEK, before=now - 2 * _WEEK)
    rows = [row for row in rule_rows(services.profile, counts) if _has(row.rule, text)]
    return page(
        request,
        "rules.html",
        now=now,
        order=order,
        text=text,
        groups=_grouped(rows, order),
        number=len(rows),
        finding=sum(row.studies > 0 for row in rows),
        off=sum(row.severity is None for row in rows),
        profile=services.profile,
        ruleset=ruleset_name(),
        sees_studies=_sees_studies(request),
    )


@route("/rules/{id:str}", http_method=_GET)
async def show_rule(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """A rule with its manual."""
    services = services_of(request.app.state)
    profile = services.profile
    rule = profile.rules_among(catalogue()).get(id.upper())
    if rule is None:
        raise NotFoundError("There is no rule of this id.")
    now = services.clock()
    counts = await services.store.read(study_rules.by_rule, since=now - _WEEK, before=now - 2 * _WEEK)
    found = next((count for count in counts if count.rule == rule.id), None)
    return page(
        request,
        "rule.html",
        now=now,
        rule=rule,
        row=_row(rule, profile, found),
        by_severity=found.studies if found else {},
        change=found.lately - found.earlier if found else 0,
        facts=facts_of(rule),
        profile=profile,
        exceptions=[one for one in profile.exceptions if rule.id in {*one.off, *one.on, *one.severity}],
        sees_studies=_sees_studies(request),
    )


RULES: Final = (show_rules, show_rule)
"""The routes."""


def rule_rows(profile: Profile, counts: Sequence[RuleCount]) -> list[RuleRow]:
    """Every rule that there is under a profile, families in their order, the profile's own last."""
    found = {count.rule: count for count in counts}
    return [_row(rule, profile, found.get(id)) for id, rule in profile.rules_among(catalogue()).items()]


def _row(rule: Rule, profile: Profile, found: RuleCount | None) -> RuleRow:
    severity = profile.severity(rule)
    return RuleRow(
        rule=rule,
        severity=severity if profile.runs(rule.id) else None,
        own=rule.severity if severity != rule.severity else None,
        required=rule.id in profile.required,
        studies=found.total if found else 0,
        lately=found.lately if found else 0,
    )


def _grouped(rows: Sequence[RuleRow], order: Order) -> list[Group]:
    if order == "studies":
        found = [row for row in rows if row.studies]
        return [Group("found", "", tuple(sorted(found, key=lambda row: (-row.studies, row.rule.id))))]
    families: dict[str, list[RuleRow]] = {}
    for row in rows:
        families.setdefault(family_of(row.rule), []).append(row)
    return [Group(f"family-{n}", title, tuple(of)) for n, (title, of) in enumerate(families.items())]


def _has(rule: Rule, text: str) -> bool:
    return text.lower() in f"{rule.id} {rule.title}".lower()


def _sees_studies(request: AnyRequest) -> bool:
    return refusal(principal_of(request), "GET", "/") is None
