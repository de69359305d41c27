"""Tables of what Heltig works with: archives, uploads, jobs, keys."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, Text
from sqlmodel import Field

from heltig.store.records import KEY_LENGTH
from heltig.store.tables.base import Table, one_of, where
from heltig.store.text import TEXT_LENGTH

# A query that is to use one of these indexes has to say the same in the same words: SQLite does not look into
# the values of parameters.
READY = "state = 'queued' AND not_before IS NULL"
WAITING = "state = 'queued' AND not_before IS NOT NULL"
RUNNING = "state = 'running'"
LIVE = "state IN ('queued', 'running')"
ENDED_BADLY = "state IN ('failed', 'dead')"
SUCCEEDED = "state = 'succeeded'"
DELIVERY = "kind = 'webhook'"


class ArchiveTable(Table, table=True):
    """Remote DICOMweb services."""

    __tablename__ = "archives"

    location_row: int = Field(primary_key=True, foreign_key="locations.id")
    title: str = Field(sa_type=Text)
    qido_url: str = Field(sa_type=Text)
    wado_url: str = Field(sa_type=Text)
    stow_url: str | None = Field(sa_type=Text)
    feed_url: str | None = Field(sa_type=Text)
    auth: str = Field(sa_type=Text)  # JSON, as all dictionaries and lists below
    options: str = Field(sa_type=Text)
    capabilities: str | None = Field(sa_type=Text)
    probed: datetime | None
    paused: bool


class UploadTable(Table, table=True):
    """Uploads, found again by (digest, profile, target)."""

    __tablename__ = "uploads"

    location_row: int = Field(primary_key=True, foreign_key="locations.id")
    digest: str = Field(max_length=64, index=True)
    profile_hash: str = Field(max_length=64)
    target: str = Field(max_length=KEY_LENGTH)
    job_row: int = Field(
        foreign_key="jobs.id", index=True, sa_type=BigInteger().with_variant(Integer(), "sqlite")
    )
    size: int = Field(sa_type=BigInteger)
    received: datetime
    purged: datetime | None


class JobTable(Table, table=True):
    """Durable jobs. `not_before` is cleared once its time has come, so that an index holds what can start."""

    __tablename__ = "jobs"
    __table_args__ = (
        one_of("state", "queued", "running", "succeeded", "failed", "dead", "cancelled"),
        Index("uq_jobs_live", "kind", "key", unique=True, **where(LIVE)),
        Index("ix_jobs_ready", "group", "priority", "id", **where(READY)),
        Index("ix_jobs_waiting", "not_before", **where(WAITING)),
        Index("ix_jobs_running", "lease_until", **where(RUNNING)),
        Index("ix_jobs_ended_badly", "state", "id", **where(ENDED_BADLY)),
        Index("ix_jobs_succeeded", "kind", "finished", **where(SUCCEEDED)),
        Index("ix_jobs_deliveries", "group", "id", **where(DELIVERY)),
        {"sqlite_autoincrement": True},  # an id is never given again
    )

    # PostgreSQL counts to 2 ** 31 otherwise; SQLite's own counter is INTEGER, and has no such end.
    id: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer(), "sqlite")
    )
    kind: str = Field(max_length=64)
    key: str | None = Field(max_length=TEXT_LENGTH)
    group: str = Field(max_length=KEY_LENGTH)
    state: str = Field(max_length=16)
    priority: int
    attempts: int
    not_before: datetime | None
    lease_owner: str | None = Field(max_length=TEXT_LENGTH)
    lease_until: datetime | None
    payload: str = Field(sa_type=Text)
    progress: str | None = Field(sa_type=Text)
    result: str | None = Field(sa_type=Text)
    error: str | None = Field(sa_type=Text)
    first_error: str | None = Field(sa_type=Text)
    created: datetime
    started: datetime | None
    finished: datetime | None


class JobGroupTable(Table, table=True):
    """Whose turn it is: the group that has had the least for its weight."""

    __tablename__ = "job_groups"

    name: str = Field(primary_key=True, max_length=KEY_LENGTH)
    served: int = Field(sa_type=BigInteger)
    weight: int = Field(sa_column_kwargs={"server_default": "1"})
    most: int | None  # jobs at a time, on all workers together
    not_before: datetime | None  # none is started earlier


class ApiKeyTable(Table, table=True):
    """API keys, without the keys themselves."""

    __tablename__ = "api_keys"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=KEY_LENGTH, unique=True)
    prefix: str = Field(max_length=16)
    hash: str = Field(max_length=64, unique=True)
    role: str = Field(max_length=32)
    scopes: str = Field(sa_type=Text)
    created: datetime
    created_by: str = Field(max_length=TEXT_LENGTH)
    expires: datetime | None
    last_used: datetime | None
    revoked: datetime | None


class EncryptionKeyTable(Table, table=True):
    """The ids of the keys that something here is encrypted with."""

    __tablename__ = "encryption_keys"

    key_id: str = Field(primary_key=True, max_length=8)


class ServiceStartTable(Table, table=True):
    """The settings in force at the last start of each process of the service, each as a keyed digest."""

    __tablename__ = "service_starts"

    process: str = Field(primary_key=True, max_length=TEXT_LENGTH)
    settings: str = Field(sa_type=Text)
