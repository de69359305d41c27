"""Tables of what others are told unasked: webhooks, and alerts for those who run the service."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlmodel import Field

from heltig.store.records import KEY_LENGTH
from heltig.store.tables.base import Table, where
from heltig.store.text import TEXT_LENGTH

# A query that is to use this index has to say the same in the same words.
STANDING = "ended IS NULL"


class WebhookTable(Table, table=True):
    """Receivers that are told of changes and alerts. A delivery is a job of the group `webhook:ID`."""

    __tablename__ = "webhooks"
    __table_args__ = ({"sqlite_autoincrement": True},)  # an id is never given again: its group stays

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=KEY_LENGTH, unique=True)
    url: str = Field(sa_type=Text)
    options: str = Field(sa_type=Text)  # JSON
    paused: bool
    reason: str = Field(sa_type=Text)  # why it is paused
    failures: int  # one after the other
    openings: int  # of its breaker, without a success in between; each doubles the wait
    closed_until: datetime | None
    failing_since: datetime | None
    error: str | None = Field(sa_type=Text)


class AlertTable(Table, table=True):
    """What those who run the service have to know: raised once, ended once."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("uq_alerts_standing", "kind", "subject", unique=True, **where(STANDING)),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(max_length=64)
    subject: str = Field(max_length=TEXT_LENGTH)
    location: str | None = Field(max_length=TEXT_LENGTH)
    detail: str = Field(sa_type=Text)
    raised: datetime
    seen: datetime  # when it was last found to be so, as far as that was written down
    clear_since: datetime | None  # it is not so any more, but may be again at once
    ended: datetime | None
