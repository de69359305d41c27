"""What has to happen again and again as long as a process runs, whatever becomes of it."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeAlias

from heltig.errors import HeltigError, StorageError
from heltig.logs import described
from heltig.seldom import Seldom, seldom

Sweep: TypeAlias = Callable[[], Awaitable[object]]

SOON: Final = timedelta(minutes=1)
"""What failed is tried again after so long, however seldom it is due."""

AT_ONCE: Final = timedelta(seconds=5)
"""Where it was the database that failed: it may be back in a moment, and `/health/ready` waits for that."""

logger = logging.getLogger(__name__)


class Periodic:
    """Calls something at once and then again and again.

    No exception ends it: one that nobody expected today may be gone with the next study or the next entry,
    and what was to be seen meanwhile would be missed for good.

    Attributes:
        has_failed: The last call failed.
    """

    def __init__(
        self,
        every: timedelta,
        sweep: Sweep,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        log: Seldom = seldom,
    ) -> None:
        """Makes it; `run` starts it.

        Args:
            every: How long to wait after a call.
            sweep: What to call.
            pause: Waits for some seconds.
            log: Says what failed.
        """
        self.has_failed = False
        self._every = every
        self._sweep = sweep
        self._pause = pause
        self._log = log

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        while True:
            every = self._every
            try:
                await self._sweep()
            except Exception as error:  # whatever it is, the next call may be better
                self.has_failed = True
                every = min(every, AT_ONCE if isinstance(error, StorageError) else SOON)
                name = getattr(self._sweep, "__qualname__", "A sweep")
                self._log.error(logger, f"{name} failed", _reason(error))
            else:
                self.has_failed = False
            await self._pause(every.total_seconds())


def _reason(error: Exception) -> str:
    """Why; of an error that is none of ours its class and its place, since its text may name a patient."""
    if isinstance(error, HeltigError):
        return described(error)
    frames = traceback.extract_tb(error.__traceback__)
    return f"{described(error)} at {frames[-1].filename}:{frames[-1].lineno}"
