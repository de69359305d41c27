"""`heltig comments`: what people say about a study, and who sees to it."""

import asyncio

import click
import msgspec

from heltig.cli.archives import format_option
from heltig.cli.database import open_database
from heltig.cli.looks import record_look
from heltig.errors import NotFoundError
from heltig.setting_sources import load_settings
from heltig.store import comments, owners, studies
from heltig.store.comments import Comment
from heltig.store.owners import Owner
from heltig.store.transaction import ReadTransaction


class Review(msgspec.Struct, frozen=True):
    """What people make of a study.

    Attributes:
        owners: Who sees to it, by location; where nobody does there is none.
        comments: The first one first.
    """

    owners: dict[str, Owner]
    comments: list[Comment]


@click.command("comments")
@click.argument("study")
@format_option
def comments_command(study: str, form: str) -> None:
    """Show the comments on STUDY, a StudyInstanceUID, and who sees to it.

    There is no command to comment: a comment has an author, and nobody says who they are on a command line.

    Exit code: 4 there is no such study.
    """
    found = asyncio.run(_review(study))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    for location, owner in found.owners.items():
        click.echo(f"Owner at {location}: {_line(owner.name)} since {owner.since:%Y-%m-%d %H:%M} UTC")
    if not found.comments:
        click.echo("Nobody has commented on this study.")
    for one in found.comments:
        click.echo(f"{one.id:>6}  {_line(one.author)}, {one.written:%Y-%m-%d %H:%M} UTC, at {one.location}")
        if one.withdrawn is not None:
            click.echo(f"        withdrawn by {_line(one.withdrawn_by)}, {one.withdrawn:%Y-%m-%d %H:%M} UTC")
        for line in one.text.splitlines():
            click.echo(f"        {_line(line)}")


async def _review(study: str) -> Review:
    async with open_database(load_settings()) as store:
        await store.read(_insist_on_study, study)
        await record_look(store, "comments", study=study)
        return await store.read(_read, study)


def _insist_on_study(transaction: ReadTransaction, study: str) -> None:
    if not studies.find_everywhere(transaction, study):
        raise NotFoundError("Nothing is known of this study. It was never pulled or uploaded.")


def _read(transaction: ReadTransaction, study: str) -> Review:
    owned = {location: owner for (location, _), owner in owners.of(transaction, [study]).items()}
    return Review(owned, comments.of_study(transaction, study))


def _line(text: str) -> str:
    """A text as a terminal may have it: no control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
