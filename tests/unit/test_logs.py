import json
import logging
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog
from unit.store.samples import NOW

from heltig.errors import StorageError
from heltig.logs import configure_logging, described
from heltig.pipeline.pull import events
from heltig.store.breakers import Breaker
from heltig.store.jobs import Job
from heltig.store.records import Location

pytestmark = pytest.mark.usefixtures("logging_restored")

MARK = "Doe^Jane"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def job(**fields: Any) -> Job:
    values: dict[str, Any] = dict.fromkeys(Job.__struct_fields__)
    return Job(
        **values | {"id": 1, "attempts": 10, "started": NOW, "finished": NOW + timedelta(seconds=2)} | fields
    )


def test_a_line_of_json_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    logging.getLogger("heltig.jobs").warning("Job %d: it failed", 3)
    structlog.get_logger("heltig.access").info("request", status=200)
    first, second = lines(capsys)
    assert (first["event"], first["level"], first["logger"]) == ("Job 3: it failed", "warning", "heltig.jobs")
    assert (second["event"], second["status"]) == ("request", 200)
    assert str(first["timestamp"]).endswith("Z")


def test_what_a_group_of_exceptions_holds_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    try:
        raise ExceptionGroup("some", [OverflowError(MARK), StorageError("The disk is full.")])
    except ExceptionGroup:
        logging.getLogger("heltig.working").exception("A part failed.")
    (line,) = lines(capsys)
    assert "OverflowError" in str(line["frames"])
    assert "StorageError: The disk is full." in str(line["frames"])
    assert MARK not in str(line)


def test_exceptions_without_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    try:
        raise ValueError(MARK)
    except ValueError:
        logging.getLogger("asyncio").exception("lost")
        structlog.get_logger("x").error("lost", exc_info=True)
    written = capsys.readouterr().err
    assert MARK not in written
    for line in written.splitlines():
        assert json.loads(line)["exception"] == "ValueError"
        assert "test_logs.py" in json.loads(line)["frames"][-1]


def test_our_own_errors_keep_theirs() -> None:
    assert described(StorageError("The disk is full.")) == "StorageError: The disk is full."
    assert described(KeyError(MARK)) == "KeyError"


async def test_what_is_asked_of_others_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("http://archive.example/studies", params={"PatientName": MARK})
    logging.getLogger("uvicorn.access").info("GET /dicom-web/studies?PatientName=%s", MARK)
    assert capsys.readouterr().err == ""


def test_events_have_their_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    counts = {"outcome": "looked", "new": 1, "changed": 2, "unchanged": 3, "gone": 0, "notes": [MARK]}
    events.job_end(
        job(kind="discover", state="succeeded", payload={"archive": "a", "strategy": "hot"}, result=counts)
    )
    pull = {"kind": "pull", "payload": {"archive": "a", "study": MARK}}
    events.job_end(job(**pull, state="succeeded", result={"outcome": "stored", "readiness": "READY"}))
    events.job_end(job(**pull, state="dead", error=f"ArchiveUnavailableError: It said {MARK}"))
    events.job_end(job(kind="rescore", state="failed", payload={}, error=f"KeyError: {MARK}"))
    events.settle(3)
    events.breaker(
        Location("archive", "a"),
        Breaker(
            operation="search",
            state="open",
            failures=5,
            openings=1,
            until=NOW,
            error=f"It said {MARK}",
            changed=NOW,
        ),
    )
    written = capsys.readouterr().err
    assert MARK not in written
    told = [json.loads(line) for line in written.splitlines()]
    assert [(line["event"], line["level"]) for line in told] == [
        ("poll", "info"),
        ("pull", "info"),
        ("pull", "warning"),
        ("job-end", "warning"),
        ("settle", "info"),
        ("breaker", "warning"),
    ]
    assert {"archive": "a", "strategy": "hot", "new": 1, "outcome": "looked", "seconds": 2}.items() <= told[
        0
    ].items()
    assert (told[1]["archive"], told[1]["outcome"], told[1]["readiness"]) == ("a", "stored", "READY")
    assert (told[2]["error"], told[3]["error"]) == ("ArchiveUnavailableError", "KeyError")


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text")
    events.settle(3)
    (line,) = capsys.readouterr().err.splitlines()
    assert "settle" in line
    assert "queued=3" in line
    assert "\x1b" not in line  # colours are for terminals
