"""Watching an archive by what it says of its changes."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Final

from connectors.base import ChangeFeed
from heltig.errors import CursorLostError
from heltig.pipeline.discovery.batch import Batch, StrategyName
from heltig.pipeline.pull.listing import ListedStudy

ENTRIES: Final = 1_000
"""Changes to ask for at a time."""


class Fed:
    """Reads the changes of an archive, from where it was left. All studies are listed when that is lost."""

    name: StrategyName = "feed"

    def __init__(self, feed: ChangeFeed, *, every: timedelta) -> None:
        """Makes it.

        Args:
            feed: The archive's.
            every: From the start of one round to the start of the next.
        """
        self._feed = feed
        self.every = every

    async def batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """The batches of a round, see `heltig.pipeline.discovery.batch.Strategy`."""
        at = cursor
        if not at:
            at = await self._feed.start()
            yield Batch(cursor=at, has_gap=True)
        while True:
            try:
                page = await self._feed.read(at, limit=ENTRIES)
            except CursorLostError as lost:
                at = await self._feed.start()
                yield Batch(cursor=at, has_gap=True, notes=(f"{lost.detail} All its studies are listed.",))
                continue
            at = page.cursor
            yield Batch(
                studies=tuple(
                    ListedStudy(entry.study, entry.rows, entry.mark)
                    for entry in page.entries
                    if not entry.is_gone
                ),
                gone=tuple(entry.study for entry in page.entries if entry.is_gone),
                cursor=at,
                covered=page.covered,
                is_last=page.is_end,
            )
            if page.is_end:
                return
