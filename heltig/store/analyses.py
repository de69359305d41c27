"""Analyses of studies: ordered, followed while they are made, and kept as they ended."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, exists, func, or_, select, text, update

from heltig.store.encrypted_rows import ANALYSES
from heltig.store.records import Location
from heltig.store.tables import analyses, analysis_outputs, locations, publications, studies
from heltig.store.tables.research import UNDER_WAY, UNSENT
from heltig.store.text import TEXT_LENGTH, from_json, storable, storable_key, to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Readiness


class NewAnalysis(msgspec.Struct, frozen=True, kw_only=True):
    """An analysis that is ordered.

    Attributes:
        analysis_id: Opaque: it names the analysis in addresses and its folder.
        study_row: The study.
        snapshot: The evidence that it goes by.
        verdict_id: The study's last verdict, and its `readiness`; None where there is none.
        asked: What is to be done, as JSON.
        identified: Its files may say or show who the patient is.
        requested_by: A principal's name; `automatic` where the plan wants it.
        override_reason: Why a study is analysed that is not READY; empty where it is.
    """

    analysis_id: str
    study_row: int
    snapshot: str
    verdict_id: str | None
    readiness: Readiness | None
    asked: Mapping[str, Any]
    identified: bool
    requested_by: str
    override_reason: str
    ordered: datetime


class Analysis(NewAnalysis, frozen=True, kw_only=True):
    """An analysis as it stands.

    Attributes:
        row: Its number: a later one has a higher one.
        location: Where its study is.
        state: See `heltig.imaging.order.State`.
        stages: When each of its states began.
        code: Why it was refused or failed, in a word; empty where it was not.
        observed: What was seen then, in numbers.
        fingerprint: SHA-256 of all that decides its results; empty until it is known.
        series_uid: The series that was selected; empty until it is.
        same_as: The analysis that had made the same files before; empty where these are its own.
        place: The spool of the server that has its files; empty until it has some.
        job: The job that makes it.
        finished: When it ended.
        is_publishing: Some of its objects are on their way to an archive.
    """

    row: int
    location: Location
    study_key: str
    study_uid: str | None
    state: str
    stages: dict[str, datetime]
    code: str
    observed: str
    fingerprint: str
    series_uid: str
    same_as: str
    place: str
    job: int
    finished: datetime | None
    is_publishing: bool


class Output(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file of an analysis.

    Attributes:
        name: Its path within the analysis, with slashes.
        sha256: Of its bytes, 64 hex digits.
        size: In bytes.
    """

    name: str
    media_type: str
    sha256: str
    size: int


_IS_PUBLISHING: Final = (
    exists()
    .where(publications.c.analysis_row == analyses.c.id, text(f"publications.{UNSENT}"))
    .correlate(analyses)
)
_ALL: Final = (
    select(
        analyses,
        studies.c.study_key,
        studies.c.study_uid,
        locations.c.kind,
        locations.c.name,
        _IS_PUBLISHING.label("is_publishing"),
    )
    .join(studies, studies.c.id == analyses.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
)
_FIND: Final = _ALL.where(analyses.c.analysis_id == bindparam("of"))
_UNDER_WAY: Final = _ALL.where(text(f"analyses.{UNDER_WAY}")).order_by(analyses.c.id)
_SAME: Final = (
    _ALL.where(
        analyses.c.fingerprint == bindparam("fingerprint"),
        analyses.c.state == "done",
        analyses.c.identified == bindparam("identified"),
        analyses.c.place == bindparam("place"),
    )
    .order_by(analyses.c.id.desc())
    .limit(bindparam("most"))
)
_READY_SNAPSHOTS: Final = (
    select(analyses.c.snapshot, analyses.c.requested_by)
    .where(analyses.c.study_row == bindparam("study"), analyses.c.readiness == "READY")
    .distinct()
)
_KNOWN: Final = select(analyses.c.analysis_id).where(
    analyses.c.analysis_id.in_(bindparam("ids", expanding=True))
)
_MOVE: Final = (
    update(analyses)
    .where(analyses.c.id == bindparam("of"), analyses.c.finished.is_(None))
    .values(
        state=bindparam("to_state"),
        stages=bindparam("to_stages"),
        fingerprint=bindparam("to_fingerprint"),
        series_uid=bindparam("to_series"),
        code=bindparam("to_code"),
        observed=bindparam("to_observed"),
        same_as=bindparam("to_same_as"),
        place=bindparam("to_place"),
        finished=bindparam("to_finished", type_=analyses.c.finished.type),
    )
)
_GIVE_JOB: Final = (
    update(analyses)
    .where(analyses.c.id == bindparam("of"), analyses.c.finished.is_(None))
    .values(job=bindparam("to_job"))
)
_OUTPUTS: Final = (
    select(analysis_outputs)
    .where(analysis_outputs.c.analysis_row == bindparam("of"))
    .order_by(analysis_outputs.c.name)
)
_OUTPUT: Final = select(analysis_outputs).where(
    analysis_outputs.c.analysis_row == bindparam("of"), analysis_outputs.c.name == bindparam("output")
)
_COUNTS: Final = select(analyses.c.state, analyses.c.code, func.count().label("number")).group_by(
    analyses.c.state, analyses.c.code
)


def add(transaction: WriteTransaction, new: NewAnalysis) -> int:
    """Adds an analysis, which is queued; returns its row. Its job is still to be named: `give_job`."""
    row = {
        "analysis_id": new.analysis_id,
        "study_row": new.study_row,
        "snapshot": new.snapshot,
        "verdict_id": new.verdict_id,
        "readiness": new.readiness,
        "asked": to_json(dict(new.asked)),
        "identified": new.identified,
        "requested_by": storable(new.requested_by, TEXT_LENGTH),
        "override_reason": storable(new.override_reason),
        "ordered": new.ordered,
        "state": "queued",
        "stages": to_json({"queued": new.ordered.isoformat()}),
        "code": "",
        "observed": "",
        "fingerprint": "",
        "series_uid": "",
        "same_as": "",
        "place": "",
        "job": 0,
        "finished": None,
    }
    return transaction.insert_row(analyses, ANALYSES.put(transaction.cipher, row))


def give_job(transaction: WriteTransaction, row: int, job: int) -> None:
    """Names the job that makes an analysis."""
    transaction.run(_GIVE_JOB, {"of": row, "to_job": job})


def find(transaction: ReadTransaction, analysis_id: str) -> Analysis | None:
    """An analysis, None where there is none."""
    row = transaction.first(_FIND, {"of": analysis_id})
    return None if row is None else _analysis(transaction, row)


def newest(
    transaction: ReadTransaction,
    *,
    study_key: str | None = None,
    location: Location | None = None,
    state: str | None = None,
    sets_publishing_apart: bool = True,
    offset: int = 0,
    limit: int,
) -> list[Analysis]:
    """Analyses, the newest first, those that match everything asked for.

    Those of which objects are on their way to an archive are of state `publishing`, not `done`, unless they
    are not set apart.
    """
    query = _ALL.order_by(analyses.c.id.desc()).limit(limit).offset(offset)
    if study_key is not None:
        query = query.where(studies.c.study_key == storable_key(study_key))
    if location is not None:
        query = query.where(locations.c.kind == location.kind, locations.c.name == location.name)
    if state == "publishing":
        query = query.where(or_(analyses.c.state == state, _IS_PUBLISHING))
    elif state is not None:
        query = query.where(analyses.c.state == state)
        if sets_publishing_apart:
            query = query.where(~_IS_PUBLISHING)
    return [_analysis(transaction, row) for row in transaction.connection.execute(query)]


def under_way(transaction: ReadTransaction) -> list[Analysis]:
    """Those that have not ended, the oldest first."""
    return [_analysis(transaction, row) for row in transaction.rows(_UNDER_WAY)]


def done_with(
    transaction: ReadTransaction, fingerprint: str, *, identified: bool, place: str, limit: int = 10
) -> list[Analysis]:
    """Those that made the same, and whose files are at a place; the newest first."""
    of = {"fingerprint": fingerprint, "identified": identified, "place": place, "most": limit}
    return [_analysis(transaction, row) for row in transaction.rows(_SAME, of)]


def ready_snapshots(transaction: ReadTransaction, study_row: int) -> set[tuple[str, str]]:
    """The evidence that analyses of a study went by which was READY then, each with who ordered one."""
    found = transaction.rows(_READY_SNAPSHOTS, {"study": study_row})
    return {(row.snapshot, row.requested_by) for row in found}


def known(transaction: ReadTransaction, ids: Collection[str]) -> set[str]:
    """Those of some names that are names of analyses."""
    return set(transaction.scalars(_KNOWN, {"ids": list(ids)})) if ids else set()


def move(
    transaction: WriteTransaction,
    now: Analysis,
    state: str,
    *,
    at: datetime,
    fingerprint: str = "",
    series_uid: str = "",
    code: str = "",
    observed: str = "",
    same_as: str = "",
    place: str = "",
    ends: bool = False,
) -> Analysis | None:
    """Says that an analysis is in another state; what is empty stays as it is.

    Args:
        transaction: Any that writes.
        now: The analysis as it stood.
        state: The state.
        at: Since when.
        fingerprint: See `Analysis`, as of the following.
        series_uid: The series.
        code: Why it ends so.
        observed: In numbers.
        same_as: Whose files it has.
        place: Who has its files.
        ends: Nothing follows; its row does not change any more.

    Returns:
        The analysis; None where it had ended already, as by somebody who cancelled it.
    """
    moved = msgspec.structs.replace(
        now,
        state=state,
        stages={**now.stages, state: now.stages.get(state, at)},
        fingerprint=fingerprint or now.fingerprint,
        series_uid=storable_key(series_uid) if series_uid else now.series_uid,
        code=code or now.code,
        observed=storable(observed) or now.observed,
        same_as=same_as or now.same_as,
        place=place or now.place,
        finished=at if ends else None,
    )
    changed = transaction.run(
        _MOVE,
        {
            "of": now.row,
            "to_state": moved.state,
            "to_stages": to_json({name: time.isoformat() for name, time in moved.stages.items()}),
            "to_fingerprint": moved.fingerprint,
            "to_series": moved.series_uid,
            "to_code": moved.code,
            "to_observed": moved.observed,
            "to_same_as": moved.same_as,
            "to_place": moved.place,
            "to_finished": moved.finished,
        },
    )
    return moved if changed else None


def put_outputs(transaction: WriteTransaction, row: int, outputs: Sequence[Output]) -> None:
    """Names the files of an analysis."""
    transaction.insert(
        analysis_outputs,
        [
            {
                "analysis_row": row,
                "name": one.name,
                "media_type": one.media_type,
                "sha256": one.sha256,
                "size": one.size,
            }
            for one in outputs
        ],
    )


def outputs_of(transaction: ReadTransaction, row: int) -> list[Output]:
    """The files of an analysis, by name."""
    return [_output(found) for found in transaction.rows(_OUTPUTS, {"of": row})]


def output_of(transaction: ReadTransaction, row: int, name: str) -> Output | None:
    """One of them."""
    found = transaction.first(_OUTPUT, {"of": row, "output": name})
    return None if found is None else _output(found)


def counts(transaction: ReadTransaction) -> dict[tuple[str, str], int]:
    """Number of analyses by state and code."""
    return {(row.state, row.code): row.number for row in transaction.rows(_COUNTS)}


def _analysis(transaction: ReadTransaction, stored: Any) -> Analysis:
    row = ANALYSES.get(transaction.cipher, stored)
    return Analysis(
        row=row.id,
        analysis_id=row.analysis_id,
        study_row=row.study_row,
        location=Location(row.kind, row.name),
        study_key=row.study_key,
        study_uid=row.study_uid,
        snapshot=row.snapshot,
        verdict_id=row.verdict_id,
        readiness=row.readiness,
        asked=from_json(row.asked, dict[str, Any]),
        identified=row.identified,
        requested_by=row.requested_by,
        override_reason=row.override_reason,
        ordered=row.ordered,
        state=row.state,
        stages=from_json(row.stages, dict[str, datetime]),
        code=row.code,
        observed=row.observed,
        fingerprint=row.fingerprint,
        series_uid=row.series_uid,
        same_as=row.same_as,
        place=row.place,
        job=row.job,
        finished=row.finished,
        is_publishing=bool(row.is_publishing),
    )


def _output(row: Any) -> Output:
    return Output(name=row.name, media_type=row.media_type, sha256=row.sha256, size=row.size)
