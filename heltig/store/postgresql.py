"""PostgreSQL: the database of a site with several workers. The driver, asyncpg, is an extra."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from heltig.errors import ConfigurationError, StorageError, UsageError

T = TypeVar("T")

CONNECTIONS: Final = 10
"""The most that a process has open: PostgreSQL's own default of 100 is enough for nine of ours."""

_TRIES: Final = 3
_UNDONE: Final = ("40001", "40P01")  # this transaction was rolled back for the sake of another
_NO_TEXT: Final = "22021"  # a NUL
_MIGRATION_LOCK = 0x48454C54  # any number that no one else locks


class PostgreSQLDatabase:
    """A pool of connections; a transaction's work runs as it does on SQLite, statement by statement."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._writers = engine
        self._readers = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @classmethod
    async def open(cls, url: URL) -> "PostgreSQLDatabase":
        """Connects to the server that a URL names.

        Raises:
            ConfigurationError: The driver is not installed.
            StorageError: The server does not let us in.
        """
        try:
            engine = create_async_engine(
                url, hide_parameters=True, pool_size=CONNECTIONS // 2, max_overflow=CONNECTIONS // 2
            )
        except ModuleNotFoundError as error:
            raise ConfigurationError("HELTIG_DATABASE_URL: PostgreSQL needs heltig[postgres].") from error
        database = cls(engine)
        try:
            await database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
        except StorageError:
            await database.close()
            raise
        return database

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a transaction that sees one state of the database and cannot write."""
        return await self._run(self._readers, (), work)

    async def look_up(self, work: Callable[[Connection], T]) -> T:
        """See `SQLiteDatabase.look_up`; here it is `read`."""
        return await self.read(work)

    async def write(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        """Runs `work` in a transaction; see `SQLiteDatabase.write`."""
        setting = f"SET LOCAL synchronous_commit TO {'ON' if durable else 'OFF'}"
        return await self._run(self._writers, (setting,), work)

    async def migrate(self, work: Callable[[Connection], None]) -> None:
        """Runs `work`, which changes tables, in one transaction, one process at a time."""
        await self._run(self._writers, (f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})",), work)

    async def compact(self) -> int:
        """PostgreSQL uses the room of removed rows again, and vacuums of itself: there is nothing to do."""
        return 0

    def prepare(self, statement: Select[Any]) -> Callable[..., Any]:
        """Makes a function out of a query; see `SQLiteDatabase.prepare`."""
        compiled = statement.compile()
        names = list(compiled.params)

        async def fetch(*parameters: object) -> Sequence[Sequence[Any]]:
            values = dict(zip(names, parameters, strict=True))
            return await self.read(lambda connection: connection.execute(statement, values).all())

        return fetch

    async def close(self) -> None:
        """Closes all connections."""
        await self._writers.dispose()

    async def _run(self, engine: AsyncEngine, begin: Sequence[str], work: Callable[[Connection], T]) -> T:
        """Runs a transaction; again where nothing can have come of it.

        That is where the connection was lost since it was last used, as all are when the server is started
        again, and where PostgreSQL chose this one of two transactions that wait for one another. When the
        connection of one that writes breaks off later, it may have been committed.
        """
        for attempt in range(1, _TRIES + 1):
            has_begun = False
            try:
                async with engine.begin() as connection:
                    for statement in begin:
                        await connection.exec_driver_sql(statement)
                    has_begun = True
                    return await connection.run_sync(work)
            except DBAPIError as error:
                was_lost = error.connection_invalidated and not (begin and has_begun)
                was_undone = getattr(error.orig, "sqlstate", None) in _UNDONE
                if getattr(error.orig, "sqlstate", None) == _NO_TEXT:
                    raise UsageError("A text that was given has a NUL: nothing here can have that.") from None
                if not (was_lost or was_undone) or attempt == _TRIES:
                    # Only the first line of the cause: PostgreSQL shows the values of a row in the next one.
                    cause = str(error.orig).partition("\n")[0]
                    raise StorageError(f"PostgreSQL failed: {cause}.") from None
            except NoConnectionError:
                raise StorageError("PostgreSQL failed: all connections are in use.") from None
            except (OSError, _driver_error()) as error:  # while connecting
                reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
                host = engine.url.host or engine.url.query.get("host")
                raise StorageError(f"PostgreSQL at {host} does not answer: {reason}.") from None
        raise AssertionError("unreachable")


def _driver_error() -> type[Exception]:
    from asyncpg import PostgresError  # type: ignore[import-untyped]  # an extra

    raised: type[Exception] = PostgresError
    return raised
