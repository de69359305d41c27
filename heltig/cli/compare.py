"""`heltig compare SOURCE DESTINATION`: the same studies in two archives, side by side."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final

import click

from heltig.cli.database import open_database
from heltig.errors import NotFoundError, UsageError
from heltig.pipeline.differences.comparing import (
    Compared,
    Status,
    compare_study,
    compared,
    days_of,
    locations_of,
)
from heltig.reports.comparison import Format, write
from heltig.setting_sources import load_settings

DIFFERENT: Final = 10
_DAY = click.DateTime(["%Y-%m-%d", "%Y%m%d"])


@click.command()
@click.argument("source")
@click.argument("destination")
@click.option("--study", metavar="UID", help="Only this study.")
@click.option("--from", "first", type=_DAY, metavar="YYYY-MM-DD", help="Studies of this day and later ones.")
@click.option("--to", "last", type=_DAY, metavar="YYYY-MM-DD", help="Studies of this day and earlier ones.")
@click.option("--all", "everything", is_flag=True, help="List studies that are equal, too.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "csv", "json", "html"]),
    default="text",
    show_default=True,
    help="How to write it; json is one object a line, the last the summary.",
)
def compare(
    source: str,
    destination: str,
    study: str | None,
    first: datetime | None,
    last: datetime | None,
    everything: bool,
    format_: Format,
) -> None:
    """Compare the studies of two archives, as they were pulled: what is where, and what differs.

    No archive is asked: pull both before, with `heltig pull ARCHIVE --backfill`. Attributes are compared
    where both archives show all of them, instances where both show whole studies.

    Exit code: 0 all studies are equal; 10 one differs, is in one archive alone, or cannot be compared, or its
    attributes cannot; 4 there is no such archive, or no study; 2 wrong usage or settings; 7 the database
    failed.
    """
    if study is not None and (first or last):
        raise UsageError("Give --study, or --from and --to.")
    if first and last and first > last:
        raise UsageError("--from is after --to.")
    dates = days_of(first and first.date(), last and last.date())
    counts = asyncio.run(
        _compare(
            source, destination, study, dates, everything=everything or study is not None, format_=format_
        )
    )
    sys.exit(0 if counts.total() == counts["equal"] else DIFFERENT)


async def _compare(
    source: str,
    destination: str,
    study: str | None,
    dates: tuple[str, str],
    *,
    everything: bool,
    format_: Format,
) -> Counter[Status]:
    async with open_database(load_settings()) as store:
        if study is not None:
            found = _one(await store.read(compare_study, source, destination, study))
        else:
            await store.read(locations_of, source, destination)  # before anything is written
            found = compared(store, source, destination, dates=dates)
        counts = await write(
            found, format_, sys.stdout, source=source, destination=destination, everything=everything
        )
    if not counts:
        raise NotFoundError(
            f"No study of {source} or {destination} was pulled, or none of these days. Pull both before: "
            "heltig pull ARCHIVE --backfill"
        )
    return counts


async def _one(compared_study: Compared) -> AsyncGenerator[Compared, None]:
    yield compared_study
