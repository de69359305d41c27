"""`/api/v1/rules`: what is checked."""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from heltig.api.problems import responses
from heltig.api.services import Services
from heltig.errors import NotFoundError
from heltig.reports.explanation import targets_of
from heltig.rules.catalogue import catalogue, family_of, since_of
from heltig.rules.parameters import Target
from heltig.rules.rule import Level, Rule, Severity


class RuleView(msgspec.Struct, frozen=True, rename="camel"):
    """A rule in a list.

    Attributes:
        severity: Its own, which a profile can change.
        since: The version of Heltig that brought it; of a site's rule with code its distribution, of one in
            the profile empty.
    """

    id: str
    title: str
    family: str
    level: Level
    severity: Severity
    needs: list[str]
    reference: str
    since: str


class RuleManual(RuleView, frozen=True, rename="camel"):
    """A rule with its manual.

    Attributes:
        reads: Keywords of the attributes it reads.
        value_representations: It reads every attribute of these VRs.
        targets: The archives whose answers it tells; it runs only where the profile names one of them.
        finds: What it finds; `why`, `mend` and `example` likewise.
    """

    reads: list[str]
    value_representations: list[str]
    targets: list[Target]
    finds: str
    why: str
    mend: str
    example: str


@get("/api/v1/rules", responses=responses(400, 401, 403), tags=["Rules"], sync_to_thread=False)
def list_rules(
    services: NamedDependency[Services],
    family: Annotated[str | None, QueryParameter(description="Only of this family, by its title.")] = None,
    severity: FromQuery[Severity | None] = None,
    level: FromQuery[Level | None] = None,
) -> list[RuleView]:
    """List the rules, families in order, the profile's own last."""
    return [
        RuleView(**_facts(rule))
        for rule in services.profile.rules_among(catalogue()).values()
        if family in (None, family_of(rule))
        and severity in (None, rule.severity)
        and level in (None, rule.level)
    ]


@get("/api/v1/rules/{id:str}", responses=responses(400, 401, 403, 404), tags=["Rules"], sync_to_thread=False)
def show_rule(services: NamedDependency[Services], id: FromPath[str]) -> RuleManual:
    """Explain one rule."""
    rule = services.profile.rules_among(catalogue()).get(id.upper())
    if rule is None:
        raise NotFoundError("There is no rule of this id. /api/v1/rules lists them.")
    return RuleManual(
        **_facts(rule),
        reads=list(rule.reads),
        value_representations=sorted(rule.vrs),
        targets=list(targets_of(rule)),
        finds=rule.manual["Finds"],
        why=rule.manual["Why"],
        mend=rule.manual["Mend"],
        example=rule.manual["Example"],
    )


def _facts(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.title,
        "family": family_of(rule),
        "level": rule.level,
        "severity": rule.severity,
        "needs": sorted(rule.needs),
        "reference": rule.reference,
        "since": since_of(rule),
    }
