"""Which devices a study comes from, as its instances name them."""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import and_, bindparam, select

from heltig.dicom.snapshot import read_elements
from heltig.store.packing import unpack_series
from heltig.store.tables import contents, snapshot_series, snapshots, studies
from heltig.store.transaction import ReadTransaction

_MANUFACTURER: Final = "00080070"
_STATION: Final = "00081010"
_MODEL: Final = "00081090"
_WANTED: Final = (_MANUFACTURER, _MODEL, _STATION)
_LENGTH: Final = 64
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


class Device(msgspec.Struct, frozen=True, order=True):
    """A device as the first instance of a series names it; what it does not name is empty."""

    manufacturer: str = ""
    model: str = ""
    station: str = ""


def devices_of(transaction: ReadTransaction, study: int) -> tuple[Device, ...]:
    """The devices of a study's newest snapshot, sorted; none where no evidence of it is stored.

    Args:
        transaction: Any.
        study: The study's row.

    Raises:
        StorageError: The stored evidence is damaged.
    """
    found = transaction.rows(_CONTENTS, {"study": study})
    series = (unpack_series(row.body, address=row.address.hex(), cipher=transaction.cipher) for row in found)
    return devices_in(series)


def devices_in(series: Iterable[bytes]) -> tuple[Device, ...]:
    """The devices that stored series name, sorted."""
    return tuple(sorted(set(map(_device, series)) - {Device()}))


def _device(content: bytes) -> Device:
    try:
        told = read_elements(content, _WANTED)
    except msgspec.DecodeError:  # written by another version: it names none
        return Device()
    return Device(*(_text(told.get(tag, b"")) for tag in _WANTED))


def _text(element: bytes) -> str:
    """The first value of an element in DICOM JSON; empty where that is no text."""
    try:
        values = msgspec.json.decode(element).get("Value", []) if element else []
        return " ".join(str(values[0]).split())[:_LENGTH] if values and values[0] else ""
    except (msgspec.DecodeError, AttributeError):
        return ""
