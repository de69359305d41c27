"""All tables as they stand at one moment, out of one database and into another, of either kind.

Tables are taken as the database has them, not as this version declares them: so a database is backed up
before it is brought up to date, and an older backup is read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Connection,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)

from heltig.errors import ConflictError, StorageError
from heltig.store import audit_damaged, backup_audit, migrations, restoration, tables
from heltig.store.transaction import ReadTransaction

VERSIONS: Final = "alembic_version"
"""The table that says which version the others have."""

_PART: Final = 4 * 1024 * 1024  # bytes of rows, about: what is held in memory at a time
_LARGE, _SMALL = 20, 500  # rows that are fetched at a time, with bodies and without


class Rows(msgspec.Struct, frozen=True):
    """Some rows of a table: bytes as bytes, times in UTC, days as `YYYY-MM-DD`."""

    table: str
    columns: list[str]
    rows: list[list[Any]]


def tables_of(transaction: ReadTransaction) -> list[Table]:
    """Our tables, those that others refer to first; what else is in the database is none of ours."""
    found = MetaData()
    ours = {*tables.Table.metadata.tables, audit_damaged.NAME}
    found.reflect(transaction.connection, only=lambda name, _: name in ours)
    return found.sorted_tables


def export(transaction: ReadTransaction, put: Callable[[Rows], None]) -> dict[str, int]:
    """Gives all rows away, some at a time.

    Args:
        transaction: One that sees one moment.
        put: Takes some rows.

    Returns:
        The number of rows by table.
    """
    return {str(table.name): _export(transaction, table, put) for table in tables_of(transaction)}


def counters(transaction: ReadTransaction) -> dict[str, int]:
    """The last number that was given to a row of each table whose numbers are never given again."""
    connection = transaction.connection
    if connection.dialect.name == "sqlite":
        has_any = connection.execute(
            text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")
        ).scalar()
        rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence")) if has_any else ()
        return {str(name): int(last) for name, last in rows if not str(name).startswith("_alembic")}
    found = {}
    for table, sequence in _serials(connection, tables_of(transaction)):
        last = connection.execute(
            text("SELECT pg_sequence_last_value(CAST(:sequence AS regclass))"), {"sequence": sequence}
        ).scalar()
        if last is not None:
            found[str(table.name)] = int(last)
    return found


def copy_sqlite(transaction: ReadTransaction, path: Path) -> bool:
    """Copies an SQLite database as the transaction sees it, by SQLite's own means; others go on meanwhile.

    Returns:
        False where it is no SQLite.
    """
    import sqlite3

    driver: Any = transaction.connection.connection.dbapi_connection
    if not isinstance(driver, sqlite3.Connection):
        return False
    copy = sqlite3.connect(path)
    try:
        driver.backup(copy)
    finally:
        copy.close()
    return True


def insist_on_emptiness(transaction: ReadTransaction) -> None:
    """Insists that a database has none of our tables.

    Raises:
        ConflictError: It has.
    """
    inspector = inspect(transaction.connection)
    if any(inspector.has_table(table) for table in (VERSIONS, "studies", "audit")):
        raise ConflictError(
            "The database is not empty, and nothing is restored over what is there. Name another one in "
            "HELTIG_HOME or HELTIG_DATABASE_URL, or move this one away: the files heltig.db, heltig.db-wal "
            "and heltig.db-shm, or, on PostgreSQL, DROP DATABASE and CREATE DATABASE."
        )


def begin_restoring(connection: Connection, *, digest: str) -> None:
    """Marks an empty database as half restored, in a transaction of its own.

    Args:
        connection: Of `Database.migrate`.
        digest: SHA-256 of the backup's manifest.

    Raises:
        ConflictError: It is not empty.
    """
    insist_on_emptiness(ReadTransaction(connection))
    restoration.begin(connection, backup=digest)


def restore(
    connection: Connection,
    parts: Iterable[Rows],
    *,
    revision: str,
    counters: Mapping[str, int],
    counts: Mapping[str, int],
) -> None:
    """Makes the tables of a version, fills them, and brings them up to date.

    Args:
        connection: Of `Database.migrate`, to an empty database after `begin_restoring`.
        parts: The rows.
        revision: The version of the tables.
        counters: What `counters` gave.
        counts: The number of rows by table.

    Raises:
        StorageError: The rows do not fit.
    """
    migrations.upgrade_to(connection, revision)
    made = {table.name: table for table in tables_of(ReadTransaction(connection))}
    for table in made.values():
        if connection.execute(select(func.count()).select_from(table)).scalar_one():
            connection.execute(delete(table))  # what migrations put there
    filled = dict.fromkeys(made, 0)
    for part in parts:
        if part.table == audit_damaged.NAME:
            filled[part.table] = filled.get(part.table, 0) + audit_damaged.put_back(
                connection, part.columns, part.rows
            )
            continue
        table = made[part.table]
        columns = [  # a column that somebody added by hand is none of ours
            (place, name, _reader(table, name))
            for place, name in enumerate(part.columns)
            if name in table.columns
        ]
        rows = [{name: read(row[place]) for place, name, read in columns} for row in part.rows]
        if part.table in backup_audit.NAMES:
            backup_audit.put(connection, table, rows)
        else:
            connection.execute(insert(table), rows)
        filled[part.table] += len(rows)
    if wrong := [name for name, count in counts.items() if filled.get(name, 0) != count]:
        raise StorageError(f"The backup does not have all rows of {', '.join(wrong)}.")
    _set_counters(connection, made, counters)
    migrations.upgrade_to(connection, "head")
    restoration.filled(connection)


def _export(transaction: ReadTransaction, table: Table, put: Callable[[Rows], None]) -> int:
    columns = [str(column.name) for column in table.columns]
    at_once = _LARGE if any(isinstance(column.type, LargeBinary) for column in table.columns) else _SMALL
    query = select(table).order_by(*table.primary_key.columns)
    found: Iterable[Any]
    if table.name in (*backup_audit.NAMES, audit_damaged.NAME):
        found = backup_audit.rows_of(transaction, table)
    else:
        found = transaction.connection.execute(
            query, execution_options={"stream_results": True, "yield_per": at_once}
        )
    rows: list[list[Any]] = []
    size = count = 0
    for row in found:
        values = [_plain(value) for value in row]
        rows.append(values)
        count += 1
        size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in values)
        if size >= _PART:
            put(Rows(str(table.name), columns, rows))
            rows, size = [], 0
    if rows:
        put(Rows(str(table.name), columns, rows))
    return count


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.isoformat() if isinstance(value, date) else value


def _reader(table: Table, column: str) -> Callable[[Any], Any]:
    kind = table.columns[column].type
    if isinstance(kind, Date):
        return lambda value: None if value is None else date.fromisoformat(value)
    if isinstance(kind, DateTime) and not getattr(kind, "timezone", False):
        return lambda value: value.replace(tzinfo=None) if isinstance(value, datetime) else value
    return lambda value: value


def _set_counters(connection: Connection, tables: Mapping[str, Table], counters: Mapping[str, int]) -> None:
    if connection.dialect.name == "sqlite":
        for name, last in counters.items():
            made = connection.execute(
                text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"), {"name": name}
            ).scalar()
            if made and "AUTOINCREMENT" in made.upper():
                connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
                connection.execute(
                    text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"),
                    {"name": name, "last": last},
                )
        return
    for table, sequence in _serials(connection, tables.values()):
        [key] = table.primary_key.columns
        highest = connection.execute(select(func.max(key))).scalar() or 0
        if last := max(highest, counters.get(table.name, 0)):
            connection.execute(
                text("SELECT setval(CAST(:sequence AS regclass), :last)"),
                {"sequence": sequence, "last": last},
            )


def _serials(connection: Connection, tables: Iterable[Table]) -> Iterator[tuple[Table, str]]:
    """Tables of PostgreSQL whose key is counted, each with what counts."""
    for table in tables:
        keys = list(table.primary_key.columns)
        if len(keys) == 1:
            sequence = connection.execute(
                text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": table.name, "column": keys[0].name},
            ).scalar()
            if sequence:
                yield table, str(sequence)
