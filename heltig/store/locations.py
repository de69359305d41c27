"""Where studies were seen."""

from sqlalchemy import bindparam, select

from heltig.store.records import Location, LocationKind
from heltig.store.tables import locations
from heltig.store.transaction import ReadTransaction, WriteTransaction

_FIND = select(locations.c.id).where(
    locations.c.kind == bindparam("kind"), locations.c.name == bindparam("name")
)
_KNOWN = select(locations.c.name).where(locations.c.kind == bindparam("kind")).order_by(locations.c.name)


def row_of(transaction: ReadTransaction, location: Location) -> int | None:
    """The row of a location, None when nothing was ever seen there."""
    parameters = {"kind": location.kind, "name": location.name}
    row: int | None = transaction.scalar(_FIND, parameters)
    return row


def known(transaction: ReadTransaction, kind: LocationKind) -> list[Location]:
    """The locations of one kind at which studies were seen, by name."""
    names = transaction.scalars(_KNOWN, {"kind": kind})
    return [Location(kind, name) for name in names]


def ensure(transaction: WriteTransaction, location: Location) -> int:
    """The row of a location, made if need be."""
    row = row_of(transaction, location)
    if row is None:
        transaction.insert_or_ignore(locations, {"kind": location.kind, "name": location.name})
        row = row_of(transaction, location)
    if row is None:
        raise RuntimeError(f"The location {location} is neither there nor can it be made.")
    return row
