"""The report for people at a terminal: worst first, each finding with what to do, notes a line each."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import IO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from heltig.pipeline.report import CheckedInput, CheckedStudy, CheckReport
from heltig.reports import reasons
from heltig.reports.wording import change, counted, place
from heltig.rules.finding import Finding
from heltig.standard.dictionary import keyword_of

COLOURS = {
    "BLOCKED": "bold white on red",
    "NEEDS_REVIEW": "bold black on yellow",
    "READY": "bold white on green",
    "block": "bold red",
    "review": "bold yellow",
    "note": "cyan",
}
WIDTH_WITHOUT_TERMINAL = 110
TAGS_SHOWN = 3
"""Attributes of a finding that are written out; JSON and HTML have all of them."""

_MARGIN = 2
_TEXT_AT = 10


class _Console(Console):
    """Leaves a closed pipe to whoever opened it; rich's own ends the process."""

    def on_broken_pipe(self) -> None:
        raise  # what rich has caught


def write(report: CheckReport, file: IO[str], *, notes: bool = False) -> None:
    """Write the report; in colour, and as wide as the terminal, when `file` is one.

    Args:
        report: What to say.
        file: Where to.
        notes: Write notes whole, as other findings are; else a line each.
    """
    console = _Console(file=file, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = _Console(file=file, highlight=False, width=WIDTH_WITHOUT_TERMINAL, color_system=None)
    for study in report.studies:
        _study(console, study, notes=notes)
    told = {finding.observed for study in report.studies for finding in study.findings if not finding.tags}
    for given in report.inputs:
        _input(console, given, told, notes=notes)
    _summary(console, report, notes=notes)


def _study(console: Console, study: CheckedStudy, *, notes: bool) -> None:
    name = study.study_instance_uid or f"{study.key} (no StudyInstanceUID)"
    size = f"{counted(study.instances, 'instance')} in {counted(study.series, 'series', 'series')}"
    badge = (f" {study.readiness} ", COLOURS[study.readiness])
    console.print(Text.assemble(badge, " ", (name, "bold"), (f"  {size}", "dim")))
    required = [rule.rule for rule in study.not_evaluable if rule.required]
    loud = [finding for finding in study.findings if finding.severity != "note"]
    quiet = [finding for finding in study.findings if finding.severity == "note"]
    _findings(console, loud, "instance", notes=notes)
    for error in study.errors:
        _marked(console, "error", "block", Text(f"{error.rule} failed to run: {error.error}"))
    if required:
        _marked(console, "review", "review", Text(f"not evaluable here: {', '.join(required)}"))
    _findings(console, quiet, "instance", notes=notes)
    if study.findings or study.errors or required:
        console.print()


def _findings(console: Console, findings: Iterable[Finding], unit: str, *, notes: bool) -> None:
    """Findings worst first; those of one rule that say the same of several values stand together."""
    for group in reasons.together(findings):
        if group[0].severity == "note" and not notes:
            _note(console, group, unit)
        else:
            _whole(console, group, unit)


def _whole(console: Console, group: Sequence[Finding], unit: str) -> None:
    first = group[0]
    waived = "  (waived)" if first.waived else ""
    head = Text.assemble((first.rule, "bold"), f"  {first.message}{waived}")
    _marked(console, first.severity, first.severity, head)
    for finding in group:
        for line in _facts(finding, unit):
            _marked(console, "", "", Text(line))
    _marked(console, "", "", Text(f"→ {first.remedy}", style="italic dim"))


def _note(console: Console, group: Sequence[Finding], unit: str) -> None:
    """A line of the console: which rule, what it says, of what and of how many instances."""
    first = group[0]
    tags = list(dict.fromkeys(tag for finding in group for tag in finding.tags))
    name = (keyword_of(tags[0].rpartition("/")[2]) or tags[0]) if tags else first.observed
    if name not in first.message:
        what = [reasons.and_more(name, len(tags) - 1)]
    else:
        what = [counted(len(tags), "attribute")] if len(tags) > 1 else []
    count = sum(finding.count for finding in group) if len(group) == 1 else 0
    if count:
        what.append(counted(count, unit))
    tail = (f" ({', '.join(what)})" if what else "") + (" (waived)" if first.waived else "")
    room = console.width - _TEXT_AT - cell_len(first.rule) - 2
    message = _cut(_line(first.message), max(room - cell_len(tail), room // 2))
    line = Text.assemble((first.rule, "bold"), "  ", message, (_cut(tail, room - cell_len(message)), "dim"))
    _marked(console, "note", "note", line)


def _line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, width: int) -> str:
    """A text in so many columns of a terminal at most."""
    return text if cell_len(text) <= width else set_cell_size(text, max(width - 1, 0)).rstrip() + "…"


def _facts(finding: Finding, unit: str) -> Iterator[str]:
    if finding.tags:
        tags = "; ".join(map(place, finding.tags[:TAGS_SHOWN]))
        yield reasons.and_more(tags, len(finding.tags) - TAGS_SHOWN)
    yield f"found {finding.observed}; expected {finding.expected}"
    if finding.count:
        yield _examples(finding, unit)
    if finding.proposed:
        yield f"proposed {reasons.and_more(change(finding.proposed[0]), len(finding.proposed) - 1)}"


def _examples(finding: Finding, unit: str) -> str:
    examples = ", ".join(finding.instances[:2])
    return f"{counted(finding.count, unit)}: {reasons.and_more(examples, finding.count - 2)}"


def _input(console: Console, given: CheckedInput, told: Collection[str], *, notes: bool) -> None:
    """An input; of what its studies were judged by (`told`) only which files these are."""
    read = f"{counted(given.instances, 'instance')} of {counted(given.members, 'file')}"
    console.print(Text.assemble((given.path, "bold"), f"  {read}"))
    for finding in given.findings:
        if finding.observed in told:
            files = f"{finding.observed}: {_examples(finding, 'file')}: judged with the study above"
            _marked(console, "", "", Text.assemble((f"{finding.rule}  ", "bold"), files))
    _findings(console, [f for f in given.findings if f.observed not in told], "file", notes=notes)
    aside = [member for member in given.skipped if not _is_told(member.path, given.findings)]
    if aside:
        kinds = sorted({member.kind for member in aside})
        said = f"{counted(len(aside), 'file')} set aside: {', '.join(kinds)}"
        _marked(console, "", "", Text(said, style="dim"))
    console.print()


def _is_told(path: str, findings: Iterable[Finding]) -> bool:
    return any(path in finding.instances for finding in findings)


def _summary(console: Console, report: CheckReport, *, notes: bool) -> None:
    parts = [counted(len(report.studies), "study", "studies")]
    for readiness in ("BLOCKED", "NEEDS_REVIEW", "READY"):
        number = sum(study.readiness == readiness for study in report.studies)
        if number:
            parts.append(f"[{COLOURS[readiness]}] {number} {readiness} [/]")
    console.print("  ".join(parts), end="")
    for readiness, why in reasons.of_inputs(report.inputs):
        console.print(f"; {escape(why)}", style=COLOURS[readiness], end="")
    console.print()
    unseen = {rule for study in report.studies for rule in study.not_evaluable if not rule.required}
    for reason in reasons.unseen(unseen):
        rules = counted(len(reason.rules), "rule")
        console.print(f"{rules} not evaluable, for want of: {escape(reason.missing)}.", style="dim")
    said = [*(study.findings for study in report.studies), *(given.findings for given in report.inputs)]
    if not notes and any(finding.severity == "note" for findings in said for finding in findings):
        console.print("Notes have a line each; --notes shows them whole.", style="dim")
    console.print(
        f"ruleset {report.ruleset.version} ({report.ruleset.hash[:12]}), DICOM {report.ruleset.standard}, "
        f"profile {escape(report.profile.name)} ({report.profile.hash[:12]}), reference date "
        f"{report.reference_date}. Operational quality assurance of metadata; not for diagnosis.",
        style="dim",
    )


def _marked(console: Console, mark: str, colour: str, text: Text) -> None:
    """A text beside a mark; where it is longer than a line it goes on below itself, not below the mark."""
    margin = f"{'':<{_MARGIN}}{mark:<{_TEXT_AT - _MARGIN}}"
    for line in text.wrap(console, max(console.width - _TEXT_AT, 20)):
        line.rstrip()
        styled = Text(margin, style=COLOURS.get(colour, ""))
        console.print(Text.assemble(styled, line), soft_wrap=True)
        margin = " " * _TEXT_AT
