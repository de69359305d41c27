"""What a strategy finds, a batch at a time: studies that an archive has, and how far it was read for them."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Literal, Protocol

import msgspec

from heltig.pipeline.pull.listing import ListedStudy

StrategyName = Literal["feed", "hot", "warm", "cold"]

UNDATED = ("none", "none")
"""In `Batch.swept`: the studies without a StudyDate, and with one that no range of dates finds."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Studies that were found at a time, and the cursor to keep with them in one transaction.

    Attributes:
        studies: As they are listed now; each once in a batch, perhaps again in a later one.
        gone: StudyInstanceUIDs that the archive says it does not have any more.
        cursor: Where to go on after this batch.
        covered: By the archive's clock, or by ours before it was asked where it sends no Date: everything
            that the strategy sees and that changed before is in this round's batches up to this one. None
            where that cannot be said yet.
        notes: What the archive did that makes this less than it should be, in sentences without patient data.
        is_last: The round ends with this batch.
        has_gap: Changes before this batch may have been lost: all studies are to be listed, now.
        swept: First and last StudyDate (YYYYMMDD, both included, "" open) of a listing that is proven whole
            and ends with this batch, or `UNDATED`; ("", "") is the whole archive. Studies that are known here
            with such a date and are not in `swept_uids` are to be asked for by their UIDs.
        swept_uids: The StudyInstanceUIDs listed in it.
    """

    studies: tuple[ListedStudy, ...] = ()
    gone: tuple[str, ...] = ()
    cursor: str
    covered: datetime | None = None
    notes: tuple[str, ...] = ()
    is_last: bool = False
    has_gap: bool = False
    swept: tuple[str, str] | None = None
    swept_uids: frozenset[str] = frozenset()


class Strategy(Protocol):
    """One way of finding new, changed and vanished studies of an archive, in rounds."""

    @property
    def name(self) -> StrategyName:
        """Under which its cursor is kept."""
        ...

    @property
    def every(self) -> timedelta:
        """From the start of one round to the start of the next."""
        ...

    def batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """The batches of a round, from a cursor on. Whoever does not read it to its end closes it.

        Args:
            cursor: Of the last batch that was kept, also where that was the last of its round; None where
                there is none yet. One that an earlier version of Heltig wrote is begun anew.

        Raises:
            ArchiveError: The archive does not answer, or not usably: go on later, from the last batch.
        """
        ...
