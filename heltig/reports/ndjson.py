"""The report as a line of JSON a study, for pipelines that read a line at a time.

Each line has `type`: first one `run` (what judged, and when is today), then an `input` for each PATH and a
`study` for each study, worst first.
"""

from typing import IO, Any

import msgspec

from heltig.pipeline.report import CheckReport


def write(report: CheckReport, file: IO[str]) -> None:
    """Write the report."""
    run = msgspec.to_builtins(report)
    inputs, studies = run.pop("inputs"), run.pop("studies")
    _line(file, "run", run)
    for given in inputs:
        _line(file, "input", given)
    for study in studies:
        _line(file, "study", study)


def _line(file: IO[str], type_: str, content: dict[str, Any]) -> None:
    file.write(msgspec.json.encode({"type": type_} | content).decode() + "\n")
