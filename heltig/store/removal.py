"""Removes what is not kept any more: a whole study, or rows that `purging` found."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Table, bindparam, delete, exists, select, text, update

from heltig.store import uid_index
from heltig.store.left_alone import IN_CUSTODY
from heltig.store.purging import Kind
from heltig.store.records import Location
from heltig.store.studies import unpack_uids
from heltig.store.tables import (
    analyses,
    analysis_outputs,
    backfill_studies,
    backfills,
    changes,
    comments,
    consents,
    contents,
    device_sets,
    devices,
    findings,
    gate_studies,
    jobs,
    locations,
    lookups,
    objects,
    observations,
    patients,
    publications,
    series,
    snapshot_series,
    snapshots,
    studies,
    study_owners,
    study_patients,
    study_rules,
    uploads,
    verdicts,
)
from heltig.store.text import to_json
from heltig.store.transaction import ReadTransaction, WriteTransaction

AT_ONCE: Final = 2000
"""Short rows that one transaction removes."""

_IDS: Any = bindparam("ids", expanding=True)
_STUDY: Any = bindparam("study")


def _of_study(table: Table) -> Any:
    return delete(table).where(table.c.study_row == _STUDY)


_SERIES = select(series.c.id, series.c.sop_instance_uids).where(series.c.study_row == _STUDY)
_snapshots_of = select(snapshots.c.id).where(snapshots.c.study_row == _STUDY)
_verdicts_of = select(verdicts.c.id).where(verdicts.c.study_row == _STUDY)
_analyses_of = select(analyses.c.id).where(analyses.c.study_row == _STUDY)
_REMOVE_STUDY: Any = (
    delete(publications).where(publications.c.analysis_row.in_(_analyses_of)),
    delete(analysis_outputs).where(analysis_outputs.c.analysis_row.in_(_analyses_of)),
    _of_study(analyses),
    _of_study(series),
    delete(snapshot_series).where(snapshot_series.c.snapshot_row.in_(_snapshots_of)),
    _of_study(snapshots),
    delete(findings).where(findings.c.verdict_row.in_(_verdicts_of)),
    _of_study(verdicts),
    _of_study(study_rules),
    _of_study(study_owners),
    _of_study(comments),
    _of_study(consents),
    _of_study(study_patients),
    _of_study(lookups),
    _of_study(observations),
    _of_study(backfill_studies),
    _of_study(objects),
    _of_study(gate_studies),
    delete(studies).where(studies.c.id == _STUDY),
)
_REMOVE: Final[Mapping[Kind, Sequence[Any]]] = {
    "analyses": (
        delete(publications).where(publications.c.analysis_row.in_(_IDS)),
        delete(analysis_outputs).where(analysis_outputs.c.analysis_row.in_(_IDS)),
        delete(analyses).where(analyses.c.id.in_(_IDS)),
    ),
    "verdicts": (
        delete(findings).where(findings.c.verdict_row.in_(_IDS)),
        delete(verdicts).where(verdicts.c.id.in_(_IDS)),
    ),
    "snapshots": (
        delete(snapshot_series).where(snapshot_series.c.snapshot_row.in_(_IDS)),
        delete(snapshots).where(snapshots.c.id.in_(_IDS)),
    ),
    "changes": (delete(changes).where(changes.c.sequence.in_(_IDS)),),
    "reports": (delete(backfills).where(backfills.c.id.in_(_IDS)),),
    "jobs": (delete(jobs).where(jobs.c.id.in_(_IDS)),),
    "failed_jobs": (delete(jobs).where(jobs.c.id.in_(_IDS)),),
    "deliveries": (delete(jobs).where(jobs.c.id.in_(_IDS)),),
}
_OF_REPORT = (
    select(backfill_studies.c.study_row)
    .where(backfill_studies.c.backfill_row == bindparam("report"))
    .limit(bindparam("most"))
)
_THIN_REPORT = delete(backfill_studies).where(
    backfill_studies.c.backfill_row == bindparam("report"), backfill_studies.c.study_row.in_(_OF_REPORT)
)
_LOCATION_OF_UPLOAD = (
    select(locations.c.name)
    .join(uploads, uploads.c.location_row == locations.c.id)
    .where(uploads.c.location_row == bindparam("row"))
)
_AT = (
    select(studies.c.id, studies.c.study_key)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(locations.c.kind == bindparam("kind"), locations.c.name == bindparam("name"))
    .order_by(studies.c.id)
)
_IS_THERE = select(studies.c.id).where(studies.c.id == _STUDY)
_IN_CUSTODY = select(studies.c.id).where(studies.c.id == _STUDY, IN_CUSTODY)
_FORGET_UPLOADS = delete(uploads).where(uploads.c.purged < bindparam("before", type_=uploads.c.purged.type))
_NOTE = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"), jobs.c.state == "running")
    .values(payload=bindparam("to_payload"))
)

_has_snapshot = exists().where(snapshot_series.c.address == contents.c.address).correlate(contents)
_FREE_CONTENTS = (
    select(contents.c.address)
    .where(contents.c.address > bindparam("after"), ~_has_snapshot)
    .order_by(contents.c.address)
    .limit(bindparam("most"))
)
_REMOVE_CONTENTS = delete(contents).where(contents.c.address.in_(_IDS), ~_has_snapshot)
_free_set = device_sets.c.id.not_in(  # read once for all of them: there is no index over all studies' sets
    select(studies.c.device_set_row).where(studies.c.device_set_row.is_not(None))
)
_FREE_DEVICE_SETS = (
    select(device_sets.c.id)
    .where(device_sets.c.id > bindparam("after"), _free_set)
    .order_by(device_sets.c.id)
    .limit(bindparam("most"))
)
_STILL_FREE = select(device_sets.c.id).where(device_sets.c.id.in_(_IDS), _free_set)
_REMOVE_DEVICES = delete(devices).where(devices.c.device_set_row.in_(_IDS))
_REMOVE_DEVICE_SETS = delete(device_sets).where(device_sets.c.id.in_(_IDS))
_has_study = exists().where(study_patients.c.patient_row == patients.c.id).correlate(patients)
_FREE_PATIENTS = (
    select(patients.c.id)
    .where(patients.c.id > bindparam("after"), ~_has_study)
    .order_by(patients.c.id)
    .limit(bindparam("most"))
)
_REMOVE_PATIENTS = delete(patients).where(patients.c.id.in_(_IDS), ~_has_study)


def remove_study(transaction: WriteTransaction, row: int) -> None:
    """Removes all that is known of a study at one location, in one transaction, as it came.

    Its evidence, where no other study has it, is left to `remove_free_contents`, its patients to
    `remove_free_patients`, its devices to `remove_free_device_sets`.

    Args:
        transaction: Any that writes.
        row: The study's row, locked. Whoever was told something of it knows already that it is gone.
    """
    of = {"study": row}
    uid_index.remove(
        transaction,
        sorted(
            (key, one.id)
            for one in transaction.rows(_SERIES, of)
            for key in uid_index.keys_of(unpack_uids(one.sop_instance_uids))
        ),
    )
    for statement in _REMOVE_STUDY:
        transaction.run(statement, of)


def is_there(transaction: ReadTransaction, row: int) -> bool:
    """Whether there is a study of a row."""
    return transaction.first(_IS_THERE, {"study": row}) is not None


def is_in_custody(transaction: ReadTransaction, row: int) -> bool:
    """Whether a gate has something of a study that nobody else may have."""
    return transaction.first(_IN_CUSTODY, {"study": row}) is not None


def studies_at(transaction: ReadTransaction, location: Location) -> list[tuple[int, str]]:
    """The rows and keys of all studies of a location, WITHDRAWN ones too."""
    rows = transaction.rows(_AT, {"kind": location.kind, "name": location.name})
    return [(row.id, row.study_key) for row in rows]


def upload_of(transaction: ReadTransaction, row: int) -> str | None:
    """The name of an upload by the row of its location."""
    return transaction.scalar(_LOCATION_OF_UPLOAD, {"row": row})


def remove(transaction: WriteTransaction, kind: Kind, ids: Collection[int]) -> None:
    """Removes rows of a kind that is no study and no upload."""
    if ids:
        for statement in _REMOVE[kind]:
            transaction.run(statement, {"ids": list(ids)})


def thin_report(transaction: WriteTransaction, report: int, *, limit: int = AT_ONCE) -> int:
    """Removes some of the studies that a backfill lists; returns how many."""
    return transaction.run(_THIN_REPORT, {"report": report, "most": limit})


def forget_purged_uploads(transaction: WriteTransaction, *, before: datetime) -> int:
    """Removes what is left of uploads that were purged, so that their jobs can go; returns how many."""
    return transaction.run(_FORGET_UPLOADS, {"before": before})


def free_contents(transaction: ReadTransaction, *, after: bytes, limit: int) -> list[bytes]:
    """Addresses of evidence that belongs to no snapshot, in their order."""
    return transaction.scalars(_FREE_CONTENTS, {"after": after, "most": limit})


def remove_free_contents(transaction: WriteTransaction, addresses: Collection[bytes]) -> int:
    """Removes evidence that still belongs to no snapshot; the first that a transaction does."""
    _keep_out(transaction, contents)
    return transaction.run(_REMOVE_CONTENTS, {"ids": list(addresses)})


def free_patients(transaction: ReadTransaction, *, after: int, limit: int) -> list[int]:
    """Rows of patients that no study is about, in their order."""
    return transaction.scalars(_FREE_PATIENTS, {"after": after, "most": limit})


def remove_free_patients(transaction: WriteTransaction, rows: Collection[int]) -> int:
    """Removes patients that still no study is about; the first that a transaction does."""
    _keep_out(transaction, patients)
    return transaction.run(_REMOVE_PATIENTS, {"ids": list(rows)})


def free_device_sets(transaction: ReadTransaction, *, after: int, limit: int) -> list[int]:
    """Rows of sets of devices that no study comes from, in their order."""
    return transaction.scalars(_FREE_DEVICE_SETS, {"after": after, "most": limit})


def remove_free_device_sets(transaction: WriteTransaction, rows: Collection[int]) -> int:
    """Removes sets of devices that still no study comes from; the first that a transaction does."""
    _keep_out(transaction, device_sets)
    free = transaction.scalars(_STILL_FREE, {"ids": list(rows)})
    if free:
        transaction.run(_REMOVE_DEVICES, {"ids": free})
        transaction.run(_REMOVE_DEVICE_SETS, {"ids": free})
    return len(free)


def note(transaction: WriteTransaction, job: int, payload: Mapping[str, Any]) -> None:
    """Writes down with what was removed how far its job is, so that a process which dies has told all."""
    transaction.run(_NOTE, {"job": job, "to_payload": to_json(payload)})


def _keep_out(transaction: WriteTransaction, table: Table) -> None:
    """Waits until all that may refer to a row of a table is committed; nobody begins to until the end.

    Whoever stores a study looks for what is there already with FOR KEY SHARE, so that this waits for them. On
    SQLite nobody else writes meanwhile.
    """
    if not transaction.is_alone:
        transaction.connection.execute(text(f"LOCK TABLE {table.name} IN EXCLUSIVE MODE"))
