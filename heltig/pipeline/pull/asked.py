"""One study that somebody asks to be pulled now, beside whoever watches its archive."""

from typing import Final

from heltig import audit
from heltig.errors import UsageError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.administration import found_archive
from heltig.pipeline.discovery.observe import ask_for
from heltig.pipeline.discovery.schedule import PULL
from heltig.pipeline.pull.settle import pull_of
from heltig.store import archives, handing_on, jobs, observations
from heltig.store.archives import location_of
from heltig.store.jobs import Job
from heltig.store.records import KEY_LENGTH
from heltig.store.text import storable_key
from heltig.store.transaction import WriteTransaction

NOT_FOUND: Final = "not found"
"""What the job says of a study that was asked for, is not there and never was."""


async def ask_for_study(
    queue: JobQueue, archive: str, study: str, *, actor: str, origin: str, at_once: bool = False
) -> Job:
    """Has a study pulled as soon as may be; it need neither be known nor listed.

    Args:
        queue: Takes the job.
        archive: The archive's name.
        study: The StudyInstanceUID.
        actor: Who asks, for the audit trail.
        origin: From where.
        at_once: It is judged as it is found, where its counts agree, and not left to come to rest first.

    Returns:
        The job that pulls it: the one that is queued or at work, where there is one.

    Raises:
        NotFoundError: There is no archive of that name.
        UsageError: That is no UID that could be asked for.
    """
    if not (0 < len(study) <= KEY_LENGTH and study.isprintable()) or set(study) & set("*?\\"):
        raise UsageError(f"study: give one StudyInstanceUID, of at most {KEY_LENGTH} characters.")
    return await queue.store.write_durably(
        _ask, queue, archive, study, actor=actor, origin=origin, at_once=at_once
    )


def _ask(
    transaction: WriteTransaction,
    queue: JobQueue,
    archive: str,
    study: str,
    *,
    actor: str,
    origin: str,
    at_once: bool,
) -> Job:
    entry, now = found_archive(archives.find(transaction, archive), archive), queue.clock()
    location, key = location_of(archive), storable_key(study)
    id, is_new = jobs.enqueue(transaction, pull_of(entry, key, priority=0, at_once=at_once), now=now)
    if is_new:  # else what the one at work knows of the study is to stay as it is
        ask_for(transaction, location, study, priority=0, now=now)
        known = observations.find(transaction, location, key)
        handing_on.hand_on(transaction, [known.row] if known else [])
        audit.record(
            transaction,
            at=now,
            actor=actor,
            action="study.pull",
            subject=f"{location} {key}",
            outcome="success",
            origin=origin,
        )
    if is_new or jobs.hasten(transaction, id):
        transaction.after_commit(lambda: queue.ring(PULL))
    job = jobs.find(transaction, id)
    if job is None:
        raise RuntimeError("A job is gone that was just added.")
    return job
