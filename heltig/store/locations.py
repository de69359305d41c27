"""Where studies were seen."""

from sqlalchemy import bindparam, insert, select

from heltig.store.records import Location, LocationKind
from heltig.store.tables import locations
from heltig.store.transaction import ReadTransaction, WriteTransaction

_FIND = select(locations.c.id).where(
    locations.c.kind == bindparam("kind"), locations.c.name == bindparam("name")
)
_KNOWN = select(locations.c.name).where(locations.c.kind == bindparam("kind")).order_by(locations.c.name)
_ADD = insert(locations)


def row_of(transaction: ReadTransaction, location: Location) -> int | None:
    """The row of a location, None when nothing was ever seen there."""
    parameters = {"kind": location.kind, "name": location.name}
    row: int | None = transaction.connection.execute(_FIND, parameters).scalar()
    return row


def known(transaction: ReadTransaction, kind: LocationKind) -> list[Location]:
    """The locations of one kind at which studies were seen, by name."""
    names = transaction.connection.execute(_KNOWN, {"kind": kind}).scalars()
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
