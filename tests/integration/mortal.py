"""A process of Heltig that a test has killed at a stage of its work, and that goes on with what it left."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from servers.heltig_process import HeltigProcess

DYING = Path(__file__).with_name("dying_gate.py")
WAIT_SECONDS = 60.0

Running = TypeVar("Running", bound=HeltigProcess)
Start = Callable[[Mapping[str, str], Sequence[str]], Running]


class Mortal(Generic[Running]):
    """A process that can be killed, and is started again each time: the same tests start it half as often.

    Attributes:
        running: The process.
    """

    def __init__(self, stage: Path, start: Start[Running]) -> None:
        """Starts it.

        Args:
            stage: A file for the stage at which it is to be killed; nobody has it yet.
            start: Starts it with variables of the environment and the program that is to be run.
        """
        self._stage = stage
        self._start = start
        self.running = self._started()

    @contextmanager
    def killed(self, stage: str) -> Iterator[None]:
        """Has it killed at a stage of what the block asks of it, and starts it again."""
        self._stage.write_text(stage)
        try:
            yield
            try:
                code = self.running.process.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                code = 0
            assert code == -9, f"it was not killed:\n{self.running.output}"
        finally:
            self.running.kill()
            self.running = self._started()

    def _started(self) -> Running:
        self._stage.write_text("")
        return self._start({"HELTIG_TEST_DIES": str(self._stage)}, (str(DYING),))


def is_at_rest(home: Path) -> bool:
    """Whether all that came to the gates of a home is done: no later test is to be killed by work for it."""
    if [*home.glob("spool/gate/*/intake/*")]:
        return False
    with closing(sqlite3.connect(home / "heltig.db")) as database:
        left = """SELECT 1 FROM gate_studies WHERE due IS NOT NULL UNION ALL
            SELECT 1 FROM jobs WHERE kind IN ('gate-settle', 'forward') AND state IN ('queued', 'running')"""
        return database.execute(left).fetchone() is None
