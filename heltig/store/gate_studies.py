"""Studies that came through a gate: settling, judged, or in quarantine.

Whoever acts on one names the version that they know. If it is another by now they get False, and leave it to
whoever changed it.
"""

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import String, bindparam, cast, exists, func, or_, select, text, update

from heltig.errors import NotFoundError
from heltig.store import states, studies
from heltig.store.locations import ensure
from heltig.store.records import Location
from heltig.store.tables import gate_studies, locations
from heltig.store.tables import jobs as job_table
from heltig.store.tables import objects as object_table
from heltig.store.tables import studies as study_table
from heltig.store.tables.custody import DUE, KEPT, QUARANTINED
from heltig.store.tables.operations import ENDED_BADLY, LIVE
from heltig.store.transaction import ReadTransaction, WriteTransaction
from heltig.verdict import Readiness


class GateStudy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A study that came through a gate.

    Attributes:
        id: Its row, by which quarantine names it.
        version: Counts what came, and what a person did.
        due: When it is to be judged; None once it was as it is.
        snapshot: What all its objects but those that came since were judged by.
        quarantined: Since when it waits for a person; None where it does not.
        reason: Why.
    """

    id: int
    location: Location
    study_key: str
    version: int
    due: datetime | None
    snapshot: str | None
    quarantined: datetime | None
    reason: str


class Quarantined(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A study in quarantine, as it is listed.

    Attributes:
        readiness: Of its last verdict.
        objects: How many wait; `size` is all their bytes.
    """

    study: GateStudy
    readiness: Readiness | None
    objects: int
    size: int


_ALL = (
    select(gate_studies, study_table.c.study_key, study_table.c.readiness, locations.c.kind, locations.c.name)
    .join_from(gate_studies, study_table, study_table.c.id == gate_studies.c.study_row)
    .join(locations, locations.c.id == gate_studies.c.location_row)
)
_BY_ID: Final = _ALL.where(gate_studies.c.study_row == bindparam("id"))
_LOCKED: Final = _BY_ID.with_for_update(of=gate_studies)
_ROW: Final = (
    select(gate_studies.c.study_row)
    .join(study_table, study_table.c.id == gate_studies.c.study_row)
    .join(locations, locations.c.id == study_table.c.location_row)
    .where(studies.IS_STUDY)
)
_DUE: Final = (
    _ALL.where(text(DUE), gate_studies.c.due <= bindparam("now"))
    .order_by(gate_studies.c.due)
    .limit(bindparam("limit"))
)
_ARRIVE: Final = (
    update(gate_studies)
    .where(gate_studies.c.study_row == bindparam("id"))
    .values(version=gate_studies.c.version + 1, due=bindparam("to_due"))
)
_SETTLE: Final = (
    update(gate_studies)
    .where(gate_studies.c.study_row == bindparam("id"))
    .values(
        due=None,
        snapshot=bindparam("to_snapshot"),
        quarantined=bindparam("to_quarantined"),
        reason=bindparam("to_reason"),
    )
)
_QUARANTINE: Final = (
    update(gate_studies)
    .where(gate_studies.c.study_row == bindparam("id"))
    .values(
        version=gate_studies.c.version + 1,
        quarantined=bindparam("to_quarantined"),
        reason=bindparam("to_reason"),
    )
)
_DECIDE: Final = (
    update(gate_studies)
    .where(gate_studies.c.study_row == bindparam("id"))
    .values(version=gate_studies.c.version + 1, quarantined=None, reason="", due=None)
)
_WAITING_SINCE: Final = (
    select(locations.c.kind, locations.c.name, func.min(gate_studies.c.quarantined).label("since"))
    .join(gate_studies, gate_studies.c.location_row == locations.c.id)
    .where(text(f"gate_studies.{QUARANTINED}"))
    .group_by(locations.c.kind, locations.c.name)
)
_FORSAKEN: Final = (
    _ALL.join(object_table, object_table.c.study_row == gate_studies.c.study_row)
    .where(
        text(KEPT),
        object_table.c.state == "forwarding",
        ~exists().where(
            job_table.c.kind == bindparam("kind"),
            job_table.c.key == cast(gate_studies.c.study_row, String),
            or_(text(LIVE), text(ENDED_BADLY)),
        ),
    )
    .distinct()
    .limit(bindparam("limit"))
)
_KEPT_AT: Final = (
    select(func.count())
    .select_from(object_table)
    .join(gate_studies, gate_studies.c.study_row == object_table.c.study_row)
    .join(locations, locations.c.id == gate_studies.c.location_row)
    .where(
        text(KEPT),
        object_table.c.state != "forwarded",
        locations.c.kind == bindparam("kind"),
        locations.c.name == bindparam("name"),
    )
)
_FORGET: Final = update(gate_studies).where(gate_studies.c.study_row == bindparam("id")).values(snapshot=None)


def arrive(
    transaction: WriteTransaction, location: Location, study_uid: str, *, due: datetime, now: datetime
) -> int:
    """Says that something of a study came: it is PENDING, and to be judged at a time unless more comes.

    Args:
        transaction: Any that writes.
        location: The gate.
        study_uid: The study.
        due: When it is to be judged.
        now: The time.

    Returns:
        The study's row.
    """
    states.mark_pending(transaction, location, study_uid, study_uid=study_uid, at=now)
    row = studies.row_of(transaction, location, study_uid)
    new = {
        "study_row": row,
        "location_row": ensure(transaction, location),
        "version": 1,
        "due": due,
        "snapshot": None,
        "quarantined": None,
        "reason": "",
    }
    if not transaction.insert_or_ignore(gate_studies, new):
        transaction.run(_ARRIVE, {"id": row, "to_due": due})
    return row


def row_of(transaction: ReadTransaction, location: Location, study_uid: str) -> int | None:
    """The row of a study that came through a gate, None for one that never did."""
    return transaction.scalar(_ROW, studies.named(location, study_uid))


def find(transaction: ReadTransaction, id: int) -> GateStudy | None:
    """A study by its row."""
    row = transaction.first(_BY_ID, {"id": id})
    return None if row is None else _study(row)


def lock(transaction: WriteTransaction, id: int) -> GateStudy:
    """A study that is about to be changed; nobody else changes it before the end.

    Raises:
        NotFoundError: It never came through a gate.
    """
    row = transaction.first(_LOCKED, {"id": id})
    if row is None:
        raise NotFoundError("No study of this id came through a gate.")
    return _study(row)


def next_due(transaction: ReadTransaction, *, now: datetime, limit: int) -> list[GateStudy]:
    """Studies that are to be judged, those that wait longest first."""
    return [_study(row) for row in transaction.rows(_DUE, {"now": now, "limit": limit})]


def forsaken(transaction: ReadTransaction, *, kind: str, limit: int) -> list[GateStudy]:
    """Studies whose objects wait to be forwarded, although nobody is going to, or could be told to.

    Args:
        transaction: Any.
        kind: Of the jobs that forward; their key is the study's row.
        limit: The most.
    """
    return [_study(row) for row in transaction.rows(_FORSAKEN, {"kind": kind, "limit": limit})]


def settle(
    transaction: WriteTransaction,
    id: int,
    *,
    snapshot: str | None,
    quarantined: datetime | None = None,
    reason: str = "",
) -> None:
    """Says that a study was judged, or cannot be, and whether it waits for a person; it is locked."""
    parameters = {"to_snapshot": snapshot, "to_quarantined": quarantined, "to_reason": reason}
    transaction.run(_SETTLE, {"id": id, **parameters})


def quarantine(transaction: WriteTransaction, id: int, *, since: datetime, reason: str) -> None:
    """Says that a study waits for a person; it is locked."""
    transaction.run(_QUARANTINE, {"id": id, "to_quarantined": since, "to_reason": reason})


def decide(transaction: WriteTransaction, id: int) -> None:
    """Says that a person decided about a study in quarantine; it is locked."""
    transaction.run(_DECIDE, {"id": id})


def kept_objects(transaction: ReadTransaction, location: Location) -> int:
    """How many objects of a gate are in our custody only: held, in quarantine, or being forwarded."""
    parameters = {"kind": location.kind, "name": location.name}
    return int(transaction.scalar(_KEPT_AT, parameters) or 0)


def forget_snapshot(transaction: WriteTransaction, id: int) -> None:
    """Says that nothing that came before belongs to the study any more; it is locked."""
    transaction.run(_FORGET, {"id": id})


def waiting_since(transaction: ReadTransaction) -> list[tuple[Location, datetime]]:
    """The gates that keep studies back, each with since when the first of them waits for a person."""
    return [(Location(row.kind, row.name), row.since) for row in transaction.rows(_WAITING_SINCE)]


def in_quarantine(
    transaction: ReadTransaction, *, location: Location | None = None, limit: int, offset: int = 0
) -> list[Quarantined]:
    """Studies that wait for a person, those that wait longest first.

    Args:
        transaction: Any.
        location: Only of this gate.
        limit: The most.
        offset: How many to skip.
    """
    query = (
        _ALL.add_columns(
            func.count(object_table.c.id).label("objects"),
            func.coalesce(func.sum(object_table.c.size), 0).label("bytes"),
        )
        .outerjoin(
            object_table,
            (object_table.c.study_row == gate_studies.c.study_row)
            & or_(object_table.c.state == "quarantined", object_table.c.state == "held"),
        )
        .where(text(QUARANTINED))
        .group_by(gate_studies.c.study_row, study_table.c.id, locations.c.id)
        .order_by(gate_studies.c.quarantined, gate_studies.c.study_row)
        .limit(limit)
        .offset(offset)
    )
    if location is not None:
        query = query.where(locations.c.kind == location.kind, locations.c.name == location.name)
    return [
        Quarantined(study=_study(row), readiness=row.readiness, objects=row.objects, size=int(row.bytes))
        for row in transaction.connection.execute(query)
    ]


def _study(row: Any) -> GateStudy:
    return GateStudy(
        id=row.study_row,
        location=Location(row.kind, row.name),
        study_key=row.study_key,
        version=row.version,
        due=row.due,
        snapshot=row.snapshot,
        quarantined=row.quarantined,
        reason=row.reason,
    )
