"""How large the database is."""

from typing import Final

from sqlalchemy import text

from heltig.store.transaction import ReadTransaction

_BYTES: Final = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


def kind_and_bytes(transaction: ReadTransaction) -> tuple[str, int]:
    """Which database it is, and its bytes; of SQLite without what is only in its journal."""
    dialect = transaction.connection.dialect.name
    size: int = transaction.connection.execute(text(_BYTES[dialect])).scalar_one()
    return ("SQLite" if dialect == "sqlite" else "PostgreSQL"), size
