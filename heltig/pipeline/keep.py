"""Judged studies kept: the snapshot in one transaction, the verdict in a second one.

In between the study is PENDING. The first makes it known to others, the second asks what is known of others
(`heltig.pipeline.again.context`). Where nobody else writes meanwhile, and nobody else is concerned, they are
one.

A study of an archive that changed since it was read stays PENDING until it is read again: whoever judges what
is stored of it has nothing to say of it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec

from heltig.dicom.study import StudyTable
from heltig.errors import ConflictError, NotFoundError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.again.context import arrive, look_at
from heltig.pipeline.giving import (
    Confirm,
    OutdatedError,
    arrive_and_publish,
    known,
    publish_current,
    stored_evidence,
)
from heltig.pipeline.score import Scored, score, score_again
from heltig.rules.index_facts import Kind
from heltig.rules.profile import Profile
from heltig.store import studies
from heltig.store.engine import Store
from heltig.store.records import (
    Location,
    NewVerdict,
    PutSnapshot,
    Study,
)

T = TypeVar("T")

_TRIES: Final = 10

ProfileOf = Callable[[Location], Awaitable[Profile]]
"""Gives the profile that the studies of a location are judged with."""


class Kept(msgspec.Struct, frozen=True):
    """A study as it stands in the store now.

    Attributes:
        outcome: It was judged; or nothing changed; or it changed since it was read, and is PENDING still.
        study: The study.
        by_other: Somebody else was quicker to judge it.
    """

    outcome: Literal["judged", "unchanged", "outdated"]
    study: Study
    by_other: bool = False


class Processes(Protocol):
    """Where CPU work is done, e.g. `heltig.pipeline.pool.JudgingPool`."""

    async def run(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Calls a function of a module in a process."""
        ...


class Scoring:
    """Judges studies in processes of their own and keeps their verdicts."""

    def __init__(
        self,
        store: Store,
        processes: Processes,
        *,
        profile: Profile | ProfileOf,
        clock: Callable[[], datetime],
        actor: str,
        origin: str = "",
        queue: JobQueue | None = None,
    ) -> None:
        """Makes it.

        Args:
            store: Where verdicts are kept.
            processes: Where judging is done.
            profile: The profile to judge under, or what gives that of a location.
            clock: The time.
            actor: Who or what has studies judged, for the audit trail.
            origin: From where, an address or `cli`.
            queue: Takes the re-judgements of others; one of the store's, of which nobody in this process
                hears, by default.
        """
        self.store = store
        self.queue = queue or JobQueue(store, clock=clock)
        self.clock = clock
        self.actor = actor
        self.origin = origin
        self._processes = processes
        self._profile = profile

    async def score(self, table: StudyTable, location: Location, *, confirm: Confirm | None = None) -> Kept:
        """Judges and keeps one study; where nothing changed its verdict stands.

        Args:
            table: The study, arranged or to be arranged.
            location: Where it was seen.
            confirm: Asked last of all whether the study is still as it was read. Where it is not, what was
                read is kept, and there is no verdict on it. What it writes is committed with the verdict, or
                not at all.

        Raises:
            ConflictError: The study changes faster than it can be judged.
            StorageError: It cannot be kept, or the process that judged it died.
        """
        if not table.series:
            table.arrange()
        now = self.clock()
        study, in_force = await self.store.look_up(known, location, table.key, now)
        before = study if study and study.snapshot and study.state != "WITHDRAWN" else None
        profile = await self._profile_of(location)
        scored = await self._processes.run(
            score,
            table,
            profile,
            location=location,
            received=now,
            before=before,
            waivers=in_force,
            keyed=self.store.keyed,
        )
        if scored is not None:
            return await self._arrived(scored, profile, confirm)
        if before is None:
            raise RuntimeError("A study that was never judged cannot be unchanged.")
        if before.at(now).state == "JUDGED":
            return await self._unchanged(before, confirm)
        return await self._publish(await self.judge_stored(location, table.key), profile, confirm)

    async def keep(
        self, scored: Sequence[Scored], *, progress: Callable[[int], None] = lambda done: None
    ) -> list[Kept]:
        """Stores the evidence of studies, and publishes their verdicts.

        All of them are in the index before the first is published, so that each is told of the others.

        Args:
            scored: The judged studies.
            progress: Told how many are published.

        Raises:
            ConflictError: A study changes faster than it can be judged.
            StorageError: One cannot be kept, or a process that judged died.
        """
        put = [await self.store.write(arrive, study.snapshot, self.queue) for study in scored]
        kept: list[Kept] = []
        for study, stored in zip(scored, put, strict=True):
            profile = await self._profile_of(study.snapshot.location)
            kept.append(await self._kept(study, stored, profile, None))
            progress(len(kept))
        return kept

    async def score_again(self, location: Location, study_key: str) -> Kept:
        """Judges what is in the store of a study; a verdict that comes out the same and holds is left alone.

        Raises:
            ConflictError: The study changes faster than it can be judged.
            NotFoundError: There is no evidence of it.
            StorageError: It cannot be kept, or the process that judged it died.
        """
        profile = await self._profile_of(location)
        return await self._publish(await self.judge_stored(location, study_key), profile, None)

    async def judge_stored(self, location: Location, study_key: str) -> NewVerdict:
        """The verdict that a study would have, judged by what is in the store of it. Nothing is written.

        Raises:
            NotFoundError: There is no evidence of it, or it is WITHDRAWN.
            StorageError: The process that judged it died.
        """
        found = await self.store.read(stored_evidence, location, study_key, self.clock())
        if found is None:
            raise NotFoundError(f"{location} has no evidence of this study, or not any more.")
        study, stored, in_force, index_facts = found
        inputs, verdict = await self._processes.run(
            score_again,
            stored,
            await self._profile_of(location),
            index_facts=index_facts,
            waivers=in_force,
            keyed=self.store.keyed,
        )
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

    async def _arrived(self, scored: Scored, profile: Profile, confirm: Confirm | None) -> Kept:
        """Stores a study that was just judged, and publishes its verdict; at once where that can be."""
        if not self.store.writes_alone:
            put = await self.store.write(arrive, scored.snapshot, self.queue)
            return await self._kept(scored, put, profile, confirm)
        new = partial(self._verdict, scored)
        put, study = await self.store.write_durably(
            arrive_and_publish, scored.snapshot, new, profile, self.queue, confirm
        )
        if study is None:
            return await self._kept(scored, put, profile, confirm)
        return Kept("unchanged" if study.version == put.version else "judged", study)

    def _verdict(self, scored: Scored, version: int) -> NewVerdict:
        """The verdict on a study that was just judged, for the version under which it is stored."""
        return NewVerdict(
            location=scored.snapshot.location,
            study_key=scored.snapshot.study_key,
            version=version,
            verdict=scored.verdict,
            inputs=scored.inputs,
            judged=self.clock(),
            actor=self.actor,
            origin=self.origin,
            waivers=scored.waivers,
        )

    async def _kept(
        self, scored: Scored, put: PutSnapshot, profile: Profile, confirm: Confirm | None
    ) -> Kept:
        """Publishes the verdict on a study that was stored, unless the one that it has holds."""
        new = scored.snapshot
        if not put.pending:
            study = await self._standing(new.location, new.study_key)
            if study.at(self.clock()).state != "PENDING":
                return await self._unchanged(study, confirm)
        if not put.changed or put.snapshot != scored.inputs.snapshot:
            again = await self.judge_stored(new.location, new.study_key)
            return await self._publish(again, profile, confirm)
        return await self._publish(self._verdict(scored, put.version), profile, confirm)

    async def _unchanged(self, study: Study, confirm: Confirm | None) -> Kept:
        """A study whose verdict stands."""
        is_current = confirm is None or await self.store.write(confirm)
        return Kept("unchanged" if is_current else "outdated", study)

    async def _publish(self, new: NewVerdict, profile: Profile, confirm: Confirm | None) -> Kept:
        """Publishes a verdict once it is made of what the index says now, and others were told of the study.

        Args:
            new: The verdict to begin with. Another one is made where it is stale.
            profile: The profile that it was made under.
            confirm: See `score`.
        """
        location, study_key = new.location, new.study_key
        told: Mapping[int, frozenset[Kind]] = {}
        for _ in range(_TRIES):
            try:
                outcome = await self.store.write_durably(publish_current, new, profile, told, confirm)
            except OutdatedError:
                return Kept("outdated", await self._standing(location, study_key))
            except ConflictError:  # it changed meanwhile, or somebody else judged it, or its waivers changed
                study = await self._standing(location, study_key)
                if study.version != new.version and study.at(self.clock()).state != "PENDING":
                    return Kept("judged" if study.state == "JUDGED" else "unchanged", study, by_other=True)
                new = await self.judge_stored(location, study_key)
                continue
            if isinstance(outcome, Study):
                return Kept("unchanged" if outcome.version == new.version else "judged", outcome)
            if outcome.studies != told:
                await self.store.write(look_at, outcome.studies, self.queue, at=self.clock())
                told = outcome.studies
            if outcome.facts != new.inputs.index_facts:
                new = await self.judge_stored(location, study_key)
        raise ConflictError(f"A study of {location} changes faster than it can be judged.")

    async def _standing(self, location: Location, study_key: str) -> Study:
        study = await self.store.read(studies.find, location, study_key)
        if study is None:
            raise NotFoundError(f"{location} does not have this study.")
        return study

    async def _profile_of(self, location: Location) -> Profile:
        return self._profile if isinstance(self._profile, Profile) else await self._profile(location)
