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
        retry_after_cap_seconds: The longest wait that an archive may ask for.
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

    async def run(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Runs an attempt until it succeeds, or asking again makes no more sense.

        Raises:
            ArchiveUnavailableError: That of the last attempt. Other errors end it at once.
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
                    delay = min(error.retry_after, self.retry_after_cap_seconds)
                    asked_for += delay
                if number == self.attempts or spent > self.budget_seconds:
                    raise
            await self.sleep(delay)
            number += 1
