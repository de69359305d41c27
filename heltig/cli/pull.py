"""`heltig pull ARCHIVE`: read studies from an archive, judge them, keep the verdicts."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from pathlib import Path

import click

from connectors.base import Archive
from heltig.cli.archives import ACTOR, ORIGIN, now, say_wait
from heltig.cli.database import open_database
from heltig.cli.options import is_profile_given, profile_option
from heltig.cli.pull_display import Display, display_for
from heltig.errors import ArchiveError, NotFoundError, UsageError
from heltig.pipeline.archives.administration import find_archive
from heltig.pipeline.archives.connecting import open_archive
from heltig.pipeline.archives.probing import known_capabilities
from heltig.pipeline.backfill.walking import range_of
from heltig.pipeline.keep import Scoring
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.pull.listing import ListedStudy, list_studies
from heltig.pipeline.pull.run import PulledStudy, corrected, judged_again, pull_archive
from heltig.pipeline.pull.service import ArchiveProfiles
from heltig.pipeline.pull.vanished import vanished_studies
from heltig.reports.wording import counted
from heltig.rules.profile import Profile
from heltig.setting_sources import load_settings
from heltig.store.engine import Store
from heltig.store.records import Location
from heltig.verdict import worst

EXIT_CODES = {"READY": 0, "NEEDS_REVIEW": 10, "BLOCKED": 20}
_DAY = click.DateTime(["%Y-%m-%d", "%Y%m%d"])


@click.command()
@click.argument("archive")
@click.option("--study", metavar="UID", help="Only this study.")
@click.option("--from", "first", type=_DAY, metavar="YYYY-MM-DD", help="Studies of this day and later ones.")
@click.option("--to", "last", type=_DAY, metavar="YYYY-MM-DD", help="Studies of this day and earlier ones.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 16),
    default=2,
    show_default=True,
    help="Studies that are asked for at the same time.",
)
@click.option("--backfill", is_flag=True, help="All of ARCHIVE, or of these days, resumable; see below.")
@click.option("--again", is_flag=True, help="With --backfill: also studies that did not change.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --backfill: write what it came to, as .html, .csv or .json.",
)
@profile_option
def pull(
    archive: str,
    study: str | None,
    first: datetime | None,
    last: datetime | None,
    concurrency: int,
    backfill: bool,
    again: bool,
    output: Path | None,
    profile: Profile,
) -> None:
    """Read studies from ARCHIVE, judge them and keep the verdicts.

    A study that did not change since it was judged keeps its verdict, unless another one that came
    contradicts it: then it is judged again in the end. One that is known here and not listed any more is
    asked for by its UID, and withdrawn where the archive definitely has it no more; when more than half of
    those known are not listed, none is. With --from and --to this holds for studies of these days. One that
    fails, since the archive does not answer for it, keeps what is known of it and is asked for again by the
    next pull.

    With --backfill it may be interrupted at any time: the same command goes on where it was. Studies that are
    known and did not change are not read again. While a service works on this database it does the work, and
    the command shows how far it is.

    Exit code: 0 all studies are READY (one that is gone does not count), 10 one NEEDS_REVIEW, 20 one is
    BLOCKED; 8 the archive failed, for one study or as a whole, or one could not be judged; 4 there is no such
    archive, or the study of --study is neither there nor known here; 2 wrong usage or settings, 7 the
    database failed, 1 a fault of Heltig's own.
    """
    if study is not None and (first or last):
        raise UsageError("Give --study, or --from and --to.")
    if study is not None and not study.strip():
        raise UsageError("--study is empty: give a StudyInstanceUID.")
    query = _query(first, last)
    if backfill:
        from heltig.cli.backfill import run_backfill

        if study is not None or is_profile_given():
            raise UsageError("--backfill takes neither --study nor --profile: archives have their profiles.")
        dates = query.get("StudyDate", "")
        sys.exit(
            run_backfill(archive, dates, again=again, output=output, concurrency=concurrency, profile=profile)
        )
    if again or output is not None:
        raise UsageError("--again and --output are for --backfill.")
    pulled = asyncio.run(
        _pull(
            archive,
            study,
            query,
            concurrency=concurrency,
            profile=profile,
            is_given=is_profile_given(),
        )
    )
    failed = sum(result.outcome == "failed" for result in pulled)
    if failed:
        raise ArchiveError(
            f"{failed} of {counted(len(pulled), 'study', 'studies')} could not be pulled; the lines say why. "
            "What was known of them stands; pull again to ask for them again."
        )
    if study is not None and any(result.outcome == "not found" for result in pulled):
        raise NotFoundError(f"Nothing was stored. `heltig pull {archive}` asks for all that it has.")
    sys.exit(EXIT_CODES[worst(result.readiness for result in pulled if result.readiness)])


async def _pull(
    name: str,
    study: str | None,
    query: dict[str, str],
    *,
    concurrency: int,
    profile: Profile,
    is_given: bool,
) -> Sequence[PulledStudy]:
    settings = load_settings()
    async with AsyncExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="heltig-"))
        store = await stack.enter_async_context(open_database(settings))
        pool = JudgingPool(settings.workers, scratch=Path(scratch))
        stack.push_async_callback(pool.close)
        entry = await find_archive(store, name)
        profile_of = None if is_given else ArchiveProfiles(store, profile, clock=now).of
        scoring = Scoring(store, pool, profile=profile_of or profile, clock=now, actor=ACTOR, origin=ORIGIN)
        opened = open_archive(entry, settings, environ=os.environ, waiting=say_wait(name))
        archive = await stack.enter_async_context(opened)
        capabilities = await known_capabilities(store, entry, archive, clock=now)
        display = stack.enter_context(display_for(sys.stdout))
        if study is not None:
            wanted: Sequence[ListedStudy] = (ListedStudy(study, ()),)
            display.begin(1)
        else:
            wanted = await _listed(archive, query, store, display)
        pulled = []
        results = pull_archive(
            archive, wanted, scoring=scoring, capabilities=capabilities, concurrency=concurrency
        )
        async with aclosing(results):
            async for result in results:
                pulled.append(result)
                display.show(result)
        changed = await judged_again(archive.id, scoring)
        for result in changed:
            display.show_again(result)
        return corrected(pulled, changed)


async def _listed(
    archive: Archive, query: dict[str, str], store: Store, display: Display
) -> Sequence[ListedStudy]:
    """The studies that the archive lists, and those known here that it does not."""
    listing = await list_studies(archive, query, progress=display.listing)
    missing = await vanished_studies(store, Location("archive", archive.id), listing, query)
    wanted = listing.studies + missing.studies
    display.begin(len(wanted))
    for note in listing.notes + missing.notes:
        display.note(note)
    return wanted


def _query(first: datetime | None, last: datetime | None) -> dict[str, str]:
    """The range of study dates as PS3.4 C.2.2.2.5 writes it; nothing for all studies."""
    if first and last and first > last:
        raise UsageError("--from is after --to.")
    dates = range_of(first and first.date(), last and last.date())
    return {"StudyDate": dates} if dates else {}
