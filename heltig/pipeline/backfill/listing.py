"""Listing what belongs to a backfill: as a cold sweep does, and written down as one.

So its studies are pulled by the jobs that pull all others, after those that discovery finds.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from heltig.pipeline.archives.opened import Opened
from heltig.pipeline.discovery.batch import Batch
from heltig.pipeline.discovery.listed import ColdSweep
from heltig.pipeline.discovery.lister import Lister
from heltig.pipeline.discovery.observe import News, Sighting, news_in, observe, sightings
from heltig.pipeline.discovery.rounds import Place, batch_of, place_of
from heltig.pipeline.discovery.slices import FIRST_DAY, LAST_DAY, day_before, study_key
from heltig.pipeline.discovery.unfiltered import every_study
from heltig.store import backfill_studies, backfills, observations
from heltig.store.backfills import Backfill
from heltig.store.engine import Store
from heltig.store.locations import ensure
from heltig.store.transaction import WriteTransaction

PRIORITY: Final = 3
"""How soon its studies are pulled, among those of the archive: after all that discovery finds."""

logger = logging.getLogger(__name__)


async def list_on(
    store: Store, opened: Opened, known: Backfill, *, clock: Callable[[], datetime], until: datetime | None
) -> Backfill:
    """Lists studies of a backfill from where it was left, each batch in one transaction with its place.

    Args:
        store: Where it is.
        opened: Its archive.
        known: It, not listed yet.
        clock: The time.
        until: After that no further batch is begun; None to list to the end.

    Returns:
        It, as it is then.

    Raises:
        ArchiveError: The archive does not answer; what was listed so far is kept.
        StorageError: The database failed.
    """
    async with aclosing(_batches(opened, known)) as batches:
        async for batch in batches:
            seen = await sightings(batch, store.keyed)
            news = await store.read(news_in, known.location, batch, seen, now=clock())
            for note in {*batch.notes, *news.notes} - {*known.notes}:
                logger.warning("%s (backfill %d): %s", known.location, known.id, note)
            is_ours = await store.write(_take, opened, known, batch, seen, news, now=clock())
            found = await store.read(backfills.find, known.id)
            known = found or known
            if not is_ours or known.listed or (until and clock() >= until):
                break
    return known


async def _batches(opened: Opened, known: Backfill) -> AsyncGenerator[Batch, None]:
    lister = Lister(opened.archive)
    if not known.dates:
        sweep = ColdSweep(opened.archive, lister, every=timedelta(0))
        async with aclosing(sweep.batches(known.position)) as batches:
            async for batch in batches:
                yield batch
        return
    start, separator, end = known.dates.partition("-")
    first, last = start or FIRST_DAY, (end or LAST_DAY) if separator else start
    place = place_of(known.position) or Place(day=last)
    if not place.has_no_dates:
        async with aclosing(lister.slices(first, place.day)) as slices:
            async for part, listed in slices:
                if listed.outcome == "unfiltered":
                    place = Place(has_no_dates=True)
                    break
                is_last = part.first == first or listed.outcome == "endless"
                following = "" if is_last else Place(day=day_before(part.first)).cursor
                yield batch_of(listed, part, cursor=following, is_last=is_last)
                if is_last:
                    return
    async with aclosing(every_study(opened.archive, place)) as batches:
        async for batch in batches:  # of an archive that does not search by dates
            dated = (one for one in batch.studies if first <= study_key(one.rows[0]).date <= last)
            yield replace(batch, studies=tuple(dated))


def _take(
    transaction: WriteTransaction,
    opened: Opened,
    known: Backfill,
    batch: Batch,
    seen: list[Sighting],
    news: News,
    *,
    now: datetime,
) -> bool:
    listed = now if batch.is_last else None
    notes = (*batch.notes, *news.notes)
    if not backfills.advance(transaction, known, position=batch.cursor, notes=notes, due=now, listed=listed):
        return False
    observe(transaction, known.location, news, priority=PRIORITY, now=now, options=opened.options)
    location = ensure(transaction, known.location)
    keys = {*(one.key for one in seen), *news.gone}  # who is not listed any more is asked for, too
    studies = observations.find_many(transaction, location, keys).values()
    if known.again:
        asked = [
            replace(one, unsettled_since=now, due=now, priority=PRIORITY)
            for one in studies
            if one.changed and one.unsettled_since is None
        ]
        observations.write(transaction, location, asked)
    backfill_studies.take_in(transaction, known.id, (one.row for one in studies))
    return True
