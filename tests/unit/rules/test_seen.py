"""What the digest of a finding stands for: the same data has the same one, other data another."""

from datetime import date

import pytest

from heltig.pipeline.judging import judge
from heltig.rules.cases import STUDY_UID, study_of
from heltig.rules.profile import DEFAULT

CT = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT", "PatientID": "A1"}
RAW = "1.2.840.10008.5.1.4.1.1.66"
LONG = "1234567890" * 12


def findings(rule, instances, **case):
    study = study_of({"study": instances, **case})
    verdict = judge(study, DEFAULT, reference_date=date(2026, 1, 1)).verdict
    return [finding for finding in verdict.findings if finding.rule == rule]


def each(keyword, values):
    """An instance for each value of an attribute."""
    return [{**CT, keyword: value} for value in values]


def references(*uids):
    items = [{"ReferencedSOPClassUID": CT["SOPClassUID"], "ReferencedSOPInstanceUID": uid} for uid in uids]
    return [{**CT, "ReferencedImageSequence": items}]


def leaking(text):
    """De-identified data with two attributes of one option."""
    return [
        {
            **CT,
            "PatientIdentityRemoved": "YES",
            "StudyDescription": text,
            "RequestAttributesSequence": [{"RequestedProcedureID": text}],
        }
    ]


@pytest.mark.parametrize(
    ("rule", "one", "other"),
    [
        ("PAT-ID-CONFLICT", *(each("PatientID", [*"ABCDEFGH", last]) for last in "IJ")),
        ("PAT-NAME-CONFLICT", *(each("PatientName", [LONG, f"{LONG}{c}{LONG}"]) for c in "ab")),
        ("VAL-LENGTH", *(each("StationName", [f"{LONG}{c}{LONG}"]) for c in "ab")),
        ("VAL-CS", *(each("BodyPartExamined", [f"{n};" for n in ns]) for ns in (range(30), range(1, 31)))),
        ("DEI-TABLE-X", leaking("Thorax"), leaking("Abdomen")),
        ("REF-IMAGE-ABSENT", references("1.2.3", "1.2.4"), references("1.2.3", "1.2.5")),
    ],
)
def test_what_a_text_hides_is_in_the_digest(rule, one, other):
    (before, *_), (after, *_) = (
        [found for found in findings(rule, study) if "other values" in found.observed or rule != "VAL-CS"]
        for study in (one, other)
    )
    assert (before.tags, before.observed) == (after.tags, after.observed)
    assert before.digest != after.digest
    (again, *_) = [f for f in findings(rule, one) if f.observed == before.observed]
    assert again.digest == before.digest


def test_attributes_that_are_absent_alike_are_told_apart():
    raw = {**CT, "SOPClassUID": RAW, "ReferringPhysicianName": "", "StudyTime": "120000", "KVP": 1}
    found = findings("IOD-TYPE1", [{**raw, "InstanceNumber": 1}, {**raw, "ContentDate": "20200101"}])
    assert len({one.observed for one in found}) < len(found)
    assert len({one.digest for one in found}) == len(found)


@pytest.mark.parametrize(
    ("rule", "study"),
    [
        ("STU-ACCESSION-EMPTY", [{**CT, "times": 3}]),
        ("IOD-TYPE1", [CT]),
        ("VAL-CS", [{**CT, "BodyPartExamined": "a;b"}]),
        ("PAT-ID-CONFLICT", [CT, {**CT, "PatientID": "B2"}]),
    ],
)
def test_the_same_in_another_study_has_the_same_digest(rule, study):
    """So a waiver for a location covers later studies, too."""
    elsewhere = [
        {**instance, "StudyInstanceUID": f"{STUDY_UID}.9", "StudyDate": "20250101"} for instance in study
    ]
    digests = [sorted(found.digest for found in findings(rule, one)) for one in (study, elsewhere)]
    assert digests[0] == digests[1] != []


@pytest.mark.parametrize("syntax", ["json", "explicit"])
def test_the_order_of_instances_changes_no_digest(syntax):
    study = [{**CT, "PatientID": number, "BodyPartExamined": f"{number};"} for number in ("A1", "B2", "C3")]
    rules = ("PAT-ID-CONFLICT", "VAL-CS")
    uids = [{**one, "SOPInstanceUID": f"1.2.{n}"} for n, one in enumerate(study)]
    forwards, backwards = (
        [found.digest for rule in rules for found in findings(rule, order, syntax=syntax)]
        for order in (uids, uids[::-1])
    )
    assert forwards == backwards != []
