"""How long an archive is not probed again of its own accord whose last probe came to nothing.

The wait doubles each time, and stands among the archive's breakers: all processes go by it. There, too, it
says that one of them probes it now; the others wait. A person may probe at any time (`heltig archives test`),
and a probe that comes to something ends the wait.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Final

from heltig.errors import ArchiveClosedError
from heltig.store import archives, breakers
from heltig.store.archives import Archive, location_of
from heltig.store.breakers import Breaker
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction, WriteTransaction

PROBE: Final = "probe"
"""The breaker of probes, beside those of the classes of operations."""

FIRST_WAIT: Final = timedelta(minutes=3)
LONGEST_WAIT: Final = timedelta(hours=2)

NEXT_TURN: Final = timedelta(seconds=5)
"""How long to wait while an archive is tried out, or as many others as a process may."""

TRIAL: Final = timedelta(minutes=2)
"""After so long another process may probe an archive: nothing was heard of the one that began to."""

LOOKED_AT: Final = timedelta(minutes=10)
"""After so long at most a job looks again whether the wait is over: a person may have ended it."""


class ProbeTurnError(ArchiveClosedError):
    """The archive is being tried out, or as many others as a process tries at a time; a matter of seconds."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Archive {name} is being tried out, or is as soon as others have been. Try again in a moment.",
            retry_after=NEXT_TURN.total_seconds(),
        )


class ProbeTurns:
    """How many archives a process tries out at a time: looks at others are not to wait for all of these."""

    def __init__(self, most: int) -> None:
        """Makes it.

        Args:
            most: Archives at a time, at least 2: one turn is for those alone whose last probe did not fail.
        """
        self._most = most
        self._taken = 0

    @contextmanager
    def take(self, name: str, *, is_again: bool) -> Iterator[None]:
        """Takes one.

        Args:
            name: The archive.
            is_again: Its last probe came to nothing.

        Raises:
            ProbeTurnError: There is none for it now.
        """
        if self._taken >= self._most - is_again:
            raise ProbeTurnError(name)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


@asynccontextmanager
async def probed_here(store: Store, entry: Archive, *, clock: Callable[[], datetime]) -> AsyncIterator[None]:
    """While an archive is probed of its own accord: by one process at a time.

    Raises:
        ProbeTurnError: Another one probes it, or it is not yet time.
        StorageError: The database failed.
    """
    location, begun = location_of(entry.name), clock()
    latest = begun + LONGEST_WAIT
    if not await store.write(breakers.begin, location, PROBE, now=begun, ends=begun + TRIAL, latest=latest):
        raise ProbeTurnError(entry.name)
    try:
        yield
    finally:
        await store.write(_end, location, begun, clock())


def has_failed(transaction: ReadTransaction, name: str) -> bool:
    """Whether the last probe of an archive came to nothing."""
    return PROBE in breakers.of(transaction, location_of(name))


def wait_of(transaction: ReadTransaction, name: str, *, now: datetime) -> Breaker | None:
    """The wait of an archive; None where it may be probed."""
    known = breakers.of(transaction, location_of(name)).get(PROBE)
    if known is None or known.state != "open" or known.until is None:
        return None
    if not now < known.until <= now + LONGEST_WAIT:
        return None
    return known


def put_off(
    transaction: WriteTransaction,
    probed: Archive,
    error: str,
    now: datetime,
    *,
    begun: datetime | None = None,
) -> None:
    """Has an archive wait for its next probe, unless it is by now another one, or gone.

    Args:
        transaction: Any that writes.
        probed: The archive as it was when it was probed.
        error: What came of it, without patient data.
        now: The time.
        begun: When the probe began: what another one came to since then holds, and is not doubled.
    """
    entry = archives.find(transaction, probed.name)
    if entry is None or (entry.qido_url, entry.wado_url) != (probed.qido_url, probed.wado_url):
        return
    location = location_of(probed.name)
    before = breakers.of(transaction, location).get(PROBE)
    if begun is not None:
        if before is not None and before.state == "open" and before.changed > begun:
            return
        if entry.probed is not None and entry.probed > begun:
            return
    openings = before.openings + 1 if before else 1
    wait = min(FIRST_WAIT * 2 ** min(openings - 1, 10), LONGEST_WAIT)
    opened = Breaker(
        operation=PROBE,
        state="open",
        failures=1,
        openings=openings,
        until=now + wait,
        error=error,
        changed=now,
    )
    breakers.put(transaction, location, opened)


def closed(entry: Archive, wait: Breaker, *, now: datetime) -> ArchiveClosedError:
    """What is said to who would use an archive of which nothing is known yet."""
    left = max((wait.until - now).total_seconds(), 1.0) if wait.until else 1.0
    return ArchiveClosedError(
        f"Archive {entry.name} is not tried out again for {left:,.0f} s, since it failed: {wait.error} "
        f"Once that is mended, `heltig archives test {entry.name}` tries it at once.",
        retry_after=min(left, LOOKED_AT.total_seconds()),
    )


def _end(transaction: WriteTransaction, location: Location, begun: datetime, now: datetime) -> None:
    if archives.find(transaction, location.name) is not None:
        breakers.end(transaction, location, PROBE, begun=begun, now=now)
