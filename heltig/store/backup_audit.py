"""The audit trail's rows for a backup, whatever somebody did to them: damage is evidence, and is kept.

A damaged value is backed up as it is: a time that is none as the text or number that stands there, text that
is no UTF-8 as bytes. On SQLite any value can stand in any column, so that is where it is restored. A row that
its table refuses all the same, as PostgreSQL does, is put aside (`heltig.store.audit_damaged`).
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Executable,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    case,
    cast,
    column,
    insert,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy import table as untyped
from sqlalchemy.exc import StatementError
from sqlalchemy.types import NullType

from heltig.store import audit_damaged
from heltig.store.audit_rows import UNREADABLE, time_of
from heltig.store.transaction import ReadTransaction

NAMES: Final = frozenset({"audit", "audit_checkpoints", "sequences"})
"""The tables: entries, what was purged before them, and the head row."""

_AT_ONCE: Final = 500
_KINDS: Final = ((Integer, int), (DateTime, datetime), (LargeBinary, bytes))
_FIRST: Final[ColumnElement[Any]] = literal_column("'0001-01-02'")
_LAST: Final[ColumnElement[Any]] = literal_column("'9999-12-30'")
_WITHOUT_END: Final[list[ColumnElement[Any]]] = [literal_column(f"'{sign}infinity'") for sign in ("", "-")]
_PLAIN: Final = (bool, int, float, str, bytes, datetime, date, type(None))


def rows_of(transaction: ReadTransaction, table: Table) -> Iterator[Sequence[Any]]:
    """All rows of one of the tables in the order of their keys, a few at a time."""
    driver: Any = transaction.connection.connection.dbapi_connection
    is_sqlite = isinstance(driver, sqlite3.Connection)
    columns = [_column(one, is_sqlite=is_sqlite).label(one.name) for one in table.columns]
    times = [isinstance(one.type, DateTime | Date) for one in table.columns]
    texts = [_text_beyond(one) for one in table.columns if isinstance(one.type, DateTime | Date)]
    query = select(*columns, *([] if is_sqlite else texts)).order_by(*table.primary_key.columns)
    with _any_text(driver if is_sqlite else None):
        for row in transaction.connection.execute(
            query, execution_options={"stream_results": True, "yield_per": _AT_ONCE}
        ):
            beyond = iter(row[len(columns) :])
            yield [
                _time(value, next(beyond, None)) if is_time else _kept(value)
                for value, is_time in zip(row, times, strict=False)
            ]


def put(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows into one of the tables, the damaged ones as they were; puts aside what it refuses.

    Args:
        connection: In a transaction.
        table: The table, as the database has it.
        rows: Values by column; times are those of the table's own kind where they are times.
    """
    sound = [row for row in rows if _fits(table, row)]
    if len(sound) == len(rows) and _is_taken(connection, insert(table), rows):
        return
    for row in rows:
        if not _is_put(connection, table, row):
            audit_damaged.put(connection, table.name, row)


def _is_put(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    if _fits(table, row):
        return _is_taken(connection, insert(table), [row])
    if connection.dialect.name != "sqlite":
        return False
    values = {
        name: value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
        for name, value in row.items()
    }
    return _is_taken(connection, insert(untyped(table.name, *(column(name) for name in row))), [values])


def _is_taken(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the table took the rows; else it is as it was."""
    connection.exec_driver_sql("SAVEPOINT taken")
    try:
        connection.execute(statement, rows)
    except (StatementError, *UNREADABLE):
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT taken")
        return False
    connection.exec_driver_sql("RELEASE SAVEPOINT taken")
    return True


def _fits(table: Table, row: Mapping[str, Any]) -> bool:
    return all(_is_of(table, name, value) for name, value in row.items())


def _is_of(table: Table, name: str, value: Any) -> bool:
    cell = table.columns[name]
    if value is None:
        return bool(cell.nullable)
    kind = next((kind for of, kind in _KINDS if isinstance(cell.type, of)), str)
    return isinstance(value, kind)


def _column(one: Column[Any], *, is_sqlite: bool) -> ColumnElement[Any]:
    """A column as the driver gives it; nothing for a time that the driver of PostgreSQL cannot give."""
    if is_sqlite or not isinstance(one.type, DateTime | Date):
        return type_coerce(one, NullType())
    return case((_is_within(one), one))


def _text_beyond(one: Column[Any]) -> ColumnElement[Any]:
    """A time that Python has no time for, as text."""
    return case((~_is_within(one), cast(one, String)))


def _is_within(one: Column[Any]) -> ColumnElement[bool]:
    return or_(and_(one >= _FIRST, one < _LAST), one.in_(_WITHOUT_END))


def _time(cell: Any, beyond: Any) -> Any:
    try:
        return time_of(cell)
    except UNREADABLE:
        return _kept(beyond if cell is None else cell)


def _kept(cell: Any) -> Any:
    """A value as a backup can have it."""
    return cell if isinstance(cell, _PLAIN) else str(cell)


@contextmanager
def _any_text(driver: sqlite3.Connection | None) -> Iterator[None]:
    """Has a connection of SQLite give text that is no UTF-8 as bytes, instead of failing at it."""
    if driver is None:
        yield
        return
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
