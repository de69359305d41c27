"""What is said of de-identification, and what is found whatever stands around it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.errors import ConfigurationError
from heltig.rules.cases import study_of, try_case
from heltig.rules.catalogue import catalogue
from heltig.rules.deidentification_claims import claims
from heltig.rules.deidentification_words import is_dummy
from heltig.rules.parameters import Parameters
from heltig.rules.profile_file import parse_profile
from heltig.rules.views import Context, StudyView

CONTEXT = Context(date(2026, 1, 1), Parameters())


def claims_of(*instances, **more):
    return claims(StudyView(study_of({"study": instances, **more}), CONTEXT))


@pytest.mark.parametrize("text", ["", "REMOVED", "de-identified", "n/a", "0", "A1", "12-34", "XXXX"])
def test_a_replacement_says_nothing(text) -> None:
    assert is_dummy(text)


def test_instances_are_put_together_by_what_they_claim() -> None:
    coded = {"DeidentificationMethodCodeSequence": [{"CodeValue": "113100"}, {"CodeValue": "113105"}]}
    written = {"DeidentificationMethod": "DCM:113100/113105"}
    found = claims_of(coded, written, {"PatientIdentityRemoved": "YES"}, {})
    assert [(sorted(claim.rows), sorted(claim.codes)) for claim in found] == [
        ([0, 1], ["113100", "113105"]),
        ([2], []),
    ]


def test_what_is_said_of_dates_counts_as_an_option() -> None:
    (claim,) = claims_of(
        {"PatientIdentityRemoved": "YES", "LongitudinalTemporalInformationModified": "MODIFIED"}
    )
    assert claim.codes == frozenset()
    assert claim.options == {"113107"}


def test_a_number_in_the_method_is_no_code() -> None:
    (claim,) = claims_of({"DeidentificationMethod": "case 11310055, 113113"})
    assert claim.codes == frozenset()


def test_nobody_claims_what_is_denied() -> None:
    assert claims_of({"PatientIdentityRemoved": "NO", "DeidentificationMethod": "none"}) == []


def test_pseudonyms_must_be_a_regular_expression() -> None:
    with pytest.raises(ConfigurationError, match="pseudonyms is not a regular expression that is known"):
        parse_profile("[parameters]\npseudonyms = '('", known=[], name="research")


_TEXT_BEFORE = st.text(st.characters(codec="utf-8", exclude_categories=("L", "N", "C")), max_size=20)


@given(before=_TEXT_BEFORE, after=_TEXT_BEFORE, depth=st.integers(0, 4))
def test_the_patients_name_is_found_in_any_text_at_any_depth(before, after, depth) -> None:
    attributes = {"ImageComments": f"{before}Lindqvist{after}"}
    for _ in range(depth):
        attributes = {"ReferencedImageSequence": [attributes]}
    case = {
        "outcome": "fail",
        "study": [
            {"PatientIdentityRemoved": "YES", "PatientName": "ANON", **attributes},
            {"PatientName": "Lindqvist^Astrid"},
        ],
        "findings": [{"observed": "the patient's name: Lindqvist"}],
    }
    assert try_case(catalogue()["DEI-FREETEXT"], case) == []
