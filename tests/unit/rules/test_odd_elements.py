"""No value rule stumbles, whatever an element holds."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from heltig.rules.cases import study_of
from heltig.rules.catalogue import catalogue
from heltig.rules.engine import Ruleset, evaluate
from heltig.rules.parameters import Parameters
from heltig.rules.profile import Profile
from heltig.rules.views import Context
from heltig.standard.value_representations import VRS

CONTEXT = Context(date(2026, 1, 1), Parameters())
RULES = Ruleset((rule for rule in catalogue().values() if rule.level == "value"), Profile())

# An attribute of each VR and of each rule on one attribute, some with lists of their own, private ones.
KEYWORDS = (
    *("StationAETitle", "PatientAge", "FrameIncrementPointer", "ImageType", "StudyDate", "PixelSpacing"),
    *("AcquisitionDateTime", "RevolutionTime", "ExaminedBodyThickness", "SeriesNumber", "StudyDescription"),
    *("PatientComments", "PatientName", "AccessionNumber", "SpecificCharacterSet", "StudyTime"),
    *("SOPInstanceUID", "SimpleFrameList", "RetrieveURL", "Rows", "TextValue", "ProcedureCodeSequence"),
    *("SmallestImagePixelValue", "WindowWidth", "KVP", "PregnancyStatus", "ApprovalStatus", "CodeMeaning"),
    *("OtherPatientIDs", "ImplementationClassUID", "00290010", "00291010", "00090001", "00280000"),
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80)
ELEMENTS = st.fixed_dictionaries(
    {"vr": st.sampled_from([*sorted(VRS), "ZZ", "", "cs"])},
    optional={
        "Value": st.lists(VALUES | st.dictionaries(st.text(max_size=10), VALUES, max_size=3), max_size=4)
        | VALUES,
        "InlineBinary": st.text(max_size=8),
    },
)
FIELDS = st.builds(
    lambda vr, data: {"vr": vr, "bytes": data.hex()}, st.sampled_from(sorted(VRS)), st.binary(max_size=40)
)


def errors(study, syntax):
    return evaluate(RULES, study_of({"study": study, "syntax": syntax}), CONTEXT).errors


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYWORDS), ELEMENTS, max_size=6))
def test_any_json(attributes):
    assert errors([attributes], "json") == ()


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYWORDS), FIELDS, max_size=6), st.sampled_from(["explicit", "implicit"])
)
def test_any_bytes(attributes, syntax):
    assert errors([attributes], syntax) == ()
