"""Who may use which route: every route is in an area, every area is open to some roles.

A route that is not listed here is open to nobody.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.auth.principal import AREAS, ROLES, Area, Principal, Role, known_role
from heltig.errors import ConfigurationError

Access: TypeAlias = Area | Literal["public"]
"""The area of a route; `public` is open to everyone, without saying who they are."""

_PEOPLE: Final[frozenset[Role]] = frozenset({"reader", "reviewer", "qa_operator", "admin"})

OPEN_TO: Final[Mapping[Area, frozenset[Role]]] = {
    "audit": frozenset({"auditor", "admin"}),
    "look-up": _PEOPLE | {"archive", "researcher"},
    "query": _PEOPLE | {"archive"},
    "studies": _PEOPLE,
    "waivers": frozenset({"reviewer", "admin"}),
    "upload": frozenset({"qa_operator", "admin"}),
    "rescore": frozenset({"qa_operator", "admin"}),
    "jobs": _PEOPLE | {"auditor"},
    "dead-letters": frozenset({"qa_operator", "admin"}),
    "archives": _PEOPLE | {"auditor"},
    "configure": frozenset({"qa_operator", "admin"}),
    "metrics": _PEOPLE | {"auditor"},
    "rules": frozenset(ROLES),
    "pages": _PEOPLE,
    "gate": frozenset({"archive", "qa_operator", "admin"}),
    "pass-through": _PEOPLE | {"archive"},
    "quarantine": frozenset({"reviewer", "admin"}),
    "review": frozenset({"reviewer", "qa_operator", "admin"}),
    "webhooks": frozenset({"admin"}),
    "operations": frozenset({"admin"}),
    "keys": frozenset({"admin"}),
    "session": frozenset(ROLES),
    "research": frozenset({"researcher", "admin"}),
    "research-override": frozenset({"admin"}),
    "research-publish": frozenset({"researcher", "admin"}),
}

ROUTES: Final[Mapping[str, Access]] = {
    "GET /health": "public",
    "GET /health/ready": "public",
    "GET /schema": "public",
    "GET /schema/openapi.json": "public",
    "GET /schema/{path}": "public",
    "GET /dicom-web/studies": "query",
    "GET /dicom-web/studies/{study}/readiness": "look-up",
    "POST /dicom-web/studies/readiness": "look-up",
    "GET /dicom-web/studies/{study}/metadata": "query",
    "GET /dicom-web/studies/{study}/series/{series}/metadata": "query",
    "GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata": "query",
    "GET /dicom-web/studies/{study}/rejection-note": "query",
    "GET /dicom-web/changefeed": "look-up",
    "GET /dicom-web/changefeed/latest": "look-up",
    "GET /dicom-web/changefeed/stream": "look-up",
    "GET /consult/studies/{study}": "look-up",
    "POST /api/v1/jobs/upload": "upload",
    "POST /api/v1/jobs/upload/async": "upload",
    "POST /api/v1/uploads": "upload",
    "GET /api/v1/uploads/{id}": "upload",
    "PATCH /api/v1/uploads/{id}": "upload",
    "DELETE /api/v1/uploads/{id}": "upload",
    "GET /api/v1/jobs": "jobs",
    "GET /api/v1/jobs/{id}": "jobs",
    "POST /api/v1/jobs/{id}/retry": "dead-letters",
    "POST /api/v1/jobs/{id}/discard": "dead-letters",
    "GET /api/v1/studies": "studies",
    "GET /api/v1/studies/{study}": "studies",
    "GET /api/v1/studies/{study}/findings": "studies",
    "GET /api/v1/studies/{study}/proposed-changes": "studies",
    "GET /api/v1/studies/{study}/comments": "studies",
    "POST /api/v1/studies/{study}/comments": "review",
    "DELETE /api/v1/studies/{study}/comments/{id}": "review",
    "PUT /api/v1/studies/{study}/owner": "review",
    "GET /api/v1/studies/{study}/report": "studies",
    "GET /api/v1/reports": "studies",
    "GET /api/v1/studies/{study}/bundle": "studies",
    "GET /api/v1/studies/{study}/fhir/ImagingStudy": "studies",
    "GET /api/v1/studies/{study}/fhir/OperationOutcome": "studies",
    "GET /api/v1/waivers": "studies",
    "POST /api/v1/waivers": "waivers",
    "GET /api/v1/waivers/{id}": "studies",
    "DELETE /api/v1/waivers/{id}": "waivers",
    "POST /api/v1/rescore": "rescore",
    "GET /api/v1/rules": "rules",
    "GET /api/v1/rules/{id}": "rules",
    "GET /api/v1/archives": "archives",
    "POST /api/v1/archives": "configure",
    "GET /api/v1/archives/{id}": "archives",
    "PATCH /api/v1/archives/{id}": "configure",
    "DELETE /api/v1/archives/{id}": "configure",
    "POST /api/v1/archives/{id}/test": "configure",
    "POST /api/v1/archives/{id}/pause": "configure",
    "POST /api/v1/archives/{id}/resume": "configure",
    "GET /api/v1/archives/{id}/status": "archives",
    "POST /api/v1/archives/{id}/pulls": "configure",
    "POST /api/v1/archives/{id}/backfills": "configure",
    "GET /api/v1/backfills": "archives",
    "GET /api/v1/backfills/{id}": "archives",
    "GET /api/v1/backfills/{id}/report": "archives",
    "POST /api/v1/backfills/{id}/cancel": "configure",
    "GET /api/v1/comparison": "studies",
    "GET /api/v1/status": "archives",
    "POST /gate/{archive}/studies": "gate",
    "POST /gate/{archive}/studies/{study}": "gate",
    "GET /gate/{archive}/studies": "pass-through",
    "GET /gate/{archive}/series": "pass-through",
    "GET /gate/{archive}/instances": "pass-through",
    "GET /gate/{archive}/studies/{study}": "pass-through",
    "GET /gate/{archive}/studies/{study}/{resource}": "pass-through",
    "GET /api/v1/quarantine": "studies",
    "GET /api/v1/quarantine/{id}": "studies",
    "POST /api/v1/quarantine/{id}/release": "quarantine",
    "POST /api/v1/quarantine/{id}/discard": "quarantine",
    "POST /api/v1/quarantine/{id}/consent": "quarantine",
    "POST /api/v1/quarantine/{id}/decline": "quarantine",
    "GET /api/v1/webhooks": "webhooks",
    "POST /api/v1/webhooks": "webhooks",
    "GET /api/v1/webhooks/{id}": "webhooks",
    "PATCH /api/v1/webhooks/{id}": "webhooks",
    "DELETE /api/v1/webhooks/{id}": "webhooks",
    "POST /api/v1/webhooks/{id}/test": "webhooks",
    "POST /api/v1/webhooks/{id}/pause": "webhooks",
    "POST /api/v1/webhooks/{id}/resume": "webhooks",
    "GET /api/v1/webhooks/{id}/deliveries": "webhooks",
    "POST /api/v1/webhooks/{id}/deliveries/retry": "webhooks",
    "POST /api/v1/webhooks/{id}/deliveries/{job}/retry": "webhooks",
    "GET /api/v1/alerts": "archives",
    "GET /api/v1/audit": "audit",
    "POST /api/v1/ops/purge": "operations",
    "GET /api/v1/research": "research",
    "POST /api/v1/research/analyses": "research",
    "POST /api/v1/research/overrides": "research-override",
    "GET /api/v1/research/analyses": "research",
    "GET /api/v1/research/analyses/{id}": "research",
    "POST /api/v1/research/analyses/{id}/cancel": "research",
    "GET /api/v1/research/analyses/{id}/publish": "research",
    "POST /api/v1/research/analyses/{id}/publish": "research-publish",
    "GET /api/v1/research/analyses/{id}/selection": "research",
    "GET /api/v1/research/analyses/{id}/zip": "research",
    "GET /api/v1/research/analyses/{id}/outputs": "research",
    "GET /api/v1/research/analyses/{id}/outputs/{name}": "research",
    "GET /research": "research",
    "POST /research/search": "research",
    "GET /research/search/{id}": "research",
    "GET /research/{id}": "research",
    "GET /research/{id}/pictures/{name}": "research",
    "GET /research/{id}/pictures/slices/{name}": "research",
    "GET /research/{id}/zip/{part}": "research",
    "GET /research/{id}/cancel": "research",
    "POST /research/{id}/cancel": "research",
    "GET /research/{id}/publish/{archive}": "research-publish",
    "POST /research/{id}/publish/{archive}": "research-publish",
    "GET /studies/{study}/analyse": "research",
    "POST /studies/{study}/analyse": "research",
    "GET /studies/{study}/analyse/override": "research-override",
    "POST /studies/{study}/analyse/override": "research-override",
    "GET /metrics": "metrics",
    "GET /login": "public",
    "GET /login/start": "public",
    "GET /login/return": "public",
    "POST /logout": "session",
    "POST /logout/back-channel": "public",
    "GET /": "pages",
    "GET /news": "pages",
    "GET /search": "pages",
    "POST /search": "pages",
    "GET /search/{id}": "pages",
    "POST /ticked/rejudge": "rescore",
    "GET /ticked/rejudge/{id}": "rescore",
    "POST /ticked/rejudge/{id}": "rescore",
    "POST /ticked/pull": "configure",
    "GET /ticked/pull/{id}": "configure",
    "POST /ticked/pull/{id}": "configure",
    "POST /ticked/waive": "waivers",
    "GET /ticked/waive/{id}": "waivers",
    "POST /ticked/waive/{id}": "waivers",
    "POST /ticked/own": "review",
    "GET /ticked/own/{id}": "review",
    "POST /ticked/own/{id}": "review",
    "GET /studies/{study}": "pages",
    "POST /studies/{study}/comments": "review",
    "GET /studies/{study}/comments/{id}/withdraw": "review",
    "POST /studies/{study}/comments/{id}/withdraw": "review",
    "GET /studies/{study}/owner": "review",
    "POST /studies/{study}/owner": "review",
    "GET /studies/{study}/waive": "waivers",
    "POST /studies/{study}/waive": "waivers",
    "GET /waivers": "studies",
    "GET /waivers/{id}/revoke": "waivers",
    "POST /waivers/{id}/revoke": "waivers",
    "GET /studies/{study}/series": "pages",
    "GET /studies/{study}/series/{series}": "pages",
    "GET /studies/{study}/differences": "pages",
    "GET /archives": "pages",
    "GET /archives/{id}": "pages",
    "GET /add-archive": "configure",
    "POST /add-archive": "configure",
    "GET /archives/{id}/change": "configure",
    "POST /archives/{id}/change": "configure",
    "GET /archives/{id}/pause": "configure",
    "POST /archives/{id}/pause": "configure",
    "GET /archives/{id}/resume": "configure",
    "POST /archives/{id}/resume": "configure",
    "GET /archives/{id}/test": "configure",
    "POST /archives/{id}/test": "configure",
    "POST /archives/{id}/pull-study": "configure",
    "GET /archives/{id}/pull-study/{asked}": "configure",
    "POST /archives/{id}/pull-study/{asked}": "configure",
    "GET /archives/{id}/backfill": "configure",
    "POST /archives/{id}/backfill": "configure",
    "GET /archives/{id}/stop-backfill": "configure",
    "POST /archives/{id}/stop-backfill": "configure",
    "GET /overview": "pages",
    "GET /jobs": "jobs",
    "GET /jobs/{id}": "jobs",
    "GET /jobs/{id}/retry": "dead-letters",
    "POST /jobs/{id}/retry": "dead-letters",
    "GET /jobs/{id}/discard": "dead-letters",
    "POST /jobs/{id}/discard": "dead-letters",
    "GET /quarantine": "studies",
    "GET /quarantine/{id}": "studies",
    "GET /quarantine/{id}/release": "quarantine",
    "POST /quarantine/{id}/release": "quarantine",
    "GET /quarantine/{id}/discard": "quarantine",
    "POST /quarantine/{id}/discard": "quarantine",
    "GET /quarantine/{id}/consent": "quarantine",
    "POST /quarantine/{id}/consent": "quarantine",
    "GET /quarantine/{id}/decline": "quarantine",
    "POST /quarantine/{id}/decline": "quarantine",
    "GET /service": "metrics",
    "GET /rules": "rules",
    "GET /rules/{id}": "rules",
    "POST /rules/timing": "rescore",
    "GET /profiles": "rules",
    "GET /profiles/{name}": "rules",
    "POST /profiles/trials": "rescore",
    "GET /profiles/trials/{id}": "rescore",
    "GET /uploads": "upload",
    "POST /uploads": "upload",
    "GET /audit": "audit",
    "GET /keys": "keys",
    "POST /keys": "keys",
    "GET /keys/revoke": "keys",
    "POST /keys/revoke": "keys",
    "GET /sessions/end": "keys",
    "POST /sessions/end": "keys",
    "GET /static/{file_path}": "public",
}
"""The routes, by method and template. HEAD is answered to whoever may GET."""


Look: TypeAlias = Literal["patients", "audit"]
"""What somebody looks at so that the audit trail has to say so."""

LOOKS: Final[Mapping[Area, Look]] = {
    "query": "patients",
    "studies": "patients",
    "pages": "patients",
    "waivers": "patients",
    "pass-through": "patients",
    "audit": "audit",
    "research": "patients",
}
"""The areas whose routes show such, to whoever reads them."""

_NO_LOOKS: Final = frozenset(
    {
        "GET /api/v1/research",
        "GET /archives",
        "GET /archives/{id}",
        "GET /news",
        "GET /overview",
        "GET /search",
    }
)
"""Routes of these areas that do not."""


SEE_IDENTIFIERS: Final[frozenset[Role]] = frozenset({"reviewer", "qa_operator", "admin"})
"""Who sees patients' identifiers where HELTIG_IDENTIFIERS masks them, unless HELTIG_IDENTIFIERS_SHOWN_TO says
otherwise. An archive's look-ups need UIDs alone, which are none."""

_WHOLE: Final[frozenset[str]] = frozenset({"GET /dicom-web/studies/{study}/rejection-note"})
"""Routes that answer with objects as they are, which nobody can mask; those of `pass-through` beside them."""


def roles_named(names: Iterable[str]) -> frozenset[Role]:
    """The roles that a setting names; `SEE_IDENTIFIERS` where it names none.

    Raises:
        ConfigurationError: There is no such role.
    """
    roles = set[Role]()
    for name in names:
        role = known_role(name)
        if role is None:
            raise ConfigurationError(
                f"HELTIG_IDENTIFIERS_SHOWN_TO: there is no role {name}. Roles are {', '.join(ROLES)}."
            )
        roles.add(role)
    return frozenset(roles) or SEE_IDENTIFIERS


def is_whole(method: str, template: str) -> bool:
    """Whether a route answers with objects as they are, identifiers and all."""
    route = f"{'GET' if method == 'HEAD' else method} {template}"
    return route in _WHOLE or ROUTES.get(route) == "pass-through"


def look_at(method: str, template: str) -> Look | None:
    """What somebody looks at by a route, None where that is nothing of the kind.

    Args:
        method: The HTTP method.
        template: The route's path with its parameters' names.
    """
    route = f"GET {template}"
    area = ROUTES.get(route, "public")
    if method not in ("GET", "HEAD") or area == "public" or route in _NO_LOOKS:
        return None
    return LOOKS.get(area)


class Refusal(msgspec.Struct, frozen=True):
    """Why somebody may not use a route.

    Attributes:
        rule: The rule of the policy that refused, in one word: `route`, `identity`, `role`, `area` or
            `identifiers`.
        detail: What the rule says, for whoever was refused.
    """

    rule: str
    detail: str


def refusal(principal: Principal | None, method: str, template: str) -> Refusal | None:
    """Why a principal may not use a route; None when they may.

    Args:
        principal: Who is asking; None when they did not say.
        method: The HTTP method.
        template: The route's path with its parameters' names, such as `/consult/studies/{study}`.
    """
    route = f"{'GET' if method == 'HEAD' else method} {template}"
    area = ROUTES.get(route)
    if area is None:
        return Refusal("route", f"{route} is in no area of the policy, so it is open to nobody.")
    if area == "public":
        return None
    if principal is None:
        return Refusal(
            "identity", f"{route} is for those who say who they are: log in, or send `Bearer` and a key."
        )
    roles = OPEN_TO[area]
    if principal.roles.isdisjoint(roles):
        allowed, has = ", ".join(sorted(roles)), ", ".join(sorted(principal.roles)) or "no role"
        return Refusal("role", f"{route} is in `{area}`, open to {allowed}. You are {principal.name}: {has}.")
    if principal.areas and area not in principal.areas:
        limit = ", ".join(sorted(principal.areas))
        return Refusal("area", f"{route} is in `{area}`. You are {principal.name}, limited to {limit}.")
    return None


def table() -> str:
    """The policy as a table in Markdown, routes by roles."""
    lines = [f"| route | area | {' | '.join(ROLES)} |", "|---|---|" + "---|" * len(ROLES)]
    for route, area in ROUTES.items():
        open_to = frozenset(ROLES) if area == "public" else OPEN_TO[area]
        marks = " | ".join("✓" if role in open_to else "" for role in ROLES)
        lines.append(f"| `{route}` | {area} | {marks} |")
    return "\n".join(lines)


def area_table() -> str:
    """The areas as a table in Markdown."""
    lines = ["| area | what it is |", "|---|---|"]
    lines += [f"| {area} | {text} |" for area, text in AREAS.items()]
    return "\n".join(lines)
