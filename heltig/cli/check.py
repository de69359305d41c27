"""`heltig check PATH...`: judge files, folders and ZIPs."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO

import click

from heltig.cli.check_output import file_for, standard_output, try_file
from heltig.cli.options import profile_option
from heltig.errors import UnreadableInputError, UsageError
from heltig.pipeline.check import check as check_inputs
from heltig.pipeline.reading import Progress
from heltig.pipeline.report import CheckReport
from heltig.reports import FORMATS, write_report
from heltig.rules.profile import Profile

FOR_OTHERS = ("sarif", "junit")
"""Formats that build servers and code scanners keep: without what could name a patient by default."""

EXIT_CODES = {"READY": 0, "NEEDS_REVIEW": 10, "BLOCKED": 20}


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report to it.",
)
@profile_option
@click.option(
    "--reference-date",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help='What the rules take for "today"; the present day (UTC) by default. The report records it.',
)
@click.option(
    "--jobs", type=click.IntRange(0), default=1, show_default=True, help="Processes; 0: one a core."
)
@click.option("--deep", is_flag=True, help="Unpack ZIP members whole, and check lengths and checksums.")
@click.option("--deidentified", is_flag=True, help="The data is declared de-identified: judge it as such.")
@click.option("--notes", is_flag=True, help="Text report: notes whole, not a line each.")
@click.option(
    "--dcmodify",
    "script",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the proposed changes to it, as a shell script of dcmodify commands. Nothing is changed.",
)
@click.option(
    "--redact/--no-redact",
    default=None,
    help="Leave values and file names that could name a patient out of the report. By default sarif and "
    "junit are without them: they go to places that are not for patient data.",
)
def check(
    paths: tuple[str, ...],
    format_: str,
    output: Path | None,
    profile: Profile,
    reference_date: datetime | None,
    jobs: int,
    deep: bool,
    deidentified: bool,
    notes: bool,
    script: Path | None,
    redact: bool | None,
) -> None:
    """Judge the studies in files, folders and ZIPs, without a server.

    Exit code: the worst of the studies and of what was found about the inputs themselves, as the report's
    last lines say: 0 READY, 10 NEEDS_REVIEW, 20 BLOCKED. A ZIP that nobody should unpack counts, and a file
    that may be an instance and cannot be read; a document, a DICOMDIR or a system file beside the images does
    not. 2 wrong usage, 3 nothing could be read, 7 the report could not be written.
    """
    if script is not None and redact:
        raise UsageError("--dcmodify writes values, which --redact leaves out: give one of the two.")
    for option, path in (("--output", output), ("--dcmodify", script)):
        if path is not None:
            try_file(path, option=option)
    report = check_inputs(
        paths,
        profile,
        reference_date=reference_date.date() if reference_date else _today(),
        jobs=jobs,
        deep=deep,
        deidentified=deidentified,
        progress=_progress_bar(),
    )
    with standard_output() if output is None else file_for(output, option="--output") as file:
        is_redacted = format_ in FOR_OTHERS if redact is None else redact
        write_report(report, format_, file, redact=is_redacted, notes=notes)
    if script is not None:
        _write_script(report, script)
    if not report.studies and not any(given.instances for given in report.inputs):
        raise UnreadableInputError("no DICOM instance could be read from what was given; the report says why")
    sys.exit(EXIT_CODES[report.readiness])


def _write_script(report: CheckReport, path: Path) -> None:
    from heltig.reports import dcmodify  # here: few checks need it

    studies = (dcmodify.Study(study.study_instance_uid or "", study.findings) for study in report.studies)
    with file_for(path, option="--dcmodify") as file:
        file.write(dcmodify.script(studies))


def _today() -> date:
    return datetime.now(UTC).date()


def _progress_bar() -> Progress | None:
    """A bar on the terminal; none where output goes to a file or a pipe."""
    if not sys.stderr.isatty():
        return None
    return _Bar(sys.stderr)


class _Bar:
    """Rewrites one line; clears it at the end, so that the report stands alone."""

    WIDTH = 32

    def __init__(self, terminal: IO[str]) -> None:
        self._terminal = terminal

    def __call__(self, done: int, total: int) -> None:
        filled = self.WIDTH * done // max(total, 1)
        bar = "█" * filled + "░" * (self.WIDTH - filled)
        end = "\r\033[K" if done == total else ""
        self._terminal.write(f"\rReading {bar} {done:,} of {total:,}{end}")
        self._terminal.flush()
