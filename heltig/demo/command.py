"""`heltig demo`: synthetic studies in an archive of their own, pulled over HTTP, judged, and shown."""

import asyncio
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from heltig.cli.database import open_database
from heltig.demo.archive import LoopbackArchive
from heltig.demo.studies import SyntheticStudy, make_studies
from heltig.errors import UsageError
from heltig.pipeline.archives.administration import add_archive
from heltig.pipeline.archives.connecting import open_archive
from heltig.pipeline.archives.probing import known_capabilities
from heltig.pipeline.keep import Scoring
from heltig.pipeline.pool import JudgingPool
from heltig.pipeline.pull.listing import list_studies
from heltig.pipeline.pull.run import PulledStudy, corrected, judged_again, pull_archive
from heltig.reports.text import COLOURS, WIDTH_WITHOUT_TERMINAL
from heltig.reports.wording import counted
from heltig.rules.profile import DEFAULT
from heltig.setting_sources import load_settings
from heltig.settings import Settings
from heltig.store.archives import Archive
from heltig.verdict import READINESS

ARCHIVE = "demo"
ACTOR = "demo"
RULES_SHOWN = 3


@click.command()
@click.option("--once", is_flag=True, help="Stop after the table: serve nothing.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the studies as folders and ZIPs of DICOM files, to try `heltig check` on.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the page; that of the settings by default."
)
def demo(once: bool, output: Path | None, port: int | None) -> None:
    """See Heltig work, on synthetic studies.

    Makes studies of several modalities, clean ones and some that are broken in instructive ways, serves them
    from a small DICOMweb archive on this machine, pulls and judges them over HTTP, and shows the verdicts: as
    a table, and on a page until Ctrl-C. Everything it keeps is in a temporary folder.
    """
    studies = make_studies()
    if output is not None:
        from heltig.demo.samples import write_samples  # brings pydicom, which the rest does not need

        if output.is_dir() and any(output.iterdir()):
            raise UsageError(f"--output: {output} is not empty; name a new or an empty folder.")
        try:
            written = write_samples(studies, output)
        except OSError as error:
            raise UsageError(
                f"--output: {output} cannot be written: {error.strerror}; name another."
            ) from error
        for path in written:
            click.echo(f"wrote {path}")
    with tempfile.TemporaryDirectory(prefix="heltig-demo-") as home:
        chosen = {} if port is None else {"port": port}
        settings = replace(load_settings({**os.environ, "HELTIG_HOME": home}), auth_mode="off", **chosen)
        asyncio.run(_pull(studies, settings))
        if not once:
            _serve(settings)


async def _pull(studies: Sequence[SyntheticStudy], settings: Settings) -> None:
    """Serve the studies, pull them into a new database and show what became of them."""
    started = time.perf_counter()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(_archive_of(studies))
        store = await stack.enter_async_context(open_database(settings))
        entry = Archive(name=ARCHIVE, qido_url=url, wado_url=url)
        await add_archive(store, entry, at=_now(), actor=ACTOR, origin="")
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="heltig-"))
        pool = JudgingPool(settings.workers, scratch=Path(scratch))
        stack.push_async_callback(pool.close)
        scoring = Scoring(store, pool, profile=DEFAULT, clock=_now, actor=ACTOR, origin="")
        archive = await stack.enter_async_context(open_archive(entry, settings, environ=os.environ))
        capabilities = await known_capabilities(store, entry, archive, clock=_now)
        listing = await list_studies(archive, {})
        results = pull_archive(archive, listing.studies, scoring=scoring, capabilities=capabilities)
        async with aclosing(results):
            found = [result async for result in results]
        pulled = corrected(found, await judged_again(ARCHIVE, scoring))
    _show(pulled, studies, seconds=time.perf_counter() - started)


@asynccontextmanager
async def _archive_of(studies: Sequence[SyntheticStudy]) -> AsyncIterator[str]:
    """The root of an archive that holds the studies."""
    instances = [dataset for study in studies for dataset in study.datasets]
    async with LoopbackArchive(instances) as archive:
        withheld = frozenset[str]().union(*(study.withheld for study in studies))
        archive.faults = dataclasses.replace(archive.faults, withheld=withheld)
        yield archive.url


def _show(pulled: Sequence[PulledStudy], studies: Sequence[SyntheticStudy], *, seconds: float) -> None:
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=WIDTH_WITHOUT_TERMINAL, color_system=None)
    titles = {uid: study.title for study in studies for uid in _uids(study)}
    table = Table("verdict", "study", "instances", "why", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for result in sorted(pulled, key=_worst_first):
        readiness = result.readiness or "failed"
        why = ", ".join(result.rules[:RULES_SHOWN]) or result.error
        more = len(result.rules) - RULES_SHOWN
        table.add_row(
            Text(readiness, COLOURS.get(readiness, "")),
            titles.get(result.uid, result.uid),
            str(result.instances),
            f"{why} and {more} more" if more > 0 else why,
        )
    console.print(table)
    instances = sum(result.instances for result in pulled)
    done = f"{counted(len(pulled), 'study', 'studies')} of {counted(instances, 'instance')}"
    console.print(f"\n{done}, pulled over HTTP, judged and stored in {seconds:.1f} s. The data is synthetic.")


def _uids(study: SyntheticStudy) -> set[str]:
    elements = (dataset.get("0020000D", {}) for dataset in study.datasets)
    return {str(value) for element in elements for value in element.get("Value", ())}


def _worst_first(result: PulledStudy) -> tuple[int, str]:
    return READINESS.index(result.readiness) if result.readiness else -1, result.uid


def _serve(settings: Settings) -> None:
    from heltig.cli.serve import run  # the web framework takes longer to import than the demo to judge

    click.echo("\nCtrl-C ends the demo.")
    run(settings)


def _now() -> datetime:
    return datetime.now(UTC)
