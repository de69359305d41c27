"""`heltig identifiers`: in which form patients' identifiers are kept."""

import asyncio

import click

from heltig.auth.policy import roles_named
from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.database import open_database
from heltig.cli.purge import about
from heltig.pipeline.identifiers.key import look
from heltig.pipeline.identifiers.rewriting import rewrite as rewrite_all
from heltig.setting_sources import load_settings
from heltig.settings import Settings
from heltig.store import identifier_state


@click.group()
def identifiers() -> None:
    """Show how patients' identifiers are kept, and turn them into keyed hashes.

    HELTIG_IDENTIFIERS says whether they are shown to all who see studies (plain), to some roles (masked), or
    kept as hashes (hashed).
    """


@identifiers.command()
def show() -> None:
    """Show what is set, and how identifiers stand in the database.

    Exit code: 2 they stand there otherwise than the settings say, or are hashed with another key.
    """
    settings = load_settings()
    click.echo(f"set:       {settings.identifiers}")
    if settings.identifiers != "plain":
        does = "seen by" if settings.identifiers == "masked" else "searched by"
        click.echo(f"{does + ':':<11}{', '.join(sorted(roles_named(settings.identifiers_shown_to)))}")
    asyncio.run(_show(settings))


async def _show(settings: Settings) -> None:
    async with open_database(settings, as_it_is=True) as store:
        state = await store.read(identifier_state.find)
        if state is None:
            click.echo("database:  identifiers as they are")
        elif state.form == "hashed":
            click.echo(f"database:  hashes, by the key {state.key_id}")
        else:
            click.echo(f"database:  some are hashes, by the key {state.key_id}")
        await look(store, settings)


@identifiers.command()
def rewrite() -> None:
    """Turn identifiers in the database into hashes, for good.

    Stop all of Heltig first, make a backup, and set HELTIG_IDENTIFIERS=hashed. It can be broken off and said
    again. On SQLite the file is written anew at the end, so that nothing is left in it.
    """
    asyncio.run(_rewrite(load_settings()))


async def _rewrite(settings: Settings) -> None:
    async with open_database(settings, as_it_is=True) as store:
        done = await rewrite_all(
            store,
            settings,
            clock=now,
            actor=ACTOR,
            origin=ORIGIN,
            progress=lambda what, count: click.echo(f"{what}: {count:,}", err=True),
        )
        if store.writes_alone:
            freed = await store.compact()
            click.echo(f"The database's file is written anew, and {about(freed)} smaller.", err=True)
    if done:
        told = ", ".join(f"{count:,} {what}" for what, count in done.items())
        click.echo(f"Identifiers are hashes now: {told}. Destroy backups that have them as they are.")
    else:
        click.echo("Identifiers are hashes already.")
