"""The tables' versions, and how a database gets to the newest."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from heltig.errors import StorageError
from heltig.store import restoration
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

HEAD = "0018"
"""The newest version."""


def version(transaction: ReadTransaction) -> str | None:
    """The version of a database's tables; None while it is empty."""
    if not inspect(transaction.connection).has_table("alembic_version"):
        return None
    return transaction.connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def revisions() -> frozenset[str]:
    """All versions that there were."""
    return frozenset(path.name[:4] for path in (Path(__file__).parent / "versions").glob("[0-9]*.py"))


async def upgrade(store: Store) -> None:
    """Brings a database's tables up to date; does nothing when they are.

    Raises:
        StorageError: A newer Heltig wrote the database, a backup is half restored into it, or it could not be
            changed; it is as it was then.
    """
    await store.read(restoration.insist_on_none)
    if await store.read(version) != HEAD:
        await store.database.migrate(_upgrade)


def _upgrade(connection: Connection) -> None:
    restoration.insist_on_none(ReadTransaction(connection))  # it may have begun meanwhile
    upgrade_to(connection)


def upgrade_to(connection: Connection, revision: str = "head") -> None:
    """Brings a database's tables to a version that is newer than theirs.

    Args:
        connection: Of `Database.migrate`.
        revision: The version; the newest by default.

    Raises:
        StorageError: A newer Heltig wrote the database.
    """
    from alembic import command  # here: most processes find their tables up to date
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    now = version(ReadTransaction(connection))
    try:
        ScriptDirectory.from_config(config).get_revision(now or "base")
    except CommandError as error:
        raise StorageError(
            f"The database has version {now}, this Heltig knows {HEAD} and older: install a newer one."
        ) from error
    command.upgrade(config, revision)
