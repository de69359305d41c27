"""`heltig doctor`: whether everything is there that Heltig needs, and what to do where it is not."""

import asyncio
import os

import click
import msgspec

from heltig.cli.archives import format_option, now
from heltig.errors import ConfigurationError
from heltig.pipeline.doctor import Check, examine
from heltig.pipeline.doctor.check import failed, ok
from heltig.reports.wording import counted
from heltig.setting_info import describe
from heltig.setting_sources import load_settings

FAILED = 1
"""The exit code where something does not work."""

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "bright_black"}


@click.command()
@click.option(
    "--offline",
    is_flag=True,
    help="Ask no archive and no OpenID provider; look at what is stored and on this host.",
)
@format_option
@click.pass_context
def doctor(ctx: click.Context, offline: bool, form: str) -> None:
    """Look whether settings, folder, disk, database, Redis, archives and clocks are as they should be.

    So are the OpenID provider and the proxies before the service. Says of each what was found and, where
    something is wrong, what to do. It changes nothing; archives are asked as `heltig archives test` does. Run
    it as the user and with the settings of the service.

    Exit code: 0 when nothing failed (warnings are no failure), 1 when something did.
    """
    found = asyncio.run(_examine(asks=not offline, tells=form == "text"))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    elif not any(one.state in ("failed", "warning") for one in found):
        click.echo("All is well.")
    if any(one.state == "failed" for one in found):
        ctx.exit(FAILED)


async def _examine(*, asks: bool, tells: bool) -> list[Check]:
    found: list[Check] = []

    def take(check: Check) -> None:
        found.append(check)
        if tells:
            _tell(check)

    try:
        settings = load_settings()
    except ConfigurationError as error:
        take(failed("settings", error.detail, "Mend that first: nothing else can be looked at."))
        return found
    given = [one for one in describe(os.environ) if one.source != "default"]
    take(
        ok(
            "settings",
            f"{counted(len(given), 'setting')} given, the rest have their defaults: `heltig settings --all`.",
        )
    )
    async for check in examine(settings, environ=os.environ, clock=now, asks=asks):
        take(check)
    return found


def _tell(check: Check) -> None:
    state = click.style(f"{check.state:<8}", fg=_COLOURS[check.state])
    click.echo(f"{state} {check.about}: {check.found}")
    if check.remedy:
        click.echo(f"{'':<9}-> {check.remedy}")
