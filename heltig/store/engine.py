"""Opens the database and runs transactions."""

from collections.abc import Callable, Hashable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Select, make_url

from heltig.errors import ConfigurationError
from heltig.store.audit_chain import Seal
from heltig.store.encryption import PLAIN, Cipher
from heltig.store.keyed import Keyed
from heltig.store.postgresql import PostgreSQLDatabase
from heltig.store.sqlite import SQLiteDatabase
from heltig.store.transaction import ReadTransaction, Renderer, WriteTransaction

P = ParamSpec("P")
T = TypeVar("T")


class Database(Protocol):
    """What differs between SQLite and PostgreSQL."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a transaction that sees one state of the database and cannot write."""
        ...

    async def look_up(self, work: Callable[[Connection], T]) -> T:
        """Does as `read`; on SQLite on the event loop's thread."""
        ...

    async def write(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        """Runs `work` in a transaction that commits when it returns."""
        ...

    async def migrate(self, work: Callable[[Connection], None]) -> None:
        """Runs `work`, which changes tables, alone and in one transaction."""
        ...

    async def compact(self) -> int:
        """Gives room that removed rows left back to the disk; says how many bytes."""
        ...

    def prepare(self, statement: Select[Any]) -> Callable[..., Any]:
        """Makes an async function out of a query for a few rows by an index."""
        ...

    async def close(self) -> None:
        """Closes all connections."""
        ...


class Store:
    """The database.

    A transaction is a plain function, called with the transaction first:

        study = await store.read(studies.get, location, study_key)

        def pulled(transaction: WriteTransaction) -> PutSnapshot:
            put = snapshots.put(transaction, snapshot)
            queue.enqueue(transaction, NewJob(kind="judge", ...))
            return put

        put = await store.write(pulled)

    It commits when the function returns and is rolled back when it raises. The function cannot await, so
    nobody holds the write lock of SQLite while waiting for a network. It does not run on the event loop's
    thread.

    Attributes:
        keyed: Makes hashes of identifiers for whoever judges, where they are kept as such
            (`heltig.pipeline.identifiers.sights`).
    """

    def __init__(self, database: Database, *, render: Renderer, cipher: Cipher = PLAIN) -> None:
        self.database = database
        self.cipher = cipher
        self._render = render
        self._memory: dict[Hashable, Any] = {}
        self._ring: Callable[[str], None] = lambda kind: None
        self._seal: Seal | None = None
        self.keyed: Keyed | None = None

    @classmethod
    async def open(cls, url: str, *, render: Renderer, cipher: Cipher = PLAIN) -> "Store":
        """Opens a database; `heltig.store.migrations.upgrade` brings its tables up to date.

        Args:
            url: `sqlite+aiosqlite:///PATH` or `postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE`.
            render: Makes a study's prepared answer; every process that writes has to use the same.
            cipher: Encrypts and decrypts evidence; without one nothing is encrypted.

        Raises:
            ConfigurationError: The URL is none of these, or a driver is missing.
            StorageError: The database cannot be opened.
        """
        parsed = make_url(url)
        database: Database
        match parsed.get_backend_name():
            case "sqlite":
                database = await SQLiteDatabase.open(parsed)
            case "postgresql":
                database = await PostgreSQLDatabase.open(parsed)
            case other:
                raise ConfigurationError(f"HELTIG_DATABASE_URL: {other} is neither sqlite nor postgresql.")
        return cls(database, render=render, cipher=cipher)

    @property
    def writes_alone(self) -> bool:
        """Whether nobody else writes while a transaction does (`ReadTransaction.is_alone`)."""
        return isinstance(self.database, SQLiteDatabase)

    @property
    def is_in_order(self) -> bool:
        """Whether the rows of a table stand in the order of its primary key."""
        return isinstance(self.database, SQLiteDatabase)

    async def read(
        self, work: Callable[Concatenate[ReadTransaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `work(transaction, ...)` on one consistent state of the database.

        Raises:
            StorageError: The database failed.
        """
        return await self.database.read(
            lambda connection: work(ReadTransaction(connection, self.cipher), *args, **kwargs)
        )

    async def look_up(
        self, work: Callable[Concatenate[ReadTransaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Does as `read`, for a few rows by an index: on SQLite nobody else works meanwhile in this process.

        Raises:
            StorageError: The database failed.
        """
        return await self.database.look_up(
            lambda connection: work(ReadTransaction(connection, self.cipher), *args, **kwargs)
        )

    async def write(
        self, work: Callable[Concatenate[WriteTransaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs `work(transaction, ...)` and commits what it did.

        After a power cut the last transactions may be missing, never one of them in part. For what can be
        done again: snapshots, progress, claims. Cancelled, it may have been committed all the same.

        Raises:
            StorageError: The database failed; nothing was written.
        """
        return await self._write(work, False, *args, **kwargs)

    async def write_durably(
        self, work: Callable[Concatenate[WriteTransaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Does as `write`, and is on disk before it returns.

        For what someone outside relies on from then on: an accepted upload, a verdict, an audit entry.
        """
        return await self._write(work, True, *args, **kwargs)

    def on_jobs(self, bell: Callable[[str], None]) -> None:
        """Has `bell` called, with the kind, after the commit of jobs that transactions add by themselves."""
        self._ring = bell

    def seal_with(self, seal: Seal) -> None:
        """Has the audit trail's entries sealed by what knows the keys (`heltig.audit.trail`)."""
        self._seal = seal

    async def compact(self) -> int:
        """Gives room that removed rows left back to the disk; on SQLite nobody else writes meanwhile.

        Returns:
            How many bytes.

        Raises:
            StorageError: Another process works for long, or the disk is full.
        """
        return await self.database.compact()

    async def close(self) -> None:
        """Closes the database."""
        await self.database.close()

    async def _write(
        self,
        work: Callable[Concatenate[WriteTransaction, P], T],
        durable: bool,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        def in_transaction(connection: Connection) -> tuple[T, list[Callable[[], None]]]:
            transaction = WriteTransaction(
                connection,
                cipher=self.cipher,
                durable=durable,
                render=self._render,
                memory=self._memory,
                ring=self._ring,
                seal=self._seal,
            )
            result = work(transaction, *args, **kwargs)
            return result, transaction.finish()

        result, calls = await self.database.write(in_transaction, durable=durable)
        for call in calls:
            call()
        return result
