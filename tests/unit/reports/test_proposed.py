"""Proposed changes in reports, as a script and as data sets."""

import io
import json
import subprocess

import pytest
from unit.reports.samples import HOSTILE, finding, report, study

from heltig.pipeline.report import CheckReport
from heltig.reports import FORMATS, write_report
from heltig.reports.dcmodify import Study, script
from heltig.reports.modified_attributes import datasets
from heltig.rules.finding import Finding
from heltig.rules.proposal import ProposedChange


def change(**fields: object) -> ProposedChange:
    values = {
        "operation": "replace",
        "tag": "00100010",
        "vr": "PN",
        "was": (" DOE^JANE",),
        "becomes": ("DOE^JANE",),
        "why": "The spaces are no part of the name.",
        "series": ("1.2.3",),
        "instances": (),
    }
    return ProposedChange(**values | fields)


def with_change(**fields: object) -> Finding:
    return finding("CHR-PN-LEAD-SPACE", proposed=(change(**fields),))


def written(what: CheckReport, format_: str, *, redact: bool = False) -> str:
    file = io.StringIO()
    write_report(what, format_, file, redact=redact)
    return file.getvalue()


def test_json_has_all_of_a_change() -> None:
    told = json.loads(written(report(study("1.2", "READY", with_change())), "json"))
    assert told["studies"][0]["findings"][0]["proposed"] == [
        {
            "operation": "replace",
            "tag": "00100010",
            "vr": "PN",
            "was": [" DOE^JANE"],
            "becomes": ["DOE^JANE"],
            "why": "The spaces are no part of the name.",
            "series": ["1.2.3"],
            "instances": [],
        }
    ]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, 'PatientName: " DOE^JANE" → "DOE^JANE"'),
        ({"operation": "add", "was": ()}, 'PatientName: add "DOE^JANE"'),
        ({"operation": "remove", "was": None, "becomes": ()}, "PatientName: remove"),
    ],
)
def test_people_read_what_would_become_of_what(fields: dict[str, object], text: str) -> None:
    told = report(study("1.2", "READY", with_change(**fields)))
    assert text in written(told, "text")
    assert text.replace('"', "&#34;") in written(told, "html")


@pytest.mark.parametrize("format_", FORMATS)
def test_redaction_takes_out_proposed_values_that_could_name_a_patient(format_: str) -> None:
    harmless = {"tag": "00280034", "vr": "IS", "was": ("1", "1"), "operation": "remove", "becomes": ()}
    found = finding("X", proposed=(change(), change(**harmless)))
    told = report(study("1.2", "READY", found))
    assert "JANE" not in written(told, format_, redact=True)
    if format_ == "json":
        (left,) = json.loads(written(told, "json", redact=True))["studies"][0]["findings"][0]["proposed"]
        assert left["tag"] == "00280034"


def of(*findings: Finding) -> str:
    return script([Study("1.2", findings)])


@pytest.mark.parametrize(
    "text", [*HOSTILE, "'; touch harm; '", "`touch harm`", "$(touch harm)", "%s%n\\", "é"]
)
@pytest.mark.parametrize("field", ["was", "becomes", "series", "instances"])
def test_a_script_is_ascii_and_right_for_the_shell_whatever_the_text(text: str, field: str) -> None:
    told = of(with_change(**{field: (text,)}))
    assert told.isascii()
    checked = subprocess.run(["sh", "-n"], input=told, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_script_leaves_out_what_it_cannot_tell() -> None:
    assert "left out" in of(with_change(was=("two\nlines",)))
    assert "left out" in of(with_change(was=("A\0B",)))
    assert "left out" in of(with_change(series=(), instances=()))
    assert "left out" not in of(with_change())


def test_a_script_without_changes_changes_nothing() -> None:
    assert "dcmodify -q" in of()
    assert 'set -- "$@"' not in of(finding())


def test_data_sets_of_removals_and_names() -> None:
    removal = change(operation="remove", was=None, becomes=(), tag="00080056", vr="CS")
    named = change(becomes=("DOE^JANE==X",), series=(), instances=("1.2.3.4",))
    removed, replaced = datasets("1.2", [finding(proposed=(removal, named))])
    assert "00080056" not in removed
    assert removed["04000561"]["Value"][0]["04000550"]["Value"] == [{"00080056": {"vr": "CS"}}]
    assert replaced["00100010"]["Value"] == [{"Alphabetic": "DOE^JANE", "Phonetic": "X"}]
    assert "00081115" not in replaced
    assert list(replaced) == sorted(replaced)
    assert datasets("", [finding(proposed=(removal,))])[0]["0020000D"] == {"vr": "UI"}
