"""`heltig analyze STUDY|PATH…`: measure what is in a READY study, for research only."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, cast

import click
import msgspec

from heltig.cli.analyze_display import Display
from heltig.cli.analyze_publish import Publishing, publish
from heltig.cli.archives import ACTOR, ORIGIN, format_option, now
from heltig.cli.database import open_database
from heltig.cli.options import profile_option
from heltig.dicom.uid import is_valid
from heltig.errors import ConfigurationError, NotFoundError, UsageError
from heltig.imaging.order import MODALITIES, OPTIONAL_FAMILIES, SegmenterOrder, Told
from heltig.imaging.segment.options import read_options
from heltig.jobs.queue import JobQueue
from heltig.jobs.runner import Runner
from heltig.pipeline.archives.opened import OpenArchives
from heltig.pipeline.gate.spool import GateSpool
from heltig.pipeline.research.alone import Alone, analyse_alone
from heltig.pipeline.research.asked import Asked, EndedError, Target
from heltig.pipeline.research.desk import ResearchDesk
from heltig.pipeline.research.opening import research_desk
from heltig.pipeline.research.ordering import Ordering
from heltig.pipeline.research.plan import read_plan
from heltig.pipeline.research.running import is_installed
from heltig.pipeline.upload.spool import Spool
from heltig.rules.profile import Profile
from heltig.setting_sources import load_settings
from heltig.settings import Settings
from heltig.store.analyses import Analysis
from heltig.store.records import Location

REFUSED: Final = 3
"""The exit code of an analysis that was refused, as of input that is."""

FAILED: Final = 7
"""That of one that failed."""

_LOOK_SECONDS: Final = 1.0


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="STUDY|PATH...")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where files of PATH are analysed to: a new or empty folder.",
)
@click.option("--location", metavar="KIND:NAME", help="Where STUDY is; where it is READY by default.")
@click.option(
    "--segmenter",
    "segmenters",
    multiple=True,
    metavar="NAME",
    help="What finds structures, of those of HELTIG_ANALYSIS_PLAN; several run one after the other. With "
    "PATH also NAME,OPTION=VALUE,….",
)
@click.option(
    "--masks",
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="With PATH: masks that were made elsewhere, a NIfTI file of labels or a folder of masks.",
)
@click.option(
    "--keep-printed",
    "printed",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="With PATH: keep what programs of segmenters print. It may show what is in the images.",
)
@click.option(
    "--target",
    type=click.Choice(["soft_tissue", "brain", "any"]),
    default="soft_tissue",
    show_default=True,
    help="What the selection of a series looks for.",
)
@click.option("--slice-metrics", is_flag=True, help="Something is measured on single slices, such as at L3.")
@click.option(
    "--modality",
    "modalities",
    multiple=True,
    type=click.Choice(MODALITIES),
    help="A modality that may be chosen.",
)
@click.option("--series", metavar="UID", help="The series that has to be taken.")
@click.option(
    "--optional",
    multiple=True,
    type=click.Choice(OPTIONAL_FAMILIES),
    help="Measurements that are made only when asked for.",
)
@click.option("--height", type=click.FloatRange(0.3, 2.8), metavar="METRES", help="The patient's height.")
@click.option("--dcm2niix", is_flag=True, help="Convert the series a second time; differences are flagged.")
@click.option(
    "--allow-identified",
    is_flag=True,
    help="Analyse objects that do not say that the patient's identity was removed.",
)
@click.option("--override", default="", metavar="REASON", help="Analyse a study that is not READY.")
@click.option(
    "--publish-to",
    metavar="ARCHIVE",
    help="Say which DICOM objects of an analysis would be sent to an archive; STUDY is the analysis then.",
)
@click.option("--send", is_flag=True, help="With --publish-to: send them, and look whether they are there.")
@click.option("--no-wait", is_flag=True, help="Order the analysis of STUDY, and leave it to the service.")
@profile_option
@format_option
@click.pass_context
def analyze(
    ctx: click.Context,
    what: tuple[str, ...],
    output: Path | None,
    location: str | None,
    segmenters: tuple[str, ...],
    masks: Path | None,
    printed: Path | None,
    target: str,
    slice_metrics: bool,
    modalities: tuple[str, ...],
    series: str | None,
    optional: tuple[str, ...],
    height: float | None,
    dcm2niix: bool,
    allow_identified: bool,
    override: str,
    publish_to: str | None,
    send: bool,
    no_wait: bool,
    profile: Profile,
    form: str,
) -> None:
    """Measure what is in a READY study. Research use only; not for diagnosis, triage or treatment.

    With --output the files, folders and ZIPs of PATH are judged, and analysed into a folder, without a
    server. Without it STUDY is a StudyInstanceUID that the service knows: the analysis is queued, made here
    or by the service, whoever is first, and kept in HELTIG_HOME.

    With --publish-to it is about an analysis that is done, by its id: --send sends its DICOM objects to an
    archive of HELTIG_ANALYSIS_PUBLISH_TO; without it nothing is sent.

    It needs the extra "imaging", and HELTIG_ANALYSIS_USE=research-only, which acknowledges what it is for.

    Exit code: 0 done; 3 refused (the code says why), or nothing readable; 4 the study is not known; 5 it is
    not READY; 7 failed.
    """
    settings = load_settings()
    if settings.analysis_use != "research-only":
        raise ConfigurationError(
            "Analyses are for research use only. No medical device, not for diagnosis, triage, treatment or "
            "clinical decisions. Acknowledge it by HELTIG_ANALYSIS_USE=research-only."
        )
    if publish_to is not None:
        if len(what) != 1 or output is not None:
            raise UsageError("--publish-to: name one analysis, by its id, and no --output.")
        wanted_there = Publishing(analysis_id=what[0], archive=publish_to, sends=send, waits=not no_wait)
        ctx.exit(asyncio.run(_publish(wanted_there, settings, is_json=form == "json")))
    if send:
        raise UsageError("--send: name the archive by --publish-to.")
    asked = Asked(
        target=cast(Target, target),
        slice_metrics=slice_metrics,
        modalities=modalities,
        series=series,
        optional=optional,
        height_m=height,
        converter="dcm2niix" if dcm2niix else None,
    )
    display = Display(is_json=form == "json")
    if output is not None:
        alone = Alone(
            paths=tuple(Path(one) for one in what),
            output=output,
            asked=asked,
            segmenters=_segmenters(segmenters, masks, settings),
            policy=_path(read_plan(settings.analysis_plan).policy),
            phase_python=_path(read_plan(settings.analysis_plan).phase_python),
            identified=allow_identified,
            override=override.strip(),
            printed=printed,
        )
        ctx.exit(asyncio.run(_analyse_paths(alone, settings, profile, display)))
    if len(what) != 1 or masks is not None or printed is not None or _is_path(what[0]):
        raise UsageError("Name one STUDY; or a folder for the results of PATH: --output FOLDER.")
    wanted = Ordering(
        study_key=what[0],
        location=None if location is None else _location(location),
        asked=msgspec.structs.replace(asked, segmenters=segmenters),
        identified=allow_identified,
        override=override,
        actor=ACTOR,
        origin=ORIGIN,
    )
    ctx.exit(asyncio.run(_analyse_study(wanted, settings, display, waits=not no_wait)))


def _is_path(what: str) -> bool:
    """A file or folder is there. What is written as a UID is a study: folders are often called by it."""
    try:
        return not is_valid(what) and Path(what).exists()
    except OSError:  # it is too long for a name
        return False


async def _analyse_paths(wanted: Alone, settings: Settings, profile: Profile, display: Display) -> int:
    if not is_installed(settings):
        raise ConfigurationError(
            'What makes analyses is not installed: pip install "heltig[imaging]", or name the Python of an '
            "environment that has it in HELTIG_ANALYSIS_PYTHON."
        )

    async def told(line: Told) -> bool:
        display.state(line.state, series=line.series)
        return True

    try:
        with _ended_as_interrupted():
            last = await analyse_alone(
                wanted,
                settings=settings,
                profile=profile,
                today=now().date(),
                analysis_id=str(uuid.uuid4()),
                told=told,
            )
    except EndedError as error:
        display.ended(error.end, code=error.code, observed=error.observed)
        return REFUSED if error.end == "refused" else FAILED
    display.ended(last.state, code=last.code, observed=last.observed, folder=wanted.output)
    return 0 if last.state == "done" else REFUSED


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """SIGTERM does what SIGINT does: folders with the images of a patient are taken away before the end.

    A script's shell has programs in the background ignore SIGINT; nobody means that of SIGTERM.
    """
    handler = signal.getsignal(signal.SIGINT)
    before = signal.signal(signal.SIGTERM, handler if callable(handler) else signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


async def _analyse_study(wanted: Ordering, settings: Settings, display: Display, *, waits: bool) -> int:
    async with _desk(settings) as (desk, queue):
        analysis = (await desk.order(wanted)).analysis
        display.ordered(analysis)
        if not waits:
            return 0
        ended = await _ended(desk, queue, analysis, display)
        display.ended(
            ended.state,
            code=ended.code,
            observed=ended.observed,
            folder=desk.folder.of(ended.analysis_id) if ended.place else None,
        )
    return {"done": 0, "refused": REFUSED}.get(ended.state, FAILED)


async def _publish(wanted: Publishing, settings: Settings, *, is_json: bool) -> int:
    async with _desk(settings) as (desk, queue):
        return await publish(wanted, desk, queue, is_json=is_json)


async def _ended(desk: ResearchDesk, queue: JobQueue, analysis: Analysis, display: Display) -> Analysis:
    """Works until an analysis has ended, unless another process does."""
    runner = Runner(queue, desk.handlers(), places=1)
    working = asyncio.create_task(runner.drain())
    try:
        while True:
            found = await desk.files.find(analysis.analysis_id)
            display.state(found.state, series=found.series_uid)
            if found.finished is not None:
                return found
            if working.done():
                working.result()
                working = asyncio.create_task(runner.drain())
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        working.cancel()
        await asyncio.wait([working])


@asynccontextmanager
async def _desk(settings: Settings) -> AsyncIterator[tuple[ResearchDesk, JobQueue]]:
    async with open_database(settings) as store:
        queue = JobQueue(store, clock=now)
        archives = OpenArchives(store, settings, environ=os.environ, clock=now)
        spool = Spool(settings.home / "spool")
        gate_spool = GateSpool(
            settings.home / "spool" / "gate", name=spool.name, reserve=settings.gate_reserve
        )
        try:
            yield (
                research_desk(queue, archives, spool, gate_spool, settings=settings, clock=now),
                queue,
            )
        finally:
            await archives.close()


def _segmenters(names: Sequence[str], masks: Path | None, settings: Settings) -> tuple[SegmenterOrder, ...]:
    plan = read_plan(settings.analysis_plan)
    found = []
    if masks is not None:
        found.append(SegmenterOrder(id="byo-nifti", options={"path": str(masks.resolve())}))
    for one in names:
        name, *given = one.split(",")
        options = dict(plan.segmenters.get(name, {}))
        for option in given:
            key, equals, value = option.partition("=")
            if not equals:
                raise UsageError(f"--segmenter: {option} is no OPTION=VALUE.")
            options[key] = value
        found.append(SegmenterOrder(id=name, options=options))
        read_options(found[-1])
    return tuple(found) or plan.orders_for(plan.default or ("classical",))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _location(text: str) -> Location:
    try:
        return Location.parse(text)
    except msgspec.ValidationError as wrong:
        raise NotFoundError(f"--location: {text} is none, such as archive:main.") from wrong
