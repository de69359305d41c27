"""An archive that is asked with care: paced, measured, and stopped where it fails too often."""

from typing import Protocol

from heltig.store.measurements import Outcome


class Measuring(Protocol):
    """Who is told of every request, such as `heltig.pipeline.measuring.Measurements`."""

    def record(
        self, archive: str, operation: str, *, outcome: Outcome, seconds: float, received: int
    ) -> None:
        """Takes one request: its archive's name, its operation class, how it ended, and its size in bytes."""
        ...
