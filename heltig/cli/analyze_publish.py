"""`heltig analyze ANALYSIS --publish-to ARCHIVE`: what would be sent; with `--send`, what became of it."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import click
import msgspec

from heltig.cli.archives import ACTOR, ORIGIN
from heltig.imaging.statements import RESEARCH_USE
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.research.publishing.codes import meaning_of_failure
from heltig.pipeline.research.publishing.desk import KIND, Planned
from heltig.store.publications import Publication

FAILED: Final = 7
"""The exit code where an object is not published."""

_LOOK: Final = timedelta(seconds=1)
_UNDER_WAY: Final = ("waiting", "stored")


class Publishing(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        archive: Where objects go.
        sends: They are sent; else only said.
        waits: Until that has ended.
    """

    analysis_id: str
    archive: str
    sends: bool
    waits: bool


async def publish(wanted: Publishing, desk: ResearchDesk, queue: JobQueue, *, is_json: bool) -> int:
    """Does it, and tells; returns the exit code.

    Raises:
        NotFoundError: There is no such analysis, no such archive, or no files.
        ConflictError: Publishing is off, or the analysis is not done.
        AuthorisationError: The archive is not one that the site allows.
    """
    click.echo(RESEARCH_USE, err=True)
    analysis = await desk.files.find(wanted.analysis_id)
    if not wanted.sends:
        _tell(
            [_planned(one) for one in await desk.publishing.plan(analysis, wanted.archive)], is_json=is_json
        )
        click.echo(f"Nothing was sent. --send sends it to archive {wanted.archive}.", err=True)
        return 0
    await desk.publishing.publish(analysis, wanted.archive, actor=ACTOR, origin=ORIGIN)
    runner = Runner(queue, {KIND: desk.publishing.run}, places=1)
    while True:
        found = [one for one in await desk.publishing.of(analysis) if one.target == wanted.archive]
        if not wanted.waits or not any(one.state in _UNDER_WAY for one in found):
            break
        await runner.drain()
        await asyncio.sleep(_LOOK.total_seconds())
    _tell([_published(one) for one in found], is_json=is_json)
    return FAILED if any(one.state == "failed" for one in found) else 0


def _planned(one: Planned) -> dict[str, Any]:
    told = {
        "name": one.result.name,
        "state": "would be sent" if one.is_sent else "verified",
        "sopInstanceUid": one.result.sop_instance_uid,
    }
    return {**told, "code": "", "meaning": ""}


def _published(one: Publication) -> dict[str, Any]:
    told = {"name": one.name, "state": one.state, "sopInstanceUid": one.sop_instance_uid}
    return {**told, "code": one.code, "meaning": meaning_of_failure(one.code)}


def _tell(objects: list[dict[str, Any]], *, is_json: bool) -> None:
    if is_json:
        told = {"objects": objects, "statement": RESEARCH_USE}
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
        return
    for one in objects:
        said = f"  {one['code']}: {one['meaning']}" if one["code"] else ""
        click.echo(f"{one['state']:<14} {one['name']:<18} {one['sopInstanceUid']}{said}")
