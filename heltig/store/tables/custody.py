"""Tables of what gates took: studies that are settling or in quarantine, and the objects of them."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, Text, UniqueConstraint
from sqlmodel import Field

from heltig.store.records import KEY_LENGTH
from heltig.store.tables.base import Table, one_of, where
from heltig.store.text import TEXT_LENGTH

# A query that is to use these indexes has to say the same in the same words.
DUE = "due IS NOT NULL"
QUARANTINED = "quarantined IS NOT NULL"
KEPT = "file IS NOT NULL"


class GateStudyTable(Table, table=True):
    """Studies that came through a gate."""

    __tablename__ = "gate_studies"
    __table_args__ = (
        Index("ix_gate_studies_due", "due", **where(DUE)),
        Index("ix_gate_studies_quarantined", "quarantined", **where(QUARANTINED)),
    )

    study_row: int = Field(
        primary_key=True, foreign_key="studies.id", sa_column_kwargs={"autoincrement": False}
    )
    location_row: int = Field(foreign_key="locations.id")
    version: int  # counts what came, and what a person did
    due: datetime | None  # when it is to be judged; None once it was as it is
    snapshot: str | None = Field(max_length=64)  # what all objects but those that came since were judged by
    quarantined: datetime | None
    reason: str = Field(sa_type=Text)  # why it is in quarantine


class ObjectTable(Table, table=True):
    """SOP Instances that a gate took; the row stays when the file is gone."""

    __tablename__ = "objects"
    __table_args__ = (
        UniqueConstraint("study_row", "sop_instance_uid", "digest"),
        one_of("state", "held", "forwarding", "quarantined", "forwarded", "discarded"),
        Index("ix_objects_instance", "sop_instance_uid"),
        Index("ix_objects_kept", "study_row", **where(KEPT)),
        Index("ix_objects_file", "file", unique=True, **where(KEPT)),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer(), "sqlite")
    )
    study_row: int = Field(foreign_key="gate_studies.study_row")
    sop_instance_uid: str = Field(max_length=KEY_LENGTH)
    sop_class_uid: str = Field(max_length=KEY_LENGTH)
    series_uid: str = Field(max_length=KEY_LENGTH)
    transfer_syntax_uid: str = Field(max_length=KEY_LENGTH)
    digest: str = Field(max_length=64)  # SHA-256 of the file
    size: int = Field(sa_type=BigInteger)
    state: str = Field(max_length=16)
    judged: bool  # it is in the study's snapshot
    file: str | None = Field(max_length=TEXT_LENGTH)  # within the spool
    spool: str = Field(max_length=64)  # whose
    sender: str = Field(max_length=TEXT_LENGTH)
    request: str = Field(max_length=TEXT_LENGTH)
    received: datetime
