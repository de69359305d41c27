"""`heltig check`: inputs in, a report out, without a server or a database."""

import os
from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

from connectors.upload import InputReport, Listing
from heltig import __version__
from heltig.dicom.study import StudyTable
from heltig.pipeline.batch import Facts, batch_facts, entry_of
from heltig.pipeline.judging import judge, ruleset_name, ruleset_under
from heltig.pipeline.reading import Progress, listed, read_listed
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

_WORTH_A_PROCESS: Final = 150
"""Files: with fewer a process costs more to start than it saves."""

_BYTES_A_FILE: Final = 64 * 1024
"""To unpack so many costs about what reading and judging a file does."""


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
        jobs: The most processes; 0 takes one for each core. Fewer do it where more would not pay.
        deep: Unpack the members of ZIPs whole, and check their lengths and checksums.
        deidentified: The data is declared de-identified.
        progress: Called while reading with members read and members in all.
    """
    work = partial(_checked, profile=profile, reference_date=reference_date, deidentified=deidentified)
    with listed(paths) as listings:
        processes = min(jobs or os.cpu_count() or 1, _worth(listings, deep=deep))
        if processes > 1:
            from heltig.pipeline.crew import work_together  # costs what many a check takes

            ruleset_under(profile)  # once for all of them, where processes begin as copies of this one
            reports, studies = work_together(
                listings, work, processes=processes, deep=deep, progress=progress
            )
        else:
            read = read_listed(listings, deep=deep, progress=progress)
            facts = batch_facts(map(entry_of, read.studies)) if len(read.studies) > 1 else {}
            reports = read.reports
            studies = [work(table, facts.get(table.key, ())) for table in read.studies]
    context = Context(reference_date, profile.parameters, deidentified)
    return CheckReport(
        heltig=__version__,
        ruleset=ruleset_name(),
        profile=ProfileName(profile.name, profile.hash),
        reference_date=reference_date,
        inputs=tuple(_checked_input(report, profile, context) for report in reports),
        studies=tuple(sorted(studies, key=_worst_first)),
    )


def _worth(listings: Sequence[Listing], *, deep: bool) -> int:
    """How many processes pay."""
    files = sum(len(listing.refs) for listing in listings)
    if deep:
        packed = (ref.entry.size for listing in listings for ref in listing.refs if ref.entry)
        files += sum(packed) // _BYTES_A_FILE
    return files // _WORTH_A_PROCESS


def _checked(
    table: StudyTable, facts: Facts, *, profile: Profile, reference_date: date, deidentified: bool
) -> CheckedStudy:
    judged = judge(
        table, profile, reference_date=reference_date, deidentified=deidentified, index_facts=facts
    )
    return checked_study(judged)


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
