"""The client of uploads against servers that do as a script says."""

import re
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from servers.scripted import HANG_UP, answer, scripted_server

from heltig import http
from heltig.errors import (
    AuthorisationError,
    HeltigError,
    InputTooLargeError,
    NotFoundError,
)
from heltig.uploading.client import ONCE, Patience, ServerError, Uploader
from heltig.uploading.packing import Zip, measured

CONTENT = b"PK-content-of-a-zip"
JOB = {"upload": {"location": "upload:x", "repeat": False}, "job": {"id": 1, "state": "succeeded"}}
TUS = {"Tus-Resumable": "1.0.0"}


def begun(offset: int) -> bytes:
    told = {"Location": "/api/v1/uploads/ab", "Upload-Offset": str(offset), **TUS}
    return answer(status=201, headers=told)


def problem(status: int, **headers: str) -> bytes:
    body = msgspec.json.encode({"title": "No", "detail": "because"})
    return answer(body, status=status, headers={**TUS, **headers})


TAKEN = answer(status=204, headers=TUS)
JUDGED = answer(msgspec.json.encode({**JOB, "readiness": "READY", "studies": []}))
JUDGING = answer(
    msgspec.json.encode({**JOB, "job": {"id": 1, "state": "running"}, "readiness": None, "studies": []})
)


class Waits:
    """Waits for nothing, and remembers for how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def package(tmp_path: Path) -> Zip:
    path = tmp_path / "a.zip"
    path.write_bytes(CONTENT)
    assert measured(path).digest == sha256(CONTENT).hexdigest()
    return measured(path)


async def sent(
    package: Zip, *script: bytes, wait: bool = True, patience: Patience = ONCE
) -> tuple[dict[str, object], list[str]]:
    """What comes of an upload, and the requests that it took, each as method, path and offset."""
    async with scripted_server(script) as server, http.client(server.root) as client:
        try:
            said = await Uploader(client, patience=patience).send(package, target="a/b", wait=wait)
        except HeltigError as error:
            return {"error": error}, server.requests
        return said, server.requests


def lines(requests: list[str]) -> list[str]:
    found = []
    for head in requests:
        offset = re.search(r"upload-offset: (\d+)", head, re.IGNORECASE)
        method, path = head.split()[:2]
        assert path.startswith("/dicom-web/")  # where this server's root is, as behind a proxy
        found.append(" ".join([method, path.removeprefix("/dicom-web"), *([offset[1]] if offset else [])]))
    return found


async def test_begun_sent_and_waited_for(package: Zip) -> None:
    said, requests = await sent(package, begun(0), TAKEN, JUDGING, JUDGED)
    assert said["readiness"] == "READY"
    assert lines(requests) == [
        "POST /api/v1/uploads?target=a%2Fb",
        "PATCH /api/v1/uploads/ab 0",
        "GET /api/v1/uploads/ab?wait=60",
        "GET /api/v1/uploads/ab?wait=60",
    ]


async def test_it_goes_on_where_the_server_has_it(package: Zip) -> None:
    waits = Waits()
    patience = Patience(tries=3, sleep=waits)
    script = [begun(0), HANG_UP, begun(7), problem(409), begun(9), TAKEN, HANG_UP, begun(19), TAKEN, JUDGED]
    said, requests = await sent(package, *script, patience=patience)
    assert said["readiness"] == "READY"
    assert [line for line in lines(requests) if "PATCH" in line] == [
        f"PATCH /api/v1/uploads/ab {offset}" for offset in (0, 7, 9, 19)
    ]
    assert len(waits.seconds) == 3
    assert max(waits.seconds) <= 0.5  # each time something had come through


async def test_all_that_was_sent_before_is_a_repeat(package: Zip) -> None:
    for offset, is_repeat in ((0, False), (18, False), (19, True)):
        said, _ = await sent(package, begun(offset), TAKEN, JUDGED)
        assert said["upload"] == {"location": "upload:x", "repeat": is_repeat}


async def test_patience_ends_and_grows_where_nothing_comes_through(package: Zip) -> None:
    waits = Waits()
    script = [begun(3), *[part for _ in range(9) for part in (HANG_UP, begun(3))]]
    said, _ = await sent(package, *script, patience=Patience(tries=6, sleep=waits))
    assert isinstance(said["error"], ServerError)
    assert len(waits.seconds) == 5
    assert waits.seconds == sorted(waits.seconds)


async def test_a_busy_server_says_how_long(package: Zip) -> None:
    waits = Waits()
    busy = problem(503, **{"Retry-After": "60"})
    said, _ = await sent(package, busy, begun(0), TAKEN, JUDGED, patience=Patience(sleep=waits))
    assert said["readiness"] == "READY"
    assert waits.seconds == [60]


async def test_a_server_that_is_away_is_not_waited_for(package: Zip) -> None:
    waits = Waits()
    said, requests = await sent(package, HANG_UP, patience=Patience(sleep=waits))
    assert isinstance(said["error"], ServerError)
    assert (len(requests), waits.seconds) == (1, [])


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("wait", [True, False])
async def test_an_old_server_gets_it_in_one_request(package: Zip, status: int, wait: bool) -> None:
    done = answer(
        msgspec.json.encode({**JOB, "readiness": "READY", "studies": []} if wait else JOB), status=201
    )
    said, requests = await sent(package, answer(status=status), done, wait=wait)
    assert said["readiness"] == ("READY" if wait else None)
    path = "/api/v1/jobs/upload" if wait else "/api/v1/jobs/upload/async"
    assert lines(requests)[1] == f"POST {path}?target=a%2Fb"
    assert f"content-length: {len(CONTENT)}" in requests[1].lower()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, AuthorisationError), (404, NotFoundError), (413, InputTooLargeError), (418, ServerError)],
)
async def test_what_the_server_says_is_wrong(package: Zip, status: int, kind: type[HeltigError]) -> None:
    for script in ([problem(status)], [begun(0), problem(status)], [begun(0), TAKEN, problem(status)]):
        said, _ = await sent(package, *script, patience=Patience(sleep=Waits()))
        assert type(said["error"]) is kind
        assert str(said["error"]) == "No: because"


@pytest.mark.parametrize("status", [404, 405])
async def test_an_address_where_no_server_is_ours(package: Zip, status: int) -> None:
    """A 404 is about the archive only where it names it."""
    said, requests = await sent(package, answer(status=status), answer(b"{}", status=status))
    assert isinstance(said["error"], ServerError)
    assert "no Heltig is there" in str(said["error"])
    assert len(requests) == 2
    named = answer(b'{"title": "Not found", "detail": "There is no archive a/b."}', status=404)
    said, _ = await sent(package, answer(status=status), named)
    assert isinstance(said["error"], NotFoundError)


@pytest.mark.parametrize(
    "first",
    [
        answer(status=201),
        answer(status=201, headers={"Location": "/x", "Upload-Offset": "-3"}),
        answer(status=201, headers={"Location": "http://other.example/x", "Upload-Offset": "0"}),
        answer(b"<html>", status=200),
    ],
)
async def test_servers_that_are_none_of_ours(package: Zip, first: bytes) -> None:
    said, requests = await sent(package, first, patience=Patience(tries=1))
    assert isinstance(said["error"], ServerError)
    assert len(requests) == 1
