"""The stored evidence of single series."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import and_, bindparam, select

from heltig.errors import StorageError
from heltig.store.packing import unpack_series
from heltig.store.records import Location
from heltig.store.studies import IS_STUDY, named
from heltig.store.tables import contents, locations, snapshot_series, snapshots, studies
from heltig.store.transaction import ReadTransaction

_EVERY = (
    select(contents.c.address, contents.c.body)
    .select_from(studies)
    .join(
        snapshots,
        and_(snapshots.c.study_row == studies.c.id, snapshots.c.snapshot == studies.c.snapshot),
    )
    .join(snapshot_series, snapshot_series.c.snapshot_row == snapshots.c.id)
    .join(contents, contents.c.address == snapshot_series.c.address)
    .where(studies.c.id == bindparam("study"))
)
_CONTENT = _EVERY.where(snapshot_series.c.series_key == bindparam("series"))
_NEWEST = (
    select(snapshots.c.snapshot, snapshot_series.c.series_key, snapshot_series.c.address)
    .select_from(studies)
    .join(
        snapshots,
        and_(snapshots.c.study_row == studies.c.id, snapshots.c.snapshot == studies.c.snapshot),
    )
    .join(snapshot_series, snapshot_series.c.snapshot_row == snapshots.c.id)
    .join(locations, locations.c.id == studies.c.location_row)
    .where(IS_STUDY)
    .order_by(snapshot_series.c.series_key)
)
_BODY = select(contents.c.body).where(contents.c.address == bindparam("address"))


class StoredSeries(msgspec.Struct, frozen=True):
    """A series of a snapshot. What stands at an address never changes."""

    snapshot: str
    series_key: str
    address: bytes


def series_of_newest(transaction: ReadTransaction, location: Location, study_key: str) -> list[StoredSeries]:
    """The series of a study's newest snapshot, by key; none where nothing is stored of it."""
    rows = transaction.connection.execute(_NEWEST, named(location, study_key))
    return [StoredSeries(row.snapshot, row.series_key, row.address) for row in rows]


def content_at(transaction: ReadTransaction, address: bytes) -> bytes:
    """The bytes of a series.

    Raises:
        StorageError: They are damaged, or not there any more.
    """
    body = transaction.connection.execute(_BODY, {"address": address}).scalar()
    if body is None:
        raise StorageError("The evidence of a series is not stored any more.")
    return unpack_series(body, address=address.hex(), cipher=transaction.cipher)


def contents_of(transaction: ReadTransaction, study: int) -> Iterator[bytes]:
    """The bytes of all series in a study's newest snapshot, one after the other.

    Raises:
        StorageError: The stored evidence is damaged.
    """
    for row in transaction.connection.execute(_EVERY, {"study": study}):
        yield unpack_series(row.body, address=row.address.hex(), cipher=transaction.cipher)


def content_of(transaction: ReadTransaction, study: int, series_key: str) -> bytes | None:
    """The bytes of a series in a study's newest snapshot; None where it is not in it.

    Raises:
        StorageError: The stored evidence is damaged.
    """
    row = transaction.connection.execute(_CONTENT, {"study": study, "series": series_key}).one_or_none()
    if row is None:
        return None
    return unpack_series(row.body, address=row.address.hex(), cipher=transaction.cipher)
