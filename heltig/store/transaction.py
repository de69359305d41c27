"""What the functions of this package work in: a transaction that reads, or one that writes."""

import sqlite3
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Connection, Executable, Table, bindparam, func, select, update

from heltig.store import audit_chain
from heltig.store.encryption import PLAIN, PLAIN_ID, Cipher
from heltig.store.insertion import insertion, numbered, or_ignore, text_of_insert
from heltig.store.records import Published
from heltig.store.statement import Parameters, Statement, compiled
from heltig.store.tables import changes, encryption_keys, sequences, webhooks
from heltig.verdict import Readiness


class Renderer(Protocol):
    """Makes prepared answers about studies."""

    @property
    def form(self) -> str:
        """Names what they look like: an answer of another form has to be made again."""
        ...

    def __call__(self, published: Published, /) -> bytes:
        """Makes that about one study."""
        ...


_ADVANCE_CHANGES = (
    update(sequences)
    .where(sequences.c.name == "changes")
    .values(value=sequences.c.value + bindparam("count"))
    .returning(
        sequences.c.value,
        select(func.count()).select_from(webhooks).where(webhooks.c.paused.is_(False)).scalar_subquery(),
    )
)
"""Asks in the same breath whether anybody is to be told."""

Change: TypeAlias = tuple[dict[str, Any], Readiness | None]
"""An entry of the change feed as a row, and the readiness that stood before."""


class ReadTransaction:
    """One consistent state of the database.

    Attributes:
        cipher: Encrypts and decrypts evidence.
        uid_keys: The keys of the instances (`heltig.store.uid_index`) of series that it has written, by row.

    Statements that are made at import go through `rows`, `first`, `scalar` and `scalars`, which cost a tenth
    of what SQLAlchemy takes for the same; those that are made for one execution through `connection`.
    """

    def __init__(self, connection: Connection, cipher: Cipher = PLAIN) -> None:
        self.connection = connection
        self.cipher = cipher
        self.uid_keys: dict[int, set[int]] = {}
        self._dialect = connection.dialect
        driver: Any = connection.connection.dbapi_connection
        self._sqlite: sqlite3.Connection | None = driver if isinstance(driver, sqlite3.Connection) else None

    @property
    def is_alone(self) -> bool:
        """Whether nobody else writes before its end; so it sees all that was written before it commits."""
        return self._sqlite is not None

    @property
    def is_in_order(self) -> bool:
        """Whether the rows of a table stand in the order of its primary key."""
        return self._sqlite is not None

    def rows(self, statement: Executable, parameters: Parameters | None = None) -> list[Any]:
        """Runs a statement that was made at import; gives its rows, whose values have names."""
        found = compiled(statement, self._dialect, parameters or {})
        return found.rows(self._fetched(found, parameters or {}))

    def unnamed_rows(self, statement: Executable, parameters: Parameters) -> Iterable[Sequence[Any]]:
        """Does as `rows`, for a thousand of them: to name their values takes longer than to read some."""
        found = compiled(statement, self._dialect, parameters)
        return found.typed(self._fetched(found, parameters))

    def _fetched(self, found: Statement, parameters: Parameters) -> Sequence[Sequence[Any]]:
        text, given = found.text(parameters)
        if self._sqlite is not None:
            return self._sqlite.execute(text.sql, text.values(given)).fetchall()
        return self.connection.exec_driver_sql(text.sql, tuple(text.values(given))).all()

    def first(self, statement: Executable, parameters: Parameters | None = None) -> Any | None:
        """The first row of those that `rows` gives, None where there is none."""
        found = self.rows(statement, parameters)
        return found[0] if found else None

    def scalar(self, statement: Executable, parameters: Parameters | None = None) -> Any | None:
        """The first value of the first row, None where there is none."""
        found = self.rows(statement, parameters)
        return found[0][0] if found else None

    def scalars(self, statement: Executable, parameters: Parameters | None = None) -> list[Any]:
        """The first value of each row."""
        return [row[0] for row in self.rows(statement, parameters)]


class WriteTransaction(ReadTransaction):
    """Changes that are made together or not at all.

    Entries of the change feed and of the audit trail wait until the transaction is about to commit. Only then
    are their numbers taken from the head rows, as the last thing that happens: whoever holds a head row
    commits at once, so numbers are commit order, and a number that was rolled back is given to the next.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        cipher: Cipher,
        durable: bool,
        render: Renderer,
        memory: dict[Hashable, Any],
        ring: Callable[[str], None],
        seal: audit_chain.Seal | None,
    ) -> None:
        """Made by `Store`.

        Args:
            connection: The connection.
            cipher: Encrypts and decrypts evidence.
            durable: It is on disk before anybody hears of it.
            render: Makes prepared answers.
            memory: What this process knows to stand in the database for ever, see `learn`.
            ring: Says, after the commit, that there are jobs of a kind.
            seal: Knows the keys of the audit trail.
        """
        self._cipher = cipher.fixed()
        super().__init__(connection, self._cipher)
        self.render = render
        self.memory = memory
        self.ring = ring
        self.seal = seal
        self._durable = durable
        self._last: dict[Hashable, Callable[[], None]] = {}
        self._changes: list[Change] = []
        self._tell: Tell | None = None
        self._audit: list[dict[str, Any]] = []
        self._after_commit: list[Callable[[], None]] = []

    def append_change(self, row: dict[str, Any], *, before: Readiness | None, tell: "Tell") -> None:
        """Adds an entry to the change feed.

        Args:
            row: The entry, without its sequence.
            before: The readiness that stood before.
            tell: Called with all entries once they have their sequences, where somebody is to be told.
        """
        self._need_durable()
        self._changes.append((row, before))
        self._tell = tell

    def append_audit(self, row: dict[str, Any]) -> None:
        """Adds an entry to the audit trail, as a row without its sequence."""
        self._need_durable()
        self._audit.append(row)

    def at_the_end(self, key: Hashable, call: Callable[[], None]) -> None:
        """Has `call` called before the commit; of several for one key only the last one."""
        self._last[key] = call

    def learn(self, key: Hashable, value: Any) -> None:
        """Puts into `memory` what stays in the database for ever, once this transaction is committed."""

        def remember() -> None:
            self.memory[key] = value

        self.after_commit(remember)

    @contextmanager
    def nested(self) -> Iterator[None]:
        """What is done within is undone where it raises; what was done before stays."""
        waiting: tuple[list[Any], ...] = (self._changes, self._audit, self._after_commit)
        lengths, last = [len(one) for one in waiting], dict(self._last)
        self._control("SAVEPOINT nested")
        try:
            yield
        except BaseException:
            self._control("ROLLBACK TO SAVEPOINT nested")
            for one, length in zip(waiting, lengths, strict=True):
                del one[length:]
            self._last = last
            raise
        self._control("RELEASE SAVEPOINT nested")

    def _control(self, sql: str) -> None:
        if self._sqlite is not None:
            self._sqlite.execute(sql).close()
        else:
            self.connection.exec_driver_sql(sql)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Has `call` called on the event loop once the transaction is committed."""
        self._after_commit.append(call)

    def run(self, statement: Executable, parameters: Parameters) -> int:
        """Runs a statement that was made at import and gives no rows.

        Returns:
            The number of rows that it changed.
        """
        found = compiled(statement, self._dialect, parameters)
        text, given = found.text(parameters)
        if self._sqlite is not None:
            return self._sqlite.execute(text.sql, text.values(given)).rowcount
        return self.connection.exec_driver_sql(text.sql, tuple(text.values(given))).rowcount

    def run_many(self, statement: Executable, several: Sequence[Parameters]) -> None:
        """Does as `run`, for some parameters after the other, by the driver's own `executemany`."""
        if not several:
            return
        text, _ = compiled(statement, self._dialect, several[0]).text(several[0])
        values = [tuple(text.values(parameters)) for parameters in several]
        if self._sqlite is not None:
            self._sqlite.executemany(text.sql, values)
        else:
            self.connection.exec_driver_sql(text.sql, values)

    def insert_row(self, table: Table, row: dict[str, Any]) -> int:
        """Inserts a row and returns its number."""
        if self._sqlite is None:
            return int(self.rows(numbered(table), row)[0][0])
        found = compiled(insertion(table), self._dialect, row)
        text, given = found.text(row)
        return int(self._sqlite.execute(text.sql, text.values(given)).lastrowid or 0)

    def insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        """Inserts rows, all of the same columns."""
        self.run_many(insertion(table), rows)

    def insert_or_ignore(self, table: Table, row: Parameters) -> bool:
        """Inserts a row, unless its key is there already; says whether it did."""
        return bool(self.run(or_ignore(table, self._dialect.name), row))

    def insert_or_ignore_all(self, table: Table, rows: Sequence[Parameters]) -> None:
        """Inserts rows, but for those whose key is there already."""
        self.run_many(or_ignore(table, self._dialect.name), rows)

    def insert_rows(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Inserts many rows by the driver's own executemany: values go in as they are, in column order."""
        if not rows:
            return
        if self._sqlite is not None:
            self._sqlite.executemany(text_of_insert(table, self._dialect), rows)
        else:
            self.connection.exec_driver_sql(text_of_insert(table, self._dialect), list(rows))

    def finish(self) -> list[Callable[[], None]]:
        """Does what was left to the end, and hands out the sequences.

        Sequences come last, and always in this order, so that two transactions never wait for one another's
        head row.

        Returns:
            What is to be called after the commit.
        """
        for call in self._last.values():
            call()
        self._name_key()
        if self._changes:
            self._number_changes()
        if self._audit:
            audit_chain.append(self, self._audit, self.seal)
        return self._after_commit

    def _name_key(self) -> None:
        """Writes down which key it encrypted with, each time: whoever rewrites everything takes it away."""
        if not self._cipher.has_written:
            return
        if (key := self._cipher.writing()) is not None:
            self.insert_or_ignore(encryption_keys, {"key_id": key.id})
        elif encryption_keys not in self.memory:
            self.insert_or_ignore(encryption_keys, {"key_id": PLAIN_ID})
            self.learn(encryption_keys, True)

    def _number_changes(self) -> None:
        last, receivers = self.rows(_ADVANCE_CHANGES, {"count": len(self._changes)})[0]
        rows = _numbered([row for row, _ in self._changes], last)
        self.insert(changes, rows)
        if receivers and self._tell is not None:
            self._tell(self, [(row, before) for row, (_, before) in zip(rows, self._changes, strict=True)])

    def _need_durable(self) -> None:
        """A number that someone has seen must not be given to something else after a power cut."""
        if not self._durable:
            raise RuntimeError("Changes and audit entries need Store.write_durably.")


Tell: TypeAlias = Callable[[WriteTransaction, Sequence[Change]], None]
"""Adds what is to be told of changes to their transaction."""


def _numbered(rows: Sequence[dict[str, Any]], last: int) -> list[dict[str, Any]]:
    """Rows with their sequences, of which the last is given."""
    return [{**row, "sequence": last - len(rows) + n} for n, row in enumerate(rows, start=1)]
