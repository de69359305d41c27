"""A command of Heltig that stays, in a process of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = ("-m", "heltig")
START_SECONDS = 60.0
STOP_SECONDS = 60.0


class HeltigProcess:
    """A running command, with all that it writes.

    Attributes:
        home: Its HELTIG_HOME.
        process: The process.
    """

    def __init__(
        self, home: Path, command: Sequence[str], environ: Mapping[str, str], program: Sequence[str]
    ) -> None:
        self.home = home
        self._lines: list[str] = []
        self._is_up = False
        self._heard = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, *program, *command],
            env={**os.environ, "HELTIG_HOME": str(home), "HELTIG_WORKERS": "1", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        if not self._heard.wait(START_SECONDS) or not self._is_up:
            self.kill()
            raise AssertionError(f"heltig {command[0]} did not start:\n{self.output}")

    @property
    def output(self) -> str:
        """All that it has written so far."""
        return "".join(self._lines)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Asks it to stop; returns its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """Ends it without warning, where it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def wait(self) -> int:
        """Waits for its end; returns its exit code."""
        code = self.process.wait(STOP_SECONDS)
        self._reading.join(STOP_SECONDS)
        return code

    def hears(self, line: str) -> bool:
        """Takes a line that it writes; whether it is up with that."""
        raise NotImplementedError

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.append(line)
            if self.hears(line):
                self._is_up = True
                self._heard.set()
        self._heard.set()
        self.process.stdout.close()


def settings_of(given: Mapping[str, str]) -> dict[str, str]:
    """Settings without their prefix, in lower case, as variables of the environment."""
    return {f"HELTIG_{name.upper()}": value for name, value in given.items()}
