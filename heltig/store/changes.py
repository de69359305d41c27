"""The change feed: every verdict that was given or ended, every study that went away, in commit order."""

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Row, bindparam, func, select

from heltig.store.deliveries import tell_of_changes
from heltig.store.records import Location, Study, StudyState
from heltig.store.tables import changes, sequences
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Readiness


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the change feed. `sequence` is commit order, without gaps, from 1."""

    sequence: int
    at: datetime
    location: Location
    study_key: str
    study_uid: str | None
    state: StudyState
    revision: int
    readiness: Readiness | None
    verdict_id: str | None


_WHOLE = select(changes).where(changes.c.sequence > bindparam("sequence"))
_SINCE = _WHOLE.order_by(changes.c.sequence).limit(bindparam("limit"))
_WITHIN = (
    _WHOLE.where(
        changes.c.sequence <= bindparam("last"),
        changes.c.at >= bindparam("start"),
        changes.c.at < bindparam("end"),
    )
    .order_by(changes.c.sequence)
    .limit(bindparam("limit"))
)
_LAST_BEFORE = (
    select(changes.c.sequence).where(changes.c.at < bindparam("at")).order_by(changes.c.at.desc()).limit(1)
)
_FIRST_FROM = (
    select(changes.c.sequence).where(changes.c.at >= bindparam("at")).order_by(changes.c.at).limit(1)
)
_ENDED = (
    select(changes.c.sequence)
    .where(
        changes.c.at >= bindparam("since"),
        changes.c.location == bindparam("location"),
        changes.c.study_key == bindparam("study_key"),
        changes.c.state == "PENDING",
    )
    .limit(1)
)
_FIRST = select(func.min(changes.c.sequence))
_LATEST = select(sequences.c.value).where(sequences.c.name == "changes")

SKEW: Final = timedelta(hours=1)
"""By how much clocks may differ for a window to be whole: the feed is in the order of commits."""


def since(transaction: ReadTransaction, sequence: int, *, limit: int) -> list[Change]:
    """The changes after one, oldest first. `sequence` 0 is before the first."""
    rows = transaction.connection.execute(_SINCE, {"sequence": sequence, "limit": limit})
    return [_change(row) for row in rows]


def within(
    transaction: ReadTransaction, sequence: int, *, start: datetime, end: datetime, limit: int
) -> list[Change]:
    """Those of the changes after one that were made at `start` or later and before `end`."""
    before = transaction.connection.execute(_LAST_BEFORE, {"at": start - SKEW}).scalar()
    after = transaction.connection.execute(_FIRST_FROM, {"at": end + SKEW}).scalar()
    bounds = {"sequence": max(sequence, before or 0), "last": after or latest(transaction)}
    parameters = {**bounds, "start": start, "end": end, "limit": limit}
    rows = transaction.connection.execute(_WITHIN, parameters)
    return [_change(row) for row in rows]


def latest(transaction: ReadTransaction) -> int:
    """The sequence of the last change, 0 before the first."""
    last: int = transaction.connection.execute(_LATEST).scalar_one()
    return last


def first(transaction: ReadTransaction) -> int:
    """The sequence of the oldest change that is kept, 1 where there is none."""
    oldest: int | None = transaction.connection.execute(_FIRST).scalar()
    return oldest or 1


def is_told_ended(transaction: ReadTransaction, study: Study, *, since: datetime) -> bool:
    """Whether the feed says that the verdict on a study ended: that it is PENDING, since then."""
    of = {"location": str(study.location), "study_key": study.study_key, "since": since}
    return transaction.connection.execute(_ENDED, of).first() is not None


def append(
    transaction: WriteTransaction, study: Study, *, before: Study, verdict_id: str | None, at: datetime
) -> None:
    """Adds a study as it stands now to the feed; whoever is to be told of it will be.

    Args:
        transaction: Of `Store.write_durably`.
        study: The study.
        before: As it stood.
        verdict_id: Its last verdict.
        at: The time.
    """
    transaction.append_change(
        {
            "at": at,
            "location": str(study.location),
            "study_key": study.study_key,
            "study_uid": study.study_uid,
            "state": study.state,
            "revision": study.revision,
            "readiness": study.readiness,
            "verdict_id": verdict_id,
        },
        before=before.readiness,
        tell=tell_of_changes,
    )


def _change(row: Row[Any]) -> Change:
    return Change(
        sequence=row.sequence,
        at=row.at,
        location=Location.parse(row.location),
        study_key=row.study_key,
        study_uid=row.study_uid,
        state=row.state,
        revision=row.revision,
        readiness=row.readiness,
        verdict_id=row.verdict_id,
    )
