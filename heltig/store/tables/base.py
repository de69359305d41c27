"""What all tables share."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Integer, MetaData, String, text
from sqlmodel import AutoString, SQLModel

BY_KEY: dict[str, Any] = {"sqlite_with_rowid": False}
"""For tables of short rows that are only read by their key: the key is the table."""

ROW_NUMBER: Any = BigInteger().with_variant(Integer(), "sqlite")
"""Of a primary key over 2^31. SQLite stores rows in the order of one that is called INTEGER, no other."""


class Table(SQLModel):
    """Base of all tables."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


def one_of(column: str, *values: str) -> CheckConstraint:
    """A column of text that has one of these values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def where(condition: str) -> dict[str, Any]:
    """An index over the rows that meet a condition."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def sort_by_code_point(metadata: MetaData) -> None:
    """Makes texts sort on PostgreSQL as on SQLite, so that an index finds a range or a prefix."""
    for table in metadata.tables.values():
        for column in table.columns:
            length = getattr(column.type, "length", None)
            if isinstance(column.type, AutoString) and length:
                column.type = String(length).with_variant(String(length, collation="C"), "postgresql")
