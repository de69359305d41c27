"""`heltig check`: inputs in, a report out, without a server or a database."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from connectors.upload import InputReport
from heltig import __version__
from heltig.pipeline.judging import judge, ruleset_name, ruleset_under
from heltig.pipeline.reading import Progress, read_inputs
from heltig.pipeline.report import (
    CheckedInput,
    CheckedStudy,
    CheckReport,
    ProfileName,
    SkippedMember,
    checked_study,
)
from heltig.rules.engine import evaluate_package
from heltig.rules.profile import Profile
from heltig.rules.views import Context, PackageView
from heltig.verdict import READINESS


def check(
    paths: Iterable[str | Path],
    profile: Profile,
    *,
    reference_date: date,
    jobs: int = 1,
    deep: bool = False,
    deidentified: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Read and judge inputs.

    Args:
        paths: Files, folders and ZIPs.
        profile: The profile to judge under.
        reference_date: "Today" to the rules.
        jobs: Number of processes that read; 0 takes one for each core.
        deep: Unpack the members of ZIPs whole, and check their lengths and checksums.
        deidentified: The data is declared de-identified.
        progress: Called while reading with members read and members in all.
    """
    read = read_inputs(paths, jobs=jobs, deep=deep, progress=progress)
    context = Context(reference_date, profile.parameters, deidentified)
    studies = [
        checked_study(judge(table, profile, reference_date=reference_date, deidentified=deidentified))
        for table in read.studies
    ]
    return CheckReport(
        heltig=__version__,
        ruleset=ruleset_name(),
        profile=ProfileName(profile.name, profile.hash),
        reference_date=reference_date,
        inputs=tuple(_checked_input(report, profile, context) for report in read.reports),
        studies=tuple(sorted(studies, key=_worst_first)),
    )


def _worst_first(study: CheckedStudy) -> tuple[int, str]:
    return READINESS.index(study.readiness), study.key


def _checked_input(report: InputReport, profile: Profile, context: Context) -> CheckedInput:
    evaluation = evaluate_package(ruleset_under(profile), PackageView(report.facts, context))
    return CheckedInput(
        path=report.path,
        members=report.members,
        instances=report.instances,
        skipped=tuple(SkippedMember(m.origin, m.kind, m.detail) for m in report.skipped),
        findings=evaluation.findings,
    )
