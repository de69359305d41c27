"""Studies that came through a gate and are at rest: judged by all that is known of them, then handed on.

What is known is what the files in the spool say, and for objects whose files are gone what the study's last
snapshot says. Until the transaction that hands a study on, a process that dies has changed nothing: the next
one judges again, by the same files, and comes to the same.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from heltig import audit
from heltig.errors import ConflictError, NotFoundError, StorageError
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import NotHereError
from heltig.pipeline.archives.administration import find_archive
from heltig.pipeline.gate.forward import forward_job
from heltig.pipeline.gate.reading_study import read_study
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.keep import Processes, ProfileOf, Scoring
from heltig.store import gate_studies, objects, snapshots, verdicts
from heltig.store.archive_options import GateReview
from heltig.store.gate_studies import GateStudy
from heltig.store.jobs import NewJob
from heltig.store.objects import GateObject
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Readiness

KIND: Final = "gate-settle"
"""The kind of job that judges a study that came through a gate."""

PRIORITY: Final = -5
"""Before what archives are asked for, after what somebody waits for."""

MOST_AT_ONCE: Final = 500
"""Studies that one sweep hands on."""

MOST_TRIES: Final = 5
"""After so many a study cannot be judged: a person has to look at it."""

NOT_JUDGED: Final = "It could not be judged."

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.gate")


class SettleDesk:
    """Judges studies that are at rest."""

    def __init__(
        self,
        queue: JobQueue,
        spool: GateSpool,
        processes: Processes,
        *,
        profile_of: ProfileOf,
        clock: Callable[[], datetime],
    ) -> None:
        self._queue = queue
        self._store = queue.store
        self._spool = spool
        self._processes = processes
        self._clock = clock
        self._profile_of = profile_of
        self._scoring = Scoring(
            queue.store, processes, profile=profile_of, clock=clock, actor=KIND, queue=queue
        )

    async def look(self) -> None:
        """Queues what is to be judged: every second or so."""
        now = self._clock()
        due = await self._store.look_up(gate_studies.next_due, now=now, limit=MOST_AT_ONCE)
        if due:
            await self._store.write(self._hand_on, due)

    async def sweep(self) -> None:
        """Removes files that belong to nothing: left by requests that broke off, or by a killed process."""
        old = await asyncio.to_thread(self._spool.old_files)
        kept = await self._store.read(objects.kept_files, old) if old else set()
        left = [self._spool.path_of(file) for file in old if file not in kept]
        await asyncio.to_thread(self._spool.remove, left)

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`.

        Raises:
            NotHereError: The files are in the spool of another server.
            StorageError: A process died, or the database failed; trying again makes sense.
            ConflictError: The study changes faster than it can be judged; likewise.
            ConfigurationError: The archive's profile cannot be read; likewise.
        """
        study, known, contents = await self._store.read(self._known, int(context.payload["study"]))
        if study is None or study.due is None or study.due > self._clock():
            return {"outcome": "postponed"}
        if any(one.file is not None and one.spool != self._spool.name for one in known):
            raise NotHereError
        if context.job.attempts > MOST_TRIES:
            return await self._give_up(study, known)
        new = [one for one in known if not one.judged]
        files = {one.id: (self._spool.path_of(one.file), one.size) for one in new if one.file is not None}
        uids = {one.sop_instance_uid for one in new}
        versions = [
            self._spool.path_of(one.file)
            for one in known
            if one.judged and one.file is not None and one.sop_instance_uid in uids
        ]
        table, read = await self._processes.run(
            read_study, study.study_key, files, contents, versions=versions, expected=len(new)
        )
        try:
            kept = await self._scoring.score(table, study.location, confirm=partial(_is_current, known=study))
        except (StorageError, ConflictError):
            if context.job.attempts >= MOST_TRIES:
                return await self._give_up(study, known)
            raise
        if kept.outcome == "outdated":
            return {"outcome": "outdated"}
        readiness = kept.study.readiness or "BLOCKED"
        reason = await self._reason(study, readiness)
        useless = await self._store.write_durably(
            self._dispose, study, known, read, readiness, kept.study.snapshot, reason
        )
        await asyncio.to_thread(self._spool.remove, useless)
        return {"outcome": kept.outcome, "readiness": readiness, "revision": kept.study.revision}

    def _hand_on(self, transaction: WriteTransaction, due: Sequence[GateStudy]) -> None:
        for study in due:
            new = NewJob(
                kind=KIND,
                key=str(study.id),
                group=str(study.location),
                priority=PRIORITY,
                payload={"study": study.id},
            )
            self._queue.enqueue(transaction, new)

    def _known(
        self, transaction: ReadTransaction, id: int
    ) -> tuple[GateStudy | None, list[GateObject], tuple[bytes, ...]]:
        study = gate_studies.find(transaction, id)
        if study is None:
            return None, [], ()
        stored = None
        if study.snapshot is not None:
            stored = snapshots.get(transaction, study.location, study.study_key, snapshot=study.snapshot)
        contents = tuple(series.content for series in stored.series) if stored else ()
        return study, objects.of_study(transaction, id), contents

    async def _reason(self, study: GateStudy, readiness: Readiness) -> str:
        """Why a study is kept back; nothing where it is not.

        Whoever gives a waiver is one person: where two have to agree to a release it opens no gate.
        """
        review = await self._review_of(study)
        if reason := _reason(readiness, review):
            return reason
        if not (await self._profile_of(study.location)).wants_two("release"):
            return ""
        stored = await self._store.read(verdicts.current, study.location, study.study_key)
        unwaived = stored.verdict.unwaived_readiness if stored else "BLOCKED"
        if not _reason(unwaived, review):
            return ""
        return f"It is {readiness} by waivers alone, {unwaived} without them."

    async def _review_of(self, study: GateStudy) -> GateReview:
        try:
            return (await find_archive(self._store, study.location.name)).options.gate_review
        except NotFoundError:
            return "quarantine"

    async def _give_up(self, study: GateStudy, known: Sequence[GateObject]) -> dict[str, Any]:
        useless = await self._store.write_durably(
            self._dispose, study, known, (), None, study.snapshot, NOT_JUDGED
        )
        await asyncio.to_thread(self._spool.remove, useless)
        return {"outcome": "given up"}

    def _dispose(
        self,
        transaction: WriteTransaction,
        study: GateStudy,
        known: Sequence[GateObject],
        read: Collection[int],
        readiness: Readiness | None,
        snapshot: str | None,
        reason: str,
    ) -> list[Path]:
        """Hands on what waited for the verdict; returns the files that are not needed any more."""
        if not _is_current(transaction, study):
            return []
        now = self._clock()
        waits = [one.id for one in known if one.state in ("held", "quarantined")]
        quarantines = bool(waits) and bool(reason)
        objects.mark_judged(transaction, read)  # what could not be read is in no snapshot
        done = [one for one in known if one.state == "forwarded" and one.file is not None]
        objects.let_go(transaction, [one.id for one in done])
        if waits:
            objects.move(transaction, waits, "quarantined" if quarantines else "forwarding")
        since = (study.quarantined or now) if quarantines else None
        gate_studies.settle(
            transaction, study.id, snapshot=snapshot, quarantined=since, reason=reason if quarantines else ""
        )
        if waits and not quarantines:
            self._queue.enqueue(transaction, forward_job(study))
        is_forwarded = any(one.state == "forwarded" for one in known)
        if quarantines or (is_forwarded and readiness == "BLOCKED"):
            action: audit.Action = "gate.quarantine" if quarantines else "gate.blocked-after-forward"
            self._record(transaction, study, action, readiness, len(waits) or len(known))
        return [self._spool.path_of(one.file) for one in done if one.file is not None]

    def _record(
        self,
        transaction: WriteTransaction,
        study: GateStudy,
        action: audit.Action,
        readiness: Readiness | None,
        instances: int,
    ) -> None:
        audit.record(
            transaction,
            at=self._clock(),
            actor=KIND,
            action=action,
            subject=f"{study.location} {study.study_key}",
            outcome="success",
            origin="",
            detail={"readiness": readiness or "not judged", "instances": instances},
        )
        said = {"gate": study.location.name, "readiness": readiness or "", "instances": instances}
        transaction.after_commit(lambda: log.warning(action, **said))


def _is_current(transaction: WriteTransaction, known: GateStudy) -> bool:
    """Whether nothing of a study came since, and no person decided about it; locks it."""
    return gate_studies.lock(transaction, known.id).version == known.version


def _reason(readiness: Readiness, review: GateReview) -> str:
    if readiness == "BLOCKED" or (readiness == "NEEDS_REVIEW" and review == "quarantine"):
        return f"It is {readiness}."
    return ""
