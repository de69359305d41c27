"""How fast an archive is asked: requests and bytes a second, by token buckets that all its requests share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

BURST_SECONDS: Final = 1.0
"""What was not used is saved up for so long."""

COUNTED_EVERY: Final = 5.0
"""Seconds after which those who share a limit are counted again."""


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

    The limits are those of all processes together. Each takes its share of them, by how many ask at the
    time: what a process does not use the others have.
    """

    def __init__(
        self,
        *,
        requests_per_second: float | None = None,
        bytes_per_second: float | None = None,
        sharers: Callable[[], Awaitable[int]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Makes it.

        Args:
            requests_per_second: The most requests; None for any number.
            bytes_per_second: The most bytes to take, as they come over the network; None for any number.
            sharers: Counts the processes that ask the archive, this one among them; asked now and then, where
                there is a limit.
            clock: Seconds that only grow.
            sleep: Waits so many seconds.
        """
        self._sharers = sharers
        self._clock = clock
        self._counted: float | None = None
        self._limits = (requests_per_second, bytes_per_second)
        self._requests, self._bytes = (
            None if limit is None else Bucket(limit, clock=clock, sleep=sleep) for limit in self._limits
        )

    async def turn(self) -> None:
        """Waits until another request may be made."""
        if self._requests is not None:
            await self._share()
            await self._requests.take(1)

    async def received(self, size: int) -> None:
        """Takes `size` bytes into account, and waits until more may be read."""
        if self._bytes is not None:
            await self._share()
            await self._bytes.take(size)

    async def _share(self) -> None:
        """Counts those who share the limits, where that was not done lately."""
        now = self._clock()
        if self._sharers is None or (self._counted is not None and now - self._counted < COUNTED_EVERY):
            return
        self._counted = now
        sharers = max(1, await self._sharers())
        for bucket, limit in zip((self._requests, self._bytes), self._limits, strict=True):
            if bucket is not None and limit is not None:
                bucket.refit(limit / sharers)
