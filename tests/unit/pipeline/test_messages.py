"""The sentence of a finding tells no value, whatever rule made it and wherever the value stands."""

import io
import json
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import IDENTITY, planted
from unit.rules.test_cases import CASES

from heltig.demo.part10 import part10
from heltig.demo.studies import make_study
from heltig.pipeline.check import check
from heltig.pipeline.identifiers.messages import is_sentence, redacted_message, says_what_is_missing
from heltig.pipeline.identifiers.redaction import redacted_finding
from heltig.pipeline.identifiers.vocabulary import REDACTED
from heltig.pipeline.report import CheckReport
from heltig.reports import FORMATS, write_report
from heltig.rules.cases import evaluate_case
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset
from heltig.rules.finding import Finding
from heltig.rules.profile import DEFAULT, Profile

MARKS = ("DOE JANE9", "zqxmarklow", "ZqxMarkMix", "ZQXMARK^ZQXUP", "Ζωηςγφ", "山田太郎標")
MODALITY, PATIENT_ID = "00080060", "00100020"


@pytest.fixture(scope="module")
def planted_check(tmp_path_factory: pytest.TempPathFactory) -> CheckReport:
    """Studies with marks everywhere, some with one in a UID that studies are known by, and in file names."""
    folder = tmp_path_factory.mktemp("planted")
    for number, mark in enumerate(MARKS):
        for name in ("dx-hand", "mr-enhanced", "ecg"):
            for at, dataset in enumerate(make_study(name, number + 1).datasets[:2]):
                told = {**dataset, "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}
                told.pop("7FE00010", None)  # it is made up by the numbers beside it
                keeps = (IDENTITY, IDENTITY | {MODALITY, PATIENT_ID}, IDENTITY - {"0020000D"})
                for kind, keep in enumerate(keeps):
                    file = folder / f"{mark} {name} {at} {kind}.dcm".replace("^", "_")
                    stand_in = "Q" * len(mark.encode())  # of other characters many VRs have none
                    written = part10(planted(told, stand_in, keep=keep), {})
                    file.write_bytes(written.replace(stand_in.encode(), mark.encode()))
    return check([folder], DEFAULT, reference_date=date(2026, 1, 1))


def _findings(report: CheckReport) -> Iterator[Finding]:
    for study in report.studies:
        yield from study.findings
    for one in report.inputs:
        yield from one.findings


def test_marks_are_in_sentences(planted_check: CheckReport) -> None:
    """Or the next test would hold whatever is told."""
    rules = {f.rule for f in _findings(planted_check) if any(mark in f.message for mark in MARKS)}
    assert {"IOD-ENUM", "STU-ACCESSION-SHARED"} <= rules


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_of_a_redacted_check_has_a_mark(planted_check: CheckReport, format_: str) -> None:
    file = io.StringIO()
    write_report(planted_check, format_, file, redact=True, notes=True)
    text = file.getvalue()
    assert "IOD-ENUM" in text
    parts = {part for mark in MARKS for part in re.split(r"[\s^]", mark)}
    forms = [form for part in parts for form in (part, json.dumps(part)[1:-1])]
    assert [text[max(text.find(form) - 150, 0) :][:300] for form in forms if form in text] == []


@cache
def _of_cases() -> list[tuple[dict[str, Any], Finding]]:
    failing = [(rule, case) for rule, cases in CASES.items() for case in cases if case["outcome"] == "fail"]
    return [
        (case, f)
        for rule, case in failing
        for f in evaluate_case(Ruleset([catalogue()[rule]], Profile()), case).findings
    ]


def test_most_sentences_stay_as_they_are() -> None:
    changed = {}
    for _, finding in _of_cases():
        told = redacted_finding(finding).message
        if told != finding.message:
            changed.setdefault(finding.rule, []).append(told)
    assert set(changed) == {
        "IOD-ENUM",  # what is not listed
        "VAL-DA", "VAL-TM-DT",  # parts of dates
        "PAT-COLLISION-SUSPECT", "PAT-SPLIT-SUSPECT", "STU-ACCESSION-SHARED",  # 1.9, which could be a weight
    }  # fmt: skip
    told = [sentence for sentences in changed.values() for sentence in sentences]
    assert len(told) < 20
    assert all(len(sentence.replace(REDACTED, "")) > 12 for sentence in told)


def test_a_sentence_has_no_value_of_its_case() -> None:
    for case, finding in _of_cases():
        told = redacted_finding(finding).message
        if told == catalogue()[finding.rule].title:
            continue
        given = {name: value for name, value in case.items() if name in ("study", "facts", "query")}
        values = set(re.findall(r'(?<=")[^"\\]{2,}(?=")', json.dumps(given, default=str, ensure_ascii=False)))
        there = [value for value in values if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", told)]
        assert [value for value in there if not _is_told(value, finding)] == [], (finding.rule, told)


def _is_told(value: str, finding: Finding) -> bool:
    """A UID, a keyword, a word of the vocabulary, a location, or a term of the standard."""
    told = redacted_message(value, rule=finding.rule, remedy=finding.remedy, numbers=True, coded=True)
    return told == value or value.startswith("archive:")


SAID = {"rule": "ACME-ANY", "remedy": "Correct the station at the scanner", "numbers": True, "coded": False}


@given(
    st.lists(
        st.sampled_from(
            ["study", "in", "has", "'", "(", ",", "Rows", "4711", "1.2.3.4.5", "19470304", "Zqx"]
        ),
        max_size=6,
    ),
    st.sampled_from(["Doe", "DOE^JANE", "zqxmark", "O'Zqx", "山田", "J. Doe", "Zqx-Doe 1947", "doe@zqx.org"]),
    st.lists(st.sampled_from(["is", "wrong", "of", "7", "1947", "CT", "'"]), max_size=6),
)
def test_whoever_makes_the_sentence_a_name_is_taken_out(
    before: list[str], name: str, after: list[str]
) -> None:
    message = " ".join([*before, name, *after])
    told = redacted_message(message, **SAID)
    assert REDACTED in told
    assert not re.search(r"doe|zqx|山田|jane", told.lower())
    assert not re.search(r"\d{2}", told)  # numbers beside a name may be part of what somebody typed
    assert redacted_message(told, **SAID) == told


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("The station is not at the scanner", "The station is not at the scanner"),
        ("StationName has '4711 Doe', at the scanner", f"StationName has '{REDACTED}', at the scanner"),
        ("Rows has 512, Columns 511", "Rows has 512, Columns 511"),
        ("The series is also in study 1.2.840.1.5 at archive:main",
         "The series is also in study 1.2.840.1.5 at archive:main"),
        ("The series is also in study doe 4711 at archive:main",
         f"The series is also in study {REDACTED} at archive:main"),
        ("The series is at archive:doe of Jane", f"The series is at archive:{REDACTED} of {REDACTED}"),
    ],
)  # fmt: skip
def test_a_rule_of_a_site_says_what_it_may(message: str, told: str) -> None:
    assert redacted_message(message, **SAID).replace(f"{REDACTED} {REDACTED}", REDACTED) == told


def test_numbers_beside_text_are_taken_out() -> None:
    said = {**SAID, "numbers": False}
    assert redacted_message("Born in 1947", **said) == f"{REDACTED} in {REDACTED}"
    assert redacted_message("has 19470304, study 1947.03.04", **said) == f"has {REDACTED}, study {REDACTED}"


def test_a_rule_of_a_profile_has_the_same_sentence_for_all() -> None:
    said = {**SAID, "rule": "SITE-KNEE"}
    assert redacted_message("Knees need Dr. Meyer's protocol", **said) == "Knees need Dr. Meyer's protocol"


@pytest.mark.parametrize("observed", ["absent", "empty", "no pixel data", "absent (CT Image)", "none"])
def test_what_is_missing_is_told_of_every_attribute(observed: str) -> None:
    assert says_what_is_missing(observed)
    assert is_sentence("a value")


@pytest.mark.parametrize("observed", ["no Doe", "none^jane", "absentia", "empty 1947", "unknown"])
def test_what_only_begins_so_is_not(observed: str) -> None:
    assert not says_what_is_missing(observed)


def test_reports_say_what_is_missing() -> None:
    found = {
        (finding.rule, told.observed, told.expected)
        for _, finding in _of_cases()
        if finding.observed in ("absent", "empty", "no pixel data")
        for told in [redacted_finding(finding)]
    }
    assert {(rule, seen) for rule, seen, _ in found if seen == REDACTED} == set()
    assert [rule for rule, _, expected in found if expected == REDACTED] == []
