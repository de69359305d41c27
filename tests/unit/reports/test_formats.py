"""Every format says everything, whatever the text, and is what it claims to be."""

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from unit.reports.samples import HOSTILE, finding, full, given, report, study

from heltig.pipeline.identifiers.redaction import redacted_finding
from heltig.pipeline.report import CheckReport
from heltig.reports import FORMATS, write_report
from heltig.rules.finding import RuleError

SARIF = json.loads((Path(__file__).parent / "vendor/sarif-2.1.0-rtm.5.json").read_text("utf-8"))


def written(what: CheckReport, format_: str, **options: Any) -> str:
    """The report as a file has it: in UTF-8."""
    file = io.StringIO()
    write_report(what, format_, file, **options)
    return file.getvalue().encode("utf-8").decode()


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_can_be_written(format_: str, text: str) -> None:
    told = written(full(text), format_)
    match format_:
        case "json" | "sarif":
            json.loads(told)
        case "ndjson":
            assert [json.loads(line)["type"] for line in told.split("\n")[:-1]] == [
                "run", "input", "input", "study", "study", "study",
            ]  # fmt: skip
        case "junit":
            ET.fromstring(told)  # noqa: S314 - ours
        case "html":
            assert "<script" not in told
    assert "49" not in told.replace("1.2.49", "")


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_report_gives_the_same_bytes(format_: str) -> None:
    assert written(full(), format_) == written(full(), format_)


@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_read_is_a_report_too(format_: str) -> None:
    assert written(report(inputs=(given("empty"),)), format_)


@pytest.mark.parametrize("format_", FORMATS)
def test_redaction_takes_out_what_could_name_a_patient(format_: str) -> None:
    named = report(
        *full("Doe^Jane").studies, inputs=(given("Doe.zip", skipped=full("Roe").inputs[0].skipped),)
    )
    told = written(named, format_, redact=True)
    for text in ("observed Doe", "expected Doe", "Doe.zip", "readme Roe"):
        assert text not in told
    assert "[redacted]" in told


@pytest.mark.parametrize("format_", FORMATS)
def test_redaction_takes_out_what_stands_where_a_uid_should(format_: str) -> None:
    named = finding("UID-CHARS", instances=("ZQUID^DOE", "1.2.3"), tags=("00080018",), observed="ZQUID^DOE")
    told = written(report(study("ZQSTUDY^DOE", "BLOCKED", named)), format_, redact=True)
    assert "DOE" not in told
    assert "[redacted]" in told


def test_redaction_leaves_no_digest_of_what_could_be_guessed() -> None:
    assert redacted_finding(finding(digest="d" * 32)).digest == ""


@pytest.mark.parametrize(
    ("tag", "observed", "is_told"),
    [
        ("0020000D", "1.2.03", True),
        ("0020000D", "1.2.DOE", False),
        ("00080060", "CT (3), MR (1)", True),
        ("00180015", "WHOLE BODY", True),
        ("00180015", "BREAST (3), DOE JANE (1)", False),
        ("00185100", "HFS (3), FFDR (1)", True),
        ("00185100", "MILLER ANNA", False),
        ("00200060", "SMITH", False),
        ("00080005", "ISO 2022 IR 87", True),
        ("00180015", "ANNA MARIA DOE SMITH: 20 characters", False),
        ("00180015", "DOE^JANE 19370317", False),
        ("00180015", "Doe", False),
        ("00180015", "zqlow", False),
        ("00180050", "3 mm thick, a slice every 5 mm", True),
        ("00180050", "DOE", False),
        ("00180050", "1.5e-3\\2", True),
        ("00200013", "161 missing of 165: 19 to 179", True),
    ],
)
def test_redaction_keeps_codes_numbers_and_uids_that_are_such(tag: str, observed: str, is_told: bool) -> None:
    kept = finding("VAL-X", tags=(tag,), observed=observed, expected="a number")
    found = redacted_finding(kept)
    assert found.observed == (observed if is_told else "[redacted]")


@pytest.mark.parametrize("text", ["text", *HOSTILE])
def test_sarif_is_valid(text: str) -> None:
    sarif = json.loads(written(full(text), "sarif"))
    jsonschema.Draft4Validator(SARIF).validate(sarif)
    results = sarif["runs"][0]["results"]
    assert len(results) == 6
    assert [result.get("suppressions", []) for result in results].count([]) == 5


def test_sarif_levels_and_places() -> None:
    results = json.loads(written(full(), "sarif"))["runs"][0]["results"]
    assert [result["level"] for result in results] == [
        "error",
        "warning",
        "note",
        "warning",
        "warning",
        "error",
    ]
    assert "The rule failed to run: ValueError" in results[3]["message"]["text"]
    assert (
        "set bytes; nor file meta information (group 0002), the transfer syntax with it; the profile requires"
        in results[4]["message"]["text"]
    )
    assert results[0]["occurrenceCount"] == 7
    places = results[0]["locations"][0]["logicalLocations"]
    assert places[0]["fullyQualifiedName"] == "1.2.text/1.2.3 text"
    assert "(0010,0020) PatientID" in results[0]["message"]["text"]


def test_junit_counts_what_it_says() -> None:
    root = ET.fromstring(written(full(), "junit"))  # noqa: S314 - ours
    for element in (root, *root.findall("testsuite")):
        assert int(element.get("tests", "")) == len(element.findall(".//testcase"))
        assert int(element.get("failures", "")) == len(element.findall(".//failure"))
        assert int(element.get("errors", "")) == len(element.findall(".//error"))
        assert int(element.get("skipped", "")) == len(element.findall(".//skipped"))
    classes = [{case.get("classname", "") for case in suite.iter("testcase")} for suite in root]
    assert classes[1] == {"heltig.1-2-840-1"}
    assert all(len(of) == 1 for of in classes), "a class is a study"
    assert len(set.union(*classes)) == len(root)
    assert root.get("failures") == "4"
    required = [case.get("message", "") for case in root.iter("failure") if case.get("type") == "review"]
    assert sum(text.endswith("with it; the profile requires the rule") for text in required) == 1
    assert "standard: PS3.3 C.7.1.1" in str(root.findtext(".//failure"))
    waived = [said for case in root.iter("system-out") if (said := case.text or "").startswith("Waived: ")]
    assert len(waived) == 1
    assert [suite.get("name") for suite in root] == [
        "1.2.text", "1.2.840.1", "no-uid-text", "folder text", "other.zip",
    ]  # fmt: skip


def test_text_is_short_for_what_is_ready_and_whole_for_what_is_not() -> None:
    told = written(full(), "text")
    assert "READY  1.2.840.1  9 instances in 2 series" in told
    assert "no-uid-text (no StudyInstanceUID)" in told
    assert "(0040,0275) RequestAttributesSequence > (0008,0050) AccessionNumber" in told
    assert "7 instances: 1.2.3 text, 1.2.4 and 5 more" in told
    assert "SER-SPARSE failed to run: ValueError text" in told
    assert "not evaluable here: PAT-ID-EMPTY" in told
    assert "(waived)" in told
    assert "3 studies   1 BLOCKED    2 READY" in told
    assert "reference date 2026-03-01" in told


def test_text_gives_a_note_a_line_unless_it_is_asked_for() -> None:
    long = finding("IOD-TYPE2", severity="note", message="word " * 60, remedy="note mended", count=8)
    same = [
        finding("VAL-RETIRED", severity="note", message="Retired", tags=(tag,), remedy="note mended")
        for tag in ("00181141", "00400301")
    ]
    one = report(study("1.2", "BLOCKED", finding(), long, *same, errors=(RuleError("SER-SPARSE", "E"),)))
    lines = written(one, "text").splitlines()
    assert "PatientID, 8 instances)" in next(line for line in lines if "IOD-TYPE2" in line)
    assert "Retired (AngularPosition and 1 more)" in next(line for line in lines if "VAL-RETIRED" in line)
    marks = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    assert marks == ["block", "error", "note", "note"]
    assert max(map(len, lines)) <= 110
    assert "note mended" not in "".join(lines)
    whole = written(one, "text", notes=True)
    assert whole.count("note mended") == 2
    assert whole.count("found observed text") == 4


def test_text_counts_attributes_beyond_the_third_and_says_what_is_common_once() -> None:
    tags = ("00100010", "00100020", "00100030", "00100040", "00080050")
    told = written(report(study("1.2", "BLOCKED", finding(tags=tags), finding(observed="more"))), "text")
    assert "(0010,0030) PatientBirthDate and 2 more" in " ".join(told.split())
    assert "PatientSex" not in told
    assert (told.count("message text"), told.count("remedy text")) == (1, 1)
    assert "found more; expected expected text" in told


def test_text_says_what_nobody_could_see() -> None:
    assert "1 rule not evaluable, for want of: the archive's own QIDO-RS rows" in written(full(), "text")


def test_json_is_the_form_that_others_read() -> None:
    told = json.loads(written(full(), "json"))
    assert list(told) == ["heltig", "ruleset", "profile", "referenceDate", "inputs", "studies", "readiness"]
    blocked, _, nameless = told["studies"]
    assert [rule["required"] for rule in blocked["notEvaluable"]] == [False, True]
    assert (nameless["studyInstanceUID"], nameless["key"]) == (None, "no-uid-text")
    assert set(blocked["findings"][0]) == {
        "rule", "severity", "level", "message", "tags", "observed", "expected", "count", "instances",
        "reference", "remedy", "waived", "proposed", "digest",
    }  # fmt: skip
