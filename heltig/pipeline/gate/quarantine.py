"""What a person decides about studies that a gate kept back: released to the archive, or thrown away."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from heltig import audit
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.again.context import withdraw
from heltig.pipeline.gate.forward import forward_job
from heltig.pipeline.gate.spool import GateSpool
from heltig.store import gate_studies, objects, studies
from heltig.store.gate_studies import GateStudy, Quarantined
from heltig.store.objects import GateObject
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction, WriteTransaction

MOST_REASON: Final = 2000  # characters

Decided: TypeAlias = Literal["release", "discard"]


class InQuarantine(msgspec.Struct, frozen=True):
    """A study in quarantine with all that is known of its objects."""

    study: GateStudy
    objects: Sequence[GateObject]


class Outcome(msgspec.Struct, frozen=True):
    """What a decision came to: how many objects it was about, and the job that forwards them."""

    instances: int
    job: int | None


class QuarantineDesk:
    """Where people decide about quarantined studies."""

    def __init__(self, queue: JobQueue, spool: GateSpool, *, clock: Callable[[], datetime]) -> None:
        self._queue = queue
        self._store = queue.store
        self._spool = spool
        self._clock = clock

    async def waiting(self, *, gate: str | None, limit: int, offset: int) -> list[Quarantined]:
        """Studies that wait for a person, those that wait longest first."""
        location = None if gate is None else Location("gate", gate)
        return await self._store.read(
            gate_studies.in_quarantine, location=location, limit=limit, offset=offset
        )

    async def show(self, id: int) -> InQuarantine:
        """A study in quarantine.

        Raises:
            NotFoundError: No study of this id is.
        """
        return await self._store.read(_shown, id)

    async def release(self, id: int, *, reason: str, actor: str, origin: str) -> Outcome:
        """Has a study forwarded although it was kept back.

        Raises:
            NotFoundError: No study of this id is in quarantine.
            UsageError: There is no reason.
            ConflictError: More of the study came, and is not judged yet.
        """
        _insist_on_reason(reason)
        return await self._store.write_durably(self._release, id, reason, actor, origin)

    async def discard(self, id: int, *, reason: str, actor: str, origin: str) -> Outcome:
        """Throws the kept objects of a study away, for good.

        Raises:
            NotFoundError: No study of this id is in quarantine.
            UsageError: There is no reason.
            ConflictError: More of the study came, and is not judged yet.
        """
        _insist_on_reason(reason)
        outcome, files = await self._store.write_durably(self._discard, id, reason, actor, origin)
        await asyncio.to_thread(self._spool.remove, files)
        return outcome

    def _release(
        self, transaction: WriteTransaction, id: int, reason: str, actor: str, origin: str
    ) -> Outcome:
        study, kept = _to_decide(transaction, id)
        objects.move(transaction, [one.id for one in kept], "forwarding")
        gate_studies.decide(transaction, id)
        job = self._queue.enqueue(transaction, forward_job(study))
        self._record(transaction, "release", study, kept, reason=reason, actor=actor, origin=origin)
        return Outcome(len(kept), job)

    def _discard(
        self, transaction: WriteTransaction, id: int, reason: str, actor: str, origin: str
    ) -> tuple[Outcome, list[Path]]:
        found = gate_studies.find(transaction, id)
        if found is not None:  # the study first, then what the gate knows of it: so does everybody
            studies.lock(transaction, found.location, found.study_key)
        study, kept = _to_decide(transaction, id)
        ids = [one.id for one in kept]
        objects.move(transaction, ids, "discarded")
        objects.let_go(transaction, ids)
        gate_studies.decide(transaction, id)
        if not objects.of_study(transaction, id):
            gate_studies.forget_snapshot(transaction, id)
            withdraw(transaction, study.location, study.study_key, self._queue, at=self._clock())
        self._record(transaction, "discard", study, kept, reason=reason, actor=actor, origin=origin)
        files = [self._spool.path_of(one.file) for one in kept if one.file is not None]
        return Outcome(len(kept), None), files

    def _record(
        self,
        transaction: WriteTransaction,
        decided: Decided,
        study: GateStudy,
        kept: Sequence[GateObject],
        *,
        reason: str,
        actor: str,
        origin: str,
    ) -> None:
        detail: dict[str, Any] = {
            "reason": reason,
            "why": study.reason,
            "instances": len(kept),
            "sha256": [one.digest for one in kept][:1000],
        }
        audit.record(
            transaction,
            at=self._clock(),
            actor=actor,
            action="quarantine.release" if decided == "release" else "quarantine.discard",
            subject=f"{study.location} {study.study_key}",
            outcome="success",
            origin=origin,
            detail=detail,
        )


def _shown(transaction: ReadTransaction, id: int) -> InQuarantine:
    study = gate_studies.find(transaction, id)
    if study is None or study.quarantined is None:
        raise NotFoundError("No study of this id is in quarantine. /api/v1/quarantine lists them.")
    return InQuarantine(study, objects.of_study(transaction, id))


def _to_decide(transaction: WriteTransaction, id: int) -> tuple[GateStudy, list[GateObject]]:
    study = gate_studies.lock(transaction, id)
    if study.quarantined is None:
        raise NotFoundError("No study of this id is in quarantine. /api/v1/quarantine lists them.")
    if study.due is not None:
        raise ConflictError("More of this study came. Wait until it is judged again, and look at it then.")
    return study, objects.in_state(transaction, id, "quarantined")


def _insist_on_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MOST_REASON:
        raise UsageError(f"reason: say why, in up to {MOST_REASON:,} characters.")
