"""How fast an archive is asked: requests and bytes a second, by token buckets that all its requests share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

BURST_SECONDS: Final = 1.0
"""What was not used is saved up for so long."""


class Bucket:
    """Lets through so much a second on average.

    Whoever takes more than there is waits until the debt is paid, so a large piece is never cut.
    """

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Makes it, full.

        Args:
            rate: Units a second, over 0.
            clock: Seconds that only grow.
            sleep: Waits so many seconds.
        """
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._left = self._most
        self._filled = clock()

    @property
    def _most(self) -> float:
        return max(1.0, self._rate * BURST_SECONDS)

    def refit(self, rate: float) -> None:
        """Changes the rate, and with it how much is saved up."""
        self._fill()
        self._rate = rate

    async def take(self, amount: float) -> None:
        """Takes so much, and waits as long as that is too much. Those who ask first are let through first."""
        self._fill()
        self._left -= amount
        if self._left < 0:
            await self._sleep(-self._left / self._rate)

    def _fill(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._filled) * self._rate)
        self._filled = now


class Pace:
    """The pace at which one archive is asked by one process.

    The limits are those of all processes together. Each takes its share of them, told by `share` how many
    there are.
    """

    def __init__(
        self,
        *,
        requests_per_second: float | None = None,
        bytes_per_second: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Makes it.

        Args:
            requests_per_second: The most requests; None for any number.
            bytes_per_second: The most bytes to take, as they come over the network; None for any number.
            clock: Seconds that only grow.
            sleep: Waits so many seconds.
        """
        self._limits = (requests_per_second, bytes_per_second)
        self._requests, self._bytes = (
            None if limit is None else Bucket(limit, clock=clock, sleep=sleep) for limit in self._limits
        )

    def share(self, processes: int) -> None:
        """Says how many processes ask the archive, this one among them."""
        for bucket, limit in zip((self._requests, self._bytes), self._limits, strict=True):
            if bucket is not None and limit is not None:
                bucket.refit(limit / max(1, processes))

    async def turn(self) -> None:
        """Waits until another request may be made."""
        if self._requests is not None:
            await self._requests.take(1)

    async def received(self, size: int) -> None:
        """Takes `size` bytes into account, and waits until more may be read."""
        if self._bytes is not None:
            await self._bytes.take(size)
