"""How long an archive is not probed again of its own accord whose last probe came to nothing.

The wait doubles each time, and stands among the archive's breakers: all processes go by it. A person may
probe at any time (`heltig archives test`), and a probe that comes to something ends it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from heltig.errors import ArchiveClosedError
from heltig.store import archives, breakers
from heltig.store.archives import Archive, location_of
from heltig.store.breakers import Breaker
from heltig.store.transaction import ReadTransaction, WriteTransaction

PROBE: Final = "probe"
"""The breaker of probes, beside those of the classes of operations."""

FIRST_WAIT: Final = timedelta(minutes=3)
LONGEST_WAIT: Final = timedelta(hours=2)

NEXT_TURN: Final = timedelta(seconds=5)
"""How long to wait while a process tries out as many others as it may."""

LOOKED_AT: Final = timedelta(minutes=10)
"""After so long at most a job looks again whether the wait is over: a person may have ended it."""


class ProbeTurnError(ArchiveClosedError):
    """As many archives are tried out as a process tries at a time; it is a matter of seconds."""


class ProbeTurns:
    """How many archives a process tries out at a time: looks at others are not to wait for all of these."""

    def __init__(self, most: int) -> None:
        """Makes it.

        Args:
            most: Archives at a time.
        """
        self._most = most
        self._taken = 0

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Takes one.

        Raises:
            ProbeTurnError: All are taken.
        """
        if self._taken >= self._most:
            raise ProbeTurnError(
                f"Archive {name} is tried out as soon as others have been.",
                retry_after=NEXT_TURN.total_seconds(),
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def wait_of(transaction: ReadTransaction, name: str, *, now: datetime) -> Breaker | None:
    """The wait of an archive; None where it may be probed."""
    known = breakers.of(transaction, location_of(name)).get(PROBE)
    if known is None or known.until is None or not now < known.until <= now + LONGEST_WAIT:
        return None
    return known


def put_off(transaction: WriteTransaction, probed: Archive, error: str, now: datetime) -> None:
    """Has an archive wait for its next probe, unless it is by now another one, or gone.

    Args:
        transaction: Any that writes.
        probed: The archive as it was when it was probed.
        error: What came of it, without patient data.
        now: The time.
    """
    entry = archives.find(transaction, probed.name)
    if entry is None or (entry.qido_url, entry.wado_url) != (probed.qido_url, probed.wado_url):
        return
    location = location_of(probed.name)
    before = breakers.of(transaction, location).get(PROBE)
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
