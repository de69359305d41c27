import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import structlog

from heltig.errors import StorageError
from heltig.logs import configure_logging, described

MARK = "Doe^Jane"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_of_json_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(watched=False)
    logging.getLogger("heltig.jobs").warning("Job %d: it failed", 3)
    structlog.get_logger("heltig.access").info("request", status=200)
    first, second = lines(capsys)
    assert (first["event"], first["level"], first["logger"]) == ("Job 3: it failed", "warning", "heltig.jobs")
    assert (second["event"], second["status"]) == ("request", 200)
    assert str(first["timestamp"]).endswith("Z")


def test_exceptions_without_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(watched=False)
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
    configure_logging(watched=False)
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("http://archive.example/studies", params={"PatientName": MARK})
    logging.getLogger("uvicorn.access").info("GET /dicom-web/studies?PatientName=%s", MARK)
    assert capsys.readouterr().err == ""
