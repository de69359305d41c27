"""Lists slices of an archive, and says whether what was listed is proven to be all of it."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Final, Literal

import msgspec

from connectors.base import Archive, Page
from connectors.paging import TOO_LARGE, UNSEARCHED, More, Pager, Part
from heltig.errors import ArchiveAnswerError, ArchiveNotFoundError
from heltig.jobs.queue import utc_now
from heltig.pipeline.discovery.slices import Slice, StudyKey, study_key
from heltig.pipeline.pull.listing import ListedStudy

PAGE_ROWS: Final = 200
"""Rows to ask for at a time: the most that Azure's DICOM service gives."""

MOST_SLICE_ROWS: Final = 5_000
"""Rows of a slice that is not cut by dates: it is held in memory, and read again when it breaks off."""

MOST_PAGES: Final = 500
"""Pages of a slice that cannot be cut by dates."""

COMMON_MODALITIES: Final = (
    "CR", "CT", "DX", "ES", "IO", "KO", "MG", "MR", "NM", "OP", "OT", "PR", "PT", "PX", "RF",
    "RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "SC", "SEG", "SM", "SR", "US", "XA", "XC",
)  # fmt: skip
"""Modalities (PS3.3 C.7.3.1.1.1) that are tried where ten minutes of a day have more studies than an archive
gives, beside those that it was seen to have."""

Outcome = Literal["whole", "large", "round", "more", "endless", "unfiltered", "refused"]
"""What came of listing a slice: all of it, proven; it is to be cut, since it is large, or its number of
studies is a round one, or the archive does not give all of it; the archive gives page after page without end;
it does not search by date or time; it refuses to search by what makes a slice a part of a day."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What was listed of a slice.

    Attributes:
        studies: Those of the slice, in the order of the archive.
        outcome: Whether that is all.
        date: The time by the archive's clock when the first page was given; by ours before it was asked for,
            where the archive does not say.
        nameless: Rows without a StudyInstanceUID.
        modalities: Those of the studies.
        unsearched: Keys by which it was to be cut, and by which the archive does not search.
    """

    studies: tuple[ListedStudy, ...]
    outcome: Outcome
    date: datetime | None = None
    nameless: int = 0
    modalities: frozenset[str] = frozenset()
    unsearched: frozenset[str] = frozenset()


class Lister:
    """Lists slices of one archive, one after the other."""

    def __init__(
        self,
        archive: Archive,
        *,
        page_rows: int = PAGE_ROWS,
        most_slice_rows: int = MOST_SLICE_ROWS,
        most_pages: int = MOST_PAGES,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Makes it.

        Args:
            archive: The archive.
            page_rows: Rows to ask for at a time.
            most_slice_rows: Rows of a slice that is not cut smaller by dates.
            most_pages: Pages of a slice, after which it is given up.
            clock: Gives the time where the archive does not.
        """
        self._clock = clock
        self._archive = archive
        self._pager = Pager(page_rows=page_rows, most_pages=most_pages, until_nothing_comes=True)
        self._most_rows = most_slice_rows

    async def list_days(self, wanted: Slice) -> Listed:
        """Lists a range of days, or every study.

        Pages overlap, so that nothing is missed that the archive had throughout, see `connectors.paging`.
        Where it shifts its rows about in other ways, the first page shows it: it is asked for again, and all
        pages are, once, where it is another one.

        Raises:
            ArchiveError: The archive does not answer.
        """
        reading = _Reading(wanted, asked=self._clock())
        try:
            outcome = await self._read(wanted, reading)
            if outcome == "whole" and reading.pages > 1 and await self._has_moved(wanted, reading):
                outcome = await self._read(wanted, reading)
        except ArchiveAnswerError as refusal:
            if refusal.answer_status == TOO_LARGE:
                return Listed(studies=(), outcome="more")
            if not (wanted.narrowed_by and refusal.answer_status in UNSEARCHED):
                raise
            outcome = "more" if reading.pages else "refused"
        return reading.listed(outcome)

    async def slices(self, first: str, last: str) -> AsyncGenerator[tuple[Slice, Listed], None]:
        """Lists a range of days in slices that are as large as may be, the newest first.

        Ends early where the archive does not search by dates, or has no end, with the outcome that says so.
        Whoever does not read it to its end closes it.

        Args:
            first: The first day, YYYYMMDD.
            last: The last day.

        Raises:
            ArchiveError: The archive does not answer.
        """
        pending = [Slice(first, last)]
        while pending:
            part = pending.pop()
            listed = await self.list_days(part)
            if listed.outcome not in ("whole", "unfiltered") and not part.is_day:
                pending.extend(part.by_dates())
                continue
            if listed.outcome in ("round", "more"):
                listed = await self._list_parts(part, listed)
            yield part, listed
            if listed.outcome in ("unfiltered", "endless"):
                return

    async def _list_parts(self, day: Slice, so_far: Listed) -> Listed:
        """Lists a day of which the archive does not give all at once: by hours, by minutes, by modality.

        That is all that can be listed, but no proof that there is nothing else: studies without a time are in
        no hour. Only where a round number stays the same the day was whole. What the archive does not search
        by is left out; where it refuses a part though it gave another one like it, it is that part which is
        too much for it.
        """
        found = {study.uid: study for study in so_far.studies}
        modalities = set(so_far.modalities)
        answered: set[str] = set()
        unsearched: set[str] = set()
        is_cut_short = False
        pending = list(day.within_a_day(()))
        while pending:
            part = pending.pop()
            listed = await self.list_days(part)
            found |= {study.uid: study for study in listed.studies}
            modalities |= listed.modalities
            key = part.narrowed_by
            if listed.outcome == "unfiltered" or (listed.outcome == "refused" and key not in answered):
                unsearched.add(key)
                pending = [one for one in pending if key not in one.query]
                continue
            if listed.outcome != "refused":
                answered.add(key)
            if listed.outcome != "whole":
                pieces = part.within_a_day(sorted({*COMMON_MODALITIES, *modalities}))
                pending.extend(pieces)
                is_cut_short |= not pieces
        has_more = so_far.outcome != "round" or len(found) != len(so_far.studies)
        return msgspec.structs.replace(
            so_far,
            studies=tuple(found.values()),
            outcome="more" if has_more or is_cut_short or unsearched else "whole",
            unsearched=frozenset(unsearched),
        )

    async def _read(self, wanted: Slice, reading: "_Reading") -> Outcome:
        async def ask(limit: int, offset: int) -> Page:
            try:
                return await self._archive.search_studies(wanted.query, limit=limit, offset=offset)
            except ArchiveNotFoundError:
                if not (wanted.query or offset) or not await self._archive.search_studies(
                    {}, limit=1, offset=0
                ):
                    raise
                return Page()  # so some archives say that nothing was found

        can_be_cut = not wanted.is_day
        more: More = ""
        pages = 0
        async with aclosing(self._pager.parts(ask)) as parts:
            async for part in parts:
                pages += 1
                if not reading.take(part):
                    return "unfiltered"
                goes_on = pages == 2 and part.rows and not part.is_last
                if can_be_cut and (
                    len(reading.rows) > self._most_rows or (goes_on and await self._is_large(wanted))
                ):
                    return "large" if reading.has_dates or not wanted.first else "unfiltered"
                more = part.more
        if not more:
            return "whole"
        if wanted.first and not reading.has_dates:
            return "unfiltered"
        return more if more in ("round", "endless") else "more"

    async def _is_large(self, wanted: Slice) -> bool:
        """Whether the archive has more rows of a slice than are to be read: spares reading some in vain."""
        try:
            return bool(await self._archive.search_studies(wanted.query, limit=1, offset=self._most_rows))
        except (ArchiveAnswerError, ArchiveNotFoundError):  # it does not skip so many
            return False

    async def _has_moved(self, wanted: Slice, reading: "_Reading") -> bool:
        first = reading.first_page
        return list(first) != await self._archive.search_studies(wanted.query, limit=len(first), offset=0)


class _Reading:
    """What was read so far of a slice.

    Attributes:
        rows: By what tells them apart, each with what the slice goes by.
        first_page: The rows of the first page.
        has_dates: A study has a StudyDate; without any, none shows whether the archive searches by dates.
        pages: Number of pages that had something new.
    """

    def __init__(self, wanted: Slice, *, asked: datetime) -> None:
        self._wanted = wanted
        self._asked = asked
        self._date: datetime | None = None
        self.rows: dict[str, tuple[StudyKey, bytes]] = {}
        self.first_page: tuple[bytes, ...] = ()
        self.has_dates = False
        self.pages = 0

    def take(self, part: Part) -> bool:
        """Adds the rows of a page; whether all of them belong to the slice."""
        if not self.first_page:
            self.first_page = part.rows
            self._date = self._date or part.date
        self.pages += bool(part.rows)
        keys = [study_key(row) for row in part.rows]
        belong = [self._wanted.holds(key) for key in keys]
        self.has_dates = self.has_dates or any(key.date for key in keys)
        for identity, key, row, belongs in zip(part.identities, keys, part.rows, belong, strict=True):
            if belongs:
                self.rows[identity] = key, row
        return all(belong)

    def listed(self, outcome: Outcome) -> Listed:
        """All of it."""
        keys = [key for key, _ in self.rows.values()]
        return Listed(
            studies=grouped(self.rows.values()),
            outcome=outcome,
            date=self._date or self._asked,
            nameless=sum(not key.uid for key in keys),
            modalities=frozenset(modality for key in keys for modality in key.modalities),
        )


def grouped(rows: Iterable[tuple[StudyKey, bytes]]) -> tuple[ListedStudy, ...]:
    """Rows as studies; one that has several patients has several rows. Rows without a UID are left out."""
    studies: dict[str, list[bytes]] = {}
    for key, row in rows:
        if key.uid:
            studies.setdefault(key.uid, []).append(row)
    return tuple(ListedStudy(uid, tuple(texts)) for uid, texts in studies.items())
