"""Two archives side by side: what of each study is in the one and in the other.

Nothing is asked of the archives: what was pulled is compared. So both are to be backfilled before. Only as
much is in memory as a page of studies.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from datetime import date
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from heltig.errors import NotFoundError, UsageError
from heltig.pipeline.archives.administration import found_archive
from heltig.pipeline.differences.differing_attributes import differing_attributes
from heltig.store import archives, side_by_side
from heltig.store.archives import location_of
from heltig.store.divergence import Held, divergence
from heltig.store.engine import Store
from heltig.store.locations import row_of
from heltig.store.side_by_side import Copy
from heltig.store.studies import unpack_uids
from heltig.store.text import storable_key
from heltig.store.transaction import ReadTransaction

Status: TypeAlias = Literal[
    "equal", "alike", "different", "only-source", "only-destination", "not-read", "not-comparable"
]
STATUSES: Final[tuple[Status, ...]] = (
    "equal", "alike", "different", "only-source", "only-destination", "not-read", "not-comparable",
)  # fmt: skip
"""`alike`: the same instances in the same series, whose attributes could not be compared since an archive
gives a summary of its metadata. `not-read`: both have it, but it was not pulled from both as it is now.
`not-comparable`: what both can show is too little to tell."""

PAGE: Final = 200
"""Studies that are compared in one transaction."""

MOST_SERIES: Final = 50
"""Series of a study that are looked into for what differs."""


class SeriesDifference(msgspec.Struct, frozen=True, rename="camel"):
    """A series of the same SOP Instance UIDs in both; or of which the other has some in another series.

    Attributes:
        series: Its key.
        attributes: Keywords of what differs, or tags where there is no keyword; none where the same values
            are written in other ways, or one has an instance more often. `SeriesInstanceUID` alone where
            instances are in another series.
        source_instances: Number of its instances in the source, one that is there twice counted twice.
        destination_instances: Likewise in the destination.
    """

    series: str
    attributes: tuple[str, ...]
    source_instances: int
    destination_instances: int


class Compared(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A study in two archives.

    Attributes:
        study: Its key.
        source_series: The number of its series in the source; null where it is not there or not read.
        source_instances: Likewise of its instances.
        only_source: Number of instances that the destination should have shown and did not.
        only_destination: Likewise the other way round.
        differences: Series of the same instances with other content.
    """

    study: str
    status: Status
    source_series: int | None = None
    source_instances: int | None = None
    destination_series: int | None = None
    destination_instances: int | None = None
    only_source: int = 0
    only_destination: int = 0
    differences: tuple[SeriesDifference, ...] = ()


class Place(msgspec.Struct, frozen=True):
    """How far two archives were compared: `side`, and the key of the last study that was compared there.

    First come the studies of the source, then those that are in the destination alone.
    """

    side: side_by_side.Side = "source"
    after: str = ""

    def __str__(self) -> str:
        return f"{self.side}-{self.after}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that a text means.

        Raises:
            UsageError: It means none.
        """
        side, _, after = text.partition("-")
        if side in ("source", "destination"):
            return cls("source" if side == "source" else "destination", after)
        raise UsageError("after is what the page before gave as next.")


class ComparedPage(msgspec.Struct, frozen=True):
    """Some studies in two archives.

    Attributes:
        next: Where to go on; None after the last.
    """

    items: tuple[Compared, ...]
    next: Place | None


async def compared(
    store: Store, source: str, destination: str, *, dates: tuple[str, str] = ("", "")
) -> AsyncGenerator[Compared, None]:
    """Compares all studies of two archives, in the order of their keys.

    Args:
        store: Where they are.
        source: The name of one archive.
        destination: Of the other.
        dates: First and last StudyDate as YYYYMMDD, both included; an empty one is open.

    Raises:
        NotFoundError: There is no archive of that name.
        StorageError: The database failed, or stored evidence is damaged.
    """
    place: Place | None = Place()
    while place is not None:
        page = await store.read(compare_page, source, destination, place=place, dates=dates, limit=PAGE)
        for one in page.items:
            yield one
        place = page.next


def days_of(first: date | None, last: date | None) -> tuple[str, str]:
    """The first and the last day of a range as they are stored; empty where there is none."""
    start, end = (day.isoformat().replace("-", "") if day else "" for day in (first, last))
    return start, end


def compare_study(transaction: ReadTransaction, source: str, destination: str, study: str) -> Compared:
    """Compares one study.

    Raises:
        NotFoundError: There is no archive of that name, or neither has the study.
    """
    key = storable_key(study)
    here, there = (
        side_by_side.copies(transaction, row, [key]).get(key)
        for row in locations_of(transaction, source, destination)
    )
    if here is None and there is None:
        raise NotFoundError(f"Neither {source} nor {destination} has study {study}, as far as is known.")
    return _compare(transaction, key, here, there)


def compare_page(
    transaction: ReadTransaction,
    source: str,
    destination: str,
    *,
    place: Place,
    dates: tuple[str, str],
    limit: int,
) -> ComparedPage:
    """Compares the next studies of two archives.

    Raises:
        NotFoundError: There is no archive of that name.
    """
    rows = locations_of(transaction, source, destination)
    this, that = rows if place.side == "source" else (rows[1], rows[0])
    found = side_by_side.page(transaction, this, after=place.after, limit=limit, dates=dates)
    others = side_by_side.copies(transaction, that, [one.study_key for one in found])
    if place.side == "source":
        pairs: Iterable[tuple[Copy | None, Copy | None]] = ((one, others.get(one.study_key)) for one in found)
    else:  # those that both have were compared, but for one that has a date of the range here alone
        pairs = (
            (others.get(one.study_key), one)
            for one in found
            if one.study_key not in others or not _is_dated(others[one.study_key], dates)
        )
    items = tuple(
        _compare(transaction, (here or there).study_key, here, there)  # type: ignore[union-attr]  # one is there
        for here, there in pairs
    )
    if len(found) == limit:
        following: Place | None = Place(place.side, found[-1].study_key)
    else:
        following = Place("destination") if place.side == "source" else None
    return ComparedPage(items, following)


def locations_of(transaction: ReadTransaction, source: str, destination: str) -> tuple[int, int]:
    """The rows of the locations of two archives; 0 where nothing was ever seen.

    Raises:
        NotFoundError: There is no archive of that name.
        UsageError: It is one archive.
    """
    if source == destination:
        raise UsageError("An archive is not compared with itself: name two.")
    rows = []
    for name in (source, destination):
        found_archive(archives.find(transaction, name), name)
        rows.append(row_of(transaction, location_of(name)) or 0)
    return rows[0], rows[1]


class _Content(NamedTuple):
    """How the contents of two copies compare; see `Compared`."""

    status: Status
    only_here: int = 0
    only_there: int = 0
    differences: tuple[SeriesDifference, ...] = ()


def _compare(transaction: ReadTransaction, key: str, here: Copy | None, there: Copy | None) -> Compared:
    if here is None or there is None:
        found = _Content("only-destination" if here is None else "only-source")
    elif not (here.is_read and there.is_read):
        found = _Content("not-read")
    else:
        found = _compare_content(transaction, here, there)
    return Compared(
        study=key,
        status=found.status,
        source_series=here.series if here and here.is_read else None,
        source_instances=here.instances if here and here.is_read else None,
        destination_series=there.series if there and there.is_read else None,
        destination_instances=there.instances if there and there.is_read else None,
        only_source=found.only_here,
        only_destination=found.only_there,
        differences=found.differences,
    )


def _compare_content(transaction: ReadTransaction, here: Copy, there: Copy) -> _Content:
    if here.content_digest == there.content_digest:
        return _Content("equal")
    mine, theirs = (side_by_side.held(transaction, one.row) for one in (here, there))
    found = divergence(mine, theirs)
    if found is not None:
        differences = tuple(
            SeriesDifference(uid, one.attributes, one.here, one.there)
            for uid in found.uids[:MOST_SERIES]
            for one in (differing_attributes(transaction, here.row, there.row, uid),)
        )
        return _Content("different", found.only_here, found.only_there, differences)
    if moved := _moved(mine, theirs):
        return _Content("different", differences=tuple(moved[:MOST_SERIES]))
    if not _is_comparable(mine, theirs):
        return _Content("not-comparable")
    # What does not diverge may still be told apart: a summary shows less.
    return _Content("equal" if _digests(mine) == _digests(theirs) else "alike")


def _is_comparable(mine: Held, theirs: Held) -> bool:
    """Whether what does not differ is the same: both show instances, and each series has the same ones."""
    uids = [{key: packed for key, (_, packed) in one.series.items()} for one in (mine, theirs)]
    return "metadata" in mine.shows & theirs.shows and uids[0] == uids[1]


def _digests(one: Held) -> dict[str, bytes]:
    return {key: digest for key, (digest, _) in one.series.items()}


def _moved(mine: Held, theirs: Held) -> list[SeriesDifference]:
    """The series of which both have instances, but not in the same series; though neither shows all."""
    if "metadata" not in mine.shows & theirs.shows:
        return []
    here, there = (
        {key: unpack_uids(packed) for key, (_, packed) in one.series.items()} for one in (mine, theirs)
    )
    found = _strayed(here, there) | _strayed(there, here)
    return [
        SeriesDifference(key, ("SeriesInstanceUID",), len(here.get(key, ())), len(there.get(key, ())))
        for key in sorted(found)
    ]


def _strayed(these: Mapping[str, Sequence[str]], those: Mapping[str, Sequence[str]]) -> set[str]:
    """The series of these that have an instance which those have in other series alone."""
    everywhere = frozenset[str]().union(*those.values())
    return {key for key, uids in these.items() if (everywhere & {*uids}) - {*those.get(key, ())}}


def _is_dated(one: Copy, dates: tuple[str, str]) -> bool:
    first, last = dates
    return (not first or one.study_date >= first) and (not last or "" < one.study_date <= last)
