"""What OpenAPI describes is what the service does, for any request of anybody: no 500, nothing undocumented.

Each request is made by an administrator, to whom every route is open, and by one of the other roles or by
nobody, in turn.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from servers.heltig_server import HeltigServer, heltig_server
from servers.keys import NOBODY, keys

from heltig.app import create_app
from heltig.auth.policy import OPEN_TO, ROUTES
from heltig.auth.principal import ROLES, known_role
from heltig.settings import Settings

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
CHECKS_OF_OTHERS = [not_a_server_error, content_type_conformance, status_code_conformance]
OTHERS = [NOBODY, *(role for role in ROLES if role != "admin")]


@schemathesis.serializer("application/zip", "application/x-zip-compressed", "application/offset+octet-stream")
def as_it_is(context: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeltigServer]:
    unlimited = {"limit_changes": "0", "limit_refused": "0"}
    with heltig_server(tmp_path_factory.mktemp("heltig"), auth_mode="api-key", **unlimited) as server:
        yield server


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """A connection that stays: to open one for each of thousands of requests takes as long as the answers."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture(scope="module")
def headers(server: HeltigServer) -> Mapping[str, dict[str, str]]:
    return keys(server.home)


ENDLESS = "/dicom-web/changefeed/stream"
"""Its answer is read to its end here, and has none; tests/integration/test_stream.py has what it refuses."""

described = create_app(Settings(home=Path("unused"))).openapi_schema.to_schema()
# Of a route with several paths they come in any order; each process of the tests has to find the same one.
described["paths"] = dict(sorted(described["paths"].items()))
schema = schemathesis.openapi.from_dict(described).exclude(path=ENDLESS)
asked: Counter[str] = Counter()


@schema.parametrize()
@settings(
    max_examples=5,  # beside those that are made of the boundaries of each parameter
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_request(
    case: schemathesis.Case,
    server: HeltigServer,
    session: requests.Session,
    headers: Mapping[str, dict[str, str]],
) -> None:
    if str((case.query or {}).get("wait", "")).isdigit():
        case.query["wait"] = 0  # it would wait for a study that never comes
    route = f"{'GET' if case.method == 'HEAD' else case.method.upper()} {case.path}"
    other = OTHERS[asked[route] % len(OTHERS)]
    asked[route] += 1
    asks = {"base_url": server.url, "session": session, "timeout": 30}
    case.call_and_validate(headers=headers["admin"], checks=CHECKS, **asks)
    answer = case.call(headers=headers[other], **asks)
    case.validate_response(answer, checks=CHECKS_OF_OTHERS)
    area = ROUTES.get(route, "public")
    if area != "public" and known_role(other) not in OPEN_TO[area]:
        assert answer.status_code in (401 if other == NOBODY else 403, 404)  # a path may be no route's
