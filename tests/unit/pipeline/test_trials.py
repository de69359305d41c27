"""What a profile that somebody tries would tell of patients."""

import pytest

from heltig.pipeline.identifiers.trials import READ_BY, identifiers_read
from heltig.pipeline.profiles import tried_profile
from heltig.rules.parameters import Parameters
from heltig.rules.profile import DEFAULT, Profile
from heltig.rules.profile_shipped import SHIPPED

OF_OTHERS = {
    "issuer_required", "earliest_study_year", "study_time_tolerance_minutes", "sparse_siblings",
    "direction_tolerance", "orientation_tolerance", "slice_distance_ratio",
    "slice_distance_mm", "slice_location_mm", "spacing_to_thickness", "stack_lean_degrees", "stack_shift_mm",
    "pixel_spacing_ratio", "accepted_transfer_syntaxes", "declared_deidentified", "targets",
    "accepted_sop_classes",
}  # fmt: skip
"""Parameters that are compared with what whoever sees studies sees, or with a size, or switch rules."""


def profile(text: str) -> Profile:
    made = tried_profile(shipped=None, text=text)
    assert made
    return made


def rule(attribute: str) -> str:
    return f'[[rule]]\nid = "SITE-A"\ntitle = "A"\nattribute = "{attribute}"\nmatches = "A"\nmend = "A"\n'


def test_it_is_known_of_every_parameter_whether_it_is_compared_with_identifiers() -> None:
    assert {*READ_BY} | OF_OTHERS == {*Parameters.__struct_fields__}
    assert not {*READ_BY} & OF_OTHERS


@pytest.mark.parametrize("shipped", SHIPPED)
def test_a_shipped_profile_asks_for_none(shipped: str) -> None:
    tried = tried_profile(shipped=shipped, text=None)
    assert tried
    assert identifiers_read(tried, own=DEFAULT) == ()


@pytest.mark.parametrize(
    "text",
    [
        rule("PatientName"),
        "[parameters]\npseudonyms = 'R[0-9]+'",
        "[parameters]\noversize_text_bytes = 3",
        "[[for]]\nmodalities = ['CT']\nparameters = {future_days = 9}",
    ],
)
def test_what_the_service_judges_with_may_be_tried(text: str) -> None:
    own = profile(text)
    assert identifiers_read(own, own=DEFAULT)
    assert identifiers_read(profile(f"{text}\n"), own=own) == ()
    assert identifiers_read(profile(rule("PatientComments")), own=own) == ("PatientComments",)


@pytest.mark.parametrize(
    ("attribute", "asks"),
    [
        ("SliceThickness", False),
        ("Manufacturer", False),
        ("StudyDate", False),
        ("ContentDate", True),
        ("PatientWeight", True),
        ("StationName", True),
        ("RequestAttributesSequence.RequestedProcedureID", True),
        ("ReferencedStudySequence.ReferencedSOPInstanceUID", False),
        ("OtherPatientIDsSequence.TypeOfPatientID", True),
    ],
)
def test_which_attributes_are_identifiers(attribute: str, asks: bool) -> None:
    assert identifiers_read(profile(rule(attribute)), own=DEFAULT) == ((attribute,) if asks else ())
