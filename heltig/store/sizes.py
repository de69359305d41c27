"""About how many bytes rows take: what a purge says that it gives back."""

from typing import Any

from sqlalchemy import ColumnElement, exists, func, select

from heltig.store.tables import (
    analyses,
    analysis_outputs,
    contents,
    findings,
    jobs,
    snapshot_series,
    snapshots,
    studies,
    verdicts,
)


def bytes_of(*columns: ColumnElement[Any]) -> ColumnElement[int]:
    """The lengths of some columns of a row together."""
    total: ColumnElement[int] = func.coalesce(func.length(columns[0]), 0)
    for column in columns[1:]:
        total = total + func.coalesce(func.length(column), 0)
    return total


def sum_of(size: ColumnElement[Any], of: Any, *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """The sum over what belongs to a row of a table."""
    rows = select(func.coalesce(func.sum(size), 0)).where(*conditions)
    found: ColumnElement[int] = rows.correlate(of).scalar_subquery()
    return found


_others = snapshot_series.alias()
_is_shared = exists().where(
    _others.c.address == snapshot_series.c.address,
    _others.c.snapshot_row != snapshot_series.c.snapshot_row,
)
SNAPSHOT_SIZE = bytes_of(snapshots.c.facts) + sum_of(
    func.length(contents.c.body),
    snapshots,
    snapshot_series.c.snapshot_row == snapshots.c.id,
    contents.c.address == snapshot_series.c.address,
    ~_is_shared.correlate(snapshot_series),
)
VERDICT_SIZE = bytes_of(
    verdicts.c.facts,
    verdicts.c.index_facts,
    verdicts.c.waivers,
    verdicts.c.not_evaluable,
    verdicts.c.errors,
    verdicts.c.encrypted,
) + sum_of(
    bytes_of(
        findings.c.message,
        findings.c.observed,
        findings.c.expected,
        findings.c.instances,
        findings.c.remedy,
        findings.c.proposed,
        findings.c.encrypted,
    ),
    verdicts,
    findings.c.verdict_row == verdicts.c.id,
)
STUDY_SIZE = sum_of(SNAPSHOT_SIZE, studies, snapshots.c.study_row == studies.c.id) + sum_of(
    VERDICT_SIZE, studies, verdicts.c.study_row == studies.c.id
)
JOB_SIZE = bytes_of(jobs.c.payload, jobs.c.progress, jobs.c.result, jobs.c.error, jobs.c.first_error)
ANALYSIS_SIZE = sum_of(
    analysis_outputs.c.size, analyses, analysis_outputs.c.analysis_row == analyses.c.id
) + bytes_of(analyses.c.asked, analyses.c.stages)
