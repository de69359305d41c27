"""What is remembered of earlier studies: it saves work and changes no evaluation."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import DEFAULT
from heltig.rules.views import Context

CONTEXT = Context(date(2026, 1, 1), Parameters())

VALUES = {
    "PatientID": ["P1", " P2 ", "", "UNKNOWN"],
    "PatientName": ["Doe^Jane", "DOE JANE", "A=B=C=D"],
    "PatientBirthDate": ["19700101", "20991231", "1970.01.01"],
    "PatientAge": ["050Y", "5Y", "three"],
    "StudyDate": ["20200101", "20200230", ""],
    "Modality": ["CT", "ct", "XX"],
    "SOPClassUID": ["1.2.840.10008.5.1.4.1.1.2", "1.2.3.04", "1.2.840.10008.5.1.4.1.1.4"],
    "SeriesInstanceUID": ["1.2.3.1", "1.2.3.2"],
    "InstanceNumber": [1, 2, "x"],
    "SliceThickness": [1.5, 0, -2],
    "SpecificCharacterSet": ["ISO_IR 100", "UTF-8"],
}
CODES = [
    [],
    [{"CodeValue": "1", "CodingSchemeDesignator": "DCM", "CodeMeaning": "One"}],
    [{"CodeValue": "1", "CodingSchemeDesignator": "DCM"}, {"CodeMeaning": "\u0007"}],
    [{"ReferencedSOPInstanceUID": "1.2..3", "PurposeOfReferenceCodeSequence": [{"CodeValue": "2"}]}],
]

INSTANCE = st.fixed_dictionaries(
    {},
    optional={
        **{keyword: st.sampled_from(values) for keyword, values in VALUES.items()},
        "ReferencedImageSequence": st.sampled_from(CODES),
        "AnatomicRegionSequence": st.sampled_from(CODES),
    },
)
STUDY = st.tuples(st.lists(INSTANCE, min_size=1, max_size=5), st.sampled_from(["json", "explicit"]))


def study(instances, syntax):
    numbered = [{"SOPInstanceUID": f"1.2.9.{n}"} | instance for n, instance in enumerate(instances)]
    return study_of({"study": numbered, "syntax": syntax})


@given(st.lists(STUDY, min_size=2, max_size=6))
def test_an_evaluation_does_not_depend_on_the_studies_before(studies):
    used = Ruleset(catalogue().values(), DEFAULT)
    for instances, syntax in studies:
        fresh = Ruleset(catalogue().values(), DEFAULT)
        expected = evaluate(fresh, study(instances, syntax), CONTEXT)
        assert evaluate(used, study(instances, syntax), CONTEXT) == expected


def test_what_is_clean_today_is_not_taken_to_be_clean_tomorrow():
    ruleset = Ruleset([catalogue()["STU-DATE-FUTURE"]], DEFAULT)
    instances = [{"StudyDate": "20260110"}]
    later = Context(date(2026, 2, 1), Parameters())
    assert evaluate(ruleset, study(instances, "json"), later).findings == ()
    (finding,) = evaluate(ruleset, study(instances, "json"), CONTEXT).findings
    assert finding.rule == "STU-DATE-FUTURE"
