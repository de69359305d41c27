"""Judges stored studies again, since another study came, changed or went."""

from datetime import timedelta
from typing import Any, Final

from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.again.context import REJUDGE, queue_left
from heltig.pipeline.keep import Kept, Scoring
from heltig.store import handing_on, studies, waiting
from heltig.store.records import Location

LEFT: Final = timedelta(minutes=5)
"""After so long a study is PENDING because nobody judges it, and not because somebody is about to."""

MOST_AT_ONCE: Final = 500
"""Studies that one sweep queues."""


async def queue_the_rest(queue: JobQueue) -> int:
    """Queues studies that are PENDING, and that nobody judges: every minute or so; returns their number.

    There should be none: whatever makes a study PENDING queues it, or judges it itself. But who does so may
    be killed, and then nobody else would ever come back to it.

    Raises:
        StorageError: The database failed.
    """
    before = queue.clock() - LEFT
    left = await queue.store.read(
        handing_on.judged_by_nobody, kind=REJUDGE, before=before, limit=MOST_AT_ONCE
    )
    if left:
        await queue.store.write(queue_left, queue, left)
    return len(left)


async def rejudge(context: JobContext, *, scoring: Scoring) -> dict[str, Any]:
    """Handles a job of kind `rejudge`: judges the study that it names, unless somebody else has done it.

    Raises:
        ConflictError: The study changes faster than it can be judged; trying again makes sense.
        StorageError: A process died, or the database failed; likewise.
    """
    kept = await _again(context, scoring)
    return {"readiness": kept.study.readiness if kept else None}


async def rejudge_queued(scoring: Scoring) -> list[Kept]:
    """Judges all studies that wait for it, for a command that does not stay; beside it a server may, too.

    Returns:
        The studies that this process judged. One that fails is left in the queue, for a server or the next
        command.

    Raises:
        StorageError: The database failed.
    """
    done: list[Kept] = []

    async def handle(context: JobContext) -> None:
        if kept := await _again(context, scoring):
            done.append(kept)

    await queue_the_rest(scoring.queue)
    runner = Runner(scoring.queue, {REJUDGE: handle}, places=1, lease=timedelta(minutes=5))
    await scoring.store.write(waiting.hurry, REJUDGE)
    await runner.drain()
    while await scoring.store.write(
        waiting.hurry, REJUDGE
    ):  # what was judged has changed what others are told
        await runner.drain()
    return done


async def _again(context: JobContext, scoring: Scoring) -> Kept | None:
    location = Location.parse(str(context.payload["location"]))
    study_key = str(context.payload["study"])
    study = await scoring.store.read(studies.find, location, study_key)
    if study is None or study.state != "PENDING":
        return None
    return await scoring.score_again(location, study_key)
