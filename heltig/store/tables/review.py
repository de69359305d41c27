"""Tables of what people make of studies: who sees to one, what is said of it, what two decide together."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlmodel import Field

from heltig.store.tables.base import BY_KEY, Table, one_of, where
from heltig.store.text import TEXT_LENGTH

# A query that is to use this index has to say the same in the same words.
OPEN = "state = 'open'"


class StudyOwnerTable(Table, table=True):
    """Who sees to a study; a study that nobody sees to has no row."""

    __tablename__ = "study_owners"
    __table_args__ = (BY_KEY,)

    study_row: int = Field(
        primary_key=True, foreign_key="studies.id", sa_column_kwargs={"autoincrement": False}
    )
    owner: str = Field(max_length=TEXT_LENGTH, index=True)
    since: datetime
    given_by: str = Field(max_length=TEXT_LENGTH)


class CommentTable(Table, table=True):
    """Comments on studies; a row only changes when it is withdrawn, and loses its text then."""

    __tablename__ = "comments"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    study_row: int = Field(foreign_key="studies.id", index=True)
    author: str = Field(max_length=TEXT_LENGTH)
    written: datetime
    body: str = Field(sa_type=Text)
    withdrawn: datetime | None
    withdrawn_by: str = Field(max_length=TEXT_LENGTH)
    encrypted: bytes | None


class ConsentTable(Table, table=True):
    """What somebody asks a second person's consent to, and what became of that."""

    __tablename__ = "consents"
    __table_args__ = (
        one_of("act", "release", "discard"),
        one_of("state", "open", "given", "declined", "withdrawn", "lapsed"),
        Index("ix_consents_open", "study_row", unique=True, **where(OPEN)),
    )

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    study_row: int = Field(foreign_key="studies.id", index=True)
    act: str = Field(max_length=16)
    version: int  # of what the gate has of the study: of another one nobody was asked
    asked_by: str = Field(max_length=TEXT_LENGTH)
    asked: datetime
    expires: datetime
    state: str = Field(max_length=16)
    decided_by: str = Field(max_length=TEXT_LENGTH)
    decided: datetime | None
    reason: str = Field(sa_type=Text)
    answer: str = Field(sa_type=Text)  # the reason of whoever decided
    encrypted: bytes | None
