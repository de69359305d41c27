"""The report as one JSON document."""

from typing import IO

import msgspec

from heltig.pipeline.report import CheckReport


def write(report: CheckReport, file: IO[str]) -> None:
    """Write the report, indented, with keys in a fixed order."""
    file.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    file.write("\n")
