"""SQLite: the embedded database.

aiosqlite gives every connection a thread of its own. A transaction is handed to that thread as one call, so
it costs one change of threads and not three for each statement, and nothing else can happen in its middle.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import URL, Connection, Select, StaticPool, create_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from heltig.errors import ConfigurationError, StorageError
from heltig.store.sqlite_errors import storage_error

T = TypeVar("T")

READERS = 4
"""Connections that read side by side."""

BUSY_SECONDS = 30
"""How long to wait for another process (a command beside the server) that is writing."""

_STATEMENTS = 512
"""Statements that each connection keeps the plans of."""

_PRAGMAS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA case_sensitive_like=ON",  # as in PostgreSQL
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
)
_WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA wal_autocheckpoint=8192",  # pages of 4 KiB: most are written many times in between
    "PRAGMA cache_size=-65536",  # KiB
)
_READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    "PRAGMA cache_size=-16384",  # KiB: the upper levels of the indexes of a million studies stay
)
_SYNCHRONOUS = {False: "PRAGMA synchronous=NORMAL", True: "PRAGMA synchronous=FULL"}
_SHORT_WAIT = "PRAGMA busy_timeout=1000"  # on the event loop's thread everyone waits


class SQLiteDatabase:
    """One writing connection, some reading ones, and one for look-ups on the event loop's own thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = _Connection(path, _PRAGMAS + _WRITER_PRAGMAS)
        self._turn = asyncio.Lock()
        self._idle: asyncio.LifoQueue[_Connection] = asyncio.LifoQueue()
        self._readers = 0
        self._direct: sqlite3.Connection | None = None
        self._look_ups: _Transactions | None = None

    @classmethod
    async def open(cls, url: URL) -> "SQLiteDatabase":
        """Opens the file that a URL names, and makes it if need be, readable by its owner only.

        Raises:
            ConfigurationError: The URL names no file.
            StorageError: The file cannot be opened.
        """
        if not url.database or url.database == ":memory:":
            raise ConfigurationError("HELTIG_DATABASE_URL: SQLite needs a file: sqlite+aiosqlite:///PATH.")
        database = cls(Path(url.database))
        try:
            database.path.touch(mode=0o600)
            await database._writer.open()
            for _ in range(READERS):
                reader = _Connection(database.path, _PRAGMAS + _READER_PRAGMAS)
                await reader.open()
                database._idle.put_nowait(reader)
                database._readers += 1
            direct = _connect(database.path, (*_PRAGMAS, *_READER_PRAGMAS, _SHORT_WAIT))
            database._direct = direct
            database._look_ups = _Transactions(database.path, lambda: direct)
        except (OSError, sqlite3.Error) as error:
            await database.close()
            raise storage_error(f"The database {database.path} cannot be opened", error) from error
        return database

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a transaction that sees one state of the database and cannot write."""
        async with self._reader() as reader:
            return await reader.run(("BEGIN",), work)

    async def look_up(self, work: Callable[[Connection], T]) -> T:
        """Does as `read`, on the event loop's thread: for what takes less than a change of threads."""
        if self._look_ups is None:
            raise StorageError(f"The database {self.path} is closed.")
        self._end_turn()
        return self._look_ups.run(("BEGIN",), work)

    async def write(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        """Runs `work` in a transaction that holds the database's only write lock from its start.

        BEGIN IMMEDIATE: a transaction that reads first and takes the lock later loses updates or fails.

        Args:
            work: What to do; it commits when `work` returns, and is rolled back when it raises.
            durable: On disk before this returns. Else a power cut may take the last transactions with it,
                never one of them in part.
        """
        async with self._turn:
            return await self._writer.run((_SYNCHRONOUS[durable], "BEGIN IMMEDIATE"), work)

    async def migrate(self, work: Callable[[Connection], None]) -> None:
        """Runs `work`, which changes tables, in one transaction.

        SQLite changes a table by making another and dropping the first, which foreign keys would forbid; they
        are checked at the end instead.
        """

        def changed(connection: Connection) -> None:
            connection.begin()  # else who migrates would begin, and commit, on their own
            work(connection)
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise StorageError(f"The database {self.path} has rows that refer to none. Restore a backup.")

        async with self._turn:
            try:
                await self._writer.run(("PRAGMA foreign_keys=OFF", "BEGIN IMMEDIATE"), changed)
            finally:
                await self._writer.run(("PRAGMA foreign_keys=ON", "BEGIN"), lambda connection: None)

    async def compact(self) -> int:
        """Writes the file anew without the room that removed rows left; others wait meanwhile.

        Returns:
            Bytes that the file is smaller now.
        """
        async with self._turn:
            return await self._writer.compact()

    def prepare(self, statement: Select[Any]) -> Callable[..., Any]:
        """Makes a function out of a query for one or a few rows by an index.

        It runs on the event loop's thread: such a read takes microseconds, a change of threads a hundred.
        The function takes the statement's parameters in their order and gives plain rows.

        All calls in one turn of the event loop see one state of the database, since to begin and to end takes
        as long as to read. It is the last for all of them: whoever asks because of a later commit, here or in
        another process, comes to have a turn only after this one.
        """
        direct = self._direct
        if direct is None:
            raise StorageError(f"The database {self.path} is closed.")
        sql = str(statement.compile(dialect=sqlite.dialect()))

        async def fetch(*parameters: object) -> Sequence[Sequence[Any]]:
            try:
                if not direct.in_transaction:
                    direct.execute("BEGIN").close()
                    asyncio.get_running_loop().call_soon(self._end_turn)
                return direct.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                raise storage_error(f"The database {self.path} could not be read", error) from None

        return fetch

    def _end_turn(self) -> None:
        """Ends what `prepare`'s functions began in this turn of the event loop."""
        if self._direct is not None and self._direct.in_transaction:
            self._direct.rollback()

    async def close(self) -> None:
        """Closes all connections; those at work finish their transaction first."""
        while self._readers:
            self._readers -= 1
            await (await self._idle.get()).close()
        async with self._turn:
            await self._writer.close()
        if self._direct is not None:
            self._direct.close()
            self._direct = self._look_ups = None

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator["_Connection"]:
        if not self._readers:
            raise StorageError(f"The database {self.path} is closed.")
        reader = await self._idle.get()
        try:
            yield reader
        finally:
            self._idle.put_nowait(reader)


class _Transactions:
    """Runs whole transactions on a connection, in the thread that has it."""

    def __init__(self, path: Path, driver: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._driver = driver
        self._engine = create_engine(
            "sqlite://",
            creator=driver,
            poolclass=StaticPool,
            pool_reset_on_return=None,  # it may be closed by then
            hide_parameters=True,
        )
        self._of_engine: Connection | None = None
        self._synchronous = ""  # the last of these that was set

    def run(self, begin: Sequence[str], work: Callable[[Connection], T]) -> T:
        """Runs `work` between the statements `begin` and a commit, or a rollback when it raises.

        The driver begins and ends it: SQLAlchemy takes ten times as long, and is told of it afterwards.
        """
        driver = self._driver()
        try:
            if self._of_engine is None:
                self._of_engine = self._engine.connect()
            for statement in begin:
                if statement != self._synchronous:
                    driver.execute(statement).close()
                if statement in _SYNCHRONOUS.values():
                    self._synchronous = statement
            try:
                result = work(self._of_engine)
                driver.execute("COMMIT").close()
                return result
            finally:
                if driver.in_transaction:
                    driver.rollback()
                if self._of_engine.in_transaction():
                    self._of_engine.rollback()
        except DBAPIError as error:
            # Its own text would show the statement; the cause is enough, and names no value.
            raise storage_error(f"The database {self._path} failed", error.orig) from None
        except sqlite3.Error as error:
            raise storage_error(f"The database {self._path} failed", error) from None


class _Connection(aiosqlite.Connection):
    """A connection whose thread runs a whole transaction as one call."""

    def __init__(self, path: Path, pragmas: Sequence[str]) -> None:
        super().__init__(lambda: _connect(path, pragmas), iter_chunk_size=64)
        self._thread.daemon = True
        self._path = path
        self._transactions = _Transactions(path, lambda: self._conn)

    async def open(self) -> None:
        """Opens the file; leaves no thread behind when that fails."""
        try:
            await self
        except BaseException:
            self._thread.join()
            raise

    async def run(self, begin: Sequence[str], work: Callable[[Connection], T]) -> T:
        """Runs a transaction, see `_Transactions.run`."""
        if self._connection is None:
            raise StorageError(f"The database {self._path} is closed.")
        result: T = await self._execute(self._transactions.run, begin, work)  # type: ignore[no-untyped-call]
        return result

    async def compact(self) -> int:
        """See `SQLiteDatabase.compact`; StorageError where another process works, or the disk is full."""
        freed: int = await self._execute(self._compact)  # type: ignore[no-untyped-call]
        return freed

    def _compact(self) -> int:
        before = self._path.stat().st_size
        try:
            self._conn.execute("VACUUM").close()
            self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        except sqlite3.Error as error:
            raise storage_error(f"The database {self._path} cannot be written anew", error) from None
        return max(0, before - self._path.stat().st_size)


def _connect(path: Path, pragmas: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=_STATEMENTS)
    for pragma in pragmas:
        connection.execute(pragma).close()
    return connection
