"""Judged studies kept: snapshot and verdict in one transaction, or neither."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from heltig.dicom.study import StudyTable
from heltig.errors import ConflictError
from heltig.pipeline.judging import ruleset_name
from heltig.pipeline.score import Scored, score, score_again
from heltig.rules.profile import Profile
from heltig.store import judged_with, publication, snapshots, studies
from heltig.store.engine import Store
from heltig.store.records import Location, NewVerdict, ProfileInfo, RulesetInfo, Study
from heltig.store.transaction import WriteTransaction

T = TypeVar("T")

_TRIES: Final = 5


class Kept(msgspec.Struct, frozen=True):
    """A study as it stands in the store now.

    Attributes:
        outcome: It has a new verdict; nothing changed; or it still waits to be judged, since the evidence
            that is stored is not that which was judged.
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
    put = snapshots.put(transaction, new)
    if put.pending and put.snapshot == scored.inputs.snapshot:
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
            ),
            profile,
        )
        return Kept("judged", published)
    study = studies.find(transaction, new.location, new.study_key)
    if study is None:
        raise RuntimeError(f"{new.location} has no study {new.study_key} after it was put.")
    return Kept("pending" if put.pending else "unchanged", study)


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
        before = await self.store.read(studies.find, location, table.key)
        judged = before if before and before.state == "JUDGED" else None
        scored = await self._processes.run(
            score, table, self._profile, location=location, received=self.clock(), before=judged
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
        """Judges what is in the store of a study that waits for it.

        Raises:
            ConflictError: The study changes faster than it can be judged.
            StorageError: It cannot be kept, or the process that judged it died.
        """
        for _ in range(_TRIES):
            study = await self.store.read(studies.find, location, study_key)
            stored = await self.store.read(snapshots.get, location, study_key)
            if study is None or stored is None or study.snapshot != stored.snapshot:
                continue
            inputs, verdict = await self._processes.run(score_again, stored, self._profile)
            new = NewVerdict(
                location=location,
                study_key=study_key,
                version=study.version,
                verdict=verdict,
                inputs=inputs,
                judged=self.clock(),
                actor=self.actor,
                origin=self.origin,
            )
            try:
                published = await self.store.write_durably(_publish, new, self._profile)
            except ConflictError:  # it changed meanwhile
                continue
            return Kept("judged", published)
        raise ConflictError(f"Study {study_key} of {location} changes faster than it can be judged.")


def _publish(transaction: WriteTransaction, new: NewVerdict, profile: Profile) -> Study:
    ruleset = ruleset_name()
    judged_with.put_ruleset(
        transaction, RulesetInfo(hash=ruleset.hash, version=ruleset.version, standard=ruleset.standard)
    )
    judged_with.put_profile(transaction, ProfileInfo(hash=profile.hash, name=profile.name, text=profile.text))
    return publication.publish(transaction, new).study
