"""Studies as they stand now."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlalchemy import Row, and_, bindparam, select

from heltig.errors import NotFoundError
from heltig.store.attributes import split
from heltig.store.packing import compress, decompress
from heltig.store.records import Location, Patient, Series, Study, StudyAttributes
from heltig.store.tables import locations, lookups, patients, series, studies, study_patients
from heltig.store.text import storable_key
from heltig.store.transaction import ReadTransaction
from heltig.verdict import Readiness

RANKS: Final[dict[Readiness | None, int]] = {None: 0, "READY": 1, "NEEDS_REVIEW": 2, "BLOCKED": 3}
"""The worse the higher."""

SELECT = select(studies, locations.c.kind, locations.c.name).join(
    locations, locations.c.id == studies.c.location_row
)
"""All that `with_patients` makes a study of."""

IS_STUDY = and_(
    locations.c.kind == bindparam("kind"),
    locations.c.name == bindparam("name"),
    studies.c.study_key == bindparam("study_key"),
)
"""Names one study, with the parameters that `named` gives."""

_FIND = SELECT.where(IS_STUDY)
_FIND_AND_LOCK = _FIND.with_for_update(of=studies)
_LOCK_ROWS = (
    SELECT.where(studies.c.id.in_(bindparam("rows", expanding=True)))
    .order_by(studies.c.id)
    .with_for_update(of=studies)
)
_EVERYWHERE = (
    SELECT.join(lookups, lookups.c.study_row == studies.c.id)  # which has the index for this
    .where(lookups.c.study_key == bindparam("study_key"))
    .order_by(studies.c.id)
)
_KEYS_AT = (
    select(studies.c.study_key)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(
        locations.c.kind == bindparam("kind"),
        locations.c.name == bindparam("name"),
        studies.c.state != "WITHDRAWN",
    )
    .order_by(studies.c.id)
)
_PATIENTS = (
    select(study_patients.c.study_row, study_patients.c.instance_count, patients)
    .join(patients, patients.c.id == study_patients.c.patient_row)
    .order_by(study_patients.c.study_row, study_patients.c.position)
)
_PATIENTS_OF_ONE = _PATIENTS.where(study_patients.c.study_row == bindparam("row"))  # half the cost
_PATIENTS_OF_SOME = _PATIENTS.where(study_patients.c.study_row.in_(bindparam("rows", expanding=True)))
_SERIES = (
    select(series)
    .join(studies, studies.c.id == series.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(IS_STUDY)
    .order_by(series.c.series_key)
)


def named(location: Location, study_key: str) -> dict[str, Any]:
    """The parameters of `IS_STUDY`."""
    return {"kind": location.kind, "name": location.name, "study_key": storable_key(study_key)}


def find(transaction: ReadTransaction, location: Location, study_key: str) -> Study | None:
    """A study at one location, None while it is UNKNOWN there."""
    row = _row(transaction, location, study_key, lock=False)
    return None if row is None else with_patients(transaction, [row])[0]


def row_of(transaction: ReadTransaction, location: Location, study_key: str) -> int:
    """The row of a study.

    Raises:
        NotFoundError: It was never seen at that location.
    """
    row = _row(transaction, location, study_key, lock=False)
    if row is None:
        raise NotFoundError(f"{location} does not have this study.")
    return int(row.id)


def find_everywhere(transaction: ReadTransaction, study_key: str) -> list[Study]:
    """A study at every location that it was seen at, the first seen first."""
    rows = transaction.rows(_EVERYWHERE, {"study_key": storable_key(study_key)})
    return with_patients(transaction, rows)


def keys_at(
    transaction: ReadTransaction, location: Location, *, dates: tuple[str, str] | None = None
) -> list[str]:
    """The keys of the studies that stand at a location, the first seen first; WITHDRAWN ones do not.

    Args:
        transaction: Any.
        location: The location.
        dates: First and last StudyDate as YYYYMMDD, both included; an empty one is open. Studies without a
            date are in no range.
    """
    statement = _KEYS_AT
    if dates is not None:
        first, last = dates
        statement = statement.where(studies.c.study_date != "", studies.c.study_date >= first)
        if last:
            statement = statement.where(studies.c.study_date <= last)
    found = transaction.connection.execute(statement, {"kind": location.kind, "name": location.name})
    return list(found.scalars())


def series_of(transaction: ReadTransaction, location: Location, study_key: str) -> list[Series]:
    """The series of a study's newest snapshot, by key."""
    rows = transaction.rows(_SERIES, named(location, study_key))
    return [
        Series(
            series_key=row.series_key,
            series_uid=row.series_uid,
            modality=row.modality,
            series_number=row.series_number,
            series_description=row.series_description,
            instances=row.instance_count,
            sop_instance_uids=unpack_uids(row.sop_instance_uids),
        )
        for row in rows
    ]


def lock(transaction: ReadTransaction, location: Location, study_key: str) -> tuple[int, Study] | None:
    """A study that is about to be changed, with its row; no one else changes it before the end."""
    row = _row(transaction, location, study_key, lock=True)
    return None if row is None else (row.id, with_patients(transaction, [row])[0])


def lock_rows(transaction: ReadTransaction, rows: Iterable[int]) -> list[tuple[int, Study]]:
    """Some studies that are about to be changed, by their rows.

    They are locked in the order of their rows, so that nobody who locks several waits for one another.
    """
    wanted = sorted(rows)
    found = transaction.rows(_LOCK_ROWS, {"rows": wanted}) if wanted else []
    return list(zip((row.id for row in found), with_patients(transaction, found), strict=True))


def with_patients(transaction: ReadTransaction, rows: Iterable[Row[Any]]) -> list[Study]:
    """Studies out of rows of `SELECT`."""
    found = list(rows)
    about: dict[int, list[Patient]] = {row.id: [] for row in found}
    read = [row.id for row in found if row.snapshot is not None]  # of others nobody knows whom they are about
    for patient in _patients(transaction, read):
        about[patient.study_row].append(
            Patient(
                patient_id=patient.patient_id,
                issuer_of_patient_id=patient.issuer_of_patient_id,
                patient_name=patient.patient_name,
                patient_birth_date=patient.patient_birth_date,
                patient_sex=patient.patient_sex,
                instances=patient.instance_count,
            )
        )
    return [_study(row, tuple(about[row.id])) for row in found]


def _patients(transaction: ReadTransaction, rows: list[int]) -> Iterable[Row[Any]]:
    if not rows:
        return ()
    if len(rows) == 1:
        return transaction.rows(_PATIENTS_OF_ONE, {"row": rows[0]})
    return transaction.rows(_PATIENTS_OF_SOME, {"rows": rows})


def pack_uids(uids: tuple[str, ...]) -> bytes:
    """SOP Instance UIDs as a series keeps them."""
    return compress(msgspec.json.encode(uids))


def unpack_uids(packed: bytes) -> tuple[str, ...]:
    """What `pack_uids` was given."""
    return msgspec.json.decode(decompress(packed), type=tuple[str, ...])


def _row(transaction: ReadTransaction, location: Location, study_key: str, *, lock: bool) -> Row[Any] | None:
    statement = _FIND_AND_LOCK if lock else _FIND
    return transaction.first(statement, named(location, study_key))


def _study(row: Row[Any], about: tuple[Patient, ...]) -> Study:
    return Study(
        location=Location(row.kind, row.name),
        study_key=row.study_key,
        study_uid=row.study_uid,
        state=row.state,
        version=row.version,
        revision=row.revision,
        snapshot=row.snapshot,
        content_digest=row.content_digest,
        readiness=row.readiness,
        judged=row.judged,
        valid_until=row.valid_until,
        blocks=row.blocks,
        reviews=row.reviews,
        notes=row.notes,
        series=row.series_count,
        instances=row.instance_count,
        first_seen=row.first_seen,
        changed=row.changed,
        attributes=StudyAttributes(
            study_date=row.study_date,
            study_time=row.study_time,
            accession_number=row.accession_number,
            study_description=row.study_description,
            study_id=row.study_id,
            referring_physician_name=row.referring_physician_name,
            modalities_in_study=split(row.modalities_in_study),
            patients=about,
        ),
    )
