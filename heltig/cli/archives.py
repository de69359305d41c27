"""`heltig archives`: the remote archives of a site."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from heltig.cli.archive_status import status
from heltig.cli.database import open_database
from heltig.pipeline import archives as pipeline
from heltig.pipeline.capabilities import described
from heltig.pipeline.connecting import open_archive
from heltig.settings import load_settings
from heltig.store import archives as entries
from heltig.store.archives import Archive
from heltig.store.engine import Store

T = TypeVar("T")

ACTOR = "cli"
"""Who acts in the audit trail when a command does; `ORIGIN` is from where."""
ORIGIN = "cli"


@click.group()
def archives() -> None:
    """Add, list, test and remove remote archives."""


archives.add_command(status)


@archives.command()
@click.argument("name")
@click.argument("url")
@click.option("--user", metavar="USER", help="For basic authentication.")
@click.option("--password-secret", metavar="REF", help="Where its password lies: env:NAME or file:PATH.")
@click.option("--bearer-secret", metavar="REF", help="Where a bearer token lies: env:NAME or file:PATH.")
@click.option(
    "--ca-bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="PEM file of the only authorities to trust.",
)
def add(
    name: str,
    url: str,
    user: str | None,
    password_secret: str | None,
    bearer_secret: str | None,
    ca_bundle: Path | None,
) -> None:
    """Add the archive whose DICOMweb services lie at URL, and call it NAME.

    Only the reference to a secret is stored, never the secret. `heltig archives test NAME` tries it.
    """
    entry = pipeline.new_archive(
        name,
        url,
        user=user,
        password_secret=password_secret,
        bearer_secret=bearer_secret,
        ca_bundle=ca_bundle,
    )
    _run(lambda store: pipeline.add_archive(store, entry, at=now(), actor=ACTOR, origin=ORIGIN))
    click.echo(f"Archive {name} added. Try it: heltig archives test {name}")


@archives.command("list")
def list_() -> None:
    """List the archives."""

    async def read(store: Store) -> list[Archive]:
        return await store.read(entries.every)

    found = _run(read)
    if not found:
        click.echo("There is no archive yet: heltig archives add NAME URL")
    width = max((len(entry.name) for entry in found), default=0)
    for entry in found:
        auth = entry.auth.__struct_config__.tag
        probed = f"probed {entry.probed:%Y-%m-%d}" if entry.probed else "not yet probed"
        click.echo(f"{entry.name:<{width}}  {entry.qido_url}  (authentication {auth}, {probed})")


@archives.command()
@click.argument("name")
def test(name: str) -> None:
    """Ask an archive how it behaves, with a few small requests, and say what was found.

    Exit code: 8 when it does not answer, or not as DICOMweb says.
    """

    async def probe(store: Store) -> list[str]:
        entry = await pipeline.find_archive(store, name)
        opened = open_archive(entry, load_settings(), environ=os.environ, waiting=say_wait(name))
        async with opened as archive:
            found = await pipeline.probe_archive(store, entry, archive, clock=now)
        return list(described(found))

    lines = _run(probe)
    click.echo(f"Archive {name} answers.")
    for line in lines:
        click.echo(f"  {line}")


@archives.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove an archive. The verdicts on its studies stay."""
    _run(lambda store: pipeline.remove_archive(store, name, at=now(), actor=ACTOR, origin=ORIGIN))
    click.echo(f"Archive {name} removed; the verdicts on its studies stay.")


def say_wait(name: str) -> Callable[[float], None]:
    """Says on the standard error stream that an archive has us wait."""

    def say(seconds: float) -> None:
        click.echo(f"Archive {name} asks us to wait {seconds:,.0f} s; waiting.", err=True)

    return say


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def _run(work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(load_settings()) as store:
            return await work(store)

    return asyncio.run(run())
