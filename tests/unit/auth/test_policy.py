import re
from pathlib import Path
from typing import get_args

import pytest

from heltig.app import create_app
from heltig.auth.policy import OPEN_TO, ROUTES, area_table, refusal, table
from heltig.auth.principal import AREAS, CONSULT, LOCAL, ROLES, Area, Principal, Role
from heltig.settings import Settings

ROOT = Path(__file__).parents[3]
API_PAGE = ROOT / "docs/api.md"


def test_every_route_is_in_the_policy_and_nothing_else(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path))
    served = {
        f"{method} {route.path_format}"
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method not in ("OPTIONS", "HEAD")
    }
    assert served == set(ROUTES)


def test_roles_and_areas_are_all_described() -> None:
    assert set(get_args(Role)) == set(ROLES)
    assert set(get_args(Area)) == set(AREAS) == set(OPEN_TO)


def test_the_table_stands_in_the_documentation() -> None:
    page = API_PAGE.read_text("utf-8")
    assert table() in page
    assert area_table() in page


def test_every_rule_that_refuses_stands_in_the_documentation() -> None:
    parts = [ROOT / "heltig" / part for part in ("auth", "api", "dashboard")]
    sources = [file.read_text("utf-8") for part in parts for file in part.rglob("*.py")]
    raised = {
        rule for text in sources for rule in re.findall(r'(?:UnprovenError|Refusal)\(\s*"([a-z-]+)"', text)
    }
    assert len(raised) > 10
    told = set(re.findall(r"`([a-z-]+)`", (ROOT / "docs/identity.md").read_text("utf-8")))
    assert raised <= told


@pytest.mark.parametrize(
    ("role", "route", "rule"),
    [
        ("archive", "GET /dicom-web/studies/{study}/readiness", None),
        ("archive", "GET /dicom-web/studies", None),
        ("archive", "GET /api/v1/studies", "role"),
        ("researcher", "POST /dicom-web/studies/readiness", None),
        ("researcher", "GET /dicom-web/studies", "role"),
        ("auditor", "GET /api/v1/jobs", None),
        ("auditor", "GET /consult/studies/{study}", "role"),
        ("reader", "POST /api/v1/jobs/upload", "role"),
        ("qa_operator", "POST /api/v1/jobs/upload", None),
        ("reader", "GET /api/v1/waivers", None),
        ("auditor", "GET /api/v1/waivers", "role"),
        ("reader", "POST /api/v1/waivers", "role"),
        ("qa_operator", "DELETE /api/v1/waivers/{id}", "role"),
        ("reviewer", "POST /api/v1/waivers", None),
        ("reviewer", "DELETE /api/v1/waivers/{id}", None),
        ("reviewer", "POST /api/v1/rescore", "role"),
        ("qa_operator", "POST /api/v1/rescore", None),
        ("reviewer", "POST /api/v1/archives", "role"),
        ("qa_operator", "PATCH /api/v1/archives/{id}", None),
        ("auditor", "GET /api/v1/archives/{id}", None),
        ("reader", "POST /api/v1/archives/{id}/test", "role"),
        ("admin", "GET /nowhere", "route"),
        ("admin", "DELETE /api/v1/studies", "route"),
        ("reader", "HEAD /api/v1/studies", None),
    ],
)
def test_who_may_do_what(role: Role, route: str, rule: str | None) -> None:
    method, _, template = route.partition(" ")
    refused = refusal(Principal("somebody", frozenset({role})), method, template)
    assert (refused.rule if refused else None) == rule
    if refused:
        assert route.replace("HEAD", "GET") in refused.detail


def test_without_a_name_only_what_is_public() -> None:
    for route, area in ROUTES.items():
        method, _, template = route.partition(" ")
        refused = refusal(None, method, template)
        assert (refused is None) == (area == "public")
        assert refused is None or refused.rule == "identity"


def test_a_key_that_is_limited_to_areas() -> None:
    limited = Principal("key:x", frozenset({"admin"}), frozenset({"rules"}))
    assert refusal(limited, "GET", "/api/v1/rules") is None
    refused = refusal(limited, "GET", "/api/v1/jobs")
    assert refused
    assert refused.rule == "area"
    assert "limited to rules" in refused.detail


def test_the_consult_listener_gives_look_ups_only() -> None:
    opened = {r for r in ROUTES if refusal(CONSULT, *r.split(" ")) is None and ROUTES[r] != "public"}
    assert opened == {route for route, area in ROUTES.items() if area == "look-up"}
    assert all(refusal(LOCAL, *route.split(" ")) is None for route in ROUTES)
