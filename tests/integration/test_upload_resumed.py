"""`heltig upload` against a real server: connections cut, both sides killed, disks full."""

import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from servers.heltig_server import HeltigServer, heltig_server
from unit.api.service import part10_files, synthetic, zip_of

WAIT_SECONDS = 120.0
MIB = 1024 * 1024


def folder(place: Path, *, padding: int = 0) -> Path:
    """A folder with a study, and a document beside it that makes the upload large."""
    study = place / "Doe^Jane"
    for name, content in part10_files(synthetic("dx-hand")):
        file = study / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    if padding:
        (study / "report.pdf").write_bytes(b"%PDF-" + os.urandom(padding))
    return study


def command(home: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "heltig", "upload", *arguments],
        env={"HELTIG_HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(home.parent), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, out, err


class Proxy:
    """Passes connections on to a server; cuts one after so many bytes from the client.

    Attributes:
        url: Where it listens.
        port: Of the server.
        limits: After so many bytes from clients in all it cuts a connection, each once.
        on_cut: Called before that.
        passed: Bytes from clients.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.limits: list[int] = []
        self.passed = 0
        self.on_cut: Callable[[], None] = lambda: None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            client.close()
            return
        back = threading.Thread(target=self._pass, args=[server, client], daemon=True)
        back.start()
        with suppress(OSError):
            while data := client.recv(65536):
                self.passed += len(data)
                if self.limits and self.passed >= self.limits[0]:
                    self.limits.pop(0)
                    self.on_cut()
                    break
                server.sendall(data)
        for one in (server, client):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        back.join()
        server.close()
        client.close()

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(server: HeltigServer) -> Iterator[Proxy]:
    proxy = Proxy(int(server.url.rpartition(":")[2]))
    try:
        yield proxy
    finally:
        proxy.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeltigServer]:
    """One for tests that leave it running."""
    with heltig_server(tmp_path_factory.mktemp("heltig") / "home") as server:
        yield server


def uploads(server: HeltigServer) -> list[int]:
    found = httpx.get(f"{server.url}/api/v1/jobs", params={"kind": "upload"}, timeout=60).json()["items"]
    return [job["id"] for job in found]


def test_an_upload_goes_on_after_cuts(server: HeltigServer, tmp_path: Path) -> None:
    study = folder(tmp_path / "sent", padding=12 * MIB)
    before, told = uploads(server), len(server.output)
    with proxied(server) as proxy:
        proxy.limits = [2 * MIB, 5 * MIB, 9 * MIB]
        code, out, err = ended(command(tmp_path / "home", str(study), "--server", proxy.url))
        assert (code, err.count("Going on in")) == (0, 3), err
        assert "READY" in out
        assert "packed" in err
        assert proxy.passed < 16 * MIB  # not from the start each time
        assert len(uploads(server)) == len(before) + 1
        assert "fault" not in server.output[told:]
        assert not [path for path in (server.home / "spool").rglob("*") if path.suffix == ".part"]


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_killed_client_goes_on_where_it_was(server: HeltigServer, tmp_path: Path) -> None:
    study = folder(tmp_path / "sent", padding=12 * MIB)
    uploaded = uploads(server)
    with proxied(server) as proxy:
        process = command(tmp_path / "home", str(study), "--server", proxy.url)
        proxy.on_cut = process.kill
        proxy.limits = [8 * MIB]
        assert ended(process)[0] == -9
        before = proxy.passed
        code, _, err = ended(command(tmp_path / "home", str(study), "--server", proxy.url))
        assert code == 0, err
        assert "there already" in err
        assert proxy.passed - before < 10 * MIB
        assert len(uploads(server)) == len(uploaded) + 1


def test_a_killed_server_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was acknowledged is there: the requests of a first client were whole."""
    home = tmp_path / "home"
    package = tmp_path / "study.zip"
    package.write_bytes(
        zip_of([*part10_files(synthetic("dx-hand")), ("report.pdf", b"%PDF-" + os.urandom(40 * MIB))])
    )
    with heltig_server(home) as first, proxied(first) as proxy:
        killed = threading.Event()

        def kill() -> None:
            first.kill()
            killed.set()

        proxy.on_cut = kill
        proxy.limits = [30 * MIB]
        process = command(home, str(package), "--server", proxy.url)
        assert killed.wait(WAIT_SECONDS)
        offset = int(next((home / "spool" / "open").glob("*/offset")).read_bytes())
        assert offset >= 16 * MIB
        with heltig_server(home) as second:
            proxy.port = int(second.url.rpartition(":")[2])
            code, out, err = ended(process)
            assert code == 0, err
            assert "READY" in out
            assert len(uploads(second)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="limits another process's files")
def test_a_full_disk_on_the_server_is_waited_for(server: HeltigServer, tmp_path: Path) -> None:
    study = folder(tmp_path / "sent", padding=24 * MIB)
    with ExitStack() as limited:
        soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        limited.callback(resource.prlimit, server.process.pid, resource.RLIMIT_FSIZE, (soft, hard))
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (20 * MIB, hard))
        process = command(tmp_path / "home", str(study), "--server", server.url)
        assert process.stderr
        lines = [process.stderr.readline()]
        while "cannot be used" not in lines[-1]:
            lines.append(process.stderr.readline())
            assert lines[-1], lines
    code, out, err = ended(process)
    assert code == 0, err
    assert "READY" in out


def test_three_at_once_are_one_job(server: HeltigServer, tmp_path: Path) -> None:
    study = folder(tmp_path / "sent", padding=MIB)
    before = uploads(server)
    clients = [command(tmp_path / "home", str(study), "--server", server.url) for _ in range(3)]
    assert [ended(client)[0] for client in clients] == [0, 0, 0]
    assert len(uploads(server)) == len(before) + 1
