from pathlib import Path
from typing import Any

from litestar import Litestar
from unit.api.service import Service

from heltig.app import create_app
from heltig.auth.policy import ROUTES
from heltig.settings import Settings

OF_PROGRAMS = ("/api/", "/consult/", "/dicom-web/", "/gate/", "/health", "/metrics")
"""What paths of routes begin with that programs ask; the others are pages."""


def described(app: Litestar) -> dict[str, Any]:
    return app.openapi_schema.to_schema()


async def test_every_route_is_described_with_its_refusals(tmp_path: Path) -> None:
    schema = described(create_app(Settings(home=tmp_path)))
    assert schema["openapi"].startswith("3.1")
    paths = {
        f"{method.upper()} {path}": operation
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        if method != "head"
    }
    assert set(paths) == {route for route in ROUTES if route.split()[1].startswith(OF_PROGRAMS)}
    for route, operation in paths.items():
        assert operation["description"], route
        if ROUTES[route] != "public":
            assert {"401", "403"} <= set(operation["responses"]), route
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert set(answer["content"]) == {"application/problem+json"}, (route, status)


async def test_it_is_served_as_json_and_asks_nobody_else(service: Service) -> None:
    for path in ("/schema", "/schema/openapi.json"):
        answer = await service.get(path)
        assert answer.headers["content-type"].endswith("json")
        assert answer.json()["info"]["title"] == "Heltig"
    assert (await service.get("/schema/swagger")).status_code in (403, 404)


async def test_uploads_describe_their_bodies(tmp_path: Path) -> None:
    paths = described(create_app(Settings(home=tmp_path)))["paths"]
    for path in ("/api/v1/jobs/upload", "/api/v1/jobs/upload/async"):
        content = paths[path]["post"]["requestBody"]["content"]
        assert {"application/zip", "multipart/form-data"} <= set(content)
    names = {parameter["name"] for parameter in paths["/dicom-web/studies"]["get"]["parameters"]}
    assert {"PatientName", "StudyDate", "includefield", "limit", "readiness"} <= names
