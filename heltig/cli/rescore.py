"""`heltig rescore`: judge what is stored again, without asking any archive."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.database import open_database
from heltig.cli.options import is_profile_given, profile_option
from heltig.errors import StorageError
from heltig.pipeline.again.rescore import rescore
from heltig.pipeline.again.rescore_report import Move, RescoreReport, RuleCount
from heltig.pipeline.again.rescore_selection import see_that_it_is_known
from heltig.pipeline.keep import Scoring
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.pull.service import ArchiveProfiles
from heltig.reports.wording import counted
from heltig.rules.profile import Profile
from heltig.setting_sources import load_settings
from heltig.store import archives
from heltig.store.outdated import Selection


@click.command("rescore")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would become of the verdicts.")
@click.option("--archive", metavar="NAME", help="Only studies of this archive.")
@click.option("--study", metavar="UID", help="Only this study.")
@click.option("--rule", metavar="ID", help="Only studies whose last verdict has a finding of this rule.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@profile_option
def rescore_command(
    dry_run: bool,
    archive: str | None,
    study: str | None,
    rule: str | None,
    format_: str,
    profile: Profile,
) -> None:
    """Judge stored studies again under the installed ruleset and the profile.

    Without --profile the studies of an archive that has a profile of its own are judged under that.

    No archive is asked. A study whose verdict is of this ruleset and profile already is left alone, so that a
    run that was interrupted goes on where it was. Each other study gets a new revision.

    Exit code: 0 whatever the verdicts are; 4 there is no such archive, study or rule; 7 the database failed,
    or a study could not be judged: what was known of it stands.
    """
    report = asyncio.run(
        _rescore(archive, study, rule, dry_run=dry_run, profile=profile, is_given=is_profile_given())
    )
    if format_ == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2))
    else:
        for line in _lines(report):
            click.echo(line)
    if report.failed:
        raise StorageError(
            f"{counted(len(report.failed), 'study', 'studies')} could not be judged again: "
            f"{report.failed[0].error}"
        )


async def _rescore(
    archive: str | None,
    study: str | None,
    rule: str | None,
    *,
    dry_run: bool,
    profile: Profile,
    is_given: bool,
) -> RescoreReport:
    settings = load_settings()
    with tempfile.TemporaryDirectory(prefix="heltig-") as scratch:
        pool = JudgingPool(settings.workers, scratch=Path(scratch))
        async with open_database(settings) as store:
            selection = Selection(
                location=None if archive is None else archives.location_of(archive),
                study_key=study,
                rule=rule,
            )
            await store.read(see_that_it_is_known, selection, profile)
            profile_of = None if is_given else ArchiveProfiles(store, profile, clock=now).of
            scoring = Scoring(
                store, pool, profile=profile_of or profile, clock=now, actor=ACTOR, origin=ORIGIN
            )
            try:
                with _progress() as progress:
                    return await rescore(
                        scoring,
                        profile,
                        selection,
                        dry_run=dry_run,
                        since=None,
                        at_once=settings.workers,
                        profile_of=profile_of,
                        progress=progress,
                    )
            finally:
                await pool.close()


@contextmanager
def _progress() -> Iterator[Any]:
    """Shows on a terminal how many studies are done; elsewhere nothing."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{done:,} of {counted(total, 'study', 'studies')}", nl=False, err=True)

    yield show
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)


def _lines(report: RescoreReport) -> Iterator[str]:
    would = "would " if report.dry_run else ""
    own = (
        f", {report.under_own_profiles:,} of them under their archives' own"
        if report.under_own_profiles
        else ""
    )
    yield (
        f"{counted(report.studies, 'study', 'studies')} under ruleset {report.ruleset.version} "
        f"({report.ruleset.hash[:12]}), profile {report.profile}{own}"
    )
    yield f"  {report.unchanged:>7,} unchanged"
    yield f"  {report.changed:>7,} {would}have the same verdict with other findings"
    yield f"  {report.moved:>7,} {would}have another verdict"
    if report.failed:
        yield f"  {len(report.failed):>7,} could not be judged"
    if report.rendered:
        yield f"{counted(report.rendered, 'prepared answer')} {'to be ' if report.dry_run else ''}made anew"
    for move in report.moves:
        yield ""
        yield f"{move.study} at {move.location}"
        yield from _reasons(move)
    if report.changes:
        yield ""
        yield "the same verdict with other findings"
    for change in report.changes:
        yield f"  {change.study} at {change.location}  {change.readiness}: {', '.join(change.rules)}"
    for failure in report.failed:
        yield ""
        yield f"{failure.study} at {failure.location}: {failure.error}"
    changed = [rule for rule in report.rules if rule.studies]
    if changed:
        yield ""
        yield f"{'findings by rule':<28} {'before':>8} {'after':>8} {'studies':>8}"
        for count in changed:
            counts = f"{count.before:>8,} {count.after:>8,} {count.studies:>8,}"
            yield f"{count.rule:<28} {counts}  {_severities(count)}".rstrip()
    if report.dry_run:
        yield ""
        yield "Nothing was written."


def _reasons(move: Move) -> Iterator[str]:
    for when, readiness, rules in (
        ("before", move.before, move.before_rules),
        ("after", move.after, move.after_rules),
    ):
        yield f"  {when:<7} {readiness:<13} {', '.join(rules)}".rstrip()


def _severities(count: RuleCount) -> str:
    """How severe a rule's findings were and are, where that is not the same."""
    before, after = count.severity_before, count.severity_after
    if before == after or not before or not after:
        return ""
    return f"{', '.join(before)} before, {', '.join(after)} now"
