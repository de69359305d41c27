from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.api.service import Service, in_one_task, running

from heltig.errors import ConfigurationError
from heltig.settings import Settings

VIEWER = "https://viewer.example"
OTHER = "https://viewer.example.evil.test"
READINESS = "/dicom-web/studies/1.1/readiness"
PREFLIGHT = {"Origin": VIEWER, "Access-Control-Request-Method": "GET"}


@pytest.fixture
async def open_to_viewer(tmp_path: Path) -> AsyncIterator[Service]:
    """A service that asks for keys, and one of whose users is a page elsewhere."""
    made = running(tmp_path / "home", auth_mode="api-key", cors_origins=(VIEWER,))
    async with in_one_task(made) as service:
        yield service


async def test_no_page_of_another_origin_may_read_unless_it_is_named(service: Service) -> None:
    answer = await service.get("/dicom-web/studies", headers={"Origin": VIEWER})
    assert "access-control-allow-origin" not in answer.headers
    assert "origin" not in answer.headers["vary"].lower()


async def test_what_a_named_origin_asks_it_may_read(open_to_viewer: Service) -> None:
    service = open_to_viewer
    await service.judged("1.1")
    key = await service.key("archive")
    # The first is answered the short way, the second is not; the others are refused or not there.
    for path, status, credentials in (
        (READINESS, 200, key),
        (f"{READINESS}?archive=main", 200, key),
        (READINESS, 401, {}),
        ("/dicom-web/studies/9.9/readiness", 404, key),
        ("/dicom-web/nothing", 404, key),
    ):
        answer = await service.get(path, headers={"Origin": VIEWER, **credentials})
        assert (path, answer.status_code) == (path, status)
        assert answer.headers["access-control-allow-origin"] == VIEWER
        assert "access-control-allow-credentials" not in answer.headers
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", [OTHER, "http://viewer.example", f"{VIEWER}:8443", "null", ""])
async def test_another_origin_may_not(open_to_viewer: Service, origin: str) -> None:
    key = await open_to_viewer.key("archive")
    answer = await open_to_viewer.get("/dicom-web/studies", headers={"Origin": origin, **key})
    assert answer.status_code == 200  # it is the browser that keeps it from the page
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]  # a shared cache must not give one what is meant for another


async def test_a_preflight_needs_no_key_and_says_what_may_be_asked(open_to_viewer: Service) -> None:
    asked = PREFLIGHT | {"Access-Control-Request-Headers": "authorization"}
    answer = await open_to_viewer.client.options(READINESS, headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == VIEWER
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    other = await open_to_viewer.client.options(READINESS, headers=asked | {"Origin": OTHER})
    assert "access-control-allow-origin" not in other.headers
    assert "access-control-allow-methods" not in other.headers


async def test_pages_are_not_opened(open_to_viewer: Service) -> None:
    key = await open_to_viewer.key("reader")
    answer = await open_to_viewer.get("/", headers={"Origin": VIEWER, **key})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


async def test_without_authentication_a_named_origin_may_send_too(tmp_path: Path) -> None:
    async with running(tmp_path / "home", cors_origins=(VIEWER,)) as service:
        for origin, status in ((VIEWER, 200), (OTHER, 403)):
            headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
            answer = await service.post("/dicom-web/studies/readiness", json=["1.1"], headers=headers)
            assert (origin, answer.status_code) == (origin, status)


@pytest.mark.parametrize("origin", ["*", "null", "viewer.example", f"{VIEWER}/", "https://*.example"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="HELTIG_CORS_ORIGINS"):
        Settings(cors_origins=(origin,))
