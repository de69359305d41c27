"""Says the same thing to the log once a minute, however often it happens."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

AGAIN: Final = timedelta(minutes=1)
"""What was said is said again after so long, if it still is so."""

_MOST: Final = 1_000


class Seldom:
    """Writes errors to a log, each text once a minute.

    What fails every few seconds, in several parts of a process at once, as while the database is away, is
    told in one line and does not bury the rest of the log.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Makes it.

        Args:
            clock: Seconds that only grow.
        """
        self._clock = clock
        self._said: dict[str, float] = {}

    def error(self, logger: logging.Logger, what: str, why: str) -> None:
        """Says that something failed, unless its reason was given less than a minute ago.

        Args:
            logger: Where to.
            what: What failed.
            why: The reason, by which it is known again, whatever failed for it.
        """
        now = self._clock()
        said = self._said.get(why)
        if said is not None and now - said < AGAIN.total_seconds():
            return
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[why] = now
        logger.error("%s: %s", what, why)


seldom: Final = Seldom()
"""That of this process."""
