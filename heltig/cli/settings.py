"""`heltig settings`: what is in force, and where it comes from."""

import os

import click

from heltig.setting_info import describe


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also those that have their default.")
def settings(everything: bool) -> None:
    """Show the settings in force and where each comes from; secrets are masked."""
    infos = [info for info in describe(os.environ) if everything or info.source != "default"]
    if not infos:
        click.echo("Every setting has its default; `heltig settings --all` lists them.")
    width = max((len(info.variable) for info in infos), default=0)
    for info in infos:
        click.echo(f"{info.variable:<{width}}  {info.value}  ({info.source})")
