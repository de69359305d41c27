"""The audit trail's rows for a backup, whatever somebody did to them: damage is evidence, and is kept.

On SQLite any value can stand in any column. Such a value is backed up as it is: a time that is none as the
text or number that stands there, text that is no UTF-8 as bytes. PostgreSQL does not take it back.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, DateTime, Integer, LargeBinary, Table, column, insert, select, type_coerce
from sqlalchemy import table as untyped
from sqlalchemy.types import NullType

from heltig.errors import StorageError
from heltig.store.audit_rows import UNREADABLE, time_of
from heltig.store.transaction import ReadTransaction

NAME: Final = "audit"
"""The table."""

_AT_ONCE: Final = 500
_KINDS: Final = ((Integer, int), (DateTime, datetime), (LargeBinary, bytes))


def rows_of(transaction: ReadTransaction, table: Table) -> Iterator[Sequence[Any]]:
    """All rows of SQLite's audit table in the order of their numbers, a few at a time."""
    driver: Any = transaction.connection.connection.dbapi_connection
    columns = [type_coerce(one, NullType()).label(one.name) for one in table.columns]
    times = [isinstance(one.type, DateTime) for one in table.columns]
    query = select(*columns).order_by(*table.primary_key.columns)
    with _any_text(driver):
        for row in transaction.connection.execute(
            query, execution_options={"stream_results": True, "yield_per": _AT_ONCE}
        ):
            yield [_time(value) if is_time else value for value, is_time in zip(row, times, strict=True)]


def put(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows into an audit table, the damaged ones as they were.

    Args:
        connection: In a transaction.
        table: The table, as the database has it.
        rows: Values by column; times are those of the table's own kind where they are times.

    Raises:
        StorageError: A row is damaged, and this database does not take it.
    """
    sound = [row for row in rows if _fits(table, row)]
    if sound:
        connection.execute(insert(table), sound)
    for row in rows:
        if not _fits(table, row):
            _put_damaged(connection, table, row)


def _put_damaged(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    if connection.dialect.name != "sqlite":
        raise StorageError(
            f"Entry {row['sequence']!r} of the audit trail in this backup is damaged, and PostgreSQL does "
            "not take it as it is. Restore into SQLite, where it is kept as evidence."
        )
    values = {
        name: value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
        for name, value in row.items()
    }
    of_any_kind = untyped(table.name, *(column(name) for name in row))
    connection.execute(insert(of_any_kind), values)


def _fits(table: Table, row: Mapping[str, Any]) -> bool:
    return all(_is_of(table, name, value) for name, value in row.items())


def _is_of(table: Table, name: str, value: Any) -> bool:
    cell = table.columns[name]
    if value is None:
        return bool(cell.nullable)
    kind = next((kind for of, kind in _KINDS if isinstance(cell.type, of)), str)
    return isinstance(value, kind)


def _time(cell: Any) -> Any:
    try:
        return time_of(cell)
    except UNREADABLE:
        return cell


@contextmanager
def _any_text(driver: sqlite3.Connection) -> Iterator[None]:
    """Has a connection give text that is no UTF-8 as bytes, instead of failing at it."""
    before = driver.text_factory
    driver.text_factory = _text
    try:
        yield
    finally:
        driver.text_factory = before


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
