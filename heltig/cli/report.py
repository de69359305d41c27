"""`heltig report`: what stored verdicts say, of a study, a batch, an archive or a period."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import click
import msgspec

from heltig.cli.archives import now
from heltig.cli.check_output import file_for, standard_output, try_file
from heltig.cli.database import open_database
from heltig.cli.looks import record_look, recorded
from heltig.errors import UsageError
from heltig.reports.gathering import lines_of, pictures_of, refuse_what_is_not_there, study_of
from heltig.reports.verdict_about import About, about_scope, moment
from heltig.reports.verdict_line import VerdictLine, line_of
from heltig.reports.verdict_report import Format, written
from heltig.setting_sources import load_settings
from heltig.store.engine import Store
from heltig.store.judged_studies import JudgedStudy, Scope
from heltig.store.records import Location


@click.command()
@click.argument("study", required=False, metavar="[STUDY]")
@click.option("--location", metavar="NAME", help="With STUDY: where it was seen; else where it is worst.")
@click.option("--batch", metavar="NAME", help="An upload by its name, or a backfill as `backfill:7`.")
@click.option("--archive", metavar="NAME", help="All studies of an archive.")
@click.option("--since", metavar="DATE", help="Verdicts given on this day (UTC) or later.")
@click.option("--until", metavar="DATE", help="Verdicts given on this day (UTC) or earlier.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["html", "json", "csv", "ndjson"]),
    help="By the ending of FILE by default, else html.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it there."
)
@click.option(
    "--redact", is_flag=True, help="Without text, names, dates and times that could name a patient."
)
def report(
    study: str | None,
    location: str | None,
    batch: str | None,
    archive: str | None,
    since: str | None,
    until: str | None,
    format_: Format | None,
    output: Path | None,
    redact: bool,
) -> None:
    """Report what stored verdicts say, and why.

    Of one STUDY (its StudyInstanceUID or key), of a batch, of an archive, or of the verdicts given in a
    period; these can be combined. Nothing is judged and no archive is asked. Every time is in UTC.

    HTML is one file that prints well; CSV has a row a finding, NDJSON a verdict a line.

    Exit code: 0 whatever the verdicts are; 2 wrong usage; 4 there is no such study, location or batch; 7 the
    database or the file failed.
    """
    if study is not None and (batch or archive or since or until):
        raise UsageError("Name a STUDY, or a batch, archive or period: not both.")
    if location is not None and study is None:
        raise UsageError("--location goes with a STUDY; --archive reports all of an archive.")
    if batch and archive:
        raise UsageError("A batch has its archive: give --batch or --archive.")
    chosen = format_ or _format_of(output)
    scope = Scope(
        location=_location(batch, archive),
        backfill=_backfill(batch),
        since=moment(since) if since else None,
        until=moment(until, ends=True) if until else None,
    )
    if output is not None:
        try_file(output, option="--output")
    asyncio.run(_report(study, location, scope, chosen, output, redact=redact))


async def _report(
    study: str | None,
    location: str | None,
    scope: Scope,
    format_: Format,
    output: Path | None,
    *,
    redact: bool,
) -> None:
    async with open_database(load_settings()) as store:
        if study is not None:
            found = await study_of(store, study, named(location), now=now())
            await record_look(store, "report", study=found.study.study_key)
            pieces = _of_study(store, found, format_, redact=redact)
        else:
            about = about_scope(scope, redact=redact, written=now())
            await store.read(refuse_what_is_not_there, scope)
            given: dict[str, object] = {"batch": scope.backfill, "location": scope.location}
            given |= {"since": scope.since, "until": scope.until}
            searched = tuple(name for name, value in given.items() if value is not None)
            await record_look(store, "report", study=None, keys=searched)
            lines = lines_of(store, scope, redact=redact, clock=now)
            pieces = written(recorded(store, "report", lines), format_, about)
        with standard_output() if output is None else file_for(output, option="--output") as file:
            async for piece in pieces:
                file.write(piece)


async def _of_study(store: Store, found: JudgedStudy, format_: Format, *, redact: bool) -> AsyncIterator[str]:
    pictures = await pictures_of(store, found) if format_ == "html" else None
    about = About(kind="study", title=f"Study {found.study.study_key}", redacted=redact, written=now())
    async for piece in written(_one(line_of(found, redact=redact)), format_, about, pictures=pictures):
        yield piece


async def _one(line: VerdictLine) -> AsyncIterator[VerdictLine]:
    yield line


def named(location: str | None) -> Location | None:
    """A location as somebody names it: `main` is `archive:main`; None for none.

    Raises:
        UsageError: There is no such kind of location.
    """
    if location is None:
        return None
    try:
        return Location.parse(location) if ":" in location else Location("archive", location)
    except msgspec.ValidationError as error:
        raise UsageError(
            "A location is an archive's name, or archive:NAME, gate:NAME, upload:NAME."
        ) from error


def _location(batch: str | None, archive: str | None) -> Location | None:
    if batch and not batch.startswith("backfill:"):
        return Location("upload", batch.removeprefix("upload:"))
    return named(archive)


def _backfill(batch: str | None) -> int | None:
    if not batch or not batch.startswith("backfill:"):
        return None
    number = batch.removeprefix("backfill:")
    if not (number.isascii() and number.isdigit()):
        raise UsageError("A backfill is named by its number: backfill:7.")
    return int(number)


def _format_of(output: Path | None) -> Format:
    match output.suffix.lower() if output else "":
        case "" | ".html" | ".htm":
            return "html"
        case ".json":
            return "json"
        case ".csv":
            return "csv"
        case ".ndjson" | ".jsonl":
            return "ndjson"
        case ".pdf":
            raise UsageError(
                "Reports are not written as PDF: write one as .html, and print it from a browser."
            )
    raise UsageError(
        "The name of FILE does not say which form it is to have: let it end in .html, .json, .csv or "
        ".ndjson, or give --format."
    )
