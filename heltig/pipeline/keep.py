"""Judged studies kept: snapshot and verdict in one transaction, or neither."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from heltig.dicom.study import StudyTable
from heltig.errors import ConflictError, NotFoundError
from heltig.pipeline.judging import ruleset_name
from heltig.pipeline.score import Scored, score, score_again
from heltig.rules.profile import Profile
from heltig.store import judged_with, publication, snapshots, studies, waivers
from heltig.store.engine import Store
from heltig.store.records import Location, NewVerdict, ProfileInfo, RulesetInfo, Snapshot, Study
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Waiver

T = TypeVar("T")

_TRIES: Final = 5


class Kept(msgspec.Struct, frozen=True):
    """A study as it stands in the store now.

    Attributes:
        outcome: It has a new verdict; nothing changed; or it still waits to be judged, since the evidence
            that is stored, or the waivers in force, are not those with which it was judged.
        study: The study.
    """

    outcome: Literal["judged", "unchanged", "pending"]
    study: Study


class Processes(Protocol):
    """Where CPU work is done, e.g. `heltig.pipeline.pool.JudgingPool`."""

    async def run(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Calls a function of a module in a process."""
        ...


def keep(
    transaction: WriteTransaction,
    scored: Scored,
    *,
    profile: Profile,
    at: datetime,
    actor: str,
    origin: str = "",
) -> Kept:
    """Stores a study's evidence and its verdict, unless nothing changed.

    Args:
        transaction: Of `Store.write_durably`.
        scored: The judged study.
        profile: The profile that judged it.
        at: The time.
        actor: Who or what had it judged.
        origin: From where.
    """
    new = scored.snapshot
    # Before the study is locked: whoever revokes a waiver locks in this order, too.
    in_force = waivers.in_force(transaction, new.location, new.study_key, at=at)
    put = snapshots.put(transaction, new)
    if put.pending and put.snapshot == scored.inputs.snapshot and in_force == scored.waivers:
        published = _publish(
            transaction,
            NewVerdict(
                location=new.location,
                study_key=new.study_key,
                version=put.version,
                verdict=scored.verdict,
                inputs=scored.inputs,
                judged=at,
                actor=actor,
                origin=origin,
                waivers=in_force,
            ),
            profile,
        )
        return Kept("judged", published)
    study = studies.find(transaction, new.location, new.study_key)
    if study is None:
        raise RuntimeError(f"{new.location} has no study {new.study_key} after it was put.")
    waits = study.at(at).state == "PENDING"
    return Kept("pending" if waits else "unchanged", study)


class Scoring:
    """Judges studies in processes of their own and keeps their verdicts."""

    def __init__(
        self,
        store: Store,
        processes: Processes,
        *,
        profile: Profile,
        clock: Callable[[], datetime],
        actor: str,
        origin: str = "",
    ) -> None:
        """Makes it.

        Args:
            store: Where verdicts are kept.
            processes: Where judging is done.
            profile: The profile to judge under.
            clock: The time.
            actor: Who or what has studies judged, for the audit trail.
            origin: From where, an address or `cli`.
        """
        self.store = store
        self.clock = clock
        self.actor = actor
        self.origin = origin
        self._processes = processes
        self._profile = profile

    async def score(self, table: StudyTable, location: Location) -> Kept:
        """Judges and keeps one study; where nothing changed its verdict stands.

        Args:
            table: The study, to be arranged.
            location: Where it was seen.

        Raises:
            StorageError: It cannot be kept, or the process that judged it died.
        """
        table.arrange()
        now = self.clock()
        before, in_force = await self.store.read(_known, location, table.key, now)
        judged = before if before and before.at(now).state == "JUDGED" else None
        scored = await self._processes.run(
            score,
            table,
            self._profile,
            location=location,
            received=now,
            before=judged,
            waivers=in_force,
        )
        if scored is None:
            if judged is None:
                raise RuntimeError("A study that was never judged cannot be unchanged.")
            return Kept("unchanged", judged)
        kept = await self.store.write_durably(
            keep, scored, profile=self._profile, at=self.clock(), actor=self.actor, origin=self.origin
        )
        return await self.score_again(location, table.key) if kept.outcome == "pending" else kept

    async def score_again(self, location: Location, study_key: str) -> Kept:
        """Judges what is in the store of a study; a verdict that comes out the same and holds is left alone.

        Raises:
            ConflictError: The study changes faster than it can be judged.
            NotFoundError: There is no evidence of it.
            StorageError: It cannot be kept, or the process that judged it died.
        """
        for _ in range(_TRIES):
            new = await self.judge_stored(location, study_key)
            try:
                published = await self.store.write_durably(_publish, new, self._profile)
            except ConflictError:  # it changed meanwhile
                continue
            return Kept("unchanged" if published.version == new.version else "judged", published)
        raise ConflictError(f"Study {study_key} of {location} changes faster than it can be judged.")

    async def judge_stored(self, location: Location, study_key: str) -> NewVerdict:
        """The verdict that a study would have, judged by what is in the store of it. Nothing is written.

        Raises:
            NotFoundError: There is no evidence of it.
            StorageError: The process that judged it died.
        """
        found = await self.store.read(_stored, location, study_key, self.clock())
        if found is None:
            raise NotFoundError(f"{location} has no evidence of study {study_key}.")
        study, stored, in_force = found
        inputs, verdict = await self._processes.run(score_again, stored, self._profile, in_force)
        return NewVerdict(
            location=location,
            study_key=study_key,
            version=study.version,
            verdict=verdict,
            inputs=inputs,
            judged=self.clock(),
            actor=self.actor,
            origin=self.origin,
            waivers=in_force,
        )


def _known(
    transaction: ReadTransaction, location: Location, study_key: str, now: datetime
) -> tuple[Study | None, tuple[Waiver, ...]]:
    study = studies.find(transaction, location, study_key)
    return study, waivers.in_force(transaction, location, study_key, at=now)


def _stored(
    transaction: ReadTransaction, location: Location, study_key: str, now: datetime
) -> tuple[Study, Snapshot, tuple[Waiver, ...]] | None:
    study, in_force = _known(transaction, location, study_key, now)
    stored = snapshots.get(transaction, location, study_key)
    return None if study is None or stored is None else (study, stored, in_force)


def _publish(transaction: WriteTransaction, new: NewVerdict, profile: Profile) -> Study:
    ruleset = ruleset_name()
    judged_with.put_ruleset(
        transaction, RulesetInfo(hash=ruleset.hash, version=ruleset.version, standard=ruleset.standard)
    )
    judged_with.put_profile(transaction, ProfileInfo(hash=profile.hash, name=profile.name, text=profile.text))
    return publication.publish(transaction, new).study
