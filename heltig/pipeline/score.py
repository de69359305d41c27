"""One study at one location judged and stored: snapshot and verdict together, or nothing.

What costs CPU (`score`, `score_again`) runs in a judging process and needs no database. What the database
does (`keep`) is one transaction.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from heltig.dicom.cell import DataSet
from heltig.dicom.digest import content_digest, series_digests
from heltig.dicom.snapshot import read_snapshot, read_source
from heltig.dicom.study import StudyTable, element
from heltig.errors import ConflictError
from heltig.pipeline.evidence import new_snapshot, study_attributes
from heltig.pipeline.judging import judge, ruleset_name
from heltig.rules.profile import Profile
from heltig.store import judged_with, publication, snapshots, studies
from heltig.store.engine import Store
from heltig.store.records import (
    Location,
    NewSnapshot,
    NewVerdict,
    ProfileInfo,
    RulesetInfo,
    Snapshot,
    Study,
    StudyAttributes,
)
from heltig.store.transaction import WriteTransaction
from heltig.verdict import Inputs, Verdict

T = TypeVar("T")

_TRIES: Final = 5
_MODALITIES: Final = "00080061"
_VOLATILE: Final = frozenset({"00080056", "00081190", "00080201"})
"""Of an archive's rows what may change though the study does not: InstanceAvailability, RetrieveURL, the
archive's own TimezoneOffsetFromUTC."""


class Scored(msgspec.Struct, frozen=True):
    """A judged study, ready to be stored."""

    snapshot: NewSnapshot
    inputs: Inputs
    verdict: Verdict


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


def score(
    table: StudyTable, profile: Profile, *, location: Location, received: datetime, known: str | None = None
) -> Scored | None:
    """Judges a study that was just read.

    Args:
        table: The study, arranged.
        profile: The profile to judge under.
        location: Where it was seen.
        received: When it was read; that day is "today" to the rules.
        known: The content digest of the verdict that stands.

    Returns:
        Nothing where its content is the known one.
    """
    digest = _digest(table)
    if digest == known:
        return None
    judged = judge(table, profile, reference_date=received.date(), archive=_archive(location))
    snapshot = new_snapshot(
        table, judged.evidence, location=location, received=received, reference_date=received.date()
    )
    attributes = snapshot.attributes if table.rows else _listed_attributes(table)
    kept = replace(snapshot, content_digest=digest, attributes=attributes)
    return Scored(kept, judged.inputs, judged.verdict)


def score_again(stored: Snapshot, profile: Profile) -> tuple[Inputs, Verdict]:
    """Judges evidence that is in the store, with the day on which it was received."""
    source = read_source(stored.facts)
    table = read_snapshot(
        stored.study_key, stored.study_uid, source, [series.content for series in stored.series]
    )
    judged = judge(
        table,
        profile,
        reference_date=stored.reference_date,
        archive=_archive(stored.location),
        snapshot=stored.snapshot,
    )
    return judged.inputs, judged.verdict


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
        known = before.content_digest if before and before.state == "JUDGED" else None
        scored = await self._processes.run(
            score, table, self._profile, location=location, received=self.clock(), known=known
        )
        if scored is None and before is not None:
            return Kept("unchanged", before)
        if scored is None:
            raise RuntimeError("A study that was never judged cannot be unchanged.")
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


def _listed_attributes(table: StudyTable) -> StudyAttributes:
    """What a search shows of a study of which nothing but the archive's rows came."""
    listed = StudyTable(table.key, table.uid)
    for row in table.source.study_rows:
        listed.add(row)
    listed.arrange()
    modalities = {
        str(value) for row in table.source.study_rows for value in element(row, _MODALITIES).values if value
    }
    return replace(study_attributes(listed), modalities_in_study=tuple(sorted(modalities)))


def _archive(location: Location) -> str:
    return location.name if location.kind == "archive" else ""


def _digest(table: StudyTable) -> str:
    """What tells whether a study changed: its content, and what its archive says beside it.

    The archive's rows are judged too: a count that was corrected changes the verdict, though no instance did.
    """
    content = content_digest(series_digests(table))
    source = table.source
    if source.asked_for is None:
        return content
    rows = [sorted(map(_normal, part)) for part in (source.study_rows, source.series_rows)]
    said = (content, sorted(source.shows), rows, source.failures)
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def _normal(row: DataSet) -> list[tuple[str, str]]:
    """A row without private attributes, in which archives note their own times, and what else is volatile."""
    kept = (tag for tag in row.tags if tag[3] not in "13579BDF" and tag not in _VOLATILE)
    return [(tag, element(row, tag).shown) for tag in sorted(set(kept))]
