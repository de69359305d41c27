"""`heltig listen --server`: studies sent by C-STORE here, judged by a server elsewhere."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from click.testing import CliRunner
from integration.dicom_senders import dcmsend, sent_files
from integration.gated import PAUSE_SECONDS, files_of, uid_of
from servers.heltig_listener import HeltigListener, heltig_listener
from servers.heltig_server import HeltigServer, heltig_server

from heltig.cli import heltig

SETTINGS = {"idle_seconds": "0.3"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeltigServer]:
    with heltig_server(tmp_path_factory.mktemp("server") / "home", upload_max_size="1 MiB") as made:
        yield made


def until(listener: HeltigListener, is_so: Callable[[], Any]) -> Any:
    """Asks until something is so: nothing tells another process of it."""
    for _ in range(int(30 / PAUSE_SECONDS)):
        if found := is_so():
            return found
        with suppress(subprocess.TimeoutExpired):
            code = listener.process.wait(PAUSE_SECONDS)
            raise AssertionError(f"the listener ended with {code}:\n{listener.output}")
    raise AssertionError(f"it did not happen in time:\n{listener.output}")


def readiness(server: HeltigServer, study: str) -> str | None:
    """What the server's verdict on a study is; None while there is none."""
    answer = httpx.get(f"{server.url}/dicom-web/studies/{study}/readiness", trust_env=False, timeout=60)
    values = answer.json()["00991001"].get("Value") if answer.is_success else None
    return values[0] if values else None


def command(home: Path, *arguments: str) -> str:
    """What `heltig listen --list` and `--retry` say beside a listener."""
    done = CliRunner().invoke(heltig, ["listen", *arguments], env={"HELTIG_HOME": str(home)})
    return f"{done.output}{done.exception or ''}"


def second_relay(home: Path, server: HeltigServer) -> str:
    """What a listener says that starts beside another."""
    done = subprocess.run(
        [sys.executable, "-m", "heltig", "listen", "--server", server.url],
        env={"HELTIG_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def packages(home: Path) -> dict[str, list[str]]:
    return {
        folder: sorted(path.name for path in (home / "relay" / folder).glob("*.zip"))
        for folder in ("outbox", "failed")
    }


def test_studies_are_uploaded_once_nothing_of_them_comes(server: HeltigServer, tmp_path: Path) -> None:
    home = tmp_path / "home"
    files = files_of("cr-chest", 40) + files_of("two-patient-ids", 40)
    with heltig_listener(home, "--server", server.url, **SETTINGS) as listener:
        dcmsend(listener.port, sent_files(tmp_path / "sent", files))
        until(listener, lambda: readiness(server, uid_of("cr-chest", 40)) == "READY")
        until(listener, lambda: readiness(server, uid_of("two-patient-ids", 40)) == "BLOCKED")
        until(listener, lambda: packages(home) == {"outbox": [], "failed": []})
        assert listener.stop() == 0
    assert not list((home / "relay" / "receiving").iterdir())


def test_what_a_server_refuses_is_kept_and_can_be_retried(server: HeltigServer, tmp_path: Path) -> None:
    """Beside it no other relay starts: two do not share a folder."""
    home = tmp_path / "home"
    dataset = pydicom.dcmread(BytesIO(files_of("cr-chest", 41)[0]))
    dataset.private_block(0x0099, "TEST", create=True).add_new(0x01, "OB", bytes(2 * 1024 * 1024))
    large = BytesIO()
    dataset.save_as(large)
    files = [large.getvalue()]
    with heltig_listener(home, "--server", server.url, **SETTINGS) as listener:
        dcmsend(listener.port, sent_files(tmp_path / "sent", files))
        until(listener, lambda: len(packages(home)["failed"]) == 1)
        listed = command(home, "--list")
        assert listed.startswith("failed   ")
        assert "HELTIG_UPLOAD_MAX_SIZE" in listed
        name = packages(home)["failed"][0].removesuffix(".zip")
        assert command(home, "--retry", name) == f"{name}: tried again\n"
        until(listener, lambda: len(packages(home)["failed"]) == 1)
        assert "no such package" in command(home, "--retry", "other")
        assert "A relay runs already" in second_relay(home, server)


def test_a_server_that_is_away_is_tried_again(server: HeltigServer, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with heltig_listener(home, "--server", "http://127.0.0.1:9", **SETTINGS) as listener:
        dcmsend(listener.port, sent_files(tmp_path / "sent", files_of("cr-chest", 42)))
        until(listener, lambda: "tried 1 times" in command(home, "--list"))
        listener.kill()
    assert len(packages(home)["outbox"]) == 1
    with heltig_listener(home, "--server", server.url, **SETTINGS) as listener:
        assert "tried again" in command(home, "--retry", "all")
        until(listener, lambda: readiness(server, uid_of("cr-chest", 42)) == "READY")
        assert listener.stop() == 0


def test_what_was_acknowledged_before_a_kill_is_uploaded_after_it(
    server: HeltigServer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with heltig_listener(home, "--server", server.url, idle_seconds="3600") as listener:
        dcmsend(listener.port, sent_files(tmp_path / "sent", files_of("cr-chest", 43)))
        listener.kill()
    with heltig_listener(home, "--server", server.url, **SETTINGS) as listener:
        until(listener, lambda: readiness(server, uid_of("cr-chest", 43)) == "READY")
