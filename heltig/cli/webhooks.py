"""`heltig webhooks`: receivers that are told of changes and alerts."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, get_args

import click
import msgspec

from heltig.cli.archives import ACTOR, ORIGIN, format_option, now
from heltig.cli.database import open_database
from heltig.errors import UsageError
from heltig.pipeline.telling.delivering import DeliveryDesk
from heltig.pipeline.telling.webhook_form import WebhookView, webhook_view
from heltig.pipeline.telling.webhooks import WebhookDesk
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings
from heltig.store import deliveries as rows
from heltig.store import webhooks as store_webhooks
from heltig.store.alert_kinds import ALERT_KINDS
from heltig.store.deliveries import Delivery, DeliveryState
from heltig.store.engine import Store
from heltig.store.transaction import ReadTransaction

T = TypeVar("T")

_EVENTS: Final = ("verdict", "alerts", *ALERT_KINDS)
_SIDES: Final = ("READY", "NEEDS_REVIEW", "BLOCKED", "NONE")
_WHO: Final = {"by": ACTOR, "origin": ORIGIN}
_FIELDS: Final = {
    "secret": "secrets",
    "event": "events",
    "location": "locations",
    "from_readiness": "fromReadiness",
    "to_readiness": "toReadiness",
    "concurrency": "concurrency",
    "ca_bundle": "caBundle",
    "url": "url",
}

_OPTIONS: Final = (
    click.option(
        "--secret",
        multiple=True,
        metavar="REF",
        help="Where the secret lies that signs what is sent: env:NAME or file:PATH. Two while one replaces "
        "the other.",
    ),
    click.option(
        "--event",
        multiple=True,
        type=click.Choice(_EVENTS),
        help="What it is told of; verdict where nothing is said. Give it several times for several.",
    ),
    click.option(
        "--location",
        multiple=True,
        metavar="LOCATION",
        help="Only what is of archive:NAME, gate:NAME or upload; may be given several times.",
    ),
    click.option(
        "--from", "from_readiness", multiple=True, type=click.Choice(_SIDES), help="Only changes from it."
    ),
    click.option(
        "--to", "to_readiness", multiple=True, type=click.Choice(_SIDES), help="Only changes to it."
    ),
    click.option("--concurrency", type=click.IntRange(1, 8), help="Deliveries at a time; 1 by default."),
    click.option("--ca-bundle", metavar="FILE", help="PEM file of the only authorities to trust."),
)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def webhooks() -> None:
    """Add, list, change, test, pause and remove webhooks, and see to their deliveries."""


@webhooks.command()
@click.argument("name")
@click.argument("url")
@_options
def add(name: str, url: str, **given: Any) -> None:
    """Have the receiver at URL told of what happens, and call it NAME.

    Only the references to secrets are stored, never the secrets. `heltig webhooks test NAME` tries it.
    """
    entry = {"name": name, "url": url, **_given(given)}
    _run(lambda desk, store: desk.add(entry, **_WHO))
    click.echo(f"Webhook {name} added. Try it: heltig webhooks test {name}")


@webhooks.command()
@click.argument("name")
@click.option("--url", metavar="URL", help="Where its receiver is.")
@_options
@click.option(
    "--reset",
    multiple=True,
    type=click.Choice([name for name in _FIELDS if name not in ("url", "secret")]),
    metavar="OPTION",
    help="Give an option its default again, such as location. Give it several times for several.",
)
def change(name: str, reset: tuple[str, ...], **given: Any) -> None:
    """Change what is given of the webhook NAME; its receiver is tried anew at once."""
    patch = {**{_FIELDS[one]: None for one in reset}, **_given(given)}
    if not patch:
        raise UsageError("Nothing to change was given. `heltig webhooks change --help` lists what can be.")
    _run(lambda desk, store: desk.change(name, patch, **_WHO))
    click.echo(f"Webhook {name} changed. Try it: heltig webhooks test {name}")


@webhooks.command("list")
@format_option
def list_(form: str) -> None:
    """List the webhooks."""

    async def read(desk: WebhookDesk, store: Store) -> list[WebhookView]:
        return [webhook_view(one) for one in await store.read(store_webhooks.every)]

    found = _run(read)
    if form == "json":
        click.echo(_json(found))
        return
    if not found:
        click.echo("There is no webhook yet: heltig webhooks add NAME URL --secret REF")
    width = max((len(view.name) for view in found), default=0)
    for view in found:
        click.echo(f"{view.name:<{width}}  {view.url}  ({_state(view)}{', '.join(view.options.events)})")


@webhooks.command()
@click.argument("name")
def test(name: str) -> None:
    """Send the receiver of the webhook NAME an event `test`, once.

    Exit code: 8 when it does not take it.
    """

    async def send(desk: WebhookDesk, store: Store) -> int:
        delivering = DeliveryDesk(store, clock=now, environ=os.environ)
        try:
            return (await desk.test(name, delivering, **_WHO)).status
        finally:
            await delivering.close()

    click.echo(f"Webhook {name} took it ({_run(send)}).")


@webhooks.command()
@click.argument("name")
def pause(name: str) -> None:
    """Send nothing to the webhook NAME until it is resumed. What happens meanwhile is never sent."""
    _run(lambda desk, store: desk.pause(name, paused=True, **_WHO))
    click.echo(f"Webhook {name} is paused. Go on: heltig webhooks resume {name}")


@webhooks.command()
@click.argument("name")
def resume(name: str) -> None:
    """Go on with the webhook NAME, and with what waited for it."""
    _run(lambda desk, store: desk.pause(name, paused=False, **_WHO))
    click.echo(f"Webhook {name} is resumed.")


@webhooks.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the webhook NAME, and what waits for it."""
    _run(lambda desk, store: desk.remove(name, **_WHO))
    click.echo(f"Webhook {name} removed.")


@webhooks.command()
@click.argument("name")
@click.option("--state", type=click.Choice(get_args(DeliveryState)), help="Only those that stand so.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The most.")
@format_option
def deliveries(name: str, state: DeliveryState | None, limit: int, form: str) -> None:
    """List what the webhook NAME was told, is told and was told in vain, the newest first."""

    def read(transaction: ReadTransaction) -> list[Delivery]:
        webhook = store_webhooks.find(transaction, name)
        return rows.newest(transaction, webhook, state=state, limit=limit)

    found = _run(lambda desk, store: store.read(read))
    if form == "json":
        click.echo(_json(found))
        return
    if not found:
        click.echo("There is no such delivery.")
    for one in found:
        told = f": {one.error}" if one.error and one.state != "delivered" else ""
        click.echo(
            f"{one.job:>8}  {one.state:<9}  {one.event} {one.about}  "
            f"{one.created:%Y-%m-%d %H:%M} UTC, {counted(one.attempts, 'attempt')}{told}"
        )


@webhooks.command()
@click.argument("name")
@click.argument("number", type=click.IntRange(1), metavar="[DELIVERY]", required=False)
def retry(name: str, number: int | None) -> None:
    """Queue a dead DELIVERY of the webhook NAME again, or all of them, as if they had never been tried."""
    queued = _run(lambda desk, store: desk.retry(name, number, **_WHO))
    dead = counted(queued, "dead delivery", "dead deliveries")
    click.echo(f"{dead} of webhook {name} queued; what waits is tried now.")


def _given(given: dict[str, Any]) -> dict[str, Any]:
    return {_FIELDS[name]: value for name, value in given.items() if value not in (None, ())}


def _state(view: WebhookView) -> str:
    if view.paused:
        return f"paused, {view.reason} " if view.reason else "paused, "
    return f"failing: {view.error} " if view.failing_since else ""


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _run(work: Callable[[WebhookDesk, Store], Awaitable[T]]) -> T:
    async def run() -> T:
        settings = load_settings()
        async with open_database(settings) as store:
            return await work(WebhookDesk(store, home=settings.home, clock=now, from_afar=False), store)

    return asyncio.run(run())
