"""A check's report in each of its formats."""

import importlib
from typing import IO, Final

from heltig.pipeline.identifiers.redaction import redacted
from heltig.pipeline.report import CheckReport

FORMATS: Final = ("text", "json", "ndjson", "html", "sarif", "junit")


def write_report(
    report: CheckReport, format_: str, file: IO[str], *, redact: bool = False, notes: bool = False
) -> None:
    """Write a report.

    Args:
        report: What to say.
        format_: One of `FORMATS`.
        file: Where to; the text format is in colour when it is a terminal.
        redact: Leave out observed values that could name a patient.
        notes: Write notes whole in the text format too; the others always do.
    """
    module = importlib.import_module(f"heltig.reports.{format_}")
    options = {"notes": notes} if format_ == "text" else {}
    module.write(redacted(report) if redact else report, file, **options)
