"""Rows of the audit trail that a restoration could not put back: kept as they were, since they are evidence.

A table refuses a row where somebody took its constraints away and damaged the row before the backup; and
PostgreSQL takes no value of another kind. Such rows stand in a table of their own, which is made for the
first of them. Who verifies the trail reads them in their places.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    cast,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError

from heltig.store.audit_chain import FIELDS
from heltig.store.transaction import ReadTransaction

NAME: Final = "audit_damaged"

TABLE: Final = Table(
    NAME,
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("table", String, nullable=False),  # that it was a row of
    Column("sequence", BigInteger, nullable=False, index=True),  # 0 where its number is none
    Column("content", LargeBinary, nullable=False),  # its values by column, in MessagePack
)

_AUDIT: Final = "audit"
_OTHERS: Final = (*FIELDS[1:], "tag")
_number: Final = cast(TABLE.c.sequence, BigInteger)  # on SQLite any value can stand there
_ENTRIES: Final = select(_number, cast(TABLE.c.content, LargeBinary)).where(TABLE.c.table == _AUDIT)


def make(connection: Connection) -> None:
    """Makes the table, where it is not there."""
    TABLE.create(connection, checkfirst=True)


def put(connection: Connection, table: str, row: Mapping[str, Any]) -> None:
    """Puts a row aside."""
    number = row.get("sequence")
    make(connection)
    connection.execute(
        insert(TABLE).values(
            table=table,
            sequence=number if _is_number(number) else 0,
            content=msgspec.msgpack.encode(row),
        )
    )


def put_back(connection: Connection, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Puts rows of another database's table into this one; they get other ids. Says how many they are.

    What somebody put there by hand stays, as far as it can: as a row of no table, or one that cannot be read.
    """
    make(connection)
    connection.execute(insert(TABLE), [_aside(dict(zip(columns, row, strict=True))) for row in rows])
    return len(rows)


def _aside(row: Mapping[str, Any]) -> dict[str, Any]:
    number, content = row.get("sequence"), row.get("content")
    return {
        "table": str(row.get("table", "")),
        "sequence": number if _is_number(number) else 0,
        "content": content if isinstance(content, bytes) else repr(content).encode(errors="replace"),
    }


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int) and abs(cell) < 2**63


def between(transaction: ReadTransaction, after: Any, through: Any) -> list[Sequence[Any]]:
    """The cells of entries with numbers from 1 between two, as `audit_rows.seen` takes them, in order.

    Args:
        transaction: Any.
        after: Only those with a higher number.
        through: Only those up to this number; None for all.
    """
    if not _is_readable(transaction):
        return []
    query = _ENTRIES.where(_number > max(after, 0)).order_by(_number, TABLE.c.id)
    if through is not None:
        query = query.where(_number <= through)
    return [_cells(number, content) for number, content in transaction.connection.execute(query)]


def below(transaction: ReadTransaction, *, most: int) -> list[int]:
    """The numbers of those that are numbered as no entry is: from 0 down, and 0 where there is no number."""
    if not _is_readable(transaction):
        return []
    query = select(_number).where(TABLE.c.table == _AUDIT, _number < 1)
    return list(transaction.connection.execute(query.order_by(_number).limit(most)).scalars())


def count(transaction: ReadTransaction, table: str | None = _AUDIT) -> int:
    """How many there are, of a table or of all."""
    if not _is_readable(transaction):
        return 0
    query = select(func.count()).select_from(TABLE)
    if table is not None:
        query = query.where(TABLE.c.table == table)
    return int(transaction.connection.execute(query).scalar_one())


def _cells(number: int, content: bytes) -> Sequence[Any]:
    """The cells of a row, or its number alone where somebody damaged it here."""
    try:
        row = msgspec.msgpack.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError):
        return (number,)
    return (number, *(row.get(name) for name in _OTHERS))


def is_strange(transaction: ReadTransaction) -> bool:
    """Whether something of this name is there whose rows cannot be read: somebody made it by hand."""
    return _is_there(transaction) and not _has_form(transaction)


def _is_readable(transaction: ReadTransaction) -> bool:
    return _is_there(transaction) and _has_form(transaction)


def _is_there(transaction: ReadTransaction) -> bool:
    try:
        return inspect(transaction.connection).has_table(NAME)
    except DBAPIError:  # SQLite cannot even describe a view or a virtual table that does not work
        return True


def _has_form(transaction: ReadTransaction) -> bool:
    """Whether it is a table with our columns. SQLite keeps any value in any column, PostgreSQL does not.

    A read that fails would end the whole transaction on PostgreSQL, so it is not tried.
    """
    connection = transaction.connection
    inspector = inspect(connection)
    try:
        if NAME not in inspector.get_table_names():
            return False
        found = {column["name"]: column for column in inspector.get_columns(NAME)}
    except DBAPIError:
        return False
    has_types = connection.dialect.name != "sqlite"
    return all(
        column.name in found
        and "computed" not in found[column.name]
        and (not has_types or isinstance(found[column.name]["type"], type(column.type)))
        for column in TABLE.columns
    )
