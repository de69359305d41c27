"""`heltig purge`: remove what is older than it is kept, or what came in wrongly."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import click
import msgspec

from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.database import open_database
from heltig.errors import NotFoundError, StorageError, UsageError
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.gate.spool_mending import SpoolDesk
from heltig.pipeline.retention.ages import PurgeReport, Retention
from heltig.pipeline.retention.purge import KIND, PurgeDesk
from heltig.pipeline.retention.removing import RemovalDesk
from heltig.pipeline.upload.spool import Spool
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings, variable_of
from heltig.settings import Settings
from heltig.store import jobs
from heltig.store.engine import Store
from heltig.store.jobs import Job
from heltig.store.records import Location

T = TypeVar("T")

_LOOK_SECONDS: Final = 0.5


@click.command("purge")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be removed.")
@click.option("--study", metavar="UID", help="Remove this study, whatever its age: it came in wrongly.")
@click.option(
    "--location", metavar="KIND:NAME", help="Where, such as archive:main, where several places have it."
)
@click.option("--upload", metavar="NAME", help="Remove this upload with all of its studies, likewise.")
@click.option(
    "--spool",
    is_flag=True,
    help="Compare the spool of this server with the database: remove files that nothing names, and write off "
    "objects whose files are lost.",
)
@click.option(
    "--reason",
    default="",
    help="Why; the audit trail keeps it. For --study, --upload and --spool.",
)
@click.option(
    "--vacuum", is_flag=True, help="Give the room back to the disk (SQLite): others wait meanwhile."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def purge(
    dry_run: bool,
    study: str | None,
    location: str | None,
    upload: str | None,
    spool: bool,
    reason: str,
    vacuum: bool,
    form: str,
) -> None:
    """Remove what is older than the settings HELTIG_KEEP_... say; the service does it once a day.

    Nothing is removed of a study that is under review (NEEDS_REVIEW or BLOCKED), has a waiver in force, or is
    in quarantine or custody. With --study or --upload one study or upload that came in wrongly is removed,
    under review or not: other studies that it contradicts are judged again without it.
    """
    if bool(study) + bool(upload) + spool > 1:
        raise UsageError("Give one of --study, --upload and --spool.")
    if (study or upload) and dry_run:
        raise UsageError("--dry-run is for what is removed by its age.")
    if (reason and not (study or upload or spool)) or (location and not study):
        raise UsageError("--location is for --study, --reason for --study, --upload and --spool.")
    settings = load_settings()
    if study or upload:
        place = None if location is None else _location(location)
        _run(settings, lambda store: _remove(store, study, place, upload, reason))
    elif spool:
        _run(settings, lambda store: _mend(store, settings, dry_run=dry_run, reason=reason))
    else:
        report = _run(settings, lambda store: _purge(store, settings, dry_run=dry_run))
        if form == "json":
            click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        else:
            for line in _lines(report):
                click.echo(line)
    if vacuum and not dry_run:
        freed = _run(settings, lambda store: store.compact())
        click.echo(
            f"The database's file is {about(freed)} smaller." if freed else "No room was given back.",
            err=form == "json",
        )


async def _purge(store: Store, settings: Settings, *, dry_run: bool) -> PurgeReport:
    queue = JobQueue(store, clock=now)
    desk = PurgeDesk(queue, Retention.of(settings), clock=now)
    if dry_run:
        return await desk.would_purge()
    job = await desk.start(dry_run=False, actor=ACTOR, origin=ORIGIN)
    runner = Runner(queue, {KIND: desk.run}, places=1)
    while (found := await _found(store, job)).state in ("queued", "running"):
        await runner.drain()  # unless the service was quicker, or goes on with one that it had begun
        await asyncio.sleep(_LOOK_SECONDS)
    if found.state != "succeeded":
        raise StorageError(found.error or f"Job {job} is {found.state}.")
    return msgspec.convert(found.result, PurgeReport)


async def _found(store: Store, job: int) -> Job:
    found = await store.read(jobs.find, job)
    if found is None:
        raise NotFoundError(f"There is no job {job} any more.")
    return found


async def _remove(
    store: Store, study: str | None, location: Location | None, upload: str | None, reason: str
) -> None:
    desk = RemovalDesk(JobQueue(store, clock=now), clock=now)
    who: dict[str, Any] = {"reason": reason, "actor": ACTOR, "origin": ORIGIN}
    if study is not None:
        gone = await desk.remove_study(study, location, **who)
        click.echo(
            f"Study {gone.study_key} of {gone.location} is removed. It was {gone.readiness or gone.state}."
        )
    elif upload is not None:
        studies = await desk.remove_upload(upload, **who)
        click.echo(f"Upload {upload} is removed with {counted(len(studies), 'study', 'studies')}.")


async def _mend(store: Store, settings: Settings, *, dry_run: bool, reason: str) -> None:
    folder = settings.home / "spool"
    spool = GateSpool(folder / "gate", name=Spool(folder).name, reserve=settings.gate_reserve)
    desk = SpoolDesk(JobQueue(store, clock=now), spool, clock=now)
    found = await desk.look()
    click.echo(
        f"{counted(found.objects, 'object')} in custody, {counted(len(found.lost), 'file')} of them lost; "
        f"{counted(len(found.useless), 'file')} that nothing names, {about(found.size)}."
    )
    if not dry_run and (found.lost or found.useless):
        await desk.mend(found, reason=reason, actor=ACTOR, origin=ORIGIN)
        click.echo(
            "The spool is mended: `heltig audit` has what was lost." if found.lost else "They are removed."
        )


def _lines(report: PurgeReport) -> list[str]:
    does = "would be removed" if report.dry_run else "removed"
    lines = []
    for kind, one in report.kinds.items():
        kept = f"kept {counted(one.keep, 'day')}" if one.keep else "kept for ever"
        size = f", about {about(one.size)}" if one.size else ""
        name, setting = kind.replace("_", " "), variable_of(f"keep_{kind}")
        lines.append(f"{name:<12}  {one.count:>9,} {does}{size}  ({kept}, {setting})")
    return lines


def about(size: int) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size //= 1024
    return f"{size:,.0f} GiB"


def _location(text: str) -> Location:
    try:
        return Location.parse(text)
    except msgspec.ValidationError as wrong:
        raise UsageError(f"--location: {text} is no location such as archive:main or upload:NAME.") from wrong


def _run(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(settings) as store:
            return await work(store)

    return asyncio.run(run())
