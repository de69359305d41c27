"""Rules that had nothing to say are not asked again where all that they read is the same, and only there."""

from datetime import date
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import DEFAULT
from heltig.rules.rule import rule
from heltig.rules.stopwatch import Stopwatch
from heltig.rules.views import Context, StudyView

CONTEXT = Context(date(2026, 1, 1), Parameters())

COMPLETE = {
    "PatientID": "P1",
    "PatientName": "Doe^Jane",
    "PatientSex": "F",
    "StudyDate": "20200101",
    "SeriesDate": "20200101",
    "Modality": "CT",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "BodyPartExamined": "CHEST",
    "InstanceNumber": 1,
    "SliceThickness": 1,
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "ImagePositionPatient": [0, 0, 0],
    "Rows": 4,
    "Columns": 4,
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "RescaleIntercept": 0,
    "RescaleSlope": 1,
    "PatientIdentityRemoved": "NO",
}
OTHERWISE = {
    "PatientName": ["Roe^Jane", ""],
    "StudyDate": ["20200103", ""],
    "SeriesDate": ["20191201", "20200102"],
    "Modality": ["MR", "DX", ""],
    "SOPClassUID": ["1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.66.4"],
    "BodyPartExamined": ["KNEE", "HAND"],
    "InstanceNumber": [2, 7, ""],
    "SliceThickness": [2, 0],
    "ImageOrientationPatient": [[0, 1, 0, 0, 0, 1], [1, 0, 0, 0, 2, 0], ""],
    "ImagePositionPatient": [[0, 0, 1], [0, 0, 9], [5, 0, 0], ""],
    "Rows": [8, 0],
    "BitsStored": [16, 8],
    "SamplesPerPixel": [3],
    "PhotometricInterpretation": ["PALETTE COLOR", "RGB", ""],
    "RescaleSlope": [0, 2, ""],
    "PatientIdentityRemoved": ["YES"],
}  # fmt: skip

CHANGE = st.sampled_from([(keyword, value) for keyword, values in OTHERWISE.items() for value in values])
CHANGES = st.lists(st.tuples(st.integers(0, 2), CHANGE), max_size=2)
"""In which of three instances which attribute is otherwise."""


def study(changes=(), *, uid="1.2.9", syntax="json", instances=3):
    made = [COMPLETE | {"SOPInstanceUID": f"{uid}.{number}"} for number in range(instances)]
    for number, (keyword, value) in changes:
        made[number % instances][keyword] = value
    return study_of({"study": made, "syntax": syntax})


def asked(ruleset, table):
    """The rules that are asked about a study."""
    times = count()
    stopwatch = Stopwatch(lambda: float(next(times)))
    evaluate(ruleset, table, CONTEXT, stopwatch=stopwatch)
    return set(stopwatch.seconds)


def trained():
    """A ruleset that has judged three studies that are alike but for their UIDs."""
    ruleset = Ruleset(catalogue().values(), DEFAULT)
    for uid in ("1.2.6", "1.2.7", "1.2.8"):
        evaluate(ruleset, study(uid=uid), CONTEXT)
    return ruleset


@settings(max_examples=25)  # each judges some dozen studies
@given(st.lists(CHANGES, min_size=3, max_size=5), st.sampled_from(["json", "explicit"]))
def test_findings_are_those_of_a_study_judged_alone(studies, syntax):
    used = Ruleset(catalogue().values(), DEFAULT)
    for changes in studies:
        alone = evaluate(Ruleset(catalogue().values(), DEFAULT), study(changes, syntax=syntax), CONTEXT)
        for _ in range(2):
            assert evaluate(used, study(changes, syntax=syntax), CONTEXT) == alone


def test_a_rule_is_not_asked_about_a_further_study_that_is_the_same_in_what_it_reads():
    rules = {"PIX-REQUIRED", "SER-LATERALITY", "INS-LOCALIZER-MIXED"}
    assert rules <= asked(Ruleset(catalogue().values(), DEFAULT), study())
    assert not rules & asked(trained(), study(uid="1.2.5"))


def test_a_rule_is_asked_where_something_that_it_reads_differs():
    assert "SER-LATERALITY" in asked(trained(), study([(0, ("BodyPartExamined", "KNEE"))]))
    assert "PIX-REQUIRED" not in asked(trained(), study([(0, ("BodyPartExamined", "KNEE"))]))


def test_a_rule_is_asked_where_there_are_other_attributes_or_another_number_of_instances():
    assert "PIX-REQUIRED" in asked(trained(), study([(0, ("PatientAge", "040Y"))]))
    assert "PIX-REQUIRED" in asked(trained(), study(instances=2))


def test_a_rule_from_outside_the_package_is_asked_each_time():
    calls = []

    @rule("ACME-ANY", level="study", severity="note", reads=("Modality",))
    def any_study(study: StudyView) -> None:
        """A rule of a site.

        Finds: Nothing.
        Why: It has side effects.
        Mend: Nothing.
        Example: None.
        """
        calls.append(study.first("Modality").text)

    ruleset = Ruleset([any_study], DEFAULT)
    for number in range(4):
        evaluate(ruleset, study(uid=f"1.2.{number}"), CONTEXT)
    assert calls == ["CT"] * 4
