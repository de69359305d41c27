"""A verdict given: only where all that it was made of is still so, in the transaction that publishes it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from heltig import audit
from heltig.errors import ConflictError, UpgradedError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.again.context import arrive
from heltig.pipeline.judging import RulesetName, ruleset_name
from heltig.rules.index_facts import IndexFact, Kind
from heltig.rules.profile import Profile
from heltig.store import judged_with, observations, publication, snapshots, studies, waivers
from heltig.store.records import (
    Location,
    NewSnapshot,
    NewVerdict,
    ProfileInfo,
    PutSnapshot,
    RulesetInfo,
    Snapshot,
    Study,
)
from heltig.store.relations import Relations, relations_of
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Waiver

Confirm: TypeAlias = Callable[[WriteTransaction], bool]
"""Says whether a study is still as it was read, in the transaction that publishes its verdict."""


class OutdatedError(Exception):
    """The study changed since it was read."""


def known(
    transaction: ReadTransaction, location: Location, study_key: str, now: datetime
) -> tuple[Study | None, tuple[Waiver, ...]]:
    """A study, with the waivers that are in force for it."""
    study = studies.find(transaction, location, study_key)
    return study, waivers.in_force(transaction, location, study_key, at=now)


def stored_evidence(
    transaction: ReadTransaction, location: Location, study_key: str, now: datetime
) -> tuple[Study, Snapshot, tuple[Waiver, ...], tuple[IndexFact, ...]] | None:
    """A study with all that it is judged by; None where there is no evidence of it, or it is WITHDRAWN."""
    study, in_force = known(transaction, location, study_key, now)
    stored = snapshots.get(transaction, location, study_key)
    if study is None or stored is None or study.state == "WITHDRAWN":
        return None
    facts = relations_of(transaction, studies.row_of(transaction, location, study_key)).facts
    return study, stored, in_force, facts


def arrive_and_publish(
    transaction: WriteTransaction,
    snapshot: NewSnapshot,
    verdict: Callable[[int], NewVerdict],
    profile: Profile,
    queue: JobQueue,
    confirm: Confirm | None,
) -> tuple[PutSnapshot, Study | None]:
    """Stores a study's evidence and publishes its verdict, where nobody else needs to know of it.

    One transaction is enough where nobody else writes meanwhile: whoever comes later sees all of it. The
    verdict is left to a second one where another study is concerned, or anything is not as it was when the
    study was judged.

    Args:
        transaction: Of `Store.write_durably`, alone (`ReadTransaction.is_alone`).
        snapshot: The evidence.
        verdict: Makes the verdict on it, for the version that the study has then.
        profile: The profile that it was made under.
        queue: Takes re-judgements.
        confirm: See `publish_current`.

    Returns:
        What became of the snapshot; and the study, where nothing is left to be done.
    """
    put = arrive(transaction, snapshot, queue)
    if not (put.changed and put.snapshot == snapshot.snapshot):
        return put, None
    try:
        with transaction.nested():
            found = publish_current(transaction, verdict(put.version), profile, {}, confirm)
    except (OutdatedError, ConflictError, UpgradedError):
        return put, None  # who tries again hears of it
    return put, found if isinstance(found, Study) else None


def publish_current(
    transaction: WriteTransaction,
    new: NewVerdict,
    profile: Profile,
    told: Mapping[int, frozenset[Kind]],
    confirm: Confirm | None,
) -> Study | Relations:
    """Publishes a verdict, unless the index says something else now, or knows of others to be told.

    The study is locked before the index is asked: who changes the index afterwards finds it JUDGED, and looks
    at it.

    Args:
        transaction: Of `Store.write_durably`.
        new: The verdict.
        profile: The profile that it was made under.
        told: The studies that were looked at since this one came, see
            `heltig.pipeline.again.context.look_at`.
        confirm: Says last of all whether the study is still as it was read; None where what is stored was
            judged.

    Returns:
        The study; or what the index says now, where the verdict has to be made again or others to be told.

    Raises:
        OutdatedError: The study changed since it was read.
        ConflictError: It, or the waivers for it, changed since it was judged.
        NotFoundError: It is not known.
        UpgradedError: Another version of Heltig judged it.
    """
    locked = publication.lock_for(transaction, new)
    _, row, before = locked
    if confirm is None and before.state == "PENDING" and observations.is_unsettled(transaction, row):
        return before
    relations = relations_of(transaction, row)
    if relations.facts != new.inputs.index_facts or relations.studies != told:
        return relations
    ruleset = ruleset_name()
    if new.inputs.ruleset != ruleset.hash:  # a process that started later read other files
        raise UpgradedError("Heltig was upgraded while it ran: start it again. What is done is kept.")
    _keep_what_judged(transaction, new, ruleset, profile)
    if confirm is not None and not confirm(transaction):
        raise OutdatedError  # whatever it wrote is rolled back
    study = publication.publish(transaction, new, locked=locked).study
    if before.readiness == "READY" and study.readiness == "BLOCKED":
        _record_turn(transaction, new, study)
    return study


def _keep_what_judged(
    transaction: WriteTransaction, new: NewVerdict, ruleset: RulesetName, profile: Profile
) -> None:
    """Keeps ruleset and profile; the first verdict under one that is new is in the audit trail."""
    by = RulesetInfo(hash=ruleset.hash, version=ruleset.version, standard=ruleset.standard)
    under = ProfileInfo(hash=profile.hash, name=profile.name, text=profile.text)
    if judged_with.put_ruleset(transaction, by):
        _record_first(transaction, new, "ruleset.use", f"ruleset:{ruleset.version}", ruleset.hash)
    if judged_with.put_profile(transaction, under):
        _record_first(transaction, new, "profile.use", f"profile:{profile.name}", profile.hash)


def _record_first(
    transaction: WriteTransaction, new: NewVerdict, action: audit.Action, subject: str, hash: str
) -> None:
    audit.record(
        transaction,
        at=new.judged,
        actor=new.actor,
        action=action,
        subject=subject,
        outcome="success",
        origin=new.origin,
        detail={"hash": hash},
    )


def _record_turn(transaction: WriteTransaction, new: NewVerdict, study: Study) -> None:
    """Others may have acted on a verdict that is the opposite now: operators find that in the audit trail."""
    audit.record(
        transaction,
        at=new.judged,
        actor=new.actor,
        action="verdict.reverse",
        subject=f"{study.location} {study.study_key}",
        outcome="success",
        origin=new.origin,
        detail={"revision": study.revision, "from": "READY", "to": study.readiness},
    )
