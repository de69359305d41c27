"""`heltig archives`: the remote archives of a site."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import msgspec

from connectors.base import Capabilities
from heltig.cli.acting import user
from heltig.cli.archive_options import entry_options, patch_of, reset_choices, reset_patch
from heltig.cli.archive_status import status
from heltig.cli.database import open_database
from heltig.errors import ArchiveError, UsageError
from heltig.pipeline.archives import administration as pipeline
from heltig.pipeline.archives.capabilities import described
from heltig.pipeline.archives.connecting import connect
from heltig.pipeline.archives.form import entry_of, read_form
from heltig.pipeline.archives.probing import probe_archive
from heltig.pipeline.archives.view import ArchiveView, BreakerView, archive_view, archive_views
from heltig.setting_sources import load_settings
from heltig.store.archives import Archive
from heltig.store.engine import Store

T = TypeVar("T")

ACTOR = f"cli:{user()}"
"""Who acts in the audit trail when a command does; `ORIGIN` is from where."""
ORIGIN = "cli"


format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it."
)


@click.group()
def archives() -> None:
    """Add, list, change, test, pause and remove remote archives."""


archives.add_command(status)


@archives.command()
@click.argument("name")
@click.argument("url")
@entry_options
def add(name: str, url: str, **given: Any) -> None:
    """Add the archive whose DICOMweb services lie at URL, and call it NAME.

    Only the reference to a secret is stored, never the secret. `heltig archives test NAME` tries it.
    """
    form = read_form({"name": name, "qidoUrl": url, **patch_of(given)})
    entry = entry_of(form, load_settings())
    _run(lambda store: pipeline.add_archive(store, entry, at=now(), actor=ACTOR, origin=ORIGIN))
    click.echo(f"Archive {name} added. Try it: heltig archives test {name}")


@archives.command()
@click.argument("name")
@click.option(
    "--qido-url", metavar="URL", help="The root of its QIDO-RS, and of WADO-RS where that is the same."
)
@entry_options
@click.option(
    "--reset",
    multiple=True,
    type=click.Choice(reset_choices()),
    metavar="OPTION",
    help="Give an option its default again, such as hours. Give it several times for several.",
)
def change(name: str, reset: tuple[str, ...], **given: Any) -> None:
    """Change what is given of the archive NAME; it is tried anew at once, whatever failed before."""
    told = patch_of(given)
    defaults = reset_patch(reset)
    options = {**defaults.pop("options", {}), **told.pop("options", {})}
    patch = {**defaults, **told, **({"options": options} if options else {})}
    if not patch:
        raise UsageError("Nothing to change was given. `heltig archives change --help` lists what can be.")
    settings = load_settings()
    _run(
        lambda store: pipeline.change_archive(
            store, settings, name, patch, at=now(), actor=ACTOR, origin=ORIGIN
        )
    )
    click.echo(f"Archive {name} changed. Try it: heltig archives test {name}")


@archives.command("list")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it."
)
def list_(form: str) -> None:
    """List the archives."""

    async def read(store: Store) -> list[ArchiveView]:
        return await store.read(archive_views)

    found = _run(read)
    if form == "json":
        click.echo(_json(found))
        return
    if not found:
        click.echo("There is no archive yet: heltig archives add NAME URL")
    width = max((len(view.name) for view in found), default=0)
    for view in found:
        probed = f"probed {view.probed:%Y-%m-%d}" if view.probed else "not yet probed"
        state = "broken, " if view.broken else "paused, " if view.paused else ""
        broken = "".join(f", {one.operation} {one.state}" for one in view.breakers if one.state != "closed")
        kind = view.auth["kind"]
        click.echo(f"{view.name:<{width}}  {view.qido_url}  ({state}authentication {kind}, {probed}{broken})")


@archives.command()
@click.argument("name")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to write it."
)
def show(name: str, form: str) -> None:
    """Show how the archive NAME is configured, and what is known of it."""

    async def read(store: Store) -> ArchiveView:
        return await store.read(archive_view, name, with_references=True)

    view = _run(read)
    if form == "json":
        click.echo(_json(view))
        return
    for field, value in _lines(view):
        click.echo(f"{field:<20} {value}")
    for line in view.described:
        click.echo(f"  {line}")


@archives.command()
@click.argument("name")
def test(name: str) -> None:
    """Ask an archive how it behaves, with a few small requests, and say what was found.

    Exit code: 8 when it does not answer, or not as DICOMweb says.
    """

    async def probe(store: Store) -> Capabilities:
        entry = await pipeline.find_archive(store, name)
        return await _tested(store, entry)

    found = _run(probe)
    click.echo(f"Archive {name} answers.")
    for line in described(found):
        click.echo(f"  {line}")


@archives.command()
@click.argument("name")
def pause(name: str) -> None:
    """Ask nothing of the archive NAME until it is resumed. What is known of its studies stays."""
    _set_paused(name, paused=True)
    click.echo(f"Archive {name} is paused. Go on: heltig archives resume {name}")


@archives.command()
@click.argument("name")
def resume(name: str) -> None:
    """Go on with the archive NAME, at once, whatever failed before."""
    _set_paused(name, paused=False)
    click.echo(f"Archive {name} is resumed.")


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


async def _tested(store: Store, entry: Archive) -> Capabilities:
    name = entry.name
    connecting = connect(entry, load_settings(), environ=os.environ, waiting=say_wait(name))
    try:
        async with connecting as connected:
            found = await probe_archive(store, entry, connected.dicomweb, clock=now)
    except ArchiveError:
        await pipeline.record_test(store, name, outcome="failure", at=now(), actor=ACTOR, origin=ORIGIN)
        raise
    await pipeline.record_test(store, name, outcome="success", at=now(), actor=ACTOR, origin=ORIGIN)
    return found


def _set_paused(name: str, *, paused: bool) -> None:
    _run(
        lambda store: pipeline.pause_archive(store, name, paused=paused, at=now(), actor=ACTOR, origin=ORIGIN)
    )


def _lines(view: ArchiveView) -> list[tuple[str, object]]:
    told: dict[str, Any] = msgspec.to_builtins(view)
    options = told.pop("options")
    for field in ("capabilities", "described", "etag"):
        told.pop(field)
    told["auth"] = ", ".join(f"{name} {value}" for name, value in told["auth"].items())
    told["breakers"] = "; ".join(_breaker(one) for one in view.breakers)
    plain = {**told, **options}
    return [
        (name, ", ".join(value) if isinstance(value, list | tuple) else value)
        for name, value in plain.items()
        if value not in (None, "", (), [])
    ]


def _breaker(one: BreakerView) -> str:
    until = f" until {one.until:%Y-%m-%d %H:%M:%S} UTC" if one.until else ""
    return f"{one.operation} {one.state}{until} ({one.error})"


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _run(work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(load_settings()) as store:
            return await work(store)

    return asyncio.run(run())
