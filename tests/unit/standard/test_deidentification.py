"""The table of the Basic Application Level Confidentiality Profile."""

import pytest

from heltig.standard import deidentification, dictionary
from heltig.standard.deidentification import OPTIONS, SAFE_PRIVATE, protection


@pytest.mark.parametrize(
    ("keyword", "action", "options"),
    [
        ("PatientName", "Z", ()),
        ("PatientID", "Z/D", ()),
        ("PatientSex", "Z", ("113108",)),
        ("InstitutionName", "X/Z/D", ("113112",)),
        ("StudyDescription", "X", ("113105",)),
        ("StudyDate", "Z", ("113106", "113107")),
        ("PatientBirthDate", "Z", ()),
        ("SOPInstanceUID", "U", ("113110",)),
        ("StationName", "X/Z/D", ("113109",)),
    ],
)
def test_an_attribute_has_its_action_and_the_options_that_keep_it(keyword, action, options) -> None:
    found = protection(dictionary.tag_of(keyword))
    assert found is not None
    assert (found.action, found.options) == (action, options)


def test_attributes_of_repeating_groups_are_found() -> None:
    assert protection("60023000") == protection("60003000") is not None
    assert protection("60020010") is None  # its rows are no secret
    assert protection("50140010") is not None


def test_attributes_that_say_nothing_of_anybody_are_left_alone() -> None:
    assert protection(dictionary.tag_of("Rows")) is None
    assert protection("00091010") is None


def test_every_row_is_an_attribute_of_the_dictionary_with_known_actions_and_options() -> None:
    rows = deidentification.entries()
    assert len(rows) > 600
    for row in rows:
        assert dictionary.lookup(row.tag.replace("x", "0")) is not None, row.tag
        assert set(row.action.split("/")) <= {"X", "Z", "D", "U", "U*"}
        assert set(row.options) <= OPTIONS.keys()


def test_safe_private_elements_are_low_bytes_of_private_groups() -> None:
    for (group, creator), elements in SAFE_PRIVATE.items():
        assert int(group, 16) % 2 == 1
        assert creator == creator.upper()
        assert all(len(element) == 2 and int(element, 16) >= 0 for element in elements)
        assert len(set(elements)) == len(elements)
