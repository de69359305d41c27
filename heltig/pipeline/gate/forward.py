"""Objects that a gate held, sent on to the archive once they may: a durable job a study.

A file is removed only when the archive gives the same bytes back, or said that it stored an object that it
showed nothing of before.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog

from connectors.storing import Outcome, Stored, is_transient
from heltig import audit
from heltig.errors import ArchiveUnavailableError, NotFoundError
from heltig.jobs.attempt import JobContext
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import NotHereError
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.gate.upstream import Sendable, send
from heltig.store import gate_studies, objects
from heltig.store.gate_studies import GateStudy
from heltig.store.jobs import NewJob
from heltig.store.objects import GateObject
from heltig.store.transaction import ReadTransaction, WriteTransaction

KIND: Final = "forward"
"""The kind of job that sends objects on."""

PRIORITY: Final = -5
MOST_OBJECTS: Final = 200
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one request."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("heltig.gate")


def forward_job(study: GateStudy) -> NewJob:
    """The job that sends on what may be sent of a study."""
    return NewJob(
        kind=KIND,
        key=str(study.id),
        group=str(study.location),
        priority=PRIORITY,
        payload={"study": study.id},
        follows=True,  # one that is running may have read already what waits
    )


class ForwardDesk:
    """Sends on what was held."""

    def __init__(
        self, queue: JobQueue, spool: GateSpool, opens: OpenArchives, *, clock: Callable[[], datetime]
    ) -> None:
        self._queue = queue
        self._store = queue.store
        self._spool = spool
        self._opens = opens
        self._clock = clock

    async def run(self, context: JobContext) -> dict[str, Any]:
        """Handles a job of `KIND`.

        Raises:
            ArchiveError: The archive does not answer, or refuses for a reason that may pass: trying again
                makes sense.
            ConfigurationError: A secret or a certificate cannot be read; likewise.
            NotHereError: The files are in the spool of another server.
            StorageError: The database failed; likewise.
        """
        id = int(context.payload["study"])
        study, waiting = await self._store.read(_waiting, id)
        if study is None or not waiting:
            return {"outcome": "nothing", "forwarded": 0}
        if any(one.spool != self._spool.name for one in waiting):
            raise NotHereError
        done = refused = passing = 0
        late: set[str] = set()
        for batch in _batches(waiting):
            # The archive keeps what came last: a version goes after those before it, or not yet.
            ready = [one for one in batch if one.sop_instance_uid not in late]
            passing += len(batch) - len(ready)
            if not ready:
                continue
            found = await self._send(study, ready)
            done += found[0]
            refused += found[1]
            passing += len(found[2])
            late.update(found[2])
            context.progress(done=done, total=len(waiting))
        if passing:
            raise ArchiveUnavailableError(
                f"Archive {study.location.name} did not take {passing} objects for now. Try again later."
            )
        return {"outcome": "refused" if refused else "done", "forwarded": done, "refused": refused}

    async def sweep(self) -> None:
        """Gives to quarantine what nobody forwards any more: its job was tried in vain, and discarded."""
        for study in await self._store.read(gate_studies.forsaken, kind=KIND, limit=MOST_OBJECTS):
            await self._store.write_durably(self._forsaken, study)

    async def _send(self, study: GateStudy, batch: Sequence[GateObject]) -> tuple[int, int, list[str]]:
        """Sends some objects; returns how many are there, are refused, and whose turn comes another time."""
        whole = await asyncio.to_thread(self._whole, batch)
        damaged = [one for one in batch if one not in whole]
        outcomes: list[Outcome] = []
        try:
            outcomes = await send(
                self._opens,
                study.location.name,
                [self._sendable(study, one) for one in whole],
                is_only_copy=True,
            )
        except NotFoundError:
            reason = f"Archive {study.location.name} is not configured any more."
            await self._store.write_durably(self._refused, study, list(batch), reason)
            return 0, len(batch), []
        there = [
            one for one, told in zip(whole, outcomes, strict=True) if told.kind in ("success", "warning")
        ]
        refused = [
            (one, told.code)
            for one, told in zip(whole, outcomes, strict=True)
            if told.kind == "failure" and not is_transient(told)
        ]
        useless = await self._store.write_durably(self._forwarded, study, there)
        await asyncio.to_thread(self._spool.remove, useless)
        if damaged:
            reason = "A file of the spool is not what was received."
            await self._store.write_durably(self._refused, study, damaged, reason)
        if refused:
            codes = ", ".join(sorted({f"{code:04X}H" for _, code in refused}))
            reason = f"The archive refuses it ({codes})."
            await self._store.write_durably(self._refused, study, [one for one, _ in refused], reason)
        settled = {one.id for one in (*there, *(one for one, _ in refused))}
        passing = [one.sop_instance_uid for one in whole if one.id not in settled]
        return len(there), len(refused) + len(damaged), passing

    def _whole(self, batch: Sequence[GateObject]) -> list[GateObject]:
        """Those whose files are what was received."""
        return [one for one in batch if self._spool.has(one.file, one.digest)]

    def _sendable(self, study: GateStudy, one: GateObject) -> Sendable:
        return Sendable(
            study_uid=study.study_key,
            series_uid=one.series_uid,
            stored=Stored(one.sop_instance_uid, self._spool.path_of(one.file or ""), one.size),
        )

    def _forwarded(
        self, transaction: WriteTransaction, study: GateStudy, there: Sequence[GateObject]
    ) -> list[Path]:
        """Writes down what the archive has; returns the files, except those that are still to be judged."""
        will_be_judged = gate_studies.lock(transaction, study.id).due is not None
        objects.move(transaction, [one.id for one in there], "forwarded")
        done = [one for one in there if one.judged or not will_be_judged]
        objects.let_go(transaction, [one.id for one in done])
        if there:
            audit.record(
                transaction,
                at=self._clock(),
                actor=KIND,
                action="gate.forward",
                subject=f"{study.location} {study.study_key}",
                outcome="success",
                origin="",
                detail={"instances": len(there)},
            )
        return [self._spool.path_of(one.file) for one in done if one.file is not None]

    def _forsaken(self, transaction: WriteTransaction, study: GateStudy) -> None:
        known = gate_studies.lock(transaction, study.id)
        waiting = objects.in_state(transaction, study.id, "forwarding")
        if known.version == study.version and waiting:
            self._refused(transaction, study, waiting, "Nobody forwards it any more: its job was discarded.")

    def _refused(
        self, transaction: WriteTransaction, study: GateStudy, refused: Sequence[GateObject], reason: str
    ) -> None:
        known = gate_studies.lock(transaction, study.id)
        still = {one.id for one in objects.in_state(transaction, study.id, "forwarding")}
        refused = [one for one in refused if one.id in still]
        if not refused:  # they came again in the meantime, and wait anew
            return
        objects.move(transaction, [one.id for one in refused], "quarantined")
        gate_studies.quarantine(
            transaction, study.id, since=known.quarantined or self._clock(), reason=reason
        )
        audit.record(
            transaction,
            at=self._clock(),
            actor=KIND,
            action="gate.quarantine",
            subject=f"{study.location} {study.study_key}",
            outcome="success",
            origin="",
            detail={"reason": reason, "instances": len(refused)},
        )
        gate = study.location.name
        transaction.after_commit(
            lambda: log.warning("gate.quarantine", gate=gate, reason=reason, instances=len(refused))
        )


def _waiting(transaction: ReadTransaction, id: int) -> tuple[GateStudy | None, list[GateObject]]:
    return gate_studies.find(transaction, id), objects.in_state(transaction, id, "forwarding")


def _batches(waiting: Sequence[GateObject]) -> Iterator[list[GateObject]]:
    batch: list[GateObject] = []
    size = 0
    for one in waiting:
        if batch and (len(batch) == MOST_OBJECTS or size + one.size > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size
    yield batch
