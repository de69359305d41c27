"""Reads from the store what a report of stored verdicts is made of."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final

from heltig.errors import NotFoundError
from heltig.pipeline.backfill.walking import found_backfill
from heltig.reports.study_pictures import StudyPictures, picture_of
from heltig.reports.verdict_line import VerdictLine, line_of
from heltig.store import judged_studies, studies
from heltig.store.engine import Store
from heltig.store.judged_studies import JudgedStudy, Scope
from heltig.store.locations import row_of
from heltig.store.records import Location, Study
from heltig.store.series_contents import content_at, series_of_newest
from heltig.store.studies import RANKS
from heltig.store.transaction import ReadTransaction

_AT_ONCE: Final = 200
"""Studies that are read in one transaction: nobody waits long for it."""


async def lines_of(
    store: Store, scope: Scope, *, redact: bool, clock: Callable[[], datetime]
) -> AsyncIterator[VerdictLine]:
    """The studies of a scope, the first seen first; some hundreds are in memory at a time.

    Args:
        store: Where they are.
        scope: Which.
        redact: Without what could name a patient.
        clock: The time.
    """
    after = 0
    while True:
        found, after = await store.read(judged_studies.page, scope, now=clock(), after=after, limit=_AT_ONCE)
        for line in await asyncio.to_thread(_lines, found, redact):
            yield line
        if not after:
            return


def _lines(found: list[JudgedStudy], redact: bool) -> list[VerdictLine]:
    return [line_of(one, redact=redact) for one in found]


def refuse_what_is_not_there(transaction: ReadTransaction, scope: Scope) -> None:
    """Says what a scope names that there is not: an empty report would say that all is well.

    Raises:
        NotFoundError: There is no such location or backfill.
    """
    if scope.location is not None and row_of(transaction, scope.location) is None:
        raise NotFoundError(f"There is no {scope.location}, and never was.")
    if scope.backfill is not None:
        found_backfill(transaction, scope.backfill)


async def study_of(store: Store, study_key: str, location: Location | None, *, now: datetime) -> JudgedStudy:
    """A study with its verdict, at one location or at the one with the worst verdict.

    Raises:
        NotFoundError: Nothing is known of it there.
    """
    return await store.read(_study, study_key, location, now)


async def pictures_of(store: Store, found: JudgedStudy) -> StudyPictures:
    """What is drawn of a study, read one series after the other."""
    study, verdict = found.study, found.verdict
    made = []
    reference = verdict.inputs.reference_date if verdict else study.first_seen.date()
    for part in await store.read(series_of_newest, study.location, study.study_key):
        content = await store.read(content_at, part.address)
        made.append(await asyncio.to_thread(picture_of, part.series_key, content, reference=reference))
    return StudyPictures(tuple(made))


def _study(
    transaction: ReadTransaction, study_key: str, location: Location | None, now: datetime
) -> JudgedStudy:
    everywhere = studies.find_everywhere(transaction, study_key)
    found = [study for study in everywhere if location in (None, study.location)]
    if not found:
        raise NotFoundError("Nothing is known of this study there. It was never pulled or uploaded.")
    worst = min(found, key=_worst_first)
    row = studies.row_of(transaction, worst.location, worst.study_key)
    return judged_studies.judged(transaction, [row], now=now)[0]


def _worst_first(study: Study) -> tuple[bool, int, str]:
    return study.state == "WITHDRAWN", -RANKS[study.readiness], str(study.location)
