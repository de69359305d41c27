"""Tables of analyses (research use only): what was ordered, what came of it, what goes to archives."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlmodel import Field

from heltig.store.records import KEY_LENGTH
from heltig.store.tables.base import BY_KEY, ROW_NUMBER, Table, one_of, where
from heltig.store.text import TEXT_LENGTH

# A query that is to use these indexes has to say the same in the same words.
UNDER_WAY = "finished IS NULL"
UNSENT = "state IN ('waiting', 'stored')"

_STATES = (
    *("queued", "selecting", "converting", "segmenting", "measuring", "rendering", "publishing"),
    *("done", "refused", "failed"),
)


class AnalysisTable(Table, table=True):
    """Analyses of studies; once one has finished, nothing of its row changes any more."""

    __tablename__ = "analyses"
    __table_args__ = (
        one_of("state", *_STATES),
        Index("ix_analyses_under_way", "id", **where(UNDER_WAY)),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    analysis_id: str = Field(max_length=36, unique=True)  # opaque: in addresses and names of folders
    study_row: int = Field(foreign_key="studies.id", index=True)
    snapshot: str = Field(max_length=64)  # the evidence that it goes by
    verdict_id: str | None = Field(max_length=64)
    readiness: str | None = Field(max_length=16)  # when it was ordered
    asked: str = Field(sa_type=Text)  # JSON: what is to be done
    identified: bool  # its files may say or show who the patient is
    requested_by: str = Field(max_length=TEXT_LENGTH)
    override_reason: str = Field(sa_type=Text)  # why a study is analysed that is not READY
    ordered: datetime
    state: str = Field(max_length=16)
    stages: str = Field(sa_type=Text)  # JSON: when each state began
    code: str = Field(max_length=64)
    observed: str = Field(sa_type=Text)
    fingerprint: str = Field(max_length=64, index=True)
    series_uid: str = Field(max_length=KEY_LENGTH)
    same_as: str = Field(max_length=36)  # the analysis that has made the same files already
    place: str = Field(max_length=64)  # the spool of the server that has the files
    job: int = Field(sa_type=BigInteger)
    finished: datetime | None
    encrypted: bytes | None


class AnalysisOutputTable(Table, table=True):
    """The files of analyses; never changed."""

    __tablename__ = "analysis_outputs"
    __table_args__ = (BY_KEY,)

    analysis_row: int = Field(primary_key=True, foreign_key="analyses.id", sa_type=ROW_NUMBER)
    name: str = Field(primary_key=True, max_length=KEY_LENGTH)
    media_type: str = Field(max_length=KEY_LENGTH)
    sha256: str = Field(max_length=64)
    size: int = Field(sa_type=BigInteger)


class PublicationTable(Table, table=True):
    """Objects of analyses that go to archives: what is to be sent, what became of it, whether it is there."""

    __tablename__ = "publications"
    __table_args__ = (
        UniqueConstraint("analysis_row", "name", "target"),
        one_of("state", "waiting", "stored", "verified", "failed"),
        Index("ix_publications_unsent", "target", "id", **where(UNSENT)),
        Index("ix_publications_instance", "sop_instance_uid"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=ROW_NUMBER)
    analysis_row: int = Field(foreign_key="analyses.id", sa_type=ROW_NUMBER)
    name: str = Field(max_length=KEY_LENGTH)  # of the output
    sop_class_uid: str = Field(max_length=KEY_LENGTH)
    sop_instance_uid: str = Field(max_length=KEY_LENGTH)
    target: str = Field(max_length=KEY_LENGTH)  # an archive's name
    state: str = Field(max_length=16)
    attempts: int
    failure: str = Field(sa_type=Text)  # why the last attempt did not succeed
    changed: datetime
