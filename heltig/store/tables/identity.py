"""Sessions of people on the pages, and how often somebody does something."""

from datetime import datetime

from sqlalchemy import Integer, Text
from sqlmodel import Field

from heltig.store.tables.base import BY_KEY, Table
from heltig.store.text import TEXT_LENGTH


class SessionTable(Table, table=True):
    """Sessions, without what a browser shows to be in one."""

    __tablename__ = "sessions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    hash: str = Field(max_length=64, unique=True)
    login_hash: str = Field(max_length=64, unique=True)  # of the login that began it: none begins two
    issuer: str = Field(sa_type=Text)
    subject: str = Field(max_length=TEXT_LENGTH, index=True)
    name: str = Field(max_length=TEXT_LENGTH)
    granted: str = Field(sa_type=Text)  # JSON
    provider_session: str = Field(max_length=TEXT_LENGTH, index=True)
    created: datetime
    last_seen: datetime
    expires: datetime = Field(index=True)
    ended: datetime | None


class RateCountTable(Table, table=True):
    """Counts of the present minute, and of earlier ones until somebody counts again.

    What may happen once has a later minute: until then it is known that it did.
    """

    __tablename__ = "rate_counts"
    __table_args__ = (BY_KEY,)

    minute: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    rule: str = Field(max_length=16, primary_key=True)
    who: str = Field(max_length=64, primary_key=True)
    count: int
