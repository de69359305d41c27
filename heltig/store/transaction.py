"""What the functions of this package work in: a transaction that reads, or one that writes."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol

from sqlalchemy import Connection, Dialect, Executable, Insert, Table, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from heltig.store.records import Published
from heltig.store.tables import audit, changes, sequences


class Renderer(Protocol):
    """Makes prepared answers about studies."""

    @property
    def form(self) -> str:
        """Names what they look like: an answer of another form has to be made again."""
        ...

    def __call__(self, published: Published, /) -> bytes:
        """Makes that about one study."""
        ...


_ADVANCE = (
    update(sequences)
    .where(sequences.c.name == bindparam("sequence"))
    .values(value=sequences.c.value + bindparam("count"))
    .returning(sequences.c.value)
)


@cache
def _insert(table: Table) -> Insert:
    return insert(table)


@cache
def _insert_or_ignore(table: Table, dialect: str) -> Executable:
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


@cache
def _insert_text(table: Table, dialect: Dialect) -> str:
    return str(insert(table).compile(dialect=dialect))


class ReadTransaction:
    """One consistent state of the database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


class WriteTransaction(ReadTransaction):
    """Changes that are made together or not at all.

    Entries of the change feed and of the audit trail wait until the transaction is about to commit. Only then
    are their numbers taken from the head rows, as the last thing that happens: whoever holds a head row
    commits at once, so numbers are commit order, and a number that was rolled back is given to the next.
    """

    def __init__(self, connection: Connection, *, durable: bool, render: Renderer) -> None:
        super().__init__(connection)
        self.render = render
        self._durable = durable
        self._changes: list[dict[str, Any]] = []
        self._audit: list[dict[str, Any]] = []
        self._after_commit: list[Callable[[], None]] = []

    def append_change(self, row: dict[str, Any]) -> None:
        """Adds an entry to the change feed, as a row without its sequence."""
        self._need_durable()
        self._changes.append(row)

    def append_audit(self, row: dict[str, Any]) -> None:
        """Adds an entry to the audit trail, as a row without its sequence."""
        self._need_durable()
        self._audit.append(row)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Has `call` called on the event loop once the transaction is committed."""
        self._after_commit.append(call)

    def insert_row(self, table: Table, row: dict[str, Any]) -> int:
        """Inserts a row and returns its number."""
        result = self.connection.execute(_insert(table), row)
        number: int = result.inserted_primary_key[0]  # type: ignore[index]  # there is one after an insert
        return number

    def insert_or_ignore(self, table: Table, rows: dict[str, Any] | list[dict[str, Any]]) -> int:
        """Inserts rows, but for those whose key is there already; returns the number of the others."""
        statement = _insert_or_ignore(table, self.connection.dialect.name)
        return self.connection.execute(statement, rows).rowcount

    def insert_rows(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Inserts many rows by the driver's own executemany: values go in as they are, in column order."""
        if rows:
            self.connection.exec_driver_sql(_insert_text(table, self.connection.dialect), list(rows))

    def finish(self) -> list[Callable[[], None]]:
        """Hands out the sequences; returns what is to be called after the commit.

        Always in this order, so that two transactions never wait for one another's head row.
        """
        self._number("changes", changes, self._changes)
        self._number("audit", audit, self._audit)
        return self._after_commit

    def _number(self, name: str, table: Table, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        last = self.connection.execute(_ADVANCE, {"sequence": name, "count": len(rows)}).scalar_one()
        numbered = [{**row, "sequence": last - len(rows) + n} for n, row in enumerate(rows, start=1)]
        self.connection.execute(_insert(table), numbered)

    def _need_durable(self) -> None:
        """A number that someone has seen must not be given to something else after a power cut."""
        if not self._durable:
            raise RuntimeError("Changes and audit entries need Store.write_durably.")
