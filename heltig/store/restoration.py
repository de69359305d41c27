"""A restoration that is under way, as the database itself knows it: until it ends nobody else may use it.

The mark is a table of its own, made before the first file is written and gone with the transaction that
records the restoration. A process that is killed in between leaves it, wherever that was.
"""

from typing import Final

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    false,
    insert,
    inspect,
    select,
    update,
)

from heltig.errors import StorageError
from heltig.store.transaction import ReadTransaction, WriteTransaction

_MARK: Final = Table(
    "restoration",
    MetaData(),
    Column("backup", String, nullable=False),
    Column("is_filled", Boolean, nullable=False, server_default=false()),
)


class Restoration(msgspec.Struct, frozen=True):
    """One that has not ended.

    Attributes:
        backup: SHA-256 of the backup's manifest, 64 hex digits.
        is_filled: The tables are whole; what is left is to verify and to record them.
    """

    backup: str
    is_filled: bool


def begin(connection: Connection, *, backup: str) -> None:
    """Marks a database, in a transaction of its own.

    Args:
        connection: Of `Database.migrate`.
        backup: SHA-256 of the backup's manifest.
    """
    _MARK.create(connection)
    connection.execute(insert(_MARK).values(backup=backup))


def filled(connection: Connection) -> None:
    """Says that the tables are whole, in the transaction that filled them."""
    connection.execute(update(_MARK).values(is_filled=True))


def end(transaction: WriteTransaction) -> None:
    """Takes the mark away."""
    _MARK.drop(transaction.connection)


def under_way(transaction: ReadTransaction) -> Restoration | None:
    """The restoration that has not ended; None where there is none."""
    if not inspect(transaction.connection).has_table(_MARK.name):
        return None
    found = transaction.connection.execute(select(_MARK)).one()
    return Restoration(found.backup, found.is_filled)


def insist_on_none(transaction: ReadTransaction) -> None:
    """Insists that nothing is half restored here.

    Raises:
        StorageError: A restoration is under way, or was broken off.
    """
    if under_way(transaction) is not None:
        raise StorageError(
            "A backup is being restored into this database, or that was broken off. Unless it goes on, "
            "run `heltig restore FILE` with the same file again: it goes on where it was."
        )
