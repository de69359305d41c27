"""`heltig alerts`: what those who run the service have to know."""

import asyncio

import click
import msgspec

from heltig.cli.archives import format_option
from heltig.cli.database import open_database
from heltig.pipeline.telling.alert_view import AlertView, alert_view
from heltig.setting_sources import load_settings
from heltig.store import alerts as rows
from heltig.store.alerts import AlertState


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also those that ended.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The most.")
@format_option
def alerts(everything: bool, limit: int, form: str) -> None:
    """List what those who run the service have to know, the newest first.

    The service and its workers raise alerts and end them; nobody has to.
    """
    found = asyncio.run(_read(everything, limit))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    if not found:
        click.echo("There is no alert.")
    for one in found:
        until = f" to {one.ended:%Y-%m-%d %H:%M}" if one.ended else ""
        click.echo(f"{one.raised:%Y-%m-%d %H:%M}{until} UTC  {one.kind}  {one.detail}")


async def _read(everything: bool, limit: int) -> list[AlertView]:
    async with open_database(load_settings()) as store:
        state: AlertState | None = None if everything else "standing"
        return [alert_view(one) for one in await store.read(rows.newest, state=state, limit=limit)]
