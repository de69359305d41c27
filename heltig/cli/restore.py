"""`heltig restore`: a backup into an empty store."""

import asyncio
from pathlib import Path

import click

from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.backup import lines
from heltig.errors import ConflictError, HeltigError, StorageError
from heltig.pipeline.backup.restoring import Restored, try_backup
from heltig.pipeline.backup.restoring import restore as restore_backup
from heltig.pipeline.publish import render
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings
from heltig.settings import Settings
from heltig.store import backup, restoration
from heltig.store.encryption_keys import cipher_of
from heltig.store.engine import Store


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--check", is_flag=True, help="Only prove that FILE is whole and can be restored.")
def restore(file: Path, check: bool) -> None:
    """Restore the backup FILE into an empty store, of either kind of database.

    Nothing is restored over what is there. Where this was killed, the service does not start on what is half
    restored, and the same command goes on. Stop the service that the backup is of first: two that work with
    the same archives pull and forward twice. Every part is compared with its SHA-256 before anything is
    written, an older version's tables are brought up to date, and the audit trail is verified where its key
    is here.

    With --check nothing of the site is touched: the tables are restored into a database beside FILE, which is
    removed afterwards. That takes as much room as the database has.

    Exit code: 3 FILE is no backup, or damaged; 5 the store is not empty; 7 the database or the disk failed,
    or the audit trail was altered.
    """
    if check:
        manifest, aside = asyncio.run(try_backup(file))
        for line in lines(manifest):
            click.echo(line)
        click.echo(
            "The backup is whole, and this version can restore it: its tables were, beside it, on trial."
        )
        if aside:
            rows = counted(aside, "row of its audit trail is", "rows of its audit trail are")
            click.echo(f"{rows} damaged so that no table takes them: they are kept aside, as evidence.")
        return
    restored = asyncio.run(_restore(load_settings(), file))
    for line in lines(restored.manifest):
        click.echo(line)
    if restored.identifiers:
        click.echo(f"Nothing starts on it by these settings. {restored.identifiers}", err=True)
    if restored.is_altered:
        raise StorageError(f"It is restored, but its audit trail was altered: {restored.trail}.")
    if restored.trail == "whole":
        click.echo("It is restored. Its audit trail is whole.")
    else:
        click.echo(f"It is restored. Its audit trail could not be verified: {restored.trail}")


async def _restore(settings: Settings, file: Path) -> Restored:
    made = None
    if settings.database_url is None:
        await asyncio.to_thread(settings.home.mkdir, mode=0o700, parents=True, exist_ok=True)
        database = settings.home / "heltig.db"
        made = None if database.exists() else database
    is_left_empty = False
    store = await Store.open(settings.database, render=render, cipher=cipher_of(settings))
    try:
        return await restore_backup(store, settings, file, clock=now, actor=ACTOR, origin=ORIGIN)
    except HeltigError:
        is_left_empty = made is not None and await _is_empty(store)
        raise
    finally:
        await store.close()
        if made is not None and is_left_empty:
            made.unlink()


async def _is_empty(store: Store) -> bool:
    """Whether a restoration that was refused left nothing in the database."""
    try:
        await store.read(backup.insist_on_emptiness)
        return await store.read(restoration.under_way) is None
    except (ConflictError, StorageError):
        return False
