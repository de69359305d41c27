"""Measures how archives answer: each process counts what it is told and adds it to the database now and then.

An answer costs a microsecond and no transaction. What a process has counted and not yet added when it is
killed is lost: at most `EVERY`. All of it is about archives; there is nothing in it of a study or a patient.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from heltig.errors import StorageError
from heltig.store import measurements
from heltig.store.engine import Store
from heltig.store.measurements import Answers, Count, Outcome

EVERY: Final = timedelta(seconds=10)
"""How often `flush` is to be called, and once more in the end."""

EDGES: Final = tuple(0.001 * 2 ** (half / 2) for half in range(40))
"""Seconds at which one bucket ends and the next begins: from 1 ms to 12 minutes, two to an octave.

Bucket n is of the answers that took longer than edge n - 1 and no longer than edge n; the last has no end.
"""

logger = logging.getLogger(__name__)


def bucket_of(seconds: float) -> int:
    """The bucket of an answer that took so long."""
    return bisect_left(EDGES, seconds)


class Measurements:
    """What this process has seen of its archives since it was last added to the database."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._counted: dict[tuple[str, str, Outcome, int], list[float]] = {}

    def record(
        self, archive: str, operation: str, *, outcome: Outcome, seconds: float, received: int
    ) -> None:
        """Counts one answer, or the lack of one; for the thread of the event loop.

        Args:
            archive: Who was asked.
            operation: What for: `search`, `metadata`, `retrieve`, `store` or `changes`.
            outcome: `refused` for a status that says no (`not-found` where a probe was told so), `failed` for
                no answer or a fault of the archive, `broken-off` for one that did not end.
            seconds: From the request to the last byte, waiting for our own turn left out.
            received: Bytes of the body.
        """
        key = (archive, operation, outcome, bucket_of(seconds))
        found = self._counted.get(key)
        if found is None:
            self._counted[key] = [1, seconds, received]
        else:
            found[0] += 1
            found[1] += seconds
            found[2] += received

    async def flush(self) -> None:
        """Adds what was counted to the database; what cannot be added is kept for the next time."""
        counted, self._counted = self._counted, {}
        if not counted:
            return
        rows = {
            Answers(*key): Count(int(count), seconds, int(received))
            for key, (count, seconds, received) in counted.items()
        }
        try:
            await self._store.write(measurements.add, rows, at=self._clock())
        except StorageError as error:
            logger.warning("Measurements wait to be written: %s", error)
            self._take_back(counted)

    async def sweep(self) -> None:
        """Makes room in the database, see `heltig.store.measurements.sweep`.

        Raises:
            StorageError: The database failed.
        """
        await self._store.write(measurements.sweep, now=self._clock())

    def _take_back(self, counted: dict[tuple[str, str, Outcome, int], list[float]]) -> None:
        for key, sums in counted.items():
            if (newer := self._counted.get(key)) is not None:
                sums = [old + new for old, new in zip(sums, newer, strict=True)]
            self._counted[key] = sums
