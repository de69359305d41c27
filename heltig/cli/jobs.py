"""`heltig jobs`: what is queued and running, and what becomes of jobs that ended badly."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast, get_args

import click

from heltig.cli.archives import ACTOR, ORIGIN, now
from heltig.cli.database import open_database
from heltig.jobs.dead_letters import DeadLetters
from heltig.jobs.queue import JobQueue
from heltig.setting_sources import load_settings
from heltig.store import jobs as rows
from heltig.store.jobs import Job, JobState
from heltig.store.transaction import ReadTransaction

T = TypeVar("T")


@click.group()
def jobs() -> None:
    """List jobs, and decide about those that ended badly.

    A job that failed cannot succeed; one that is dead was tried ten times. Their studies are judged only when
    they are retried.
    """


@jobs.command("list")
@click.option("--state", type=click.Choice(get_args(JobState)), help="Only jobs that are so.")
@click.option("--kind", help="Only of this kind, such as pull.")
@click.option("--group", help="Only of this group, such as archive:main.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The most jobs.")
def list_(state: str | None, kind: str | None, group: str | None, limit: int) -> None:
    """List jobs, the newest first."""

    def read(transaction: ReadTransaction) -> list[Job]:
        wanted = cast(JobState | None, state)
        return rows.newest(transaction, state=wanted, kind=kind, group=group, limit=limit)

    found = _run(lambda queue: queue.store.read(read))
    if not found:
        click.echo("There is no such job.")
    for job in found:
        click.echo(f"{job.id:>8}  {job.state:<9}  {job.kind:<10}  {job.group or '-'}  {_told(job)}")


@jobs.command()
@click.argument("number", type=click.IntRange(1), metavar="JOB")
def retry(number: int) -> None:
    """Queue a job again that failed, is dead or was cancelled, as if it had never been tried."""
    _run(lambda queue: DeadLetters(queue).retry(number, by=ACTOR, origin=ORIGIN))
    click.echo(f"Job {number} is queued.")


@jobs.command()
@click.argument("number", type=click.IntRange(1), metavar="JOB")
def discard(number: int) -> None:
    """Let a job be that failed or is dead; it stays in the list, as cancelled."""
    _run(lambda queue: DeadLetters(queue).discard(number, by=ACTOR, origin=ORIGIN))
    click.echo(f"Job {number} is cancelled.")


def _told(job: Job) -> str:
    told = f"added {job.created:%Y-%m-%d %H:%M} UTC, {job.attempts} attempts"
    return f"{told}: {job.error}" if job.error else told


def _run(work: Callable[[JobQueue], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(load_settings()) as store:
            return await work(JobQueue(store, clock=now))

    return asyncio.run(run())
