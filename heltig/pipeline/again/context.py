"""What a change of one study means for others: those that are told something else of it are judged again.

Nobody's verdict is to depend on which of two studies came first. So whatever changes the index, the arrival,
the change or the withdrawal of a study, is followed by a look at every study that has something in common
with it. Where the index tells one of them something else than its verdict was made of, that study is PENDING
again, in the same transaction, and its re-judgement is queued. Where it does not, nothing happens: so two
studies that name one another come to rest. What comes while it waits for that is judged with the rest.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from heltig.jobs.queue import JobQueue
from heltig.rules.index_facts import Kind
from heltig.store import snapshots, states, studies, verdicts
from heltig.store.jobs import NewJob
from heltig.store.records import Location, NewSnapshot, PutSnapshot, Study
from heltig.store.relations import relations_of
from heltig.store.transaction import WriteTransaction

REJUDGE: Final = "rejudge"
"""The kind of job that judges a stored study again."""

AT_MOST_ONCE_IN: Final = timedelta(minutes=1)
"""A study is not judged again for the sake of others more often: of twenty that come one after the other, and
have something in common, each would be judged again with each that follows."""

_KEY_LENGTH: Final = 256


def arrive(transaction: WriteTransaction, new: NewSnapshot, queue: JobQueue) -> PutSnapshot:
    """Stores a study's evidence; studies that were told of what it was before are looked at.

    What they are told of it from now on is a matter of `look_at`, once this transaction is committed: two
    studies that arrive at the same moment do not see one another before.

    Args:
        transaction: Any that writes.
        new: The evidence.
        queue: Takes re-judgements.
    """
    before = studies.find(transaction, new.location, new.study_key)
    related: Mapping[int, frozenset[Kind]] = {}
    if before and before.state != "WITHDRAWN" and before.content_digest not in (None, new.content_digest):
        row = studies.row_of(transaction, new.location, new.study_key)
        related = relations_of(transaction, row).studies
        studies.lock_rows(transaction, [row, *related])
    put = snapshots.put(transaction, new)
    look_at(transaction, related, queue, at=new.received)
    return put


def withdraw(
    transaction: WriteTransaction, location: Location, study_key: str, queue: JobQueue, *, at: datetime
) -> None:
    """Says that a study is gone from its location; studies that were told of it are looked at.

    Args:
        transaction: Of `Store.write_durably`.
        location: Where it was.
        study_key: The study.
        queue: Takes re-judgements.
        at: The time.

    Raises:
        NotFoundError: The study was never seen at that location.
    """
    row = studies.row_of(transaction, location, study_key)
    related = relations_of(transaction, row).studies
    studies.lock_rows(transaction, [row, *related])
    states.withdraw(transaction, location, study_key, at=at)
    look_at(transaction, related, queue, at=at)


def look_at(
    transaction: WriteTransaction,
    related: Mapping[int, frozenset[Kind]],
    queue: JobQueue,
    *,
    at: datetime,
) -> None:
    """Queues those of some studies for judging of which the index says what their verdict does not know.

    A study that is PENDING is left to whoever judges it: they ask the index last of all.

    Args:
        transaction: One that sees the change, and has no other study locked but these.
        related: The rows of the studies, with the kinds of facts that may have changed.
        queue: Takes re-judgements.
        at: The time.
    """
    for row, study in studies.lock_rows(transaction, related):
        if study.state != "JUDGED":
            continue
        verdict = verdicts.current(transaction, study.location, study.study_key)
        known = verdict.inputs.index_facts if verdict else ()
        told = relations_of(transaction, row, related[row]).facts
        if told != tuple(fact for fact in known if fact.kind in related[row]):
            again = replace(study, state="PENDING", version=study.version + 1, changed=at)
            states.change(transaction, row, again, verdict)
            queue.enqueue(transaction, _job(study, at))


def queue_left(transaction: WriteTransaction, queue: JobQueue, left: Iterable[Study]) -> None:
    """Queues studies for judging that are PENDING, and that no job will judge.

    Args:
        transaction: Any that writes.
        queue: Takes re-judgements.
        left: The studies.
    """
    for study in left:
        queue.enqueue(transaction, _job(study, study.changed))


def _job(study: Study, at: datetime) -> NewJob:
    key = f"{study.location} {study.study_key}"
    if len(key) > _KEY_LENGTH:
        key = hashlib.sha256(key.encode()).hexdigest()
    payload = {"location": str(study.location), "study": study.study_key}
    rests = min(study.judged, at) + AT_MOST_ONCE_IN if study.judged else at  # a clock may have been ahead
    return NewJob(
        kind=REJUDGE,
        key=key,
        group=REJUDGE,
        payload=payload,
        not_before=rests if rests > at else None,
        follows=True,  # one that is running may have published already, and only not have ended
    )
