"""Archives that an earlier version configured are read by this one."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from unit.store.databases import render, sqlite_url

from heltig.credentials import NO_AUTH, BasicAuth
from heltig.store import archives, migrations
from heltig.store.engine import Store
from heltig.store.migrations import upgrade

_ADD = (
    "INSERT INTO archives (location_row, title, qido_url, wado_url, auth, options, paused) "
    "VALUES (:row, '', 'http://pacs', 'http://pacs', :auth, :options, 0)"
)
_BASIC = '{"kind":"basic","username":"heltig","secret":"env:PACS"}'


def _first_version(connection: Connection) -> None:
    """The tables as version 0001 had them, with two archives."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")
    for row, name, auth, options in (
        (1, "old", _BASIC, '{"ca_bundle":"/etc/ca.pem"}'),
        (2, "plain", "{}", "{}"),
    ):
        connection.execute(
            text("INSERT INTO locations (id, kind, name) VALUES (:row, 'archive', :name)"),
            {"row": row, "name": name},
        )
        connection.execute(text(_ADD), {"row": row, "auth": auth, "options": options})


async def test_entries_of_the_first_version(tmp_path: Path) -> None:
    store = await Store.open(sqlite_url(tmp_path / "old.db"), render=render)
    await store.database.migrate(_first_version)
    await upgrade(store)
    old, plain = await store.read(archives.every)
    await store.close()
    assert old.auth == BasicAuth(username="heltig", secret="env:PACS")
    assert (old.options.ca_bundle, old.options.concurrency, old.feed_url) == ("/etc/ca.pem", 2, None)
    assert plain.auth == NO_AUTH
