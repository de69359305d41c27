import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import get
from unit.api.service import Service, together

from heltig.api.problems import RefusedError
from heltig.auth import policy
from heltig.errors import ArchiveError, ConfigurationError, HeltigError, StorageError

PROBLEM = "application/problem+json"
MARK = "Doe^Jane"


@together
async def test_no_such_path(shared: Service) -> None:
    answer = await shared.get(f"/nothing/{MARK}?PatientName={MARK}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    assert answer.json()["title"] == "Not found"
    assert MARK not in answer.text


@together
async def test_no_such_method(shared: Service) -> None:
    for path in ("/api/v1/rules", "/dicom-web/studies", "/health"):
        answer = await shared.client.delete(path)
        assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
        assert answer.json()["type"] == "/problems/method-not-allowed"
        assert "GET" in answer.headers["allow"]


@together
async def test_a_wrong_parameter_is_named(shared: Service) -> None:
    answer = await shared.get(f"/api/v1/studies?limit=many&order=worst&rule={MARK}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    problem = answer.json()
    assert [(error["name"], error["place"]) for error in problem["errors"]] == [("limit", "query")]
    assert problem["title"] == "Request not understood"
    assert MARK not in answer.text


@together
@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("studies?bogus=1", {"bogus": "There are age, limit, location,"}),
        ("studies?locaton=main&rule=A&rul=B", {"locaton": "Do you mean location?", "rul": "mean rule?"}),
        ("studies/1.2/findings?sverity=block", {"sverity": "Do you mean severity?"}),
        ("jobs?wanted_state=failed", {"wanted_state": "There are before, group, kind, limit, state."}),
        ("rules?famly=Patient", {"famly": "Do you mean family?"}),
        ("waivers?data=1", {"data": "There are limit, location,"}),
        ("archives?name=vna", {"name": "this route has none."}),
    ],
)
async def test_a_parameter_that_a_route_does_not_know_is_refused(
    shared: Service, query: str, errors: dict[str, str]
) -> None:
    answer = await shared.get(f"/api/v1/{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    said = {error["name"]: error for error in answer.json()["errors"]}
    assert said.keys() == errors.keys()
    for name, advice in errors.items():
        assert advice in said[name]["detail"]
        assert said[name]["place"] == "query"


@together
async def test_dicomweb_ignores_parameters_that_it_does_not_know(shared: Service) -> None:
    assert (await shared.get("/dicom-web/studies?bogus=1")).status_code == 200


@together
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/studies"])
async def test_a_parameter_has_the_name_that_was_sent(shared: Service, path: str) -> None:
    (error,) = (await shared.get(f"{path}?state=wrong")).json()["errors"]
    assert (error["name"], error["place"]) == ("state", "query")


@together
@pytest.mark.parametrize(
    ("body", "name", "detail"),
    [
        (b"{}", "body", "Expected `array`, got `object`"),
        (b"[1]", "body[0]", "Expected `str`, got `int`"),
        (b'["1.2", "1.3", null]', "body[2]", "Expected `str`, got `null`"),
        (b"[]", "body", "Expected `array` of length >= 1"),
        (b"", "body", "It is missing"),
    ],
)
async def test_a_wrong_body_is_called_body(shared: Service, body: bytes, name: str, detail: str) -> None:
    answer = await shared.post("/dicom-web/studies/readiness", content=body)
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"name": name, "detail": detail, "place": "body"}]


async def test_a_fault_of_our_own_says_nothing_of_the_data(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    @get("/api/v1/rules/broken/now")
    async def broken() -> None:
        raise ValueError(MARK)

    @get("/api/v1/rules/locked/now")
    async def locked() -> None:
        raise StorageError("The database is locked.", retry_after=2.4)

    service.app.register(broken)
    service.app.register(locked)
    routes = {"GET /api/v1/rules/broken/now": "rules", "GET /api/v1/rules/locked/now": "rules"}
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(policy, "ROUTES", {**policy.ROUTES, **routes})
        answer = await service.get("/api/v1/rules/broken/now")
        assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
        assert answer.json()["type"] == "/problems/internal"
        assert answer.json()["requestId"] in caplog.text
        assert MARK not in answer.text
        answer = await service.get("/api/v1/rules/locked/now")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert answer.json()["detail"] == "The database is locked."


def every_error(kind: type[HeltigError]) -> Iterator[type[HeltigError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every_error(below)


def test_every_kind_of_problem_stands_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs/api.md").read_text("utf-8")
    answered = {
        error
        for error in every_error(HeltigError)
        if error.__module__.startswith(("heltig.errors", "heltig.api"))
    }
    ours = {
        error for error in answered if not issubclass(error, ArchiveError | ConfigurationError | RefusedError)
    }
    assert len(ours) > 10
    rows = [line.replace(",", " ").split() for line in page.splitlines() if line.startswith("| /problems/")]
    for error in ours:
        assert any(error.problem_type in row and str(error.status) in row for row in rows), error
