"""Orthanc's `/changes`: a row for every resource that came, numbered for ever.

What Orthanc does not tell (measured with 1.10.1): a deletion writes no change, and takes the changes of what
was deleted with it, so that the last number may become lower than one that was read. The numbers begin anew
with another database. So the cursor holds a few changes of the past: where none of them is left as it was,
it is another database, or as good as one.

`StableStudy` is left out, since a study that becomes stable did not change: each change was told as it came.
So is `UpdatedAttachment`, since reading metadata makes the DICOMweb plugin write its cache.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from connectors.base import FeedEntry, FeedPage
from connectors.dicomweb.archive import DicomWebArchive
from connectors.dicomweb.feeds.reading import answer_as, cursor_as, written
from heltig.errors import ArchiveNotFoundError, CursorLostError

MOST_ANCHORS: Final = 4
"""Changes of the past that a cursor holds."""

STEP: Final = timedelta(seconds=15)
"""For so long studies of a page are asked for; with the rest the next page begins."""

_MEANT: Final = ("New", "Modified", "Anonymized", "UpdatedMetadata")
_LEVELS: Final = {"Study": "studies", "Series": "series", "Instance": "instances"}
_BEFORE: Final = 100
"""Changes before the first one that is read, in which anchors are looked for."""


class _Change(msgspec.Struct, frozen=True, rename="pascal"):
    seq: int
    change_type: str
    id: str = msgspec.field(name="ID")
    resource_type: str


class _Changes(msgspec.Struct, frozen=True, rename="pascal"):
    changes: list[_Change]
    done: bool
    last: int


class _Tags(msgspec.Struct, frozen=True):
    study: str = msgspec.field(name="StudyInstanceUID", default="")


class _Study(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="ID")
    tags: _Tags = msgspec.field(name="MainDicomTags")


class _Series(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="ID")
    instances: list[str] = msgspec.field(name="Instances")


class _Anchor(msgspec.Struct, frozen=True, array_like=True):
    seq: int
    id: str


class _Cursor(msgspec.Struct, frozen=True):
    seq: int
    anchors: tuple[_Anchor, ...] = ()


class OrthancFeed:
    """The changes of an Orthanc."""

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
            root: Of its REST interface, without a slash at the end.
            clock: Gives the time: Orthanc does not, it sends no Date.
        """
        self._clock = clock
        self._archive = archive
        self._root = root

    async def start(self) -> str:
        """See `connectors.base.ChangeFeed.start`."""
        last = (await self._changes("last")).last
        recent = await self._changes(f"since={max(0, last - _BEFORE)}&limit={_BEFORE}")
        return written(_Cursor(last, _anchors(recent.changes, ())))

    async def read(self, cursor: str, *, limit: int) -> FeedPage:
        """See `connectors.base.ChangeFeed.read`."""
        place = cursor_as(_Cursor, cursor)
        asked = self._clock()
        found = await self._since(place, limit)
        meant = [
            change
            for change in found.changes
            if change.change_type.startswith(_MEANT) and change.resource_type in _LEVELS
        ]
        marks, left = await self._studies(meant, until=asked + STEP)
        read = [change for change in found.changes if left is None or change.seq < left]
        is_end = found.done and left is None
        return FeedPage(
            entries=tuple(FeedEntry(study=uid, mark=str(seq)) for uid, seq in marks.items()),
            cursor=written(
                _Cursor(
                    max([place.seq, *(change.seq for change in read)]),
                    _anchors(read, place.anchors),
                )
            ),
            is_end=is_end,
            covered=asked if is_end else None,
        )

    async def _since(self, place: _Cursor, limit: int) -> _Changes:
        """The changes after a place, once it is clear that it is one of this database.

        Raises:
            CursorLostError: It is none.
        """
        newest = place.anchors[0] if place.anchors else _Anchor(place.seq, "")
        found = await self._changes(f"since={min(place.seq, newest.seq - 1)}&limit={limit + 1}")
        if place.anchors and not _holds(found.changes, newest):
            for older in place.anchors[1:]:
                if _holds((await self._changes(f"since={older.seq - 1}&limit=1")).changes, older):
                    break
            else:
                raise CursorLostError(
                    "None of the changes that were read last is in Orthanc any more: its database was made "
                    "anew, or all of these studies were deleted."
                )
        return msgspec.structs.replace(
            found, changes=[change for change in found.changes if change.seq > place.seq]
        )

    async def _studies(
        self, changes: Sequence[_Change], *, until: datetime
    ) -> tuple[dict[str, int], int | None]:
        """StudyInstanceUIDs with the number of the last change of each, in the order of these.

        Args:
            changes: As they were told.
            until: When to ask for no further study.

        Returns:
            These, and the first change whose study was not asked for; None where all were.
        """
        last: dict[str, tuple[str, int]] = {
            change.id: (change.resource_type, change.seq) for change in changes
        }
        marks: dict[str, int] = {}
        is_first = True
        for id, (level, seq) in sorted(last.items(), key=lambda one: one[1][1]):
            if id not in last:
                continue  # of a study that is known by now
            if not is_first and self._clock() >= until:
                return _by_change(marks), seq
            is_first = False
            study = await self._study_of(_LEVELS[level], id)
            if study is None:
                continue  # deleted meanwhile
            below = [id, study.id]
            if any(level != "Study" for level, _ in last.values()):
                below += await self._below(study.id)
            seqs = [last.pop(one)[1] for one in below if one in last]
            uid = study.tags.study
            marks[uid] = max([marks.get(uid, 0), *seqs])
        return _by_change(marks), None

    async def _study_of(self, level: str, id: str) -> _Study | None:
        place = f"{level}/{id}" if level == "studies" else f"{level}/{id}/study"
        try:
            return answer_as(_Study, *await self._archive.ask_beside(f"{self._root}/{place}"))
        except ArchiveNotFoundError:
            return None

    async def _below(self, study: str) -> list[str]:
        """The ids of the series and instances of a study."""
        try:
            head, body = await self._archive.ask_beside(f"{self._root}/studies/{study}/series")
        except ArchiveNotFoundError:
            return []
        series = answer_as(list[_Series], head, body)
        return [id for one in series for id in (one.id, *one.instances)]

    async def _changes(self, query: str) -> _Changes:
        return answer_as(_Changes, *await self._archive.ask_beside(f"{self._root}/changes?{query}"))


def _by_change(marks: dict[str, int]) -> dict[str, int]:
    return dict(sorted(((uid, seq) for uid, seq in marks.items() if uid), key=lambda one: one[1]))


def _holds(changes: Iterable[_Change], anchor: _Anchor) -> bool:
    return any((change.seq, change.id) == (anchor.seq, anchor.id) for change in changes)


def _anchors(changes: Sequence[_Change], before: Sequence[_Anchor]) -> tuple[_Anchor, ...]:
    """What to know a database again by: its last change, and those of studies that stay when that goes."""
    newest = [_Anchor(change.seq, change.id) for change in changes[-1:]] or list(before[:1])
    studies = [
        _Anchor(change.seq, change.id) for change in reversed(changes) if change.resource_type == "Study"
    ]
    others = [anchor for anchor in (*studies, *before[1:]) if anchor not in newest]
    return (*newest, *others[: MOST_ANCHORS - 1])
