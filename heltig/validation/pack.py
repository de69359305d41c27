"""The evidence as files that an auditor can keep: tables, a page to read, and their checksums."""

import csv
import html
import io
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

import msgspec

from heltig import __version__
from heltig.pipeline.judging import ruleset_name
from heltig.reports.checksums import NAME, checksums, sha256
from heltig.rules.profile import DEFAULT
from heltig.standard.edition import provenance
from heltig.validation.rule_cases import CaseResult, RuleResult
from heltig.validation.runs import REFERENCE_DATE, Run, StudyResult

CHECKSUMS: Final = NAME

_OF_THE_SITE: Final = "site, not covered by cases of Heltig"
"""What is said of a rule that a site installed, in place of whether it came out as labelled."""


class Evidence(msgspec.Struct, frozen=True, rename="camel"):
    """All results of a validation.

    Attributes:
        rules: A row for each rule.
        cases: A row for each labelled study of a rule.
        studies: A row for each labelled synthetic study.
        runs: A row for each time that those were judged.
    """

    rules: tuple[RuleResult, ...]
    cases: tuple[CaseResult, ...]
    studies: tuple[StudyResult, ...]
    runs: tuple[Run, ...]

    @property
    def covered(self) -> list[RuleResult]:
        """The rules that the labelled studies are about: all but those of a site."""
        return [rule for rule in self.rules if rule.as_expected is not None]

    @property
    def passed(self) -> bool:
        """Everything came out as labelled, each time alike."""
        return (
            all(rule.as_expected for rule in self.covered)
            and all(study.as_expected for study in self.studies)
            and all(run.same for run in self.runs)
        )


def write_pack(evidence: Evidence, folder: Path, more: Mapping[str, bytes]) -> None:
    """Write the evidence, and at last the checksums of all files.

    Args:
        evidence: The results.
        folder: An empty folder.
        more: Further files, by name.
    """
    files = {
        "summary.html": _page(evidence).encode(),
        "rules.csv": _table(evidence.rules),
        "cases.csv": _table(evidence.cases),
        "studies.csv": _table(evidence.studies),
        "runs.csv": _table(evidence.runs),
        "evidence.json": as_json(evidence),
        "installation.json": as_json(_installation()),
        **more,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / CHECKSUMS).write_bytes(checksums({name: sha256(content) for name, content in files.items()}))


def dependencies() -> bytes:
    """The distributions installed beside this one with their versions, a line each."""
    found = {f"{each.name}=={each.version}" for each in distributions()}
    return "".join(f"{line}\n" for line in sorted(found, key=str.lower)).encode()


def _installation() -> dict[str, Any]:
    ruleset = ruleset_name()
    return {
        "heltig": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "referenceDate": REFERENCE_DATE,
        "profile": {"name": DEFAULT.name, "hash": DEFAULT.hash},
        "ruleset": {"version": ruleset.version, "hash": ruleset.hash, "standard": ruleset.standard},
        "tables": provenance(),
    }


def as_json(content: Any) -> bytes:
    """JSON for people to read too."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _table(rows: Sequence[msgspec.Struct]) -> bytes:
    """Rows as CSV; lists joined by spaces, counts as `name=number`."""
    text = io.StringIO()
    if rows:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(rows[0].__struct_encode_fields__)
        writer.writerows([_shown(value) for value in msgspec.structs.astuple(row)] for row in rows)
    return text.getvalue().encode()


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return _OF_THE_SITE
    if isinstance(value, dict):
        return " ".join(f"{name}={number}" for name, number in value.items() if number)
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _page(evidence: Evidence) -> str:
    rules, studies, runs = evidence.rules, evidence.studies, evidence.runs
    ruleset = ruleset_name()
    facts = {
        "Heltig": __version__,
        "Ruleset": f"{ruleset.version}, {ruleset.hash}",
        "Profile": f"{DEFAULT.name}, {DEFAULT.hash}",
        "Edition of the standard": ruleset.standard,
        "Rules as expected": f"{sum(map(is_as_expected, evidence.covered))} of {len(evidence.covered)}",
        **_site(len(rules) - len(evidence.covered)),
        "Labelled studies of rules": str(len(evidence.cases)),
        "Synthetic studies as labelled": f"{sum(study.as_expected for study in studies)} of {len(studies)}",
        "Runs": _agreement(runs),
    }
    verdict = "Passed" if evidence.passed else "Failed"
    parts = [
        "<!doctype html>",
        '<html lang="en"><meta charset="utf-8"><title>Heltig: validation evidence</title>',
        f"<style>{_STYLE}</style>",
        f'<h1>Validation evidence</h1><p class="{verdict.lower()}">{verdict}</p>',
        _html_table(("", ""), facts.items()),
        "<p>Operational quality assurance of metadata; not for diagnosis.</p>",
        "<h2>What came out otherwise</h2>",
        _html_table(("what", "expected", "found"), _surprises(evidence)),
        "<h2>From requirement to rule to labelled study</h2>",
        _html_table(
            ("requirement", "rule", "severity", "what it finds", "labelled studies", "as expected"),
            [
                (r.requirement, r.rule, r.severity, r.title, _shown(r.cases), _shown(r.as_expected))
                for r in sorted(rules, key=lambda rule: (rule.requirement, rule.rule))
            ],
        ),
        "<h2>Synthetic studies</h2>",
        _html_table(
            ("study", "what it is", "expected", "found", "as expected"),
            [
                (s.name, s.title, _label(s.expected, s.expected_rules), s.found, _shown(s.as_expected))
                for s in studies
            ],
        ),
        "<h2>Runs</h2>",
        _html_table(
            ("run", "order", "processes", "hash seed", "digest of the verdicts"),
            [(str(r.number), str(r.order), str(r.processes), str(r.hash_seed), r.digest) for r in runs],
        ),
        "</html>",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def is_as_expected(rule: RuleResult) -> bool:
    """All its labelled studies came out as labelled; never so for a rule without any."""
    return bool(rule.as_expected)


def _site(number: int) -> dict[str, str]:
    """What is said of the rules of a site where there are some."""
    if not number:
        return {}
    return {
        "Rules of the site": f"{number}, not covered by cases of Heltig, and switched off for its labelled "
        "studies. The ruleset's hash holds them; `heltig rules test` tries their own cases."
    }


def _agreement(runs: Sequence[Run]) -> str:
    if len(runs) == 1:
        return "1, compared with none"
    return f"{len(runs)}, of which {sum(run.same for run in runs)} gave the same"


def _surprises(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    for case in evidence.cases:
        if case.problems:
            yield case.rule, f"{case.name}: {case.expected}", "; ".join((case.found, *case.problems))
    for rule in evidence.covered:
        if not rule.found_among_all:
            yield rule.rule, "a finding with all rules beside it", "none"
    for study in evidence.studies:
        if not study.as_expected:
            expected = _label(study.expected, study.expected_rules)
            yield study.name, expected, _label(study.found, study.found_rules)
    for run in evidence.runs:
        if not run.same:
            yield f"run {run.number}", evidence.runs[0].digest, run.digest


def _label(readiness: str, rules: tuple[str, ...]) -> str:
    return f"{readiness} ({', '.join(rules)})" if rules else readiness


def _html_table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    if not body:
        return "<p>Nothing.</p>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"


_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2733 }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0 }
td, th { border-bottom: 1px solid #d5dce3 }
td { overflow-wrap: anywhere }
th:empty { padding: 0 }
.passed, .failed { font-weight: 600 }
.passed { color: #14632f }
.failed { color: #a01818 }
"""
