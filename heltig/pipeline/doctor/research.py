"""Analyses: whether what makes them is installed, which segmenters could run, how large their files are."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from heltig.errors import ConfigurationError
from heltig.imaging import contained
from heltig.imaging.contained import Limits
from heltig.imaging.segment.installed import OF_THE_CLASSIFIER, distribution_version, missing_distribution
from heltig.pipeline.doctor.check import Check, failed, ok, skipped, warning
from heltig.pipeline.research.folder import NAME
from heltig.pipeline.research.plan import Plan, read_plan
from heltig.pipeline.research.running import Program, is_installed
from heltig.settings import Settings

AVAILABILITY: Final = "heltig.imaging.segment.availability"
SECONDS: Final = 120.0

_INSTALL: Final = (
    'pip install "heltig[imaging]", or name the Python of an environment that has it in '
    "HELTIG_ANALYSIS_PYTHON."
)


class Segmenter(msgspec.Struct, frozen=True, kw_only=True):
    """What the program says of a segmenter that is to be had."""

    id: str
    condition: str
    detail: str = ""
    version: str = ""
    weights: dict[str, bool] = {}


async def research(settings: Settings) -> AsyncIterator[Check]:
    """What there is to say of analyses. Nothing is downloaded, and no segmenter is started."""
    if not settings.analysis_enabled:
        yield skipped("analyses", "They are off (HELTIG_ANALYSIS_ENABLED).")
        return
    try:
        plan = read_plan(settings.analysis_plan)
    except ConfigurationError as wrong:
        yield failed("analyses", wrong.detail, "Mend the plan: the service does not start with it.")
        return
    if not is_installed(settings):
        yield failed("analyses", "What makes them is not installed here.", _INSTALL)
        return
    found = await _segmenters(settings, plan)
    if found is None:
        yield failed("analyses", f"{AVAILABILITY} does not run on the Python of analyses.", _INSTALL)
        return
    yield ok(
        "analyses", f"{len(found)} segmenters are in the plan; {len(plan.automatic)} entries order analyses."
    )
    for one in found:
        yield _check(one)
    if plan.phase_python is not None:
        yield _phase(Path(plan.phase_python))
    yield await asyncio.to_thread(_files, settings.home / NAME)


async def _segmenters(settings: Settings, plan: Plan) -> list[Segmenter] | None:
    program = Program.of(settings)
    try:
        ended = await contained.running(
            [program.command[0], "-m", AVAILABILITY],
            limits=Limits(seconds=SECONDS, output_bytes=1 << 20),
            environment=contained.environment(**program.environment),
            stdin=msgspec.json.encode(plan.orders_for(plan.segmenters)),
        )
        return msgspec.json.decode(ended.output, type=list[Segmenter]) if ended.exit_code == 0 else None
    except (OSError, msgspec.MsgspecError):
        return None


def _check(one: Segmenter) -> Check:
    about = f"segmenter {one.id}"
    absent = [task for task, is_there in one.weights.items() if not is_there]
    version = f", version {one.version}" if one.version else ""
    if one.condition == "no_input":
        return ok(about, f"It can run where there are masks{version}.")
    if one.condition != "ok":
        return warning(
            about, f"It cannot run here: {one.condition.replace('_', ' ')}.", one.detail or "See its options."
        )
    if absent:
        return warning(
            about,
            f"Weights are missing for {', '.join(absent)}{version}.",
            "Bring them in where there is internet: Heltig downloads nothing.",
        )
    weights = f" with the weights of {', '.join(one.weights)}" if one.weights else ""
    return ok(about, f"It can run{version}{weights}.")


def _phase(python: Path) -> Check:
    about, missing = "contrast phase classifier", missing_distribution(python, OF_THE_CLASSIFIER)
    if missing:
        return warning(about, f"The environment of {python} has no {missing}.", "See docs/imaging.md.")
    return ok(about, f"It is there, in TotalSegmentator {distribution_version(python, 'totalsegmentator')}.")


def _files(folder: Path) -> Check:
    size = analyses = 0
    if folder.is_dir():
        analyses = sum(1 for _ in folder.iterdir())
        for root, _, names in os.walk(folder):
            size += sum((Path(root) / name).lstat().st_size for name in names)
    return ok("files of analyses", f"{analyses} folders, {size / 1024**3:,.1f} GiB, in {folder}.")
