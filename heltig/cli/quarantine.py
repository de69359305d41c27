"""`heltig quarantine`: studies that a gate kept back, and what a person decides about them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
import msgspec

from heltig.cli.archives import ACTOR, ORIGIN, format_option, now
from heltig.cli.database import open_database
from heltig.jobs.queue import JobQueue
from heltig.pipeline.gate.asking import NAMES
from heltig.pipeline.gate.quarantine import InQuarantine, Outcome, QuarantineDesk
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.profiles import load_profile
from heltig.pipeline.pull.service import ArchiveProfiles
from heltig.pipeline.upload.spool import Spool
from heltig.setting_sources import load_settings
from heltig.setting_types import Size
from heltig.store.gate_studies import Quarantined

T = TypeVar("T")

number_argument = click.argument("number", type=click.IntRange(1, 2**31 - 1), metavar="NUMBER")
reason_option = click.option("--reason", required=True, help="Why; the audit trail keeps it.")


@click.group()
def quarantine() -> None:
    """List studies that a gate kept back, and decide about them."""


@quarantine.command("list")
@click.option("--archive", help="Only what was to go there.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The most studies."
)
@format_option
def list_(archive: str | None, limit: int, form: str) -> None:
    """List the studies that wait for a person, those that wait longest first."""
    found = _run(lambda desk: desk.waiting(gate=archive, limit=limit, offset=0))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    if not found:
        click.echo("No study is in quarantine.")
    for one in found:
        click.echo(_line(one))


@quarantine.command()
@number_argument
@format_option
def show(number: int, form: str) -> None:
    """Show the study NUMBER with its objects: who sent them, and what became of each."""
    found = _run(lambda desk: desk.show(number))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    for line in _shown(found):
        click.echo(line)


@quarantine.command()
@number_argument
@reason_option
def release(number: int, reason: str) -> None:
    """Forward the study NUMBER to its archive although it was kept back.

    Where the profile wants a second person for that, this asks for their consent; they give it on the pages,
    or by REST.
    """
    outcome = _run(lambda desk: desk.release(number, reason=reason, actor=ACTOR, origin=ORIGIN))
    if not _waits(outcome):
        click.echo(f"{outcome.instances} objects are forwarded by job {outcome.job}.")


@quarantine.command()
@number_argument
@reason_option
@click.confirmation_option(prompt="What waits of the study is gone for good then. Go on?")
def discard(number: int, reason: str) -> None:
    """Throw away, for good, what was kept back of the study NUMBER: nobody else may have it.

    Where the profile wants a second person for that, this asks for their consent.
    """
    outcome = _run(lambda desk: desk.discard(number, reason=reason, actor=ACTOR, origin=ORIGIN))
    if not _waits(outcome):
        click.echo(f"{outcome.instances} objects were thrown away.")


@quarantine.command()
@number_argument
@click.argument("request", type=click.IntRange(1, 2**31 - 1), metavar="REQUEST")
@reason_option
def decline(number: int, request: int, reason: str) -> None:
    """Decline what somebody asked about the study NUMBER, or take back what this command asked.

    REQUEST is the number that `heltig quarantine show NUMBER` tells. There is no command to consent: nobody
    says who they are on a command line.
    """
    ended = _run(lambda desk: desk.decline(number, request, reason=reason, actor=ACTOR, origin=ORIGIN))
    click.echo(f"Request {ended.id} of {ended.asked_by} is {ended.state}.")


def _waits(outcome: Outcome) -> bool:
    """Says it where a second person has to consent."""
    if outcome.asked is None:
        return False
    click.echo(
        f"Nothing is done yet: a second person has to consent to request {outcome.asked.id}, until "
        f"{outcome.asked.expires:%Y-%m-%d %H:%M} UTC, on the pages or by REST."
    )
    return True


def _line(one: Quarantined) -> str:
    study = one.study
    since = f"{study.quarantined:%Y-%m-%d %H:%M} UTC" if study.quarantined else "-"
    return (
        f"{study.id:>8}  {study.location.name}  {study.study_key}  since {since}, "
        f"{one.objects} objects, {Size(one.size)}: {study.reason}"
    )


def _shown(found: InQuarantine) -> list[str]:
    study = found.study
    lines = [
        f"study    {study.study_key}",
        f"archive  {study.location.name}",
        f"since    {study.quarantined:%Y-%m-%d %H:%M} UTC",
        f"reason   {study.reason}",
    ]
    if study.due is not None:
        lines.append(f"More of it came; it is judged again at {study.due:%H:%M:%S} UTC.")
    if found.asked is not None:
        asked = found.asked
        lines.append(
            f"Request {asked.id}: {asked.asked_by} asks that it be {NAMES[asked.act]}, until "
            f"{asked.expires:%Y-%m-%d %H:%M} UTC: {asked.reason}"
        )
    for past in found.answered:
        who = f" by {past.decided_by}" if past.decided_by else ""
        lines.append(f"Request {past.id} of {past.asked_by} ({past.act}): {past.state}{who}")
    for one in found.objects:
        lines.append(
            f"  {one.state:<11}  {one.sop_instance_uid}  {Size(one.size)}, from {one.sender or '-'}, "
            f"received {one.received:%Y-%m-%d %H:%M:%S} UTC"
        )
    return lines


def _run(work: Callable[[QuarantineDesk], Awaitable[T]]) -> T:
    async def run() -> T:
        settings = load_settings()
        async with open_database(settings) as store:
            spool = Spool(settings.home / "spool")
            objects = GateSpool(
                settings.home / "spool" / "gate", name=spool.name, reserve=settings.gate_reserve
            )
            profiles = ArchiveProfiles(store, load_profile(settings.profile), clock=now)
            desk = QuarantineDesk(JobQueue(store, clock=now), objects, profile_of=profiles.of, clock=now)
            return await work(desk)

    return asyncio.run(run())
