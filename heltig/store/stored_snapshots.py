"""Which evidence a snapshot is made of: its series and where their bytes stand, none of which is read."""

from datetime import date, datetime

import msgspec
from sqlalchemy import bindparam, select

from heltig.store.packing import unpack_facts
from heltig.store.records import Location
from heltig.store.studies import IS_STUDY, named
from heltig.store.tables import locations, snapshot_series, snapshots, studies
from heltig.store.transaction import ReadTransaction

_FIND = (
    select(
        snapshots.c.id,
        snapshots.c.snapshot,
        snapshots.c.received,
        snapshots.c.reference_date,
        snapshots.c.facts,
    )
    .join(studies, studies.c.id == snapshots.c.study_row)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(IS_STUDY)
)
_NEWEST = _FIND.where(snapshots.c.snapshot == studies.c.snapshot)
_BY_ID = _FIND.where(snapshots.c.snapshot == bindparam("id"))
_PARTS = (
    select(snapshot_series.c.series_key, snapshot_series.c.address, snapshot_series.c.instance_count)
    .where(snapshot_series.c.snapshot_row == bindparam("snapshot"))
    .order_by(snapshot_series.c.series_key)
)


class StoredPart(msgspec.Struct, frozen=True):
    """A series of a snapshot; `heltig.store.series_contents.content_at` reads its bytes."""

    series_key: str
    address: bytes
    instances: int


class StoredSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot without its evidence.

    Attributes:
        snapshot: Its id.
        received: When the source was read.
        reference_date: "Today" to the rules.
        facts: The source facts as `heltig.dicom.snapshot.source_facts` wrote them.
        series: Its series, by key.
    """

    snapshot: str
    received: datetime
    reference_date: date
    facts: bytes
    series: tuple[StoredPart, ...]


def find(
    transaction: ReadTransaction, location: Location, study_key: str, *, snapshot: str | None = None
) -> StoredSnapshot | None:
    """A snapshot of a study; None where it is not stored, or not any more.

    Args:
        transaction: Any.
        location: Where the study was seen.
        study_key: The study.
        snapshot: The snapshot's id; None for the newest.
    """
    parameters = named(location, study_key)
    if snapshot is None:
        row = transaction.first(_NEWEST, parameters)
    else:
        row = transaction.first(_BY_ID, {**parameters, "id": snapshot})
    if row is None:
        return None
    return StoredSnapshot(
        snapshot=row.snapshot,
        received=row.received,
        reference_date=row.reference_date,
        facts=unpack_facts(transaction.cipher, row.snapshot, row.facts),
        series=tuple(
            StoredPart(part.series_key, part.address, part.instance_count)
            for part in transaction.rows(_PARTS, {"snapshot": row.id})
        ),
    )
