"""Analyses that nobody orders: READY studies that the site's plan names, found in the change feed.

Results of analyses are not news: a study that they came back to is not analysed again because of them.

The feed is followed, never held up: no verdict waits for this, or fails with it. Studies that were READY
before the plan first named any stay as they are.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from heltig.errors import HeltigError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.research.loop_guard import has_nothing_new
from heltig.pipeline.research.ordering import AUTOMATIC, Ordering, order
from heltig.pipeline.research.plan import Plan
from heltig.store import changes, sequence, studies
from heltig.store.changes import Change
from heltig.store.transaction import ReadTransaction, WriteTransaction

AT_ONCE: Final = 100
"""Changes that are looked at in one transaction."""


async def queue_wanted(queue: JobQueue, plan: Plan, *, now: Callable[[], datetime]) -> None:
    """Orders analyses of studies that have become READY since the last look.

    Raises:
        StorageError: The database failed; what is left is found by the next look.
    """
    while await queue.store.read(_is_behind) and await queue.store.write_durably(
        _order_some, queue, plan, now=now()
    ):
        pass


def _is_behind(transaction: ReadTransaction) -> bool:
    return sequence.value_of(transaction, "analyses") != changes.latest(transaction)


def _order_some(transaction: WriteTransaction, queue: JobQueue, plan: Plan, *, now: datetime) -> bool:
    """Looks at some changes; returns whether there may be more."""
    position = sequence.lock(transaction, "analyses")
    if position is None:
        sequence.put(transaction, "analyses", changes.latest(transaction))
        return False
    found = changes.since(transaction, position, limit=AT_ONCE)
    for one in found:
        _order_one(transaction, queue, plan, one, now=now)
    sequence.put(transaction, "analyses", found[-1].sequence if found else changes.latest(transaction))
    return len(found) == AT_ONCE


def _order_one(
    transaction: WriteTransaction, queue: JobQueue, plan: Plan, one: Change, *, now: datetime
) -> None:
    if one.state != "JUDGED" or one.readiness != "READY":
        return
    study = studies.find(transaction, one.location, one.study_key)
    if study is None or study.snapshot is None or study.state != "JUDGED" or study.readiness != "READY":
        return
    asked = plan.automatic_for(one.location, study.attributes.modalities_in_study)
    if asked is None:
        return
    row = studies.row_of(transaction, one.location, one.study_key)
    if has_nothing_new(transaction, study, row, by=AUTOMATIC):
        return
    try:
        order(
            transaction,
            queue,
            Ordering(study_key=one.study_key, location=one.location, asked=asked, actor=AUTOMATIC, origin=""),
            plan=plan,
            may_identify=False,
            now=now,
        )
    except HeltigError:
        return  # nothing for such a study: whoever orders it by hand is told why
