"""What the OpenID provider publishes, kept, and asked for again only so often."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from heltig.errors import ProviderError

T = TypeVar("T")

ASKED_AGAIN_AFTER: Final = timedelta(seconds=30)
"""An unknown key has the provider asked again, at most so often."""

FAILED_FOR: Final = timedelta(seconds=5)
"""So long after the provider did not answer it is not asked again."""

logger = logging.getLogger(__name__)


class Kept(Generic[T]):
    """Something that the provider publishes; asked for once for all who need it at the same time."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Callable[[], datetime]) -> None:
        """Makes it; nothing is asked yet.

        Args:
            fetch: Asks the provider; raises ProviderError where it does not say.
            clock: Gives the time, in UTC.
        """
        self._fetch = fetch
        self._clock = clock
        self._value: T | None = None
        self._error: ProviderError | None = None
        self._got: datetime | None = None
        self._tried: datetime | None = None
        self._asking: asyncio.Task[T] | None = None

    def younger_than(self, age: timedelta) -> T | None:
        """What is known, unless it is older."""
        return self._value if self._is_within(self._got, age) else None

    async def asked(self) -> T:
        """What the provider says now, or said so recently that it is not asked again.

        Raises:
            ProviderError: It does not say.
        """
        self.ask()
        if self._asking is not None:
            return await asyncio.shield(self._asking)  # one who is cancelled does not take it from the others
        if self._error is not None:
            raise ProviderError(self._error.detail, retry_after=FAILED_FOR.total_seconds())
        if self._value is None:
            raise ProviderError("The OpenID provider was not asked yet. Try again.")
        return self._value

    def ask(self) -> None:
        """Has the provider asked, unless it is being asked or was asked just now."""
        pause = FAILED_FOR if self._error else ASKED_AGAIN_AFTER
        if self._asking is not None or self._is_within(self._tried, pause):
            return
        self._tried = self._clock()
        self._asking = asyncio.ensure_future(self._fetch())
        self._asking.add_done_callback(self._answered)

    async def close(self) -> None:
        """Ends what is being asked."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    def _answered(self, task: "asyncio.Task[T]") -> None:
        self._asking = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._value, self._got, self._error = task.result(), self._clock(), None
        elif isinstance(error, ProviderError):
            self._error = error
            logger.warning("The OpenID provider cannot be asked: %s", error)
        else:
            logger.error("Asking the OpenID provider failed by a fault of our own.", exc_info=error)

    def _is_within(self, then: datetime | None, age: timedelta) -> bool:
        # A clock that was set back makes nothing young.
        return then is not None and timedelta(0) <= self._clock() - then < age
