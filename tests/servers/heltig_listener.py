"""A real `heltig listen` in a process of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class HeltigListener:
    """A running listener.

    Attributes:
        home: Its HELTIG_HOME.
        port: Where it listens, on 127.0.0.1.
        process: The process.
    """

    def __init__(
        self,
        home: Path,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        program: Sequence[str] = ("-m", "heltig"),
    ) -> None:
        self.home = home
        self.port = 0
        self._lines: list[str] = []
        self._answers = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, *program, "listen", *arguments],
            env={
                **os.environ,
                "HELTIG_HOME": str(home),
                "HELTIG_DICOM_PORT": "0",
                "HELTIG_WORKERS": "1",
                "HELTIG_LOG_FORMAT": "json",
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        if not self._answers.wait(START_SECONDS) or not self.port:
            self.kill()
            raise AssertionError(f"heltig listen did not start:\n{self.output}")

    @property
    def output(self) -> str:
        """All that it has written so far."""
        return "".join(self._lines)

    def stop(self) -> int:
        """Asks it to stop; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """Ends it without warning."""
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Waits for its end; returns its exit code."""
        code = self.process.wait(STOP_SECONDS)
        self._reading.join(STOP_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.append(line)
            if line.startswith("Heltig "):
                self.port = int(line.rpartition(":")[2])
                self._answers.set()
        self._answers.set()


@contextmanager
def heltig_listener(
    home: Path, *arguments: str, program: Sequence[str] = ("-m", "heltig"), **settings: str
) -> Iterator[HeltigListener]:
    """Runs a listener until the end of the block; `settings` are HELTIG_ variables in lower case."""
    environ = {f"HELTIG_{name.upper()}": value for name, value in settings.items()}
    listener = HeltigListener(home, arguments, environ, program)
    try:
        yield listener
    finally:
        if listener.process.poll() is None:
            listener.kill()
        listener.wait()
