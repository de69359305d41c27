"""The report as SARIF 2.1.0, for code scanning views and CI systems that read it."""

from collections.abc import Iterator
from typing import IO, Any

import msgspec

from heltig.pipeline.report import CheckReport
from heltig.reports.wording import place
from heltig.rules.catalogue import catalogue
from heltig.rules.finding import Finding

LEVELS = {"block": "error", "review": "warning", "note": "note"}


def write(report: CheckReport, file: IO[str]) -> None:
    """Write the report: a result a finding, a rule's manual with each rule that found something."""
    results = list(_results(report))
    by_rule = {finding.rule: finding for finding in _findings(report)}
    driver = {
        "name": "Heltig",
        "version": report.heltig,
        "rules": [_rule(by_rule[id]) for id in sorted(by_rule)],
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


def _rule(finding: Finding) -> dict[str, Any]:
    rule = catalogue().get(finding.rule)
    if rule is None:  # of the profile alone
        return {
            "id": finding.rule,
            "shortDescription": {"text": finding.message},
            "help": {"text": finding.remedy},
            "defaultConfiguration": {"level": LEVELS[finding.severity]},
        }
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.manual["Finds"]},
        "help": {"text": f"{rule.manual['Why']}\n\n{rule.remedy}"},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
    }


def _results(report: CheckReport) -> Iterator[dict[str, Any]]:
    for study in report.studies:
        for finding in study.findings:
            yield _result(finding, study.study_instance_uid or study.key, "study")
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
        "locations": [{"logicalLocations": [{"fullyQualifiedName": n, "kind": kind} for n in names]}],
    }
    if finding.waived:
        result["suppressions"] = [{"kind": "external", "status": "accepted"}]
    return result
