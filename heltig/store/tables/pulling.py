"""Tables of the pull service: what archives were seen to have, how far each was read, and how they answer."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field

from heltig.store.tables.base import BY_KEY, Table, one_of, where
from heltig.store.text import TEXT_LENGTH

# A query that is to use these indexes has to say the same in the same words.
DUE = "due IS NOT NULL"
HANDED_ON = "due IS NULL AND unsettled_since IS NOT NULL"
UNDONE = "finished IS NULL"


class ObservationTable(Table, table=True):
    """What an archive was last seen to list of a study, and when that is to be pulled.

    A row is written when something changed, never because a study was seen again as it was.
    """

    __tablename__ = "observations"
    __table_args__ = (
        Index("ix_observations_due", "location_row", "priority", "due", **where(DUE)),
        Index("ix_observations_handed_on", "study_row", **where(HANDED_ON)),
    )

    study_row: int = Field(
        primary_key=True, foreign_key="studies.id", sa_column_kwargs={"autoincrement": False}
    )
    location_row: int = Field(foreign_key="locations.id")
    fingerprint: bytes
    changed: datetime
    unsettled_since: datetime | None  # the first change since it was last pulled
    due: datetime | None  # None too while a job is to pull it
    priority: int  # the lower the sooner


class CursorTable(Table, table=True):
    """How far an archive was read by a strategy, and when that goes on."""

    __tablename__ = "cursors"
    __table_args__ = (BY_KEY,)

    location_row: int = Field(primary_key=True, foreign_key="locations.id")
    name: str = Field(primary_key=True, max_length=64)
    position: str | None = Field(sa_type=Text)  # None before the first batch, and after a round
    covered: datetime | None  # by the archive's clock: all that changed before is recorded
    started: datetime | None  # the round that is under way
    finished: datetime | None  # the last whole round
    due: datetime
    error: str | None = Field(sa_type=Text)


class BreakerTable(Table, table=True):
    """Whether an archive is asked for one class of operations."""

    __tablename__ = "breakers"
    __table_args__ = (one_of("state", "closed", "open", "half-open"), BY_KEY)

    location_row: int = Field(primary_key=True, foreign_key="locations.id")
    operation: str = Field(primary_key=True, max_length=16)
    state: str = Field(max_length=16)
    failures: int  # one after the other
    openings: int  # one after the other: each doubles the wait
    until: datetime | None
    error: str | None = Field(sa_type=Text)
    changed: datetime


class MeasurementTable(Table, table=True):
    """How an archive answered, a minute at a time."""

    __tablename__ = "measurements"
    __table_args__ = (BY_KEY,)

    location_row: int = Field(primary_key=True, foreign_key="locations.id")
    minute: datetime = Field(primary_key=True)
    operation: str = Field(primary_key=True, max_length=16)
    outcome: str = Field(primary_key=True, max_length=16)
    bucket: int = Field(primary_key=True)  # of the time to the last byte
    count: int
    seconds: float
    received: int = Field(sa_type=BigInteger)  # bytes


class WorkerTable(Table, table=True):
    """The processes that work jobs off."""

    __tablename__ = "workers"

    owner: str = Field(primary_key=True, max_length=TEXT_LENGTH)
    host: str = Field(max_length=TEXT_LENGTH)
    version: str = Field(max_length=64)
    started: datetime
    heard: datetime


class BackfillTable(Table, table=True):
    """Walks through a whole archive, or through a range of study dates of it."""

    __tablename__ = "backfills"
    __table_args__ = (Index("ix_backfills_location", "location_row", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    location_row: int = Field(foreign_key="locations.id")
    dates: str = Field(max_length=32)  # a range as PS3.4 C.2.2.2.5 writes it; empty for all
    again: bool  # studies that did not change are pulled, too
    actor: str = Field(max_length=TEXT_LENGTH)
    started: datetime
    position: str | None = Field(sa_type=Text)  # where listing goes on
    due: datetime  # listing does not go on earlier
    listed: datetime | None  # when all studies were known
    finished: datetime | None
    cancelled: datetime | None
    notes: str = Field(sa_type=Text)  # JSON: what the archive did that makes the list less than it should be
    error: str | None = Field(sa_type=Text)  # why listing did not go on last time


class BackfillStudyTable(Table, table=True):
    """What became of each study of a backfill."""

    __tablename__ = "backfill_studies"
    __table_args__ = (
        Index("ix_backfill_studies_undone", "backfill_row", "study_row", **where(UNDONE)),
        BY_KEY,
    )

    backfill_row: int = Field(primary_key=True, foreign_key="backfills.id")
    study_row: int = Field(primary_key=True, foreign_key="studies.id", index=True)
    outcome: str | None = Field(max_length=16)
    instances: int
    finished: datetime | None
    error: str | None = Field(sa_type=Text)
