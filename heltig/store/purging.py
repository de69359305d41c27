"""What is older than it is to be kept: found in pages, so that nobody waits. `removal` removes it.

Nothing is found here of a study that is under review, that has a waiver in force, or of which a gate has
something in its custody (`left_alone`).
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, exists, func, not_, or_, select

from heltig.store.left_alone import IS_LEFT_ALONE
from heltig.store.sizes import (
    ANALYSIS_SIZE,
    JOB_SIZE,
    SNAPSHOT_SIZE,
    STUDY_SIZE,
    VERDICT_SIZE,
    bytes_of,
    sum_of,
)
from heltig.store.tables import (
    analyses,
    backfill_studies,
    backfills,
    changes,
    gate_studies,
    jobs,
    publications,
    sequences,
    snapshots,
    studies,
    uploads,
    verdicts,
)
from heltig.store.transaction import ReadTransaction

Kind: TypeAlias = Literal[
    "analyses",
    "uploads",
    "gate",
    "withdrawn",
    "verdicts",
    "snapshots",
    "changes",
    "reports",
    "jobs",
    "failed_jobs",
    "deliveries",
]
"""What has an age of its own, but for the audit trail: `HELTIG_KEEP_` and this."""

CUSTODY_JOBS: Final = ("forward", "gate-settle")
"""Kinds of jobs that answer for objects which nobody else has. Of those that ended badly a person decides."""

_EVER: Final = datetime(1, 1, 2, tzinfo=UTC)
_ROW_SIZE: Final = 50  # bytes of a short row, about


class Candidate(msgspec.Struct, frozen=True):
    """Something that is older than it is kept.

    Attributes:
        id: Its row; of changes their sequence.
        size: About how many bytes go with it.
    """

    id: int
    size: int


class Ages(msgspec.Struct, frozen=True):
    """From when on things are kept.

    Attributes:
        now: The time: waivers may be in force.
        before: What is older than this goes; of a kind that is not named nothing.
    """

    now: datetime
    before: Mapping[Kind, datetime]


_next, _current = verdicts.alias(), verdicts.alias()
_superseded = (
    select(func.min(_next.c.judged))
    .where(_next.c.study_row == verdicts.c.study_row, _next.c.revision > verdicts.c.revision)
    .correlate(verdicts)
    .scalar_subquery()
)
_later = snapshots.alias()
_evidence_superseded = func.coalesce(
    select(func.min(_later.c.received))
    .where(_later.c.study_row == snapshots.c.study_row, _later.c.id > snapshots.c.id)
    .correlate(snapshots)
    .scalar_subquery(),
    snapshots.c.received,  # the study is again what it was before
)
_is_judged_by = exists().where(
    _current.c.study_row == studies.c.id,
    _current.c.revision == studies.c.revision,
    _current.c.snapshot == snapshots.c.snapshot,
)
_is_known_to_gate = exists().where(
    gate_studies.c.study_row == studies.c.id, gate_studies.c.snapshot == snapshots.c.snapshot
)
_ENDED_BADLY = or_(jobs.c.state == "failed", jobs.c.state == "dead")
_ENDED_WELL = or_(jobs.c.state == "succeeded", jobs.c.state == "cancelled")
_HAS_ENDED = or_(_ENDED_BADLY, _ENDED_WELL)
_REPORT_SIZE: Any = (
    select(func.count() * _ROW_SIZE)
    .where(backfill_studies.c.backfill_row == backfills.c.id)
    .correlate(backfills)
    .scalar_subquery()
)
_IS_UPLOADS = exists().where(uploads.c.job_row == jobs.c.id).correlate(jobs)


def _before(column: ColumnElement[Any]) -> Any:
    return bindparam("before", type_=column.type)


_newer = changes.alias()
_KEPT_CHANGES = func.coalesce(
    select(_newer.c.sequence)
    .where(_newer.c.at >= _before(changes.c.at))
    .order_by(_newer.c.at)
    .limit(1)
    .scalar_subquery(),
    select(sequences.c.value).where(sequences.c.name == "changes").scalar_subquery(),
)
"""The first change that stays: those before it go without gaps, and the last one never."""

_OF_UPLOAD = studies.c.location_row == uploads.c.location_row
_DUE: Final[Mapping[Kind, tuple[Any, Any, Any, tuple[ColumnElement[bool], ...]]]] = {
    "analyses": (
        analyses.c.id,
        ANALYSIS_SIZE,
        analyses,
        (
            analyses.c.finished < _before(analyses.c.finished),
            ~exists()
            .where(
                publications.c.analysis_row == analyses.c.id,
                or_(publications.c.state == "waiting", publications.c.state == "stored"),
            )
            .correlate(analyses),
        ),
    ),
    "uploads": (
        uploads.c.location_row,
        sum_of(STUDY_SIZE, uploads, _OF_UPLOAD),
        uploads.join(jobs, jobs.c.id == uploads.c.job_row),
        (
            uploads.c.purged.is_(None),
            uploads.c.received < _before(uploads.c.received),
            _HAS_ENDED,
            jobs.c.state != "dead",
            ~exists().where(_OF_UPLOAD, IS_LEFT_ALONE).correlate(uploads),
        ),
    ),
    "gate": (
        studies.c.id,
        STUDY_SIZE,
        studies.join(gate_studies, gate_studies.c.study_row == studies.c.id),
        (studies.c.changed < _before(studies.c.changed), not_(IS_LEFT_ALONE)),
    ),
    "withdrawn": (
        studies.c.id,
        STUDY_SIZE,
        studies,
        (
            studies.c.state == "WITHDRAWN",
            studies.c.changed < _before(studies.c.changed),
            not_(IS_LEFT_ALONE),
        ),
    ),
    "verdicts": (
        verdicts.c.id,
        VERDICT_SIZE,
        verdicts.join(studies, studies.c.id == verdicts.c.study_row),
        (
            verdicts.c.revision < studies.c.revision,
            _superseded < _before(verdicts.c.judged),
            not_(IS_LEFT_ALONE),
        ),
    ),
    "snapshots": (
        snapshots.c.id,
        SNAPSHOT_SIZE,
        snapshots.join(studies, studies.c.id == snapshots.c.study_row),
        (
            _evidence_superseded < _before(snapshots.c.received),
            snapshots.c.snapshot != studies.c.snapshot,
            ~_is_judged_by.correlate(studies, snapshots),
            ~_is_known_to_gate.correlate(studies, snapshots),
            not_(IS_LEFT_ALONE),
        ),
    ),
    "changes": (
        changes.c.sequence,
        bytes_of(changes.c.location, changes.c.study_key, changes.c.study_uid, changes.c.verdict_id),
        changes,
        (changes.c.sequence < _KEPT_CHANGES,),
    ),
    "reports": (
        backfills.c.id,
        _REPORT_SIZE,
        backfills,
        (backfills.c.finished < _before(backfills.c.finished),),
    ),
    "jobs": (
        jobs.c.id,
        JOB_SIZE,
        jobs,
        (
            _ENDED_WELL,
            jobs.c.kind != "webhook",
            jobs.c.finished < _before(jobs.c.finished),
            ~_IS_UPLOADS,
        ),
    ),
    "failed_jobs": (
        jobs.c.id,
        JOB_SIZE,
        jobs,
        (
            _ENDED_BADLY,
            jobs.c.kind != "webhook",
            *(jobs.c.kind != kind for kind in CUSTODY_JOBS),
            jobs.c.finished < _before(jobs.c.finished),
            ~_IS_UPLOADS,
        ),
    ),
    "deliveries": (
        jobs.c.id,
        JOB_SIZE,
        jobs,
        (
            _HAS_ENDED,
            jobs.c.kind == "webhook",
            jobs.c.finished < _before(jobs.c.finished),
        ),
    ),
}
"""Of each kind: what names it, its size, where it is, and when it goes."""

KINDS: Final = tuple(_DUE)
"""The kinds, in the order in which they are purged: what refers to others goes before them."""


def _page(kind: Kind) -> Select[Any]:
    id, size, source, conditions = _DUE[kind]
    found = select(id.label("id"), size.label("size")).select_from(source).where(*conditions)
    return found.where(id > bindparam("after")).order_by(id).limit(bindparam("most"))


def _among(kind: Kind) -> Select[Any]:
    id, size, source, conditions = _DUE[kind]
    found = select(id.label("id"), size.label("size")).select_from(source).where(*conditions)
    return found.where(id.in_(bindparam("ids", expanding=True)))


_PAGES: Final = {kind: _page(kind) for kind in KINDS}
_AMONG: Final = {kind: _among(kind) for kind in KINDS}


def due(
    transaction: ReadTransaction, kind: Kind, ages: Ages, *, after: int = 0, limit: int
) -> list[Candidate]:
    """What of a kind is older than it is kept, by its row.

    Args:
        transaction: Any.
        kind: Which.
        ages: From when on things are kept.
        after: Only what has a higher row.
        limit: The most.
    """
    return _found(transaction, _PAGES[kind], kind, ages, after=after, most=limit)


def still_due(transaction: ReadTransaction, kind: Kind, ages: Ages, ids: Collection[int]) -> list[Candidate]:
    """Those of some that still are older than they are kept, for the transaction that removes them."""
    return _found(transaction, _AMONG[kind], kind, ages, ids=list(ids)) if ids else []


def _found(
    transaction: ReadTransaction, statement: Select[Any], kind: Kind, ages: Ages, **more: Any
) -> list[Candidate]:
    if kind not in ages.before:
        return []
    times = {
        "now": ages.now,
        "before": ages.before[kind],
        "withdrawn_before": ages.before.get("withdrawn", _EVER),
    }
    return [Candidate(row.id, int(row.size)) for row in transaction.rows(statement, {**times, **more})]
