"""`heltig sessions`: who is logged in to the pages, and an end of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from heltig.auth import sessions as auth_sessions
from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.database import open_database
from heltig.errors import NotFoundError
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings
from heltig.store import sessions as entries
from heltig.store.engine import Store
from heltig.store.sessions import Session

T = TypeVar("T")


@click.group()
def sessions() -> None:
    """List and end sessions of people who logged in.

    Somebody whose role was taken away at the OpenID provider keeps it until their session ends:
    HELTIG_SESSION_HOURS after their login, or at once by `heltig sessions end`.
    """


@sessions.command("list")
def list_() -> None:
    """List the sessions that go on."""

    async def read(store: Store) -> list[Session]:
        return await store.read(entries.going_on, at=now())

    found = _run(read)
    if not found:
        click.echo("Nobody is logged in.")
    width = max((len(session.name) for session in found), default=0)
    for session in found:
        since, until = (f"{time:%Y-%m-%d %H:%M}" for time in (session.created, session.expires))
        seen, granted = f"{session.last_seen:%H:%M}", ", ".join(session.granted)
        click.echo(
            f"{session.name:<{width}}  since {since}, last seen {seen}, until {until} UTC  ({granted})"
        )


@sessions.command()
@click.argument("name", required=False)
@click.option("--everybody", is_flag=True, help="All sessions, whoever is in them.")
def end(name: str | None, everybody: bool) -> None:
    """End all sessions of NAME, at once; they have to log in again."""
    if everybody == bool(name):
        raise click.UsageError("Give a name as `heltig sessions list` shows it, or --everybody.")

    async def end_them(store: Store) -> int:
        return await store.write_durably(
            auth_sessions.end_by_name, name, actor=ACTOR, origin=ORIGIN, now=now()
        )

    ended = _run(end_them)
    if name and not ended:
        raise NotFoundError(f"There is no session of {name}. `heltig sessions list` has those that go on.")
    click.echo(f"{counted(ended, 'session is', 'sessions are')} ended.")


def _run(work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(load_settings()) as store:
            return await work(store)

    return asyncio.run(run())
