"""What a backfill came to, as HTML, CSV or JSON. None of them holds anything of a patient."""

import csv
from collections.abc import Iterator
from functools import cache
from typing import IO, Final, Literal, TypeAlias

import msgspec
from jinja2 import Template

from heltig.csv_text import safe
from heltig.pipeline.backfill.report import BackfillReport
from heltig.reports.charts import verdict_bar
from heltig.reports.rendering import BASE_STYLE, environment
from heltig.store.backfill_figures import Figure
from heltig.verdict import READINESS

Format: TypeAlias = Literal["html", "csv", "json"]

COLUMNS: Final = (
    "group", "value", "severity", "studies", *READINESS, "without_verdict", "instances", "findings",
)  # fmt: skip
"""Of the CSV. `group` is `all`, `rule`, `modality`, `manufacturer` or `year`."""


def write(report: BackfillReport, format_: Format, file: IO[str]) -> None:
    """Writes a report.

    Args:
        report: What to say.
        format_: How.
        file: Where to.
    """
    match format_:
        case "json":
            file.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
        case "csv":
            rows = csv.writer(file, lineterminator="\r\n")
            rows.writerow(COLUMNS)
            rows.writerows(_rows(report))
        case "html":
            file.write(_html(report))


def _rows(report: BackfillReport) -> Iterator[tuple[object, ...]]:
    figures = report.figures
    yield _row("all", figures.total)
    for rule in figures.rules:
        yield ("rule", rule.rule, rule.severity, rule.studies, *[""] * (len(READINESS) + 2), rule.findings)
    for group, found in (
        ("modality", figures.modalities),
        ("manufacturer", figures.manufacturers),
        ("year", figures.years),
    ):
        for one in found:
            yield _row(group, one)


def _row(group: str, one: Figure) -> tuple[object, ...]:
    verdicts = (one.verdicts.get(readiness, 0) for readiness in READINESS)
    return (group, safe(one.value), "", one.studies, *verdicts, one.without_verdict, one.instances, "")


def _html(report: BackfillReport) -> str:
    figures = report.figures
    return (
        _template().render(
            report=report,
            progress=report.progress,
            figures=figures,
            style=BASE_STYLE.read_text("utf-8"),
            shares=verdict_bar(figures.total.verdicts),
            readiness=READINESS,
            tables=(
                ("Modality", figures.modalities, "none named"),
                ("Manufacturer", figures.manufacturers, "none named"),
                ("Year of the study", figures.years, "no date"),
            ),
        )
        + "\n"
    )


@cache
def _template() -> Template:
    return environment().get_template("backfill.html")
