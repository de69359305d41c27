"""When to ask an archive again: full jitter under a budget, and `Retry-After` wins."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from heltig.errors import ArchiveUnavailableError

Result = TypeVar("Result")


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often to ask again, and when.

    This is the fast layer, inside one request; jobs have the slow one. Random delays keep many clients from
    asking again at the same moment.

    Attributes:
        attempts: Requests in all, at least 1.
        base_seconds: The first delay is random up to this; the limit doubles with each further one.
        cap_seconds: The longest delay of our own choice.
        budget_seconds: No further attempt starts after this, waits that the archive asked for not counted.
        retry_after_cap_seconds: The longest that an archive may have us wait: all waits that it asks for
            before one answer, together. Whoever asks for more is not asked again.
        waiting: Told of each wait that the archive asks for, in seconds, before it begins.
        clock: Seconds that only grow.
        sleep: Waits so many seconds.
        jitter: A random number between two.
    """

    attempts: int = 4
    base_seconds: float = 0.5
    cap_seconds: float = 20.0
    budget_seconds: float = 60.0
    retry_after_cap_seconds: float = 300.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[float, float], float] = random.uniform
    waiting: Callable[[float], None] = lambda seconds: None

    async def run(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Runs an attempt until it succeeds, or asking again makes no more sense.

        Raises:
            ArchiveUnavailableError: That of the last attempt, or of the one after which the archive wants us
                to wait longer than we do. Other errors end it at once.
        """
        start = self.clock()
        asked_for = 0.0
        number = 1
        while True:
            try:
                return await attempt()
            except ArchiveUnavailableError as error:
                spent = self.clock() - start - asked_for
                if error.retry_after is None:
                    limit = min(self.cap_seconds, self.base_seconds * 2 ** (number - 1))
                    delay = self.jitter(0.0, limit)
                    spent += delay
                else:
                    delay = error.retry_after
                    asked_for += delay
                if number == self.attempts or spent > self.budget_seconds:
                    raise
                if asked_for > self.retry_after_cap_seconds:
                    raise type(error)(f"{error.detail} {self._limit()}", retry_after=delay) from error
                if error.retry_after:
                    self.waiting(delay)
            await self.sleep(delay)
            number += 1

    def _limit(self) -> str:
        seconds = f"{self.retry_after_cap_seconds:,.0f} s"
        return f"Not waited for: that is over the {seconds} in all that HELTIG_ARCHIVE_WAIT_SECONDS allows."
