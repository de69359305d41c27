"""The stream of changes over a real connection."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.heltig_server import HeltigServer, heltig_server
from unit.api.service import study_zip

PATH = "/dicom-web/changefeed/stream"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeltigServer]:
    with heltig_server(tmp_path_factory.mktemp("heltig")) as server:
        yield server


def upload(server: HeltigServer, *names: str) -> None:
    for name in names:
        answer = httpx.post(f"{server.url}/api/v1/jobs/upload", content=study_zip(name), timeout=120)
        assert answer.status_code == 201


def events(answer: httpx.Response, number: int) -> list[dict[str, Any]]:
    """So many events, with their ids."""
    found: list[dict[str, Any]] = []
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line:
            if fields.get("event") == "change":
                found.append({"id": int(fields["id"]), **json.loads(fields["data"])})
            fields = {}
            if len(found) == number:
                break
        else:
            name, _, value = line.partition(": ")
            fields[name] = value
    return found


def test_changes_come_as_they_are_committed_and_none_is_missed(server: HeltigServer) -> None:
    upload(server, "ct-chest")
    with httpx.stream("GET", f"{server.url}{PATH}?since=0", timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        uploading = threading.Thread(target=upload, args=(server, "mr-spine", "two-patient-ids"))
        uploading.start()
        found = events(answer, 3)
        uploading.join()
    assert [event["id"] for event in found] == [event["sequence"] for event in found] == [1, 2, 3]
    assert found[-1]["readiness"] == "BLOCKED"
    with httpx.stream("GET", f"{server.url}{PATH}", headers={"Last-Event-ID": "2"}, timeout=60) as answer:
        assert [event["id"] for event in events(answer, 1)] == [3]


def test_a_server_with_an_open_stream_stops_in_time(tmp_path: Path) -> None:
    with heltig_server(tmp_path) as server, httpx.stream("GET", f"{server.url}{PATH}", timeout=60) as answer:
        assert next(answer.iter_lines()) == "retry: 3000"
        assert server.stop() == 0


def test_what_is_no_sequence(server: HeltigServer) -> None:
    for last in ("x", "-1", "1" * 20):
        answer = httpx.get(f"{server.url}{PATH}", headers={"Last-Event-ID": last})
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")
