"""What became of the studies of a backfill: read from their observations, whoever pulled them."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from heltig.pipeline.pull.job import NEXT_DAY
from heltig.store import backfill_studies
from heltig.store.backfill_studies import Done, Outcome, Undone
from heltig.store.backfills import Backfill
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

AT_ONCE: Final = 500
"""Studies that are looked at in one transaction."""

_UNREAD: Final = "It could not be read; the job of kind pull says why. It is asked for again after a day."


async def say_what_is_done(
    store: Store,
    known: Backfill,
    *,
    clock: Callable[[], datetime],
    after: int = 0,
    most: int | None = None,
) -> int:
    """Writes down what became of the studies of which nothing is left to do; returns their number.

    It may end anywhere, and be run again: what was written stands.

    Args:
        store: Where it is.
        known: The backfill.
        clock: The time.
        after: Only studies whose rows are above this one.
        most: Look at so many studies or a few more; None for all.

    Raises:
        StorageError: The database failed, or stored evidence is damaged.
    """
    number = looked_at = 0
    while True:
        last, done = await store.read(_look, known, after)
        if done:
            await store.write(backfill_studies.say_done, known.id, done, now=clock())
            number += len(done)
        looked_at += AT_ONCE
        if last is None or (most is not None and looked_at >= most):
            return number
        after = last


def _look(transaction: ReadTransaction, known: Backfill, after: int) -> tuple[int | None, list[Done]]:
    """What is done of the next studies, and the row to go on after; None for the last of them."""
    undone = backfill_studies.undone(transaction, known.id, after=after, limit=AT_ONCE)
    done = []
    for one in undone:
        outcome = outcome_of(known, one)
        if outcome is not None:
            row = one.observation.row
            done.append(
                Done(
                    row=row,
                    outcome=outcome,
                    instances=one.instances,
                    error=_UNREAD if outcome == "failed" else None,
                )
            )
    return (undone[-1].observation.row if len(undone) == AT_ONCE else None), done


def outcome_of(known: Backfill, study: Undone) -> Outcome | None:
    """What became of a study since a backfill began; None while something is left to do.

    One that was given up is `judged` where that is its verdict, and has `failed` where it has another: its
    observation says that it is asked for again after a day (`heltig.pipeline.pull.job`).
    """
    seen = study.observation
    is_judged = study.judged is not None and study.judged >= known.started
    if seen.state == "WITHDRAWN":
        return "gone"
    if seen.unsettled_since is None:
        was_asked = known.again or (seen.changed is not None and seen.changed >= known.started)
        return "judged" if is_judged else "unchanged" if was_asked else "known"
    if seen.state == "JUDGED":
        return "judged" if is_judged else None
    is_given_up = seen.due == seen.unsettled_since + NEXT_DAY and seen.unsettled_since >= known.started
    return "failed" if is_given_up else None
