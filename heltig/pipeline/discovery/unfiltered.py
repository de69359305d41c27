"""The pass over every study of an archive, by one search without a filter, however many there are."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec

from connectors.base import Archive, Page
from connectors.paging import TOO_LARGE, More, Pager, Position
from heltig.errors import ArchiveAnswerError
from heltig.pipeline.discovery.batch import UNDATED, Batch
from heltig.pipeline.discovery.lister import PAGE_ROWS, grouped
from heltig.pipeline.discovery.rounds import ENDLESS, Place, note_of_size
from heltig.pipeline.discovery.slices import StudyKey, is_dated, study_key

BATCH_ROWS: Final = 1_000
"""Rows after which a batch is handed out."""

MOST_ROWS: Final = 10_000_000
"""Rows after which the pass is given up: no archive has so many studies."""

MOST_PROVEN: Final = 200_000
"""Studies of one pass that are remembered, to see which others vanished: some 20 MB."""

_NO_END: Final = (
    "The archive does not list all its studies without a date to search by: {} may be missing. "
    "Have its administrator raise the limit of its searches."
)


async def every_study(
    archive: Archive, place: Place, *, page_rows: int = PAGE_ROWS
) -> AsyncGenerator[Batch, None]:
    """Hands out studies of an archive as its pages come; only a batch is held in memory.

    Where it is read from start to end in one go it proves which studies there are, if these are not too many.

    Args:
        archive: The archive.
        place: Where to go on.
        page_rows: Rows to ask for at a time.

    Raises:
        ArchiveError: The archive does not answer.
    """

    async def ask(limit: int, offset: int) -> Page:
        return await archive.search_studies({}, limit=limit, offset=offset)

    pager = Pager(page_rows=page_rows, most_pages=MOST_ROWS // page_rows, until_nothing_comes=True)
    uids: set[str] | None = set() if place.position.skip == 0 else None
    found: list[tuple[StudyKey, bytes]] = []
    read = 0
    try:
        async with aclosing(pager.parts(ask, place.position if place.position.skip else None)) as parts:
            async for part in parts:
                keys = ((study_key(row), row) for row in part.rows)
                wanted = [(key, row) for key, row in keys if place.has_no_dates or not is_dated(key)]
                found += wanted
                read += len(part.rows)
                if uids is not None:
                    uids.update(key.uid for key, _ in wanted)
                    uids = uids if len(uids) <= MOST_PROVEN else None
                is_last = part.is_last or part.position.skip >= MOST_ROWS
                if read < BATCH_ROWS and not is_last:
                    continue
                more = part.more if part.is_last else "endless" if is_last else ""
                yield _batch(found, place, part.position, is_last=is_last, more=more, uids=uids)
                if is_last:
                    return
                found, read = [], 0
    except ArchiveAnswerError as refusal:
        if refusal.answer_status != TOO_LARGE:
            raise
        yield _batch(found, place, place.position, is_last=True, more="capped", uids=None)


def _batch(
    found: list[tuple[StudyKey, bytes]],
    place: Place,
    position: Position,
    *,
    is_last: bool,
    more: More,
    uids: set[str] | None,
) -> Batch:
    is_proven = is_last and uids is not None and not more
    missing = "some" if place.has_no_dates else "those without a StudyDate"
    notes: tuple[str, ...] = ()
    if more == "endless":
        notes = (ENDLESS,)
    elif more in ("capped", "repeats"):
        notes = (_NO_END.format(missing),)
    elif note := note_of_size(msgspec.structs.replace(place, position=position)):
        notes = (note,)
    return Batch(
        studies=grouped(found),
        cursor="" if is_last else msgspec.structs.replace(place, day="", position=position).cursor,
        covered=place.since if is_last else None,
        notes=notes,
        is_last=is_last,
        swept=(("", "") if place.has_no_dates else UNDATED) if is_proven else None,
        swept_uids=frozenset(uids or ()) - {""} if is_proven else frozenset(),
    )
