"""Statements that insert rows, made once for each table: to make one takes longer than to run it."""

from functools import cache

from sqlalchemy import Dialect, Insert, Table, insert
from sqlalchemy.dialects import postgresql, sqlite


@cache
def insertion(table: Table) -> Insert:
    """Inserts a row."""
    return insert(table).inline()


@cache
def numbered(table: Table) -> Insert:
    """Inserts a row and gives its key."""
    return insert(table).returning(*table.primary_key)


@cache
def or_ignore(table: Table, dialect: str) -> Insert:
    """Inserts a row, unless its key is there already."""
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


@cache
def text_of_insert(table: Table, dialect: Dialect) -> str:
    """Inserts a row of values in the order of the table's columns, as the driver takes it."""
    return str(insert(table).compile(dialect=dialect))
