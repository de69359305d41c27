"""The stored evidence of single series."""

from sqlalchemy import and_, bindparam, select

from heltig.store.packing import unpack_series
from heltig.store.tables import contents, snapshot_series, snapshots, studies
from heltig.store.transaction import ReadTransaction

_CONTENT = (
    select(contents.c.address, contents.c.body)
    .select_from(studies)
    .join(
        snapshots,
        and_(snapshots.c.study_row == studies.c.id, snapshots.c.snapshot == studies.c.snapshot),
    )
    .join(snapshot_series, snapshot_series.c.snapshot_row == snapshots.c.id)
    .join(contents, contents.c.address == snapshot_series.c.address)
    .where(studies.c.id == bindparam("study"), snapshot_series.c.series_key == bindparam("series"))
)


def content_of(transaction: ReadTransaction, study: int, series_key: str) -> bytes | None:
    """The bytes of a series in a study's newest snapshot; None where it is not in it.

    Raises:
        StorageError: The stored evidence is damaged.
    """
    row = transaction.connection.execute(_CONTENT, {"study": study, "series": series_key}).one_or_none()
    return None if row is None else unpack_series(row.body, address=row.address.hex())
