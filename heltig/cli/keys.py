"""`heltig keys`: the API keys of programs and archives."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar, cast

import click

from heltig.auth import keys as auth_keys
from heltig.auth.keys import NewKey
from heltig.auth.principal import AREAS, ROLES, Area, Role
from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.database import open_database
from heltig.setting_sources import load_settings
from heltig.store import keys as entries
from heltig.store.engine import Store
from heltig.store.keys import ApiKey

T = TypeVar("T")

DEFAULT_DAYS = 365


@click.group()
def keys() -> None:
    """Make, list and revoke API keys.

    A key is sent as `Authorization: Bearer hk_…`. It is needed where HELTIG_AUTH_MODE is `api-key`,
    and taken beside logins and tokens where it is `hybrid`.
    """


@keys.command()
@click.argument("name")
@click.option("--role", type=click.Choice(list(ROLES)), required=True, help="What its holder may do.")
@click.option(
    "--area",
    "areas",
    type=click.Choice(list(AREAS)),
    multiple=True,
    help="Limits it to parts of what the role may; can be given several times.",
)
@click.option(
    "--days",
    type=click.IntRange(0, 36_500),
    default=DEFAULT_DAYS,
    show_default=True,
    help="How long it is good; 0 for ever.",
)
def create(name: str, role: str, areas: tuple[str, ...], days: int) -> None:
    """Make a key, call it NAME, and show it: once, for only its hash is kept."""

    async def make(store: Store) -> str:
        time = now()
        new = NewKey(
            name=name,
            role=cast(Role, role),
            areas=cast(tuple[Area, ...], areas),
            expires=time + timedelta(days=days) if days else None,
        )
        return await store.write_durably(auth_keys.create, new, actor=ACTOR, origin=ORIGIN, now=time)

    key = _run(make)
    click.echo(f"Key {name}, {role}: keep it now, it is not shown again.", err=True)
    click.echo(key)


@keys.command("list")
def list_() -> None:
    """List the keys, without the keys themselves."""

    async def read(store: Store) -> list[ApiKey]:
        return await store.read(entries.every)

    found = _run(read)
    if not found:
        click.echo("There is no key yet: heltig keys create NAME --role ROLE")
    width = max((len(key.name) for key in found), default=0)
    for key in found:
        areas = f" ({', '.join(key.scopes)})" if key.scopes else ""
        used = f"last used {key.last_used:%Y-%m-%d %H:%M} UTC" if key.last_used else "never used"
        click.echo(f"{key.name:<{width}}  {key.prefix}…  {key.role}{areas}  {_standing(key)}, {used}")


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Make a key useless, at once and for good."""

    async def end(store: Store) -> None:
        await store.write_durably(auth_keys.revoke, name, actor=ACTOR, origin=ORIGIN, now=now())

    _run(end)
    click.echo(f"Key {name} is revoked.")


def _standing(key: ApiKey) -> str:
    if key.revoked:
        return f"revoked {key.revoked:%Y-%m-%d}"
    if key.expires is None:
        return "good without an end"
    return f"{'expired' if key.expires <= now() else 'good until'} {key.expires:%Y-%m-%d}"


def _run(work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(load_settings()) as store:
            return await work(store)

    return asyncio.run(run())
