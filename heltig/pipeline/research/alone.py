"""Analyses of files, folders and ZIPs without a server: judged first, then analysed into a folder."""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path

import msgspec

from connectors.upload import Limits
from heltig.errors import ConflictError, StorageError, UnreadableInputError, UsageError
from heltig.imaging.order import Order, SegmenterOrder, Told
from heltig.pipeline.check import check
from heltig.pipeline.report import CheckedStudy
from heltig.pipeline.research.asked import Asked
from heltig.pipeline.research.objects import Objects
from heltig.pipeline.research.ordering import NotReadyError
from heltig.pipeline.research.running import Program, make
from heltig.pipeline.research.scratch import scratch
from heltig.rules.profile import Profile
from heltig.settings import Settings


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be analysed without a server.

    Attributes:
        paths: Files, folders and ZIPs with the objects of one study.
        output: A folder that is new or empty.
        asked: What is to be done, but for the segmenters.
        segmenters: What finds structures, with its options.
        policy: The site's selection policy.
        phase_python: The python of an environment with the contrast phase classifier.
        identified: Objects may be analysed that do not say that the patient's identity was removed.
        override: Why a study is analysed that is not READY; empty to insist on READY.
        printed: A folder that keeps what programs of segmenters print.
    """

    paths: tuple[Path, ...]
    output: Path
    asked: Asked
    segmenters: tuple[SegmenterOrder, ...]
    policy: Path | None = None
    phase_python: Path | None = None
    identified: bool = False
    override: str = ""
    printed: Path | None = None


async def analyse_alone(
    wanted: Alone,
    *,
    settings: Settings,
    profile: Profile,
    today: date,
    analysis_id: str,
    told: Callable[[Told], Awaitable[bool]],
) -> Told:
    """Judges a study, and analyses it where it is READY.

    Args:
        wanted: What is to be done.
        settings: Limits.
        profile: What it is judged with.
        today: "Today" to the rules.
        analysis_id: Names the analysis.
        told: Hears each state.

    Returns:
        How it ended: done or refused.

    Raises:
        UnreadableInputError: Nothing in the paths is DICOM.
        UsageError: The output folder is not empty, or the paths hold several studies.
        NotReadyError: The study is not READY, and nobody overrides that.
        EndedError: It cannot be made.
        StorageError: The folder of the output cannot be written.
        ConflictError: Somebody else wrote the output meanwhile.
    """
    there = wanted.output.exists() or wanted.output.is_symlink()
    if there and (wanted.output.is_symlink() or not wanted.output.is_dir() or any(wanted.output.iterdir())):
        raise UsageError(f"--output: {wanted.output} is not a new or empty folder.")
    study = await asyncio.to_thread(_judged, wanted.paths, profile, today)
    if study.readiness != "READY" and not wanted.override:
        raise NotReadyError(
            f"The study is {study.readiness}, and only READY studies are analysed: `heltig check` says why. "
            "--override REASON has it analysed all the same."
        )
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    # Beside the output: what is linked there is not copied, and what is done takes its name in one step.
    with scratch(wanted.output.parent) as folder:
        for name in ("objects", "scratch"):
            (folder / name).mkdir()
        found = Objects(folder / "objects", study_uid=None, most=settings.analysis_max_size)
        limits = Limits(total_bytes=settings.upload_max_unpacked, member_bytes=settings.member_max_size)
        try:
            await asyncio.to_thread(found.take, wanted.paths, scratch=folder / "scratch", limits=limits)
        except StorageError as full:
            raise _unusable(full.__cause__) from full
        order = Order(
            analysis_id=analysis_id,
            objects=folder / "objects",
            output=folder / "output",
            segmenters=wanted.segmenters,
            target=wanted.asked.target,
            slice_metrics=wanted.asked.slice_metrics,
            modalities=wanted.asked.modalities,
            series=wanted.asked.series,
            policy=wanted.policy,
            optional=wanted.asked.optional,
            height_m=wanted.asked.height_m,
            allow_identified=wanted.identified,
            converter=wanted.asked.converter,
            phase_python=wanted.phase_python,
            verdict=study.readiness,
            override=wanted.override if study.readiness != "READY" else None,
            printed=wanted.printed,
        )
        last = await make(order, Program.of(settings), told=told)
        if last is None:
            raise ConflictError("The analysis was stopped.")
        if order.output.exists():  # where no series was looked at there is nothing to tell of
            _give_name(order.output, wanted.output)
    return last


def _give_name(made: Path, output: Path) -> None:
    try:
        made.rename(output)
    except OSError as problem:
        if problem.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise ConflictError(f"--output: somebody else has written {output} meanwhile.") from problem
        raise _unusable(problem) from problem


def _unusable(problem: BaseException | None) -> StorageError:
    why = problem.strerror if isinstance(problem, OSError) else None
    return StorageError(f"The folder of --output cannot be written: {why or 'it is not known why'}.")


def _judged(paths: Sequence[Path], profile: Profile, today: date) -> CheckedStudy:
    report = check(paths, profile, reference_date=today)
    if not report.studies:
        raise UnreadableInputError("Nothing in there is DICOM: `heltig check` names every file.")
    if len(report.studies) > 1:
        raise UsageError(f"{len(report.studies)} studies are in there. Give those of one.")
    return report.studies[0]
