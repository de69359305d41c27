"""What OpenAPI describes is what the service does, for any request: no 500, nothing undocumented."""

from collections.abc import Iterator
from pathlib import Path

import pytest
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

from heltig.app import create_app
from heltig.settings import Settings

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@schemathesis.serializer("application/zip", "application/x-zip-compressed")
def as_it_is(context: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeltigServer]:
    with heltig_server(tmp_path_factory.mktemp("heltig")) as server:
        yield server


ENDLESS = "/dicom-web/changefeed/stream"
"""Its answer is read to its end here, and has none; tests/integration/test_stream.py has what it refuses."""

described = create_app(Settings(home=Path("unused"))).openapi_schema.to_schema()
schema = schemathesis.openapi.from_dict(described).exclude(path=ENDLESS)


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_request(case: schemathesis.Case, server: HeltigServer) -> None:
    case.call_and_validate(base_url=server.url, checks=CHECKS, timeout=30)
