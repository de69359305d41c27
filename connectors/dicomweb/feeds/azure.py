"""The change feed of Azure's DICOM service, once Microsoft's dicom-server: every change of an instance.

Version 1 of it is read by sequence number: `offset` is the last number known, and `limit` bounds the numbers,
not the rows. Numbers are skipped now and then, so that an empty page is not the end (dicom-server #2712).
From version 2 on it is read in windows of time, in which `offset` skips rows. Both show a change when it is
committed, which may be after one with a later number: so what is younger than `LAG` is left to the next time.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from connectors.base import FeedEntry, FeedPage
from connectors.dicomweb.answer import date_of
from connectors.dicomweb.archive import DicomWebArchive
from connectors.dicomweb.feeds.reading import answer_as, cursor_as, written
from heltig.errors import CursorLostError
from heltig.http_answer import Head

LAG: Final = timedelta(seconds=30)
STEP: Final = timedelta(seconds=15)
"""For so long it is asked which studies of a page are gone; with the rest the next page begins."""

_MOST_NUMBERS: Final = 100
_MOST_ROWS: Final = 200
_VERSION: Final = re.compile(r"/v(\d+)(?=[^/]*(?:/|$))")


class _Change(msgspec.Struct, frozen=True, rename="pascal"):
    sequence: int
    study_instance_uid: str
    action: str
    timestamp: datetime

    @property
    def at(self) -> datetime:
        """When it was made; without a time zone it is UTC."""
        return self.timestamp if self.timestamp.tzinfo else self.timestamp.replace(tzinfo=UTC)


class _Numbers(msgspec.Struct, frozen=True, tag="numbers"):
    """A cursor of version 1: the last number that was read."""

    last: int


class _Times(msgspec.Struct, frozen=True, tag="times"):
    """A cursor of version 2.

    Attributes:
        start: Of the window; everything before was read.
        end: Of the window; None where the next one is still to be chosen.
        skip: Rows of the window that were read.
        last: The highest number that was read.
    """

    start: datetime
    end: datetime | None = None
    skip: int = 0
    last: int = 0


_Cursor = _Numbers | _Times


class AzureFeed:
    """The changes of an Azure DICOM service, or of a dicom-server."""

    def __init__(
        self,
        archive: DicomWebArchive,
        root: str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Makes it.

        Args:
            archive: Its DICOMweb services.
            root: Of the service, without a slash at the end; its version is part of it, such as `/v2`.
            clock: Gives the time, to see how long it takes.
        """
        self._archive = archive
        self._clock = clock
        self._root = root
        found = _VERSION.search(root)
        self._has_windows = found is not None and int(found[1]) > 1

    async def start(self) -> str:
        """See `connectors.base.ChangeFeed.start`."""
        head, latest = await self._latest()
        if self._has_windows:
            now = date_of(head) or (latest.at if latest else datetime(2000, 1, 1, tzinfo=UTC))
            return written(_Times(now - LAG, last=latest.sequence if latest else 0))
        return written(_Numbers(latest.sequence if latest else 0))

    async def read(self, cursor: str, *, limit: int) -> FeedPage:
        """See `connectors.base.ChangeFeed.read`."""
        place: _Numbers | _Times = cursor_as(_Cursor, cursor)
        if isinstance(place, _Times) != self._has_windows:
            raise CursorLostError(
                "The address of the archive is now that of another version of its interface."
            )
        if isinstance(place, _Times):
            return await self._read_window(place, min(limit, _MOST_ROWS))
        return await self._read_numbers(place, min(limit, _MOST_NUMBERS))

    async def _read_numbers(self, place: _Numbers, limit: int) -> FeedPage:
        head, changes = await self._changes(f"offset={place.last}&limit={limit}")
        now = date_of(head)
        settled = [change for change in changes if now is None or change.at <= now - LAG]
        if settled:
            entries, read = await self._entries(sorted(settled, key=lambda one: one.sequence))
            last = max(change.sequence for change in read)
            young = len(settled) < len(changes) and len(read) == len(settled)
            return FeedPage(
                entries=entries,
                cursor=written(_Numbers(last)),
                is_end=young,
                covered=now - LAG if young and now else None,
            )
        latest = (await self._latest())[1]
        _insist_on(latest, place.last)
        if latest and not changes and latest.sequence > place.last + limit:  # numbers that were skipped
            return FeedPage(entries=(), cursor=written(_Numbers(place.last + limit)), is_end=False)
        return FeedPage(entries=(), cursor=written(place), is_end=True, covered=now - LAG if now else None)

    async def _read_window(self, place: _Times, limit: int) -> FeedPage:
        end = place.end
        if end is None:
            head, latest = await self._latest()
            _insist_on(latest, place.last)
            end = (date_of(head) or (latest.at if latest else place.start)) - LAG
            if end <= place.start:
                return FeedPage(entries=(), cursor=written(place), is_end=True, covered=place.start)
        window = f"startTime={_text(place.start)}&endTime={_text(end)}"
        _, changes = await self._changes(f"{window}&offset={place.skip}&limit={limit}")
        if changes:
            entries, read = await self._entries(changes)
            last = max(place.last, *(change.sequence for change in read))
            following = _Times(place.start, end, place.skip + len(read), last)
            return FeedPage(entries=entries, cursor=written(following), is_end=False)
        _, latest = await self._latest()
        if (
            latest is not None
            and place.start <= latest.at < end
            and latest.sequence > max(place.last, place.skip + limit)
        ):  # numbers that were skipped
            following = _Times(place.start, end, place.skip + limit, place.last)
            return FeedPage(entries=(), cursor=written(following), is_end=False)
        return FeedPage(entries=(), cursor=written(_Times(end, last=place.last)), is_end=True, covered=end)

    async def _entries(self, changes: Sequence[_Change]) -> tuple[tuple[FeedEntry, ...], Sequence[_Change]]:
        """One entry a study, in the order of its last change, and the changes that these are made of.

        Where it takes long to see which studies are gone, these are the first changes only, at least one.
        """
        last = {change.study_instance_uid: place for place, change in enumerate(changes)}
        until, gone = self._clock() + STEP, set[str]()
        is_first = True
        for uid, place in sorted(last.items(), key=lambda one: one[1]):
            if not _deletes(changes[place]):
                continue
            if not is_first and self._clock() >= until:
                changes = changes[:place]
                break
            is_first = False
            if not await self._archive.search_studies({"StudyInstanceUID": uid}, limit=1, offset=0):
                gone.add(uid)  # a deletion is told of each instance
        read = {change.study_instance_uid: change for change in sorted(changes, key=lambda one: one.sequence)}
        entries = [
            FeedEntry(study=uid, mark=str(change.sequence), is_gone=uid in gone)
            for uid, change in sorted(read.items(), key=lambda one: one[1].sequence)
        ]
        return tuple(entries), changes

    async def _changes(self, query: str) -> tuple[Head, list[_Change]]:
        address = f"{self._root}/changefeed?{query}&includemetadata=false"
        head, body = await self._archive.ask_beside(address)
        return head, answer_as(list[_Change], head, body) if body else []

    async def _latest(self) -> tuple[Head, _Change | None]:
        address = f"{self._root}/changefeed/latest?includemetadata=false"
        head, body = await self._archive.ask_beside(address)
        return head, answer_as(_Change, head, body) if body else None


def _deletes(change: _Change) -> bool:
    return change.action.lower() == "delete"


def _insist_on(latest: _Change | None, last: int) -> None:
    """Raises where changes that were read are not there any more."""
    if last > (latest.sequence if latest else 0):
        raise CursorLostError("The newest change is older than one that was read: the archive was made anew.")


def _text(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
