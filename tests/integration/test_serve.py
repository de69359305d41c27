"""The service as its users run it: in a process of its own, killed and started again."""

import asyncio
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from click.testing import CliRunner, Result
from servers.heltig_server import HeltigServer, heltig_server
from unit.api.service import study_zip, values

from heltig.cli import heltig as commands
from heltig.errors import HeltigError
from heltig.serving import Listening, serve
from heltig.settings import Settings

WAIT_SECONDS = 60.0
PAUSE_SECONDS = 0.05


def heltig(*arguments: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "heltig", *arguments],
        env={**os.environ, "HELTIG_HOME": str(home), **environ},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def run(*arguments: str, home: Path, **environ: str) -> Result:
    """A command beside a server, in this process."""
    return CliRunner().invoke(commands, arguments, env={"HELTIG_HOME": str(home), **environ})


def code_of(result: Result) -> int:
    return result.exception.exit_code if isinstance(result.exception, HeltigError) else result.exit_code


def until(server: HeltigServer, is_so: Callable[[], Any]) -> Any:
    """Asks a server until something is so.

    Nothing tells another process of it, so it is asked again and again: to a deadline, and no longer than the
    server lives.
    """
    end = time.monotonic() + WAIT_SECONDS
    while not (found := is_so()):
        assert time.monotonic() < end, f"it did not happen in time:\n{server.output}"
        with suppress(subprocess.TimeoutExpired):
            code = server.process.wait(PAUSE_SECONDS)
            raise AssertionError(f"the server ended with {code}:\n{server.output}")
    return found


def started_by(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return children + [process for child in children for process in started_by(child)]


@contextmanager
def ending(processes: Iterable[int]) -> Iterator[None]:
    """Waits at the end until processes of others have ended: the system tells it (`pidfd_open(2)`)."""
    with ExitStack() as opened, selectors.DefaultSelector() as selector:
        for process in processes:
            descriptor = os.pidfd_open(process)
            opened.callback(os.close, descriptor)
            selector.register(descriptor, selectors.EVENT_READ)
        yield
        end = time.monotonic() + WAIT_SECONDS
        while selector.get_map():
            ended = selector.select(end - time.monotonic())
            assert ended, "a process outlived its server"
            for key, _ in ended:
                selector.unregister(key.fileobj)


def job_in(server: HeltigServer, number: int) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/api/v1/jobs/{number}").json()
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, waits by pidfd")
def test_a_killed_server_goes_on_where_it_was(tmp_path: Path) -> None:
    home = tmp_path / "home"
    packages = [
        study_zip("ct-liver", "ct-chest", "pet-ct"),
        study_zip("two-patient-ids"),
        study_zip("dx-hand"),
    ]
    with heltig_server(home) as first:
        # One that judges, what it was forked from, and Python's own that looks after what they share.
        processes = until(first, lambda: len(found := started_by(first.process.pid)) >= 3 and found)
        with ending(processes):
            accepted = [
                httpx.post(f"{first.url}/api/v1/jobs/upload/async", content=package, timeout=WAIT_SECONDS)
                for package in packages
            ]
            first.kill()
    assert [answer.status_code for answer in accepted] == [202, 202, 202]

    with heltig_server(home) as second:
        jobs = [answer.json()["job"]["id"] for answer in accepted]
        until(second, lambda: all(job_in(second, job)["state"] == "succeeded" for job in jobs))
        rows = httpx.get(f"{second.url}/dicom-web/studies").json()
        assert len(rows) == 5
        assert {values(row, "00991009")[0] for row in rows} == {"JUDGED"}
        assert {values(row, "00991008")[0] for row in rows} == {1}
        until(second, lambda: not any((home / "spool" / "uploads").iterdir()))
        again = httpx.post(f"{second.url}/api/v1/jobs/upload", content=packages[1], timeout=WAIT_SECONDS)
        assert (again.status_code, again.json()["job"]["id"]) == (200, jobs[1])
        assert second.stop(signal.SIGINT) == 0  # Ctrl-C; below it is SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_who_is_told_to_stop_while_it_starts_stops(number: signal.Signals, tmp_path: Path) -> None:
    before = [(one, signal.getsignal(one)) for one in (signal.SIGTERM, signal.SIGINT)]
    listening: list[Listening] = []
    try:
        serving = asyncio.create_task(
            serve(Settings(home=tmp_path, port=0, workers=1), started=listening.append)
        )
        await asyncio.sleep(0)  # it waits for its database
        signal.raise_signal(number)
        async with asyncio.timeout(WAIT_SECONDS):
            await serving
    finally:
        for one, handler in before:
            signal.signal(one, handler)
    assert not listening


class Ended(NamedTuple):
    """What became of a server that was asked to stop while a client stayed.

    Attributes:
        marks: What its log must not have: what it was told of patients.
        output: All that it wrote.
        code: What it ended with.
        seconds: How long it took.
    """

    marks: set[str]
    output: str
    code: int
    seconds: float


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A server that is sent studies and asked for their patients, until it is stopped."""
    package = study_zip("two-patient-ids", "ct-chest")
    marks = {"Doe"}
    with heltig_server(tmp_path_factory.mktemp("ended") / "home") as server:
        form = {"file": ("Doe^Jane.zip", package)}
        uploaded = httpx.post(f"{server.url}/api/v1/jobs/upload", files=form, timeout=WAIT_SECONDS)
        for study in uploaded.json()["studies"]:
            marks.add(study["study"]["accessionNumber"])
            for patient in study["study"]["patients"]:
                marks |= {patient["patientID"], patient["birthDate"], patient["name"].partition("^")[0]}
        for name in marks:
            httpx.get(f"{server.url}/dicom-web/studies", params={"PatientName": name, "PatientID": name})
            httpx.get(f"{server.url}/", params={"q": name})
        httpx.post(f"{server.url}/api/v1/jobs/upload", content=b"Doe^Jane")
        address = httpx.URL(server.url)
        with socket.create_connection((address.host, address.port)) as idle:
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert idle.recv(12) == b"HTTP/1.1 200"
            began = time.monotonic()
            code = server.stop()
            seconds = time.monotonic() - began
    return Ended(marks - {""}, server.output, code, seconds)


def test_a_stopped_server_ends_soon_though_a_client_stays(ended: Ended) -> None:
    assert ended.code == 0
    assert ended.seconds < 30


def test_the_consult_listener_is_apart(tmp_path: Path) -> None:
    settings = {"consult_bind": "127.0.0.1:0", "consult_allow": "127.0.0.0/8", "auth_mode": "api-key"}
    with heltig_server(tmp_path / "home", **settings) as server:
        assert server.consult
        assert server.consult != server.url
        asked = httpx.get(f"{server.consult}/consult/studies/1.2.3")
        assert asked.text == "verdict=PENDING code=A700 rev=0 comment=never seen\n"
        assert httpx.get(f"{server.consult}/api/v1/rules").status_code == 404
        assert httpx.get(f"{server.url}/consult/studies/1.2.3").status_code == 401


def test_keys_open_a_guarded_server(tmp_path: Path) -> None:
    home = tmp_path / "home"
    package = tmp_path / "Doe^Jane.zip"
    package.write_bytes(study_zip("two-patient-ids"))
    with heltig_server(home, auth_mode="api-key") as server:
        refused = run("upload", str(package), home=home, HELTIG_PORT=server.url.rpartition(":")[2])
        assert code_of(refused) == 6
        assert "hk_" not in f"{refused.output}{refused.exception}"
        made = run("keys", "create", "sender", "--role", "qa_operator", "--area", "upload", home=home)
        key = made.stdout.strip()
        assert key.startswith("hk_")
        upload = ("upload", str(package), "--server", server.url, "--key", "env:HELTIG_SECRET_KEY")
        done = run(*upload, home=home, HELTIG_SECRET_KEY=key)
        assert code_of(done) == 20, done.output
        assert "PAT-ID-CONFLICT" in done.stdout
        set_up = {"HELTIG_UPLOAD_URL": server.url, "HELTIG_UPLOAD_KEY": "env:HELTIG_SECRET_KEY"}
        queued = run("upload", str(package), "--no-wait", home=home, HELTIG_SECRET_KEY=key, **set_up)
        assert code_of(queued) == 0
        assert "sent before" in queued.stdout
        other = httpx.get(f"{server.url}/api/v1/studies", headers={"Authorization": f"Bearer {key}"})
        assert (other.status_code, other.json()["rule"]) == (403, "area")

        listed = run("keys", "list", home=home).stdout
        assert "sender" in listed
        assert "last used" in listed
        assert key not in listed
        assert code_of(run("keys", "revoke", "sender", home=home)) == 0
        until(server, lambda: code_of(run(*upload, home=home, HELTIG_SECRET_KEY=key)) == 6)


def test_nothing_of_a_patient_is_in_the_log(ended: Ended) -> None:
    assert len(ended.marks) > 6
    assert [mark for mark in ended.marks if mark in ended.output] == []
    logged = [json.loads(line) for line in ended.output.splitlines() if line.startswith("{")]
    assert any(line.get("route") == "/api/v1/jobs/upload" for line in logged)


def test_what_keeps_it_from_starting_is_said_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failed = heltig("serve", home=tmp_path / "home", HELTIG_PORT=str(port))
    assert failed.returncode == 2
    assert failed.stderr.startswith("heltig: HELTIG_HOST and HELTIG_PORT")
    assert "Traceback" not in failed.stderr
    open_to_all = heltig("serve", home=tmp_path / "home", HELTIG_HOST="0.0.0.0")
    assert open_to_all.returncode == 2
    assert "HELTIG_AUTH_MODE" in open_to_all.stderr
    database = f"sqlite+aiosqlite:///{tmp_path}"
    broken = heltig("serve", home=tmp_path / "home", HELTIG_DATABASE_URL=database, HELTIG_PORT="0")
    assert broken.returncode == 7
    assert "cannot be opened" in broken.stderr


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    package = tmp_path / "a.zip"
    package.write_bytes(b"PK")
    gone = heltig("upload", str(package), "--server", "http://127.0.0.1:9", home=tmp_path)
    assert gone.returncode == 8
    assert "heltig: http://127.0.0.1:9/api/v1/uploads: no connection." in gone.stderr
    refused = heltig("upload", str(tmp_path), "--server", "ftp://x", home=tmp_path)
    assert refused.returncode == 2
    assert "packed" not in refused.stderr
