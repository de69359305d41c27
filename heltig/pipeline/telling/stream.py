"""The change feed as it grows, for any number of followers: one look a second serves them all."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Final

from heltig.errors import StorageError
from heltig.store import changes
from heltig.store.changes import Change
from heltig.store.engine import Store

LOOK: Final = timedelta(seconds=1)
"""How often the feed is looked at while anybody follows it."""

KEPT: Final = 1000
"""Changes that are kept for followers who are nearly up to date; those further behind read the database."""

logger = logging.getLogger(__name__)


class ChangeStream:
    """Lets followers know of changes soon after they were committed, by whatever process."""

    def __init__(self, store: Store, *, every: timedelta = LOOK) -> None:
        """Makes it; nothing is looked at before the first follower comes.

        Args:
            store: Where the changes are.
            every: How often to look.
        """
        self._store = store
        self._every = every.total_seconds()
        self._recent: deque[Change] = deque(maxlen=KEPT)
        self._news = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self.followers = 0

    async def follow(self, since: int | None, *, heartbeat: timedelta) -> AsyncGenerator[list[Change], None]:
        """The changes after one, oldest first and without gaps, those that are still to come too.

        Args:
            since: The sequence of the last change that the follower has; None for those still to come.
            heartbeat: After so long without a change an empty list comes.

        Raises:
            StorageError: The database failed.
        """
        cursor = await self._store.read(changes.latest) if since is None else since
        self.followers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(cursor))
        try:
            while True:
                news = self._news  # before looking: what comes afterwards sets it
                if found := await self._after(cursor):
                    cursor = found[-1].sequence
                    yield found
                    continue
                try:
                    await asyncio.wait_for(news.wait(), heartbeat.total_seconds())
                except TimeoutError:
                    yield []
        finally:
            self.followers -= 1
            if not self.followers:
                self._looking.cancel()
                self._looking = None
                self._recent.clear()

    async def _after(self, cursor: int) -> list[Change]:
        recent = self._recent
        if recent and recent[0].sequence <= cursor + 1:
            return [change for change in recent if change.sequence > cursor]
        return await self._store.read(changes.since, cursor, limit=KEPT)

    async def _look(self, cursor: int) -> None:
        """Reads what is new, once for all followers."""
        while True:
            try:
                found = await self._store.read(changes.since, cursor, limit=KEPT)
            except StorageError as error:
                logger.warning("The change feed could not be read: %s", error)
                found = []
            if found:
                cursor = found[-1].sequence
                self._recent.extend(found)
                news, self._news = self._news, asyncio.Event()
                news.set()
            if len(found) < KEPT:
                await asyncio.sleep(self._every)
