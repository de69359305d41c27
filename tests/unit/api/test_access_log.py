import json
from typing import Any

import pytest
from unit.api.service import Service

from heltig.logs import configure_logging

pytestmark = pytest.mark.usefixtures("logging_restored")

MARK = "Mark^Patient"


async def test_requests_are_logged_without_what_was_asked(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("json")
    await service.get(f"/dicom-web/studies?PatientName={MARK}&PatientID={MARK}")
    await service.get(f"/dicom-web/studies?StudyDate={MARK}")
    await service.get(f"/api/v1/studies/{MARK}/findings?rule={MARK}")
    await service.get(f"/{MARK}?x={MARK}")
    await service.get(f"/api/v1/studies?limit={MARK}")
    await service.post("/dicom-web/studies/readiness", json=[MARK], headers={"User-Agent": MARK})
    await service.post("/api/v1/jobs/upload", content=MARK.encode(), params={"target": MARK})
    await service.get("/api/v1/rules", headers={"Authorization": f"Bearer {MARK}", "Cookie": MARK})
    written = capsys.readouterr().err
    assert MARK not in written
    assert "Mark" not in written
    lines = [json.loads(line) for line in written.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["route"], line["status"]) for line in requests] == [
        ("GET", "/dicom-web/studies", 200),
        ("GET", "/dicom-web/studies", 400),
        ("GET", "/api/v1/studies/{study}/findings", 404),
        ("GET", "none", 404),
        ("GET", "/api/v1/studies", 400),
        ("POST", "/dicom-web/studies/readiness", 200),
        ("POST", "/api/v1/jobs/upload", 404),
        ("GET", "/api/v1/rules", 200),
    ]
    assert {line["who"] for line in requests} == {"local", ""}
    assert all(line["ms"] >= 0 for line in requests)


async def test_a_client_that_breaks_off_an_upload_is_no_fault_of_ours(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("json")
    sent = [{"type": "http.request", "body": b"PK", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return sent.pop(0) if len(sent) > 1 else sent[0]

    async def send(message: Any) -> None:
        pass  # nobody is there

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/v1/jobs/upload",
        "raw_path": b"/api/v1/jobs/upload",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8042"), (b"content-type", b"application/zip")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8042),
    }
    await service.app(scope, receive, send)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line["event"] != "audit.anchor"]
    assert (line["route"], line["status"], line["level"]) == ("/api/v1/jobs/upload", 499, "info")
    assert service.spooled() == []


async def test_look_ups_that_succeed_are_not_worth_a_line(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    await service.judged("1.2.3")
    configure_logging("json")
    await service.get("/dicom-web/studies/1.2.3/readiness")
    await service.get("/consult/studies/1.2.3")
    await service.get("/health")
    assert capsys.readouterr().err == ""
    await service.get("/dicom-web/studies/9.9/readiness")
    assert '"status": 404' in capsys.readouterr().err
