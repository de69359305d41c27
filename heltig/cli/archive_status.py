"""`heltig archives status`: how far archives are read, what waits, how they answer."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import click
import msgspec

from heltig.cli.database import open_database
from heltig.pipeline.archives import watching
from heltig.pipeline.archives.status import ArchiveStatus, ServiceStatus
from heltig.reports.wording import counted
from heltig.setting_sources import load_settings


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, like `/api/v1/status`.")
def status(name: str | None, as_json: bool) -> None:
    """Say how all archives stand, or one of them in full."""
    now = datetime.now(UTC)

    async def read() -> ArchiveStatus | ServiceStatus:
        async with open_database(load_settings()) as store:
            if name is None:
                return await store.read(watching.service_status, now=now)
            return await store.read(watching.archive_status, name, now=now)

    found = asyncio.run(read())
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    for line in _of_archive(found, now) if isinstance(found, ArchiveStatus) else _of_all(found):
        click.echo(line)


def _of_all(found: ServiceStatus) -> Iterator[str]:
    width = max((len(one.name) for one in found.archives), default=0)
    for one in found.archives:
        yield f"{one.name:<{width}}  {one.state:<9}  {', '.join(_in_short(one))}"
    if not found.archives:
        yield "There is no archive yet: heltig archives add NAME URL"
    states = {"queued": 0, "running": 0, "failed": 0, "dead": 0}
    for job in found.jobs:
        states[job.state] = states.get(job.state, 0) + job.number
    yield (
        f"{counted(len(found.workers), 'worker')}; jobs: {states['running']:,} at work, "
        f"{states['queued']:,} wait, {states['dead'] + states['failed']:,} given up"
    )


def _in_short(one: ArchiveStatus) -> Iterator[str]:
    yield "never read" if one.lag_seconds is None else f"lag {one.lag_seconds:,.0f} s"
    if one.queue.settling:
        yield f"{counted(one.queue.settling, 'study', 'studies')} to pull"
    if waiting := one.queue.queued + one.queue.running:
        yield counted(waiting, "job")
    if given_up := one.queue.dead + one.queue.failed:
        yield f"{given_up:,} given up"
    lately = one.answering("15 min")
    if lately.error_rate:
        yield f"{lately.error_rate:.1%} errors"


def _of_archive(one: ArchiveStatus, now: datetime) -> Iterator[str]:
    yield f"{one.name}: {one.state}. {one.why}"
    for cursor in one.cursors:
        known = f"{cursor.covered:%Y-%m-%d %H:%M:%S} UTC" if cursor.covered else "nothing yet"
        done = (
            f"{max(0.0, (now - cursor.finished).total_seconds()):,.0f} s ago" if cursor.finished else "never"
        )
        place = cursor.position or "at its start"
        yield f"  {cursor.strategy}: known until {known}; last round {done}; {place}"
        if cursor.error:
            yield f"    {cursor.error}"
    queue = one.queue
    yield (
        f"  waiting: {counted(queue.settling, 'study', 'studies')}, {queue.due:,} of them quiet; jobs: "
        f"{queue.running:,} at work, {queue.queued:,} wait, {queue.dead + queue.failed:,} given up"
    )
    for breaker in one.breakers:
        until = f" until {breaker.until:%Y-%m-%d %H:%M:%S} UTC" if breaker.until else ""
        yield f"  breaker of {breaker.operation}: {breaker.state}{until}"
    for answers in one.answers:
        found = answers.answering
        if found.p50 is not None and found.p95 is not None and found.p99 is not None:
            what = f"{answers.window}, {answers.operation or 'all'}"
            yield (
                f"  {what}: {found.answers_per_minute:,.1f} a minute, "
                f"{found.error_rate or 0:.1%} errors, p50 {found.p50:.3f} s, p95 {found.p95:.3f} s, "
                f"p99 {found.p99:.3f} s"
            )
    for backfill in one.backfills:
        yield f"  backfill {backfill.dates or 'of everything'}: {backfill.done:,} of {backfill.studies:,}"
    for note in one.notes:
        yield f"  {note}"
