"""Who made the devices that studies come from, as their instances name them."""

from typing import Final

from sqlalchemy import and_, bindparam, select

from heltig.dicom.snapshot import read_cells
from heltig.store.packing import unpack_series
from heltig.store.tables import contents, snapshot_series, snapshots, studies
from heltig.store.transaction import ReadTransaction

_MANUFACTURER: Final = "00080070"
_LENGTH: Final = 40
_CONTENTS = (
    select(contents.c.address, contents.c.body)
    .select_from(studies)
    .join(
        snapshots,
        and_(snapshots.c.study_row == studies.c.id, snapshots.c.snapshot == studies.c.snapshot),
    )
    .join(snapshot_series, snapshot_series.c.snapshot_row == snapshots.c.id)
    .join(contents, contents.c.address == snapshot_series.c.address)
    .where(studies.c.id == bindparam("study"))
    .order_by(snapshot_series.c.series_key)
)


def manufacturers_of(transaction: ReadTransaction, study: int) -> str:
    """The values of Manufacturer (0008,0070) in a study's newest snapshot, each between backslashes.

    Args:
        transaction: Any.
        study: The study's row.

    Raises:
        StorageError: The stored evidence is damaged.
    """
    found = {
        " ".join(cell.text.split())[:_LENGTH]
        for row in transaction.connection.execute(_CONTENTS, {"study": study})
        for cell in read_cells(
            unpack_series(row.body, address=row.address.hex(), cipher=transaction.cipher), _MANUFACTURER
        )
    }
    named = sorted(found - {""})
    return "\\" + "\\".join(name.replace("\\", " ") for name in named) + "\\" if named else ""
