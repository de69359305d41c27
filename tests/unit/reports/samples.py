"""A report for the tests of its formats, with any text in every place for text."""

from datetime import date

from heltig.pipeline.judging import RulesetName
from heltig.pipeline.report import CheckedInput, CheckedStudy, CheckReport, ProfileName, SkippedMember
from heltig.rules.finding import Finding, NotEvaluable, RuleError

HOSTILE = [
    "<script>alert(1)</script>",
    "]]></failure>&<!--",
    "a\x00b\x07c\x1b[31m\x85\uffff",
    "line\nline\r\ttab\u2028end",
    "\u202eright to left",
    "quote\"'`",
    "{{ 7 * 7 }}[red]x[/red]",
]


def finding(rule: str = "PAT-ID-EMPTY", text: str = "text", **fields: object) -> Finding:
    values = {
        "rule": rule,
        "severity": "block",
        "level": "study",
        "message": f"message {text}",
        "tags": ("00100020",),
        "observed": f"observed {text}",
        "expected": f"expected {text}",
        "count": 7,
        "instances": (f"1.2.3 {text}", "1.2.4"),
        "reference": "PS3.3 C.7.1.1",
        "remedy": f"remedy {text}",
    }
    return Finding(**values | fields)


def study(key: str, readiness: str = "READY", *findings: Finding, **fields: object) -> CheckedStudy:
    values = {
        "study_instance_uid": key,
        "key": key,
        "readiness": readiness,
        "snapshot": "c" * 64,
        "series": 2,
        "instances": 9,
        "findings": findings,
        "not_evaluable": (NotEvaluable("SRC-QIDO-COUNT", ("query",)),),
        "errors": (),
    }
    return CheckedStudy(**values | fields)


def given(path: str = "in", *findings: Finding, skipped: tuple[SkippedMember, ...] = ()) -> CheckedInput:
    return CheckedInput(path, 27 + len(skipped), 27, skipped, findings)


def report(*studies: CheckedStudy, inputs: tuple[CheckedInput, ...] = ()) -> CheckReport:
    return CheckReport(
        heltig="0.1.0",
        ruleset=RulesetName("0.1.0", "a" * 64, "2024e"),
        profile=ProfileName("default", "b" * 64),
        reference_date=date(2026, 3, 1),
        inputs=inputs or (given(),),
        studies=studies,
    )


def full(text: str = "text") -> CheckReport:
    """A report with something of everything."""
    blocked = study(
        f"1.2.{text}",
        "BLOCKED",
        finding(text=text),
        finding("VAL-CS", text, severity="review", tags=("00400275/00080050", "0009xx01 CREATOR"), count=9),
        finding("SER-SPARSE", text, severity="note", waived=True, count=0, instances=(), tags=()),
        errors=(RuleError("SER-SPARSE", f"ValueError {text}"),),
        not_evaluable=(
            NotEvaluable("SRC-QIDO-COUNT", ("query",)),
            NotEvaluable("PAT-ID-EMPTY", ("bytes", "file_meta"), required=True),
        ),
    )
    nameless = study(f"no-uid-{text}", study_instance_uid=None)
    skipped = (SkippedMember(f"readme {text}.txt", "not-dicom", f"no DICM prefix {text}"),)
    package = given(
        f"folder {text}",
        finding("SRC-NOT-DICOM", text, level="input", tags=(), instances=(f"readme {text}.txt",), count=1),
        skipped=skipped,
    )
    return report(blocked, study("1.2.840.1"), nameless, inputs=(package, given("other.zip")))
