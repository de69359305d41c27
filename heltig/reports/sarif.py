"""The report as SARIF 2.1.0, for code scanning views and CI systems that read it."""

from collections.abc import Iterator
from typing import IO, Any

import msgspec

from heltig.pipeline.report import CheckReport
from heltig.reports.reasons import not_shown
from heltig.reports.wording import place
from heltig.rules.catalogue import catalogue
from heltig.rules.finding import Finding

LEVELS = {"block": "error", "review": "warning", "note": "note"}


def write(report: CheckReport, file: IO[str]) -> None:
    """Write the report: a result for each finding and for what else keeps a study from READY.

    Each rule that has a result is there with its manual.
    """
    results = list(_results(report))
    by_rule = {finding.rule: finding for finding in _findings(report)}
    driver = {
        "name": "Heltig",
        "version": report.heltig,
        "rules": [_rule(id, by_rule.get(id)) for id in sorted({result["ruleId"] for result in results})],
    }
    run = {
        "tool": {"driver": driver},
        "results": results,
        "properties": {
            "ruleset": msgspec.to_builtins(report.ruleset),
            "profile": msgspec.to_builtins(report.profile),
            "referenceDate": report.reference_date.isoformat(),
            "readiness": report.readiness,
        },
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    file.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")


def _findings(report: CheckReport) -> Iterator[Finding]:
    for study in report.studies:
        yield from study.findings
    for given in report.inputs:
        yield from given.findings


def _rule(id: str, finding: Finding | None) -> dict[str, Any]:
    rule = catalogue().get(id)
    if rule is not None:
        said = [rule.manual["Why"], rule.remedy, f"Standard: {rule.reference}" if rule.reference else ""]
        return {
            "id": id,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.manual["Finds"]},
            "help": {"text": "\n\n".join(filter(None, said))},
            "defaultConfiguration": {"level": LEVELS[rule.severity]},
        }
    if finding is None:  # of a profile, and it found nothing
        return {"id": id}
    return {
        "id": id,
        "shortDescription": {"text": finding.message},
        "help": {"text": finding.remedy},
        "defaultConfiguration": {"level": LEVELS[finding.severity]},
    }


def _results(report: CheckReport) -> Iterator[dict[str, Any]]:
    for study in report.studies:
        where = study.study_instance_uid or study.key
        for finding in study.findings:
            yield _result(finding, where, "study")
        for error in study.errors:
            yield _not_evaluated(error.rule, f"The rule failed to run: {error.error}", where)
        for rule in study.not_evaluable:
            if rule.required:
                why = f"The source does not show {not_shown(rule.missing)}; the profile requires the rule"
                yield _not_evaluated(rule.rule, why, where)
    for given in report.inputs:
        for finding in given.findings:
            yield _result(finding, given.path, "input")


def _result(finding: Finding, where: str, kind: str) -> dict[str, Any]:
    attributes = "; ".join(map(place, finding.tags))
    text = f"{finding.message}: found {finding.observed}; expected {finding.expected}"
    names = [f"{where}/{instance}" for instance in finding.instances] or [where]
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{text} ({attributes})" if attributes else text},
        "occurrenceCount": max(finding.count, 1),
        "locations": [_place(names, kind)],
    }
    if finding.waived:
        result["suppressions"] = [{"kind": "external", "status": "accepted"}]
    return result


def _not_evaluated(rule: str, why: str, where: str) -> dict[str, Any]:
    """What keeps a study from READY and is no finding."""
    located = _place([where], "study")
    return {"ruleId": rule, "level": LEVELS["review"], "message": {"text": why}, "locations": [located]}


def _place(names: list[str], kind: str) -> dict[str, Any]:
    return {"logicalLocations": [{"fullyQualifiedName": name, "kind": kind} for name in names]}
