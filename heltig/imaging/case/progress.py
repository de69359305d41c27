"""Where a case is: told at each stage, and how long each one took."""

from collections.abc import Callable
from time import perf_counter

import msgspec

from heltig.imaging.order import State, Told


class Progress:
    """The stages of one case.

    Args:
        tell: Is given each line.
    """

    def __init__(self, tell: Callable[[Told], None]) -> None:
        self._tell = tell
        self._now = Told(state="queued")
        self._since = perf_counter()
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> dict[str, float]:
        """Of each stage that has ended, and of the present one until now."""
        return {**self._seconds, self._now.state: perf_counter() - self._since}

    def enter(self, state: State, *, series: str = "", fingerprint: str = "") -> None:
        """Go to the next stage.

        Args:
            state: The stage.
            series: SeriesInstanceUID, where it is known now.
            fingerprint: Where it is known now.
        """
        now = perf_counter()
        if self._now.state != "queued":
            self._seconds[self._now.state] = now - self._since
        self._since = now
        self._now = msgspec.structs.replace(
            self._now,
            state=state,
            series=series or self._now.series,
            fingerprint=fingerprint or self._now.fingerprint,
        )
        self._tell(self._now)

    def refuse(self, code: str, observed: str) -> None:
        """End with a refusal."""
        self._now = msgspec.structs.replace(self._now, state="refused", code=code, observed=observed)
        self._tell(self._now)
