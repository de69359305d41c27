"""Watching an archive by listing its studies: the recent ones often, all of them now and then."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date, timedelta
from typing import Final

import msgspec

from connectors.base import Archive
from heltig.pipeline.discovery.batch import Batch, StrategyName
from heltig.pipeline.discovery.lister import PAGE_ROWS, Lister
from heltig.pipeline.discovery.rounds import Place, batch_of, place_of
from heltig.pipeline.discovery.slices import FIRST_DAY, LAST_DAY, Slice, day_after, day_before
from heltig.pipeline.discovery.uncounted import with_marks
from heltig.pipeline.discovery.unfiltered import every_study

_IGNORES_DATES: Final = (
    "The archive does not search by StudyDate: recent studies are found when all of them are listed."
)


class ColdSweep:
    """Lists every study of an archive.

    A small archive is listed by one search. A larger one is listed by date, the newest first, in slices that
    are cut until they are small; then once more without a filter, for the studies that no date finds.
    """

    name: StrategyName = "cold"

    def __init__(
        self, archive: Archive, lister: Lister, *, every: timedelta, page_rows: int = PAGE_ROWS
    ) -> None:
        """Makes it.

        Args:
            archive: The archive.
            lister: Lists slices of it.
            every: From the start of one round to the start of the next.
            page_rows: Rows to ask for at a time, in the pass without a filter.
        """
        self._archive = archive
        self._lister = lister
        self._page_rows = page_rows
        self.every = every

    async def batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """The batches of a round, see `heltig.pipeline.discovery.batch.Strategy`."""
        place = place_of(cursor)
        if place is None:
            listed = await self._lister.list_days(Slice())
            if listed.outcome == "whole":
                yield batch_of(listed, Slice(), cursor="", covered=listed.date, is_last=True)
                return
            place = Place(day=LAST_DAY, since=listed.date)
        if place.day:
            async with aclosing(self._lister.slices(FIRST_DAY, place.day)) as slices:
                async for part, listed in slices:
                    if listed.outcome == "unfiltered":
                        place = Place(since=place.since, has_no_dates=True)
                        break
                    if listed.outcome == "endless":
                        yield batch_of(listed, part, cursor="", is_last=True)
                        return
                    following = "" if part.first == FIRST_DAY else day_before(part.first)
                    place = Place(day=following, since=place.since)
                    yield batch_of(listed, part, cursor=place.cursor)
        async with aclosing(every_study(self._archive, place, page_rows=self._page_rows)) as batches:
            async for batch in batches:
                yield batch


class Window:
    """Lists the studies of some days up to now.

    What day it is goes by the archive's clock, where that says so. An archive that does not search by dates
    is listed whole by the warm window, and not at all by the hot one.
    """

    def __init__(
        self,
        archive: Archive,
        lister: Lister,
        *,
        name: StrategyName,
        every: timedelta,
        today: date,
        days: tuple[int, int],
        marks: bool = False,
    ) -> None:
        """Makes it.

        Args:
            archive: The archive.
            lister: Lists slices of it.
            name: `hot` or `warm`.
            every: From the start of one round to the start of the next.
            today: By our clock.
            days: How many days ago the first and the last day were; -1 is tomorrow, for other time zones.
            marks: Count the instances of studies that the archive does not count.
        """
        self.name = name
        self.every = every
        self._archive = archive
        self._lister = lister
        self._today = today
        self._days = days
        self._marks = marks

    async def batches(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """The batches of a round, see `heltig.pipeline.discovery.batch.Strategy`."""
        place = place_of(cursor) or Place()
        ranges = [self._range(self._today)]
        if place.day:
            ranges = [(first, min(last, place.day)) for first, last in ranges if first <= place.day]
        while ranges and not place.has_no_dates:
            first, last = ranges.pop()
            async with aclosing(self._lister.slices(first, last)) as slices:
                async for part, listed in slices:
                    if place.since is None and listed.date:
                        place = Place(since=listed.date)
                        ranges += _further(self._range(self._today), self._range(listed.date.date()))
                    if listed.outcome == "unfiltered":
                        place = Place(since=place.since, has_no_dates=True)
                        break
                    if self._marks:
                        marked = await with_marks(self._archive, listed.studies)
                        listed = msgspec.structs.replace(listed, studies=marked)
                    is_last = listed.outcome == "endless" or (part.first == first and not ranges)
                    at = "" if is_last else Place(day_before(part.first), place.since).cursor
                    covered = place.since if is_last else None
                    yield batch_of(
                        listed, part, cursor=at, covered=covered, is_last=is_last, sweeps=self.name != "hot"
                    )
                    if is_last:
                        return
        if not place.has_no_dates:  # the window moved on while the round stood still
            yield Batch(cursor="", is_last=True)
        elif self.name == "hot":
            yield Batch(cursor="", notes=(_IGNORES_DATES,), is_last=True)
        else:
            async with aclosing(every_study(self._archive, place)) as batches:
                async for batch in batches:
                    yield batch

    def _range(self, today: date) -> tuple[str, str]:
        first, last = (today - timedelta(days=ago) for ago in self._days)
        return f"{first:%Y%m%d}", f"{last:%Y%m%d}"


def _further(listed: tuple[str, str], wanted: tuple[str, str]) -> list[tuple[str, str]]:
    """The days of one range that are not in another one of the same length."""
    if wanted[1] > listed[1]:
        return [(max(wanted[0], day_after(listed[1])), wanted[1])]
    if wanted[0] < listed[0]:
        return [(wanted[0], min(wanted[1], day_before(listed[0])))]
    return []
