"""An empty database of the newest version for each test: SQLite, or PostgreSQL where a server is named.

HELTIG_TEST_POSTGRES is the URL of a PostgreSQL database whose user may create others.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import msgspec
from sqlalchemy import NullPool, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from heltig.store.engine import Store
from heltig.store.migrations import upgrade
from heltig.store.records import Published

SERVER = os.environ.get("HELTIG_TEST_POSTGRES")


class _AsJson:
    form = "json"

    def __call__(self, published: Published, /) -> bytes:
        return msgspec.json.encode(published)


render = _AsJson()


@cache
def _template_folder() -> tempfile.TemporaryDirectory[str]:
    """Kept by the cache; removed when the run ends."""
    return tempfile.TemporaryDirectory(prefix="heltig-template-", ignore_cleanup_errors=True)


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


@asynccontextmanager
async def database_url(folder: Path) -> AsyncIterator[str]:
    """The URL of a new database with all tables."""
    if SERVER:
        async with postgresql_database(SERVER) as url:
            yield url
        return
    yield await sqlite_database(folder)


async def sqlite_database(folder: Path) -> str:
    """The URL of a new database with all tables, in a folder."""
    template = Path(_template_folder().name) / "heltig.db"
    if not template.exists():
        store = await Store.open(sqlite_url(template), render=render)
        await upgrade(store)
        await store.close()
    return sqlite_url(Path(shutil.copy(template, folder / "heltig.db")))


@asynccontextmanager
async def postgresql_database(server: str, *, empty: bool = False) -> AsyncIterator[str]:
    """The URL of a new database with all tables, or none, on a server; it goes afterwards."""
    name = f"heltig_{uuid4().hex}"
    admin = create_async_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with admin.connect() as connection:
        template = "template1" if empty else await _template(server)
        # Copying files is twice as fast as logging them.
        await connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield _named(server, name)
    finally:
        async with admin.connect() as connection:
            await connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


_templates: dict[str, str] = {}


async def _template(server: str) -> str:
    """The database of a server that the others of this run are copied from."""
    if server not in _templates:
        name = f"heltig_template_{uuid4().hex}"
        admin = create_async_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with admin.connect() as connection:
            await connection.exec_driver_sql(f"CREATE DATABASE {name}")
        store = await Store.open(_named(server, name), render=render)
        await upgrade(store)
        await store.close()
        _templates[server] = name
    return _templates[server]


def _named(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)
