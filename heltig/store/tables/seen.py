"""Tables of what was seen, and where."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field

from heltig.store.records import KEY_LENGTH
from heltig.store.tables.base import BY_KEY, Table, one_of, where
from heltig.store.text import DEVICE_LENGTH, TEXT_LENGTH


class LocationTable(Table, table=True):
    """Archives, gate routes and uploads. A row stays when its archive is removed: verdicts refer to it."""

    __tablename__ = "locations"
    __table_args__ = (UniqueConstraint("kind", "name"), one_of("kind", "archive", "gate", "upload"))

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=16)
    name: str = Field(max_length=KEY_LENGTH)


# A query that is to use these indexes has to say the same in the same words.
ENDING = "valid_until IS NOT NULL"
PENDING = "state = 'PENDING'"
STANDING = "rank > 0 AND state <> 'WITHDRAWN'"
WITHOUT_DEVICES = "device_set_row IS NULL AND snapshot IS NOT NULL"
WITHOUT_VERDICT = "rank = 0 OR state = 'WITHDRAWN'"

WORST = (
    "rank",
    "judged",
    "id",
    "state",
    "location_row",
    "modalities_in_study",
    "study_description",
    "study_key",
    "valid_until",
    "device_set_row",
)
"""The order of the worklist, and all that its filters look at: they need not read the rows themselves."""


class StudyTable(Table, table=True):
    """Studies, one row a location that has it, with what a search shows."""

    __tablename__ = "studies"
    __table_args__ = (
        UniqueConstraint("location_row", "study_key"),
        one_of("state", "PENDING", "JUDGED", "WITHDRAWN"),
        one_of("readiness", "READY", "NEEDS_REVIEW", "BLOCKED"),
        Index("ix_studies_worst", *WORST),
        Index("ix_studies_study_date", "study_date", "id"),
        Index("ix_studies_valid_until", "valid_until", **where(ENDING)),
        Index("ix_studies_pending", "changed", **where(PENDING)),
        Index("ix_studies_first_seen", "location_row", "first_seen"),
        Index("ix_studies_without_verdict", "location_row", **where(WITHOUT_VERDICT)),
        Index("ix_studies_devices", "device_set_row", **where(STANDING)),
        Index("ix_studies_without_devices", "id", **where(WITHOUT_DEVICES)),
    )

    id: int | None = Field(default=None, primary_key=True)
    location_row: int = Field(foreign_key="locations.id")
    study_key: str = Field(max_length=KEY_LENGTH)
    study_uid: str | None = Field(max_length=KEY_LENGTH, index=True)
    state: str = Field(max_length=16)
    version: int
    revision: int
    snapshot: str | None = Field(max_length=64)
    content_digest: str | None = Field(max_length=64)
    readiness: str | None = Field(max_length=16)
    rank: int  # the worse the higher, 0 without a verdict
    judged: datetime | None
    valid_until: datetime | None
    blocks: int
    reviews: int
    notes: int
    series_count: int
    instance_count: int
    first_seen: datetime
    changed: datetime
    study_date: str = Field(max_length=TEXT_LENGTH)
    study_time: str = Field(max_length=TEXT_LENGTH)
    accession_number: str = Field(max_length=TEXT_LENGTH, index=True)
    study_description: str = Field(max_length=TEXT_LENGTH)
    study_id: str = Field(max_length=TEXT_LENGTH)
    referring_physician_name: str = Field(max_length=TEXT_LENGTH)
    referring_physician_folded: str = Field(
        max_length=TEXT_LENGTH, sa_column_kwargs={"server_default": ""}
    )  # as `heltig.store.names` folds it
    modalities_in_study: str = Field(max_length=TEXT_LENGTH)  # each between backslashes
    device_set_row: int | None  # None until its evidence was read for it; no foreign key, see `InstanceTable`


class DeviceSetTable(Table, table=True):
    """The devices that one study or more come from, together: most studies share theirs with many."""

    __tablename__ = "device_sets"

    id: int | None = Field(default=None, primary_key=True)
    identity: bytes = Field(unique=True)  # SHA-256 of its devices


class DeviceTable(Table, table=True):
    """The devices of each set, at least one, in their order; one without any text where none is named."""

    __tablename__ = "devices"
    __table_args__ = (Index("ix_devices_manufacturer", "manufacturer", "model", "station"), BY_KEY)

    device_set_row: int = Field(primary_key=True, foreign_key="device_sets.id")
    position: int = Field(primary_key=True)
    manufacturer: str = Field(max_length=DEVICE_LENGTH)
    model: str = Field(max_length=DEVICE_LENGTH)
    station: str = Field(max_length=DEVICE_LENGTH)


class PatientTable(Table, table=True):
    """Patients as studies name them, one row a spelling."""

    __tablename__ = "patients"
    __table_args__ = (
        Index("ix_patients_name", "name_folded", "patient_birth_date"),
        Index("ix_patients_words", "name_words", "patient_birth_date"),
    )

    id: int | None = Field(default=None, primary_key=True)
    identity: bytes = Field(unique=True)  # SHA-256 of the five attributes
    patient_id: str = Field(max_length=TEXT_LENGTH, index=True)
    issuer_of_patient_id: str = Field(max_length=TEXT_LENGTH)
    patient_name: str = Field(max_length=TEXT_LENGTH)
    name_folded: str = Field(max_length=TEXT_LENGTH)  # as `heltig.store.names` folds it
    name_words: str = Field(max_length=TEXT_LENGTH)  # without regard to case and punctuation
    patient_birth_date: str = Field(max_length=TEXT_LENGTH)
    patient_sex: str = Field(max_length=TEXT_LENGTH)


class StudyPatientTable(Table, table=True):
    """Who a study is about: position 0 is the patient that most of its instances name."""

    __tablename__ = "study_patients"
    __table_args__ = (BY_KEY,)

    study_row: int = Field(primary_key=True, foreign_key="studies.id")
    position: int = Field(primary_key=True)
    patient_row: int = Field(foreign_key="patients.id", index=True)
    instance_count: int


class SeriesTable(Table, table=True):
    """The series of each study's newest snapshot, with their SOP Instance UIDs."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("study_row", "series_key"),)

    id: int | None = Field(default=None, primary_key=True)
    study_row: int = Field(foreign_key="studies.id")
    series_key: str = Field(max_length=KEY_LENGTH)
    series_uid: str | None = Field(max_length=KEY_LENGTH, index=True)
    modality: str = Field(max_length=TEXT_LENGTH)
    series_number: str = Field(max_length=TEXT_LENGTH)
    series_description: str = Field(max_length=TEXT_LENGTH)
    frame_of_reference_uid: str | None = Field(max_length=KEY_LENGTH, index=True)
    instance_count: int
    digest: bytes
    sop_instance_uids: bytes  # compressed JSON list


class InstanceTable(Table, table=True):
    """Index from a SOP Instance UID's short key to the series that have it.

    There is no foreign key: SQLite would search the whole table for every series that goes away. The series'
    own list says which rows are its.
    """

    __tablename__ = "instances"
    __table_args__ = (BY_KEY,)

    uid_key: int = Field(primary_key=True, sa_type=BigInteger)
    series_row: int = Field(primary_key=True)


class SnapshotTable(Table, table=True):
    """Snapshots of studies, never changed."""

    __tablename__ = "snapshots"
    __table_args__ = (UniqueConstraint("study_row", "snapshot"),)

    id: int | None = Field(default=None, primary_key=True)
    study_row: int = Field(foreign_key="studies.id")
    snapshot: str = Field(max_length=64)
    content_digest: str = Field(max_length=64)
    received: datetime
    reference_date: date
    facts: bytes  # compressed
    instance_count: int


class SnapshotSeriesTable(Table, table=True):
    """Which evidence makes up a snapshot."""

    __tablename__ = "snapshot_series"
    __table_args__ = (BY_KEY,)

    snapshot_row: int = Field(primary_key=True, foreign_key="snapshots.id")
    series_key: str = Field(primary_key=True, max_length=KEY_LENGTH)
    digest: bytes
    address: bytes = Field(foreign_key="contents.address", index=True)
    instance_count: int


class ContentTable(Table, table=True):
    """The evidence of a series under its SHA-256, kept once however many snapshots have it."""

    __tablename__ = "contents"

    address: bytes = Field(primary_key=True)
    size: int = Field(sa_type=BigInteger)
    body: bytes  # compressed
