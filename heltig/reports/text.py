"""The report for people at a terminal: worst first, each finding with what to do."""

from collections.abc import Collection, Iterable, Iterator
from typing import IO

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from heltig.pipeline.report import CheckedInput, CheckedStudy, CheckReport
from heltig.reports.wording import counted, place
from heltig.rules.finding import Finding

COLOURS = {
    "BLOCKED": "bold white on red",
    "NEEDS_REVIEW": "bold black on yellow",
    "READY": "bold white on green",
    "block": "bold red",
    "review": "bold yellow",
    "note": "cyan",
}
WIDTH_WITHOUT_TERMINAL = 110


def write(report: CheckReport, file: IO[str]) -> None:
    """Write the report; in colour, and as wide as the terminal, when `file` is one."""
    console = Console(file=file, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=WIDTH_WITHOUT_TERMINAL, color_system=None)
    for study in report.studies:
        _study(console, study)
    told = {finding.observed for study in report.studies for finding in study.findings if not finding.tags}
    for given in report.inputs:
        _input(console, given, told)
    _summary(console, report)


def _study(console: Console, study: CheckedStudy) -> None:
    name = study.study_instance_uid or f"{study.key} (no StudyInstanceUID)"
    size = f"{counted(study.instances, 'instance')} in {counted(study.series, 'series', 'series')}"
    badge = (f" {study.readiness} ", COLOURS[study.readiness])
    console.print(Text.assemble(badge, " ", (name, "bold"), (f"  {size}", "dim")))
    required = [rule.rule for rule in study.not_evaluable if rule.required]
    for finding in study.findings:
        _finding(console, finding)
    for error in study.errors:
        failed = Text.assemble(("error  ", COLOURS["block"]), f" {error.rule} failed to run: {error.error}")
        console.print(_indented(failed, 2))
    if required:
        missing = Text.assemble(("review ", COLOURS["review"]), f" not evaluable here: {', '.join(required)}")
        console.print(_indented(missing, 2))
    if study.findings or study.errors or required:
        console.print()


def _finding(console: Console, finding: Finding, unit: str = "instance") -> None:
    waived = "  (waived)" if finding.waived else ""
    head = Text.assemble(
        (f"{finding.severity:<7}", COLOURS[finding.severity]),
        (f" {finding.rule}", "bold"),
        f"  {finding.message}{waived}",
    )
    console.print(_indented(head, 2))
    for line in _facts(finding, unit):
        console.print(_indented(escape(line), 10))
    console.print(_indented(Text(f"→ {finding.remedy}", style="italic dim"), 10))


def _facts(finding: Finding, unit: str) -> Iterator[str]:
    if finding.tags:
        yield "; ".join(map(place, finding.tags))
    yield f"found {finding.observed}; expected {finding.expected}"
    if finding.count:
        yield _examples(finding, unit)


def _examples(finding: Finding, unit: str) -> str:
    examples = ", ".join(finding.instances[:2])
    others = f" and {finding.count - 2} more" if finding.count > 2 else ""
    return f"{counted(finding.count, unit)}: {examples}{others}"


def _input(console: Console, given: CheckedInput, told: Collection[str]) -> None:
    """An input; of what its studies were judged by (`told`) only which files these are."""
    read = f"{counted(given.instances, 'instance')} of {counted(given.members, 'file')}"
    console.print(Text.assemble((given.path, "bold"), f"  {read}"))
    for finding in given.findings:
        if finding.observed in told:
            files = f"{finding.observed}: {_examples(finding, 'file')}: judged with the study above"
            console.print(_indented(Text.assemble((f"{finding.rule}  ", "bold"), files), 2))
        else:
            _finding(console, finding, unit="file")
    aside = [member for member in given.skipped if not _is_told(member.path, given.findings)]
    if aside:
        kinds = sorted({member.kind for member in aside})
        console.print(
            _indented(f"{counted(len(aside), 'file')} set aside: {', '.join(kinds)}", 2), style="dim"
        )
    console.print()


def _is_told(path: str, findings: Iterable[Finding]) -> bool:
    return any(path in finding.instances for finding in findings)


def _summary(console: Console, report: CheckReport) -> None:
    parts = [counted(len(report.studies), "study", "studies")]
    for readiness in ("BLOCKED", "NEEDS_REVIEW", "READY"):
        number = sum(study.readiness == readiness for study in report.studies)
        if number:
            parts.append(f"[{COLOURS[readiness]}] {number} {readiness} [/]")
    console.print("  ".join(parts))
    console.print(
        f"ruleset {report.ruleset.version} ({report.ruleset.hash[:12]}), DICOM {report.ruleset.standard}, "
        f"profile {escape(report.profile.name)} ({report.profile.hash[:12]}), reference date "
        f"{report.reference_date}. Operational quality assurance of metadata; not for diagnosis.",
        style="dim",
    )


def _indented(content: str | Text, columns: int) -> Padding:
    return Padding(content, (0, 0, 0, columns), expand=False)
