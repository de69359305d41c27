"""`heltig pull ARCHIVE --backfill`: all of an archive, or some days, by the service or in this process."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Final, cast, get_args

import click

from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.backfill_display import BackfillDisplay, backfill_display
from heltig.cli.check_output import file_for, try_file
from heltig.cli.database import open_database
from heltig.errors import ArchiveError, ConflictError, UsageError
from heltig.jobs.queue import JobQueue
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.backfill import walking as backfill
from heltig.pipeline.backfill.alone import BackfillAlone, is_somebody_working, watch
from heltig.pipeline.backfill.report import BackfillReport, report_of
from heltig.pipeline.identifiers.sights import ALL
from heltig.pipeline.keep import Scoring
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.pull.service import ArchiveProfiles
from heltig.reports.backfill import Format, write
from heltig.reports.wording import counted
from heltig.rules.profile import Profile
from heltig.setting_sources import load_settings
from heltig.settings import Settings
from heltig.store.backfills import Backfill
from heltig.store.engine import Store
from heltig.verdict import Readiness, worst

EXIT_CODES: Final[dict[Readiness, int]] = {"READY": 0, "NEEDS_REVIEW": 10, "BLOCKED": 20}
INTERRUPTED: Final = 130


def run_backfill(
    archive: str, dates: str, *, again: bool, output: Path | None, concurrency: int, profile: Profile
) -> int:
    """Starts a backfill, or goes on with one; returns the exit code.

    Args:
        archive: The archive's name.
        dates: A range of StudyDate (`heltig.pipeline.backfill.walking.range_of`).
        again: Studies that did not change are pulled, too.
        output: Where the report is to go.
        concurrency: Studies that are asked for at the same time, where this process asks for them.
        profile: What studies are judged with then, where their archive has none of its own.

    Raises:
        ArchiveError: The archive failed, for one study or as a whole.
        ConflictError: Somebody cancelled it.
        HeltigError: It cannot be started, or kept.
    """
    form = None
    if output is not None:
        form = _format_of(output)
        try_file(output, option="--output")
    try:
        report = asyncio.run(
            _backfill(
                archive, dates, again=again, output=(output, form), concurrency=concurrency, profile=profile
            )
        )
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on; what a service does goes on by itself.", err=True)
        return INTERRUPTED
    progress = report.progress
    if progress.state == "cancelled":
        raise ConflictError(f"Backfill {progress.id} was cancelled. What was pulled is kept.")
    if not progress.finished:
        left = counted(progress.studies - progress.done, "study", "studies")
        raise ArchiveError(f"{left} are still to be pulled. The same command goes on.")
    failed = progress.outcomes.get("failed", 0)
    if failed:
        raise ArchiveError(
            f"{failed} of {counted(progress.studies, 'study', 'studies')} could not be pulled. "
            "What was known of them stands; the next backfill asks for them again."
        )
    return EXIT_CODES[worst(report.figures.total.verdicts)]


async def _backfill(
    archive: str,
    dates: str,
    *,
    again: bool,
    output: tuple[Path | None, Format | None],
    concurrency: int,
    profile: Profile,
) -> BackfillReport:
    settings = load_settings()
    async with open_database(settings) as store:
        queue = JobQueue(store, clock=now)
        known, is_new = await backfill.start(
            queue, archive, dates=dates, again=again, actor=ACTOR, origin=ORIGIN
        )
        with backfill_display(sys.stdout) as display:
            if not is_new:
                display.say(f"Going on with backfill {known.id}, begun {known.started:%Y-%m-%d %H:%M} UTC.")
            try:
                await _work(store, settings, known, display, concurrency=concurrency, profile=profile)
            finally:
                report = await store.read(report_of, known.id, ALL, now=now())
                display.summary(report)
                _write(report, *output)
    return report


async def _work(
    store: Store,
    settings: Settings,
    known: Backfill,
    display: BackfillDisplay,
    *,
    concurrency: int,
    profile: Profile,
) -> None:
    """Watches who works on it, or does it where nobody does."""
    if await is_somebody_working(store, now=now()):
        display.say("A service works: it pulls the studies, this command watches.")
        progress = await watch(store, known.id, clock=now, told=display.told)
        if progress.finished:
            return
        display.say("The service is gone: this command goes on by itself.")
    opens = OpenArchives(store, settings, environ=os.environ, clock=now)
    with tempfile.TemporaryDirectory(prefix="heltig-") as scratch:
        pool = JudgingPool(settings.workers, scratch=Path(scratch))
        profile_of = ArchiveProfiles(store, profile, clock=now).of
        scoring = Scoring(store, pool, profile=profile_of, clock=now, actor=ACTOR, origin=ORIGIN)
        alone = BackfillAlone(
            opens, scoring, concurrency=concurrency, told=display.told, pulled=display.pulled
        )
        try:
            await alone.run(known)
        finally:
            await opens.close()
            await pool.close()


def _write(report: BackfillReport, output: Path | None, form: Format | None) -> None:
    if output is not None and form is not None:
        with file_for(output, option="--output") as file:
            write(report, form, file)


def _format_of(output: Path) -> Format:
    suffix = output.suffix.lower().removeprefix(".")
    if suffix not in get_args(Format):
        raise UsageError("--output ends in .html, .csv or .json: that is what is written.")
    return cast(Format, suffix)
