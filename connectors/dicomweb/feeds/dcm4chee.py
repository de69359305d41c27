"""What came to a dcm4chee-arc: a search by StudyReceiveDateTime, a key of its own (dcm4chee-arc-light #378).

It names the time when a study's first instance came. So late instances are not in it: they change the counts
that a listing shows, which is why such an archive is listed too. A search finds studies when their storage is
committed, which is after the time that they show: so each search goes back by `OVERLAP`.
"""

from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from connectors.base import FeedEntry, FeedPage, Page, read_row
from connectors.dicomweb.archive import STUDY_COUNTS, DicomWebArchive
from connectors.dicomweb.feeds.reading import cursor_as, written
from connectors.paging import TOO_LARGE, Pager
from heltig.dicom.study import STUDY_INSTANCE_UID, element
from heltig.errors import ArchiveAnswerError

OVERLAP: Final = timedelta(minutes=5)
SHORTEST: Final = timedelta(seconds=1)
"""The shortest time that is searched for; what came in it is taken as it is given."""

STEP: Final = timedelta(seconds=15)
"""After so long a search is given up for one of half the time."""

_NOBODYS: Final = "2.25.0"
"""A StudyInstanceUID that is searched for to learn what time it is."""

_PAGE_ROWS: Final = 200
_MOST_PAGES: Final = 500
_UPDATED: Final = "77771021"
"""StudyUpdateDateTime, beside the private creator DCM4CHEE Archive 5."""


class _Cursor(msgspec.Struct, frozen=True):
    """Where the next search begins, by the archive's clock.

    Attributes:
        since: All that came before is known.
        until: Where it ends, after one that found too much, or took too long; None for no end.
    """

    since: datetime
    until: datetime | None = None


class Dcm4cheeFeed:
    """The studies that came to a dcm4chee-arc."""

    def __init__(
        self, archive: DicomWebArchive, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Makes it.

        Args:
            archive: The archive.
            clock: The time, for an archive that does not say what time it is.
        """
        self._archive = archive
        self._clock = clock

    async def start(self) -> str:
        """See `connectors.base.ChangeFeed.start`."""
        return written(_Cursor(await self._now() - OVERLAP))

    async def read(self, cursor: str, *, limit: int) -> FeedPage:
        """See `connectors.base.ChangeFeed.read`; where more came than `limit`, half the time is next."""
        place = cursor_as(_Cursor, cursor)
        since, until = place.since, place.until  # none: what came last may be of another node's future
        now = max(since, await self._now())
        span = (until or now) - since
        stop = self._clock() + STEP if span > SHORTEST else None
        rows, is_whole = await self._received(since, until, limit, stop=stop)
        if not is_whole and span > SHORTEST:
            half = since + max(SHORTEST, span / 2)
            return FeedPage(entries=(), cursor=written(_Cursor(since, half)), is_end=False)
        return FeedPage(
            entries=_entries(rows),
            cursor=written(_Cursor(until or now - OVERLAP)),
            is_end=until is None,
            covered=now if until is None else None,
        )

    async def _received(
        self, first: datetime, last: datetime | None, most: int, *, stop: datetime | None
    ) -> tuple[list[bytes], bool]:
        """The rows of studies that came in some time; whether these are all, in time, and not too many."""
        query = {
            "StudyReceiveDateTime": f"{_text(first)}-{_text(last) if last else ''}",
            "includefield": f"{STUDY_COUNTS},{_UPDATED}",
        }

        async def ask(limit: int, offset: int) -> Page:
            return await self._archive.search_studies(query, limit=limit, offset=offset)

        rows: list[bytes] = []
        pager = Pager(page_rows=_PAGE_ROWS, most_pages=_MOST_PAGES)
        try:
            async with aclosing(pager.parts(ask)) as parts:
                async for part in parts:
                    rows += part.rows
                    if not part.is_last and (len(rows) > most or (stop and self._clock() >= stop)):
                        return rows, False
                    is_whole = not part.more or part.more == "round"
        except ArchiveAnswerError as refusal:
            if refusal.answer_status != TOO_LARGE:
                raise
            return rows, False
        return rows, is_whole

    async def _now(self) -> datetime:
        page = await self._archive.search_studies({"StudyInstanceUID": _NOBODYS}, limit=1, offset=0)
        return page.date or self._clock()


def _entries(rows: list[bytes]) -> tuple[FeedEntry, ...]:
    """One entry a study; the rows of one that has several patients stay together."""
    studies: dict[str, list[bytes]] = {}
    marks: dict[str, str] = {}
    for text in rows:
        row = read_row(text)
        if uid := element(row, STUDY_INSTANCE_UID).text:
            studies.setdefault(uid, []).append(text)
            marks[uid] = max(marks.get(uid, ""), element(row, _UPDATED).text)
    return tuple(FeedEntry(study=uid, mark=marks[uid], rows=tuple(found)) for uid, found in studies.items())


def _text(time: datetime) -> str:
    """A time as DT (PS3.5 6.2); in UTC, since a minus sign in an offset would look like a range."""
    return f"{time.astimezone(UTC):%Y%m%d%H%M%S.%f}+0000"
