"""Orders analyses: who may have which study analysed, and what stands against it."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from heltig import audit
from heltig.errors import AuthorisationError, ConflictError, NotFoundError, UsageError
from heltig.imaging.order import OPTIONAL_FAMILIES
from heltig.jobs.queue import JobQueue
from heltig.jobs.retries import NotNowError
from heltig.pipeline.research.asked import Asked, EndedError
from heltig.pipeline.research.plan import Plan
from heltig.store import analyses, studies, verdicts
from heltig.store.analyses import Analysis, NewAnalysis
from heltig.store.jobs import NewJob
from heltig.store.records import Location, Study
from heltig.store.transaction import ReadTransaction, WriteTransaction

KIND: Final = "analyze"
"""The kind of job that analyses a study of an archive."""

FILES_KIND: Final = "analyze-files"
"""The kind of job that analyses what is in the spool of one server: of a gate, or of an upload."""

GROUP: Final = "research"
"""The group of all of them: so many at a time on all workers (HELTIG_MAX_PARALLEL_CASES)."""

AUTOMATIC: Final = "automatic"
"""Who orders what the plan wants."""

MOST_REASON: Final = 2000
_PRIORITY: Final = 15


class NotReadyError(ConflictError):
    """A study is not READY, so that it is analysed only where somebody overrides that."""


class Ordered(msgspec.Struct, frozen=True):
    """An analysis that was ordered.

    Attributes:
        is_repeat: The same was under way already: this is it.
    """

    analysis: Analysis
    is_repeat: bool


class Ordering(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody orders.

    Attributes:
        study_key: The study.
        location: Where; None for the first location where it is READY, or where it was seen first.
        asked: What is to be done.
        identified: Objects may be analysed that do not say that the patient's identity was removed.
        override: Why it is analysed though it is not READY; empty to insist on READY.
        actor: Who, for the audit trail; `origin` from where.
    """

    study_key: str
    location: Location | None = None
    asked: Asked = msgspec.field(default_factory=Asked)
    identified: bool = False
    override: str = ""
    actor: str
    origin: str


def order(
    transaction: WriteTransaction,
    queue: JobQueue,
    wanted: Ordering,
    *,
    plan: Plan,
    may_identify: bool,
    now: datetime,
) -> Ordered:
    """Orders an analysis.

    Args:
        transaction: Of `Store.write_durably`.
        queue: Takes its job.
        wanted: What is ordered.
        plan: The site's.
        may_identify: HELTIG_ANALYSIS_ALLOW_IDENTIFIED.
        now: The time.

    Raises:
        NotFoundError: The study is not known there.
        ConflictError: It is PENDING or WITHDRAWN, or not READY and nobody overrides that.
        AuthorisationError: Identified data is asked for, and not allowed.
        UsageError: The plan does not have what is asked for.
    """
    _insist_on_sense(wanted, may_identify=may_identify)
    override = wanted.override.strip()
    location = wanted.location or _best_location(transaction, wanted.study_key)
    locked = studies.lock(transaction, location, wanted.study_key)
    if locked is None:
        raise NotFoundError(f"{location} does not have this study.")
    row, study = locked
    insist_on_readiness(study, override=override, now=now)
    names = plan.segmenters_for(wanted.asked, study.attributes.modalities_in_study)
    whole = msgspec.structs.replace(wanted.asked, segmenters=names)
    asked: Mapping[str, Any] = msgspec.json.decode(msgspec.json.encode(whole))  # as the store gives it back
    current = verdicts.current(transaction, location, study.study_key) if study.revision else None
    new = NewAnalysis(
        analysis_id=str(uuid.uuid4()),
        study_row=row,
        snapshot=study.snapshot or "",
        verdict_id=None if current is None else current.verdict.id,
        readiness=study.readiness,
        asked=asked,
        identified=wanted.identified,
        requested_by=wanted.actor,
        override_reason=override if study.readiness != "READY" else "",
        ordered=now,
    )
    if (same := _same(transaction, new)) is not None:
        return Ordered(same, is_repeat=True)
    number = analyses.add(transaction, new)
    job = NewJob(
        kind=KIND if location.kind == "archive" else FILES_KIND,
        key=new.analysis_id,
        group=GROUP,
        priority=_PRIORITY,
        payload={"analysis": new.analysis_id},
    )
    analyses.give_job(transaction, number, queue.enqueue(transaction, job))
    _record(transaction, new, study, wanted)
    made = analyses.find(transaction, new.analysis_id)
    if made is None:
        raise AssertionError("it was added in this transaction")
    return Ordered(made, is_repeat=False)


def _insist_on_sense(wanted: Ordering, *, may_identify: bool) -> None:
    if wanted.identified and not may_identify:
        raise AuthorisationError(
            "Identified data may not be analysed here: HELTIG_ANALYSIS_ALLOW_IDENTIFIED is false."
        )
    if unknown := sorted(set(wanted.asked.optional) - set(OPTIONAL_FAMILIES)):
        raise UsageError(
            f"optional: there is no family {unknown[0]!r}. There are {', '.join(OPTIONAL_FAMILIES)}."
        )
    if len(wanted.override.strip()) > MOST_REASON:
        raise UsageError(f"override: a reason has {MOST_REASON:,} characters at most.")


def insist_on_readiness(study: Study, *, override: str, now: datetime) -> None:
    """Insists that a study may be analysed as it stands.

    Raises:
        NotReadyError: It is not READY, and nobody overrides that.
        ConflictError: It is PENDING or WITHDRAWN.
    """
    if study.state != "JUDGED":
        raise ConflictError(
            f"The study is {study.state} at {study.location}: only a study that was judged as it is can be "
            "analysed. Wait until it is, or see `heltig jobs list`."
        )
    is_over = study.valid_until is not None and study.valid_until <= now
    if is_over:
        raise ConflictError("The verdict on the study ended with a waiver: it is judged again in a minute.")
    if study.readiness != "READY" and not override:
        raise NotReadyError(
            f"The study is {study.readiness} at {study.location}, and only READY studies are analysed. "
            "An admin can override that, with a reason."
        )


def insist_on_same_study(transaction: ReadTransaction, analysis: Analysis, *, settled: bool) -> None:
    """Insists that the study of an analysis, and what the gate says of it, are what they were.

    Args:
        transaction: Any.
        analysis: As it was ordered.
        settled: Nobody may doubt it now, either: a PENDING study may have changed, and may not.

    Raises:
        EndedError: They are not.
        NotNowError: It is PENDING: that is known once it is judged.
    """
    study = studies.find(transaction, analysis.location, analysis.study_key)
    if (
        study is None
        or study.state == "WITHDRAWN"
        or (study.snapshot, study.readiness) != (analysis.snapshot, analysis.readiness)
    ):
        raise EndedError("VERDICT_CHANGED")
    if settled and study.state != "JUDGED":
        raise NotNowError(f"The study is {study.state}: its analysis is made once it is judged as it is.")


def _best_location(transaction: ReadTransaction, study_key: str) -> Location:
    found = studies.find_everywhere(transaction, study_key)
    if not found:
        raise NotFoundError("This study is not known here.")
    ready = [one for one in found if one.state == "JUDGED" and one.readiness == "READY"]
    judged = [one for one in found if one.state == "JUDGED"]
    return (ready or judged or found)[0].location


def _same(transaction: ReadTransaction, new: NewAnalysis) -> Analysis | None:
    """An analysis under way that does what a new one would."""
    for one in analyses.under_way(transaction):
        if (one.study_row, one.snapshot) == (new.study_row, new.snapshot) and (
            one.asked,
            one.identified,
            one.override_reason,
        ) == (dict(new.asked), new.identified, new.override_reason):
            return one
    return None


def _record(transaction: WriteTransaction, new: NewAnalysis, study: Study, wanted: Ordering) -> None:
    action: audit.Action = "analysis.override" if new.override_reason else "analysis.order"
    detail: dict[str, Any] = {
        "analysis": new.analysis_id,
        "readiness": new.readiness,
        "revision": study.revision,
        "segmenters": list(new.asked["segmenters"]),
        "identified": new.identified,
    }
    if new.override_reason:
        detail["reason"] = new.override_reason
    audit.record(
        transaction,
        at=new.ordered,
        actor=wanted.actor,
        action=action,
        subject=f"{study.location} {study.study_key}",
        outcome="success",
        origin=wanted.origin,
        detail=detail,
    )
