"""The breakers of an archive: it is left alone where it fails time and again.

There is one for each class of operations, and `auth` for all of them. Each process counts failures by itself,
after the fast retries of a request; that one opened, all processes see. Once its wait is over, one process
asks for a single study row, and only where that comes is the archive asked again. The wait doubles each time
until something of the class succeeds.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from heltig.errors import (
    ArchiveAccessError,
    ArchiveAddressError,
    ArchiveAnswerError,
    ArchiveAnswerTooLargeError,
    ArchiveClosedError,
    ArchiveCredentialsError,
    ArchiveError,
    ArchivePausedError,
    ArchiveUnavailableError,
)
from heltig.exchange import Operation
from heltig.pipeline.pull import events
from heltig.store import breakers, claims
from heltig.store.breakers import Breaker
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.transaction import WriteTransaction

AUTH: Final = "auth"
"""The breaker of all classes: the archive does not believe who we are."""

FAILURES: Final = 5
"""Failures one after the other with which a breaker opens."""

WINDOW: Final = 20
"""Of so many requests no more than half may fail."""

FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=10)
TRIAL: Final = timedelta(minutes=1)
"""How long nobody else tries while one process does."""

KNOWN_FOR: Final = timedelta(seconds=5)
"""How long it may take until a process sees that another one opened a breaker."""

PULLING: Final = (AUTH, "search", "metadata")
"""While one of these is open, no job of the archive is begun."""

_LISTING: Final = ("search", "changes")


class Breakers:
    """The breakers of one archive, as one process sees them."""

    def __init__(
        self,
        store: Store,
        location: Location,
        *,
        clock: Callable[[], datetime],
        trial: Callable[[], Awaitable[object]],
    ) -> None:
        """Makes them.

        Args:
            store: Where all processes keep them.
            location: The archive.
            clock: The time.
            trial: Asks the archive for next to nothing.
        """
        self._store = store
        self._location = location
        self._clock = clock
        self._trial = trial
        self._known: dict[str, Breaker] = {}
        self._asked: datetime | None = None
        self._counts: dict[str, _Counts] = {}

    @asynccontextmanager
    async def guard(self, operation: Operation, subject: str = "") -> AsyncIterator[None]:
        """Asks the archive for something, where it may be asked, and takes note of how that ends.

        Args:
            operation: The class of operations.
            subject: The study that it is about: one that is broken in the archive counts once.

        Raises:
            ArchiveClosedError: It may not be asked.
        """
        await self.admit(AUTH, operation)
        try:
            yield
        except ArchiveError as error:
            await self._failed(operation, error, subject)
            raise
        await self._succeeded(operation)

    async def admit(self, *operations: str) -> None:
        """Insists that an archive may be asked; tries it out where the wait of a breaker is over.

        Raises:
            ArchiveClosedError: It may not.
        """
        now = self._clock()
        if self._asked is None or now - self._asked >= KNOWN_FOR:
            await self._look()
        for operation in operations:
            known = self._known.get(operation)
            if known is not None and known.state != "closed":
                await self._try(known)

    async def _try(self, known: Breaker) -> None:
        now = self._clock()
        ends = now + TRIAL
        if known.until is not None and now < known.until <= now + LONGEST_WAIT + TRIAL:
            raise _closed(self._location, known, now)
        if not await self._store.write(
            breakers.begin_trial,
            self._location,
            known.operation,
            now=now,
            ends=ends,
            latest=now + LONGEST_WAIT + TRIAL,
        ):
            await self._look()
            known = self._known.get(known.operation, replace(known, state="closed"))
            if known.state != "closed":
                raise _closed(self._location, known, now)
            return
        events.breaker(self._location, replace(known, state="half-open", until=ends))
        try:
            await self._trial()
        except ArchiveError as error:
            opened = await self._open(known.operation, error, known.failures)
            raise _closed(self._location, opened, now) from error
        # The next failure opens it again at once: what failed may be another thing than what was tried.
        await self._put(replace(known, state="closed", until=None, changed=self._clock()))

    async def _succeeded(self, operation: Operation) -> None:
        self._count(operation).add("ok")
        for name in (AUTH, operation):
            known = self._known.get(name)
            if known is not None and known.state == "closed":
                del self._known[name]
                await self._store.write(breakers.forget, self._location, name)

    async def _failed(self, operation: Operation, error: ArchiveError, subject: str) -> None:
        if isinstance(error, ArchiveClosedError | ArchivePausedError):
            return
        if isinstance(error, ArchiveCredentialsError):
            await self._open(AUTH, error, 1)
            return
        counts = self._count(operation)
        if not _is_failure(operation, error):
            counts.add("ok")
            return
        is_its_own = bool(subject) and isinstance(error, ArchiveAnswerError)
        counts.add(subject if is_its_own else "")
        is_on_trial = operation in self._known and self._known[operation].state == "closed"
        if counts.is_too_much or is_on_trial:
            await self._open(operation, error, len(counts.failed))
            counts.clear()

    async def _open(self, operation: str, error: ArchiveError, failures: int) -> Breaker:
        def write(transaction: WriteTransaction) -> Breaker:
            now = self._clock()
            before = breakers.of(transaction, self._location).get(operation)
            latest = now + LONGEST_WAIT + TRIAL
            if before and before.state == "open" and before.until and now < before.until <= latest:
                return before  # another process was quicker
            openings = before.openings + 1 if before else 1
            wait = min(FIRST_WAIT * 2 ** min(openings - 1, 10), LONGEST_WAIT)
            asked_for = min(timedelta(seconds=error.retry_after or 0), LONGEST_WAIT)
            opened = Breaker(
                operation=operation,
                state="open",
                failures=failures,
                openings=openings,
                until=now + max(wait, asked_for),
                error=error.detail,
                changed=now,
            )
            breakers.put(transaction, self._location, opened)
            if operation in PULLING:
                claims.set_group(transaction, str(self._location), not_before=opened.until)
            return opened

        begun = self._clock()
        opened = await self._store.write(write)
        if opened.changed >= begun:  # by us
            events.breaker(self._location, opened)
        self._known[operation] = opened
        return opened

    async def _put(self, breaker: Breaker) -> None:
        await self._store.write(breakers.put, self._location, breaker)
        events.breaker(self._location, breaker)
        self._known[breaker.operation] = breaker

    async def _look(self) -> None:
        self._asked = self._clock()
        self._known = await self._store.read(breakers.of, self._location)

    def _count(self, operation: str) -> "_Counts":
        return self._counts.setdefault(operation, _Counts())


class _Counts:
    """How the last requests of one class ended.

    Attributes:
        failed: Those that failed since one succeeded, by their subjects.
    """

    def __init__(self) -> None:
        self.failed: list[str] = []
        self._window = deque[bool](maxlen=WINDOW)

    def add(self, outcome: str) -> None:
        """Takes `ok`, or the study that a failure is about, or nothing where it may be about any."""
        if outcome == "ok":
            self.failed.clear()
        elif outcome and outcome in self.failed:
            return
        else:
            self.failed.append(outcome)
        self._window.append(outcome == "ok")

    @property
    def is_too_much(self) -> bool:
        is_full = len(self._window) == WINDOW
        return len(self.failed) >= FAILURES or (is_full and self._window.count(False) > WINDOW // 2)

    def clear(self) -> None:
        self.failed.clear()
        self._window.clear()


def _is_failure(operation: Operation, error: ArchiveError) -> bool:
    """Whether it is the archive that fails, not one study of it, nor our request."""
    match error:
        case ArchiveUnavailableError():
            return True
        case ArchiveAddressError() | ArchiveAnswerTooLargeError():
            return False
        case ArchiveAnswerError(answer_status=status):
            return operation in _LISTING if status is None else status >= 500
        case ArchiveAccessError():
            return operation in _LISTING  # it may keep some studies to itself
    return False


def _closed(location: Location, breaker: Breaker, now: datetime) -> ArchiveClosedError:
    seconds = max(1.0, (breaker.until - now).total_seconds()) if breaker.until else 1.0
    return ArchiveClosedError(
        f"Archive {location.name} is not asked for {seconds:,.0f} s, since it failed: {breaker.error}",
        retry_after=seconds,
    )
