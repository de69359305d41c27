"""The report as JUnit XML: a test suite a study, so that a CI system fails where a study is not READY.

Some systems (Jenkins) sort cases by class and leave out the suite: so the class names the study, too, without
full stops, which would end the name of a package.
"""

import re
from typing import IO
from xml.etree import ElementTree as ET  # only ever writes

from heltig.pipeline.report import CheckReport
from heltig.reports.reasons import not_shown
from heltig.reports.wording import place
from heltig.rules.finding import Finding

_UNWRITABLE = re.compile("[^\\t\\n\\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: CheckReport, file: IO[str]) -> None:
    """Write the report: what keeps a study from READY is a failure or an error, notes are passed tests."""
    root = ET.Element("testsuites", name="heltig")
    for study in report.studies:
        suite = _suite(root, study.study_instance_uid or study.key, study.findings)
        for error in study.errors:
            case = _case(suite, error.rule)
            ET.SubElement(case, "error", message=f"the rule failed to run: {error.error}")
        for rule in study.not_evaluable:
            case = _case(suite, rule.rule)
            why = f"the source does not show {not_shown(rule.missing)}"
            if rule.required:
                ET.SubElement(case, "failure", message=f"{why}; the profile requires the rule", type="review")
            else:
                ET.SubElement(case, "skipped", message=why)
        _count(suite)
    for given in report.inputs:
        _count(_suite(root, given.path, given.findings))
    _count(root)
    ET.indent(root)
    file.write('<?xml version="1.0" encoding="utf-8"?>\n' + _writable(ET.tostring(root, encoding="unicode")))
    file.write("\n")


def _suite(root: ET.Element, name: str, findings: tuple[Finding, ...]) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=name)
    if not findings:
        _case(suite, "no finding")
    for finding in findings:
        case = _case(suite, finding.rule)
        lines = [
            "; ".join(map(place, finding.tags)),
            f"found {finding.observed}; expected {finding.expected}",
            f"instances: {finding.count}: {', '.join(finding.instances)}",
            f"standard: {finding.reference}" if finding.reference else "",
            finding.remedy,
        ]
        text = "\n".join(line for line in lines if line)
        if finding.severity == "note" or finding.waived:
            said = f"Waived: {finding.message}" if finding.waived else finding.message
            ET.SubElement(case, "system-out").text = f"{said}\n{text}"
        else:
            failure = ET.SubElement(case, "failure", message=finding.message, type=finding.severity)
            failure.text = text
    return suite


def _case(suite: ET.Element, name: str) -> ET.Element:
    of = suite.get("name", "").replace(".", "-")
    return ET.SubElement(suite, "testcase", classname=f"heltig.{of}", name=name)


def _count(element: ET.Element) -> None:
    for name, tag in (
        ("tests", "testcase"),
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ):
        element.set(name, str(len(element.findall(f".//{tag}"))))


def _writable(text: str) -> str:
    """What XML 1.0 has no place for (2.2): most control characters, U+FFFE, U+FFFF, halves of a pair."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
