"""Those who share what may be asked of an archive in a second."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from heltig.errors import StorageError
from heltig.store import workers
from heltig.store.archives import location_of
from heltig.store.engine import Store

ASKED_LATELY: Final = timedelta(minutes=1)
"""A worker counts as one that asks an archive for so long after it was last seen at it."""


class Sharers:
    """The workers that share the rates of an archive: those that have had jobs of it lately."""

    def __init__(self, store: Store, archive: str, *, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._group = str(location_of(archive))
        self._clock = clock
        self._seen: dict[str, datetime] = {}

    async def count(self) -> int:
        """Counts them; between two jobs a worker counts, too. As before where the database does not say."""
        now = self._clock()
        with suppress(StorageError):
            at_work = await self._store.read(workers.at_work, self._group, now=now)
            self._seen |= dict.fromkeys(at_work, now)
        self._seen = {owner: seen for owner, seen in self._seen.items() if now - seen < ASKED_LATELY}
        return len(self._seen)
