"""PostgreSQL: the database of a site with several workers. The driver, asyncpg, is an extra."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from heltig.errors import ConfigurationError, StorageError

T = TypeVar("T")

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
            engine = create_async_engine(url, hide_parameters=True, pool_size=10)
        except ModuleNotFoundError as error:
            raise ConfigurationError("HELTIG_DATABASE_URL: PostgreSQL needs heltig[postgres].") from error
        database = cls(engine)
        try:
            await database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
        except OSError as error:
            raise StorageError(f"PostgreSQL at {url.host} does not answer: {error.strerror}.") from error
        return database

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a transaction that sees one state of the database and cannot write."""
        return await self._run(self._readers, (), work)

    async def write(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        """Runs `work` in a transaction; see `SQLiteDatabase.write`."""
        setting = f"SET LOCAL synchronous_commit TO {'ON' if durable else 'OFF'}"
        return await self._run(self._writers, (setting,), work)

    async def migrate(self, work: Callable[[Connection], None]) -> None:
        """Runs `work`, which changes tables, in one transaction, one process at a time."""
        await self._run(self._writers, (f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})",), work)

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
        try:
            async with engine.begin() as connection:
                for statement in begin:
                    await connection.exec_driver_sql(statement)
                return await connection.run_sync(work)
        except DBAPIError as error:
            # Only the first line of the cause: PostgreSQL shows the values of a row in the next one.
            cause = str(error.orig).partition("\n")[0]
            raise StorageError(f"PostgreSQL failed: {cause}.") from None
