"""A real `heltig serve` in a process of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 60.0


class HeltigServer:
    """A running server.

    Attributes:
        home: Its HELTIG_HOME.
        url: Its root, without a slash at the end.
        consult: The root of its consult listener, empty without one.
        process: The process.
    """

    def __init__(
        self, home: Path, environ: Mapping[str, str], program: Sequence[str] = ("-m", "heltig")
    ) -> None:
        self.home = home
        self.url = ""
        self.consult = ""
        self._lines: list[str] = []
        self._answers = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, *program, "serve"],
            env={
                **os.environ,
                "HELTIG_HOME": str(home),
                "HELTIG_PORT": "0",
                "HELTIG_WORKERS": "1",
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        if not self._answers.wait(START_SECONDS) or not self.url:
            self.kill()
            raise AssertionError(f"heltig serve did not start:\n{self.output}")

    @property
    def output(self) -> str:
        """All that it has written so far."""
        return "".join(self._lines)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Asks it to stop; returns its exit code."""
        self.process.send_signal(number)
        return self._wait()

    def kill(self) -> None:
        """Ends it without warning."""
        self.process.kill()
        self._wait()

    def _wait(self) -> int:
        code = self.process.wait(STOP_SECONDS)
        self._reading.join(STOP_SECONDS)
        return code

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.append(line)
            words = line.split()
            if line.startswith("Heltig "):
                self.url = words[-1].rstrip("/")
            elif words[:1] == ["consult"]:
                self.consult = words[1].removesuffix("/consult/studies/UID")
            elif words[:1] == ["access"]:
                self._answers.set()  # the last of the lines that say where it is
        self._answers.set()
        self.process.stdout.close()


@contextmanager
def heltig_server(
    home: Path, program: Sequence[str] = ("-m", "heltig"), **settings: str
) -> Iterator[HeltigServer]:
    """Runs a server; settings without their prefix, in lower case."""
    environ = {f"HELTIG_{name.upper()}": value for name, value in settings.items()}
    server = HeltigServer(home, environ, program)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
