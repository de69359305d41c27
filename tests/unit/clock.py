"""A clock that a test moves."""

from datetime import datetime, timedelta


class Clock:
    """Says the same time until it is moved.

    Attributes:
        now: The time.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, step: timedelta) -> None:
        """Moves it on."""
        self.now += step
