"""What is decided about studies that a gate kept back: released to the archive, or thrown away.

One person decides, or two, where the profile wants that: one asks (`heltig.pipeline.gate.asking`), another
consents.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from heltig import audit
from heltig.errors import ConflictError, NotFoundError, UsageError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.again.context import withdraw
from heltig.pipeline.gate.asking import ACTS, ask, consented, decline, lapse, wanted_by_verdict
from heltig.pipeline.gate.forward import forward_job
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.keep import ProfileOf
from heltig.store import consents, gate_studies, objects, studies
from heltig.store.consents import Act, Consent
from heltig.store.gate_studies import GateStudy, Quarantined
from heltig.store.objects import GateObject
from heltig.store.records import Location
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Readiness

MOST_REASON: Final = 2000  # characters


class InQuarantine(msgspec.Struct, frozen=True):
    """A study in quarantine with all that is known of its objects.

    Attributes:
        asked: What somebody asks a second person's consent to; None where nothing waits for one.
        answered: What was asked before, the last first.
        wants_two: What one person alone may not do, by the profile of its verdict or by that of now.
        readiness: Of its last verdict; None before the first.
    """

    study: GateStudy
    objects: Sequence[GateObject]
    asked: Consent | None = None
    answered: Sequence[Consent] = ()
    wants_two: frozenset[Act] = frozenset()
    readiness: Readiness | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What a decision came to: how many objects it was about, and the job that forwards them.

    Attributes:
        asked: What waits for a second person's consent; nothing was done then.
    """

    instances: int
    job: int | None
    asked: Consent | None = None


class QuarantineDesk:
    """Where people decide about quarantined studies."""

    def __init__(
        self, queue: JobQueue, spool: GateSpool, *, profile_of: ProfileOf, clock: Callable[[], datetime]
    ) -> None:
        self._profile_of = profile_of
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
        found = await self._store.read(_shown, id, now=self._clock())
        profile = await self._profile_of(found.study.location)
        two = found.wants_two | set(filter(profile.wants_two, ACTS))
        return msgspec.structs.replace(found, wants_two=two)

    async def asked(self, waiting: Collection[GateStudy]) -> dict[int, Consent]:
        """What waits for a second person's consent, by the ids of studies."""
        found = await self._store.read(consents.open_of, [one.id for one in waiting])
        now, versions = self._clock(), {one.id: one.version for one in waiting}
        standing = {id: one.at(now, versions[id]) for id, one in found.items()}
        return {id: one for id, one in standing.items() if one.state == "open"}

    async def asked_about(self, location: Location, study_key: str) -> InQuarantine | None:
        """A study in quarantine by its name; None where it is not."""
        id = await self._store.read(gate_studies.row_of, location, study_key)
        with suppress(NotFoundError):
            return None if id is None else await self.show(id)
        return None

    async def release(self, id: int, *, reason: str, actor: str, origin: str) -> Outcome:
        """Has a study forwarded although it was kept back, or asks for a second person's consent to that.

        Raises:
            NotFoundError: No study of this id is in quarantine.
            UsageError: There is no reason.
            ConflictError: More of the study came, and is not judged yet.
        """
        return await self._decide(id, "release", reason, actor, origin)

    async def discard(self, id: int, *, reason: str, actor: str, origin: str) -> Outcome:
        """Throws the kept objects of a study away, for good, or asks for consent to that likewise.

        Raises:
            NotFoundError: No study of this id is in quarantine.
            UsageError: There is no reason.
            ConflictError: More of the study came, and is not judged yet.
        """
        return await self._decide(id, "discard", reason, actor, origin)

    async def consent(self, id: int, asked: int, *, reason: str, actor: str, origin: str) -> Outcome:
        """Does what another person asked for.

        Args:
            id: The study's.
            asked: What they asked for, by its id.
            reason: Why.
            actor: Who consents.
            origin: From where.

        Raises:
            NotFoundError: No study of this id is in quarantine.
            UsageError: There is no reason.
            ConflictError: It is not asked any more, or of what is not there any more, or by the same person.
        """
        _insist_on_reason(reason)
        return await self._done(self._consent, id, asked, reason, actor, origin)

    async def decline(self, id: int, asked: int, *, reason: str, actor: str, origin: str) -> Consent:
        """Does not consent; or takes back what one asked for oneself.

        Raises:
            NotFoundError: No study of this id is in quarantine.
            UsageError: There is no reason.
            ConflictError: It is not asked any more.
        """
        _insist_on_reason(reason)
        return await self._store.write_durably(self._decline, id, asked, reason, actor, origin)

    async def _decide(self, id: int, act: Act, reason: str, actor: str, origin: str) -> Outcome:
        _insist_on_reason(reason)
        if act in (await self.show(id)).wants_two:
            return await self._store.write_durably(self._ask, id, act, reason, actor, origin)
        return await self._done(self._alone, id, act, reason, actor, origin)

    async def _done(self, does: Callable[..., tuple[Outcome, list[Path]]], *arguments: int | str) -> Outcome:
        outcome, files = await self._store.write_durably(does, *arguments)
        await asyncio.to_thread(self._spool.remove, files)
        return outcome

    def _ask(
        self, transaction: WriteTransaction, id: int, act: Act, reason: str, actor: str, origin: str
    ) -> Outcome:
        study, kept = _to_decide(transaction, id)
        asked = ask(
            transaction, study, act, len(kept), reason=reason, actor=actor, origin=origin, now=self._clock()
        )
        return Outcome(len(kept), None, asked)

    def _decline(
        self, transaction: WriteTransaction, id: int, asked: int, reason: str, actor: str, origin: str
    ) -> Consent:
        study = _in_quarantine(gate_studies.lock(transaction, id))
        return decline(
            transaction, study, asked, reason=reason, actor=actor, origin=origin, now=self._clock()
        )

    def _consent(
        self, transaction: WriteTransaction, id: int, asked: int, reason: str, actor: str, origin: str
    ) -> tuple[Outcome, list[Path]]:
        _lock_study(transaction, id)
        study, kept = _to_decide(transaction, id)
        given = consented(transaction, study, asked, reason=reason, actor=actor, now=self._clock())
        by = {"reason": given.reason, "askedBy": given.asked_by, "asked": given.asked, "request": given.id}
        return self._do(transaction, given.act, study, kept, by, actor, origin)

    def _alone(
        self, transaction: WriteTransaction, id: int, act: Act, reason: str, actor: str, origin: str
    ) -> tuple[Outcome, list[Path]]:
        _lock_study(transaction, id)
        study, kept = _to_decide(transaction, id)
        lapse(transaction, study, now=self._clock())
        return self._do(transaction, act, study, kept, {"reason": reason}, actor, origin)

    def _do(
        self,
        transaction: WriteTransaction,
        act: Act,
        study: GateStudy,
        kept: Sequence[GateObject],
        decided: dict[str, Any],
        actor: str,
        origin: str,
    ) -> tuple[Outcome, list[Path]]:
        does = self._release if act == "release" else self._discard
        done = does(transaction, study, kept)
        self._record(transaction, act, study, kept, decided=decided, actor=actor, origin=origin)
        return done

    def _release(
        self, transaction: WriteTransaction, study: GateStudy, kept: Sequence[GateObject]
    ) -> tuple[Outcome, list[Path]]:
        objects.move(transaction, [one.id for one in kept], "forwarding")
        gate_studies.decide(transaction, study.id)
        return Outcome(len(kept), self._queue.enqueue(transaction, forward_job(study))), []

    def _discard(
        self, transaction: WriteTransaction, study: GateStudy, kept: Sequence[GateObject]
    ) -> tuple[Outcome, list[Path]]:
        ids = [one.id for one in kept]
        objects.move(transaction, ids, "discarded")
        objects.let_go(transaction, ids)
        gate_studies.decide(transaction, study.id)
        if not objects.of_study(transaction, study.id):
            gate_studies.forget_snapshot(transaction, study.id)
            withdraw(transaction, study.location, study.study_key, self._queue, at=self._clock())
        files = [self._spool.path_of(one.file) for one in kept if one.file is not None]
        return Outcome(len(kept), None), files

    def _record(
        self,
        transaction: WriteTransaction,
        act: Act,
        study: GateStudy,
        kept: Sequence[GateObject],
        *,
        decided: dict[str, Any],
        actor: str,
        origin: str,
    ) -> None:
        detail: dict[str, Any] = {
            **decided,
            "why": study.reason,
            "instances": len(kept),
            "sha256": [one.digest for one in kept][:1000],
        }
        audit.record(
            transaction,
            at=self._clock(),
            actor=actor,
            action="quarantine.release" if act == "release" else "quarantine.discard",
            subject=f"{study.location} {study.study_key}",
            outcome="success",
            origin=origin,
            detail=detail,
        )


def _shown(transaction: ReadTransaction, id: int, *, now: datetime) -> InQuarantine:
    study = _in_quarantine(gate_studies.find(transaction, id))
    asked = [one.at(now, study.version) for one in consents.of_study(transaction, id)]
    waits = next((one for one in asked if one.state == "open"), None)
    answered = tuple(one for one in asked if one.state != "open")
    two = wanted_by_verdict(transaction, study)
    known = studies.find(transaction, study.location, study.study_key)
    readiness = known.readiness if known else None
    return InQuarantine(study, objects.of_study(transaction, id), waits, answered, two, readiness)


def _in_quarantine(study: GateStudy | None) -> GateStudy:
    if study is None or study.quarantined is None:
        raise NotFoundError("No study of this id is in quarantine: its list has those that are.")
    return study


def _lock_study(transaction: WriteTransaction, id: int) -> None:
    """The study first, then what the gate knows of it: so does everybody."""
    found = gate_studies.find(transaction, id)
    if found is not None:
        studies.lock(transaction, found.location, found.study_key)


def _to_decide(transaction: WriteTransaction, id: int) -> tuple[GateStudy, list[GateObject]]:
    study = _in_quarantine(gate_studies.lock(transaction, id))
    if study.due is not None:
        raise ConflictError("More of this study came. Wait until it is judged again, and look at it then.")
    return study, objects.in_state(transaction, id, "quarantined")


def _insist_on_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MOST_REASON:
        raise UsageError(f"reason: say why, in up to {MOST_REASON:,} characters.")
