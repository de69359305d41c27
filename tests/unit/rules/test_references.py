"""What the objects of a study refer to, read from sequences at any depth."""

import weakref
from datetime import date

import pytest

from heltig.rules.cases import STUDY_UID, study_of
from heltig.rules.parameters import Parameters
from heltig.rules.references import claims_this_study
from heltig.rules.references_read import by_row, has_references, references, references_by_row, rows_of
from heltig.rules.references_sources import of_segmentations
from heltig.rules.views import Context, StudyView

CONTEXT = Context(date(2026, 1, 1), Parameters())

KEY_OBJECT = {
    "CurrentRequestedProcedureEvidenceSequence": [
        {
            "StudyInstanceUID": STUDY_UID,
            "ReferencedSeriesSequence": [
                {
                    "SeriesInstanceUID": "1.2.3",
                    "ReferencedSOPSequence": [
                        {"ReferencedSOPClassUID": "1.2.9", "ReferencedSOPInstanceUID": "1.2.3.1"},
                        {"ReferencedSOPClassUID": "1.2.9", "ReferencedSOPInstanceUID": "1.2.3.2"},
                    ],
                }
            ],
        },
    ]
}


def view(*instances, syntax="json") -> StudyView:
    return StudyView(study_of({"study": instances, "syntax": syntax}), CONTEXT)


@pytest.mark.parametrize("syntax", ["json", "explicit", "implicit"])
def test_a_reference_knows_the_study_and_series_around_it(syntax) -> None:
    found = references(view(KEY_OBJECT, syntax=syntax))
    assert [(one.study, one.series, one.sop_class, one.instance) for one in found] == [
        (STUDY_UID, "1.2.3", "1.2.9", "1.2.3.1"),
        (STUDY_UID, "1.2.3", "1.2.9", "1.2.3.2"),
    ]
    assert {one.path for one in found} == {("0040A375", "00081115", "00081199")}


def test_a_plain_reference_claims_no_study() -> None:
    study = view({"ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3.1"}]})
    (found,) = references(study)
    assert (found.study, found.series) == ("", "")
    assert not claims_this_study(found, study)


def test_the_series_of_a_data_set_are_of_its_own_study() -> None:
    item = {
        "ReferencedSeriesSequence": [
            {"ReferencedInstanceSequence": [{"ReferencedSOPInstanceUID": "1.2.3.1"}]}
        ]
    }
    own, other = view(item), view({"StudiesContainingOtherReferencedInstancesSequence": [item]})
    assert [claims_this_study(one, own) for one in references(own)] == [True]
    assert [claims_this_study(one, other) for one in references(other)] == [False]


def test_references_know_their_rows() -> None:
    image = {"ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3.1"}]}
    study = view({}, image, {**image, "times": 2}, KEY_OBJECT)
    plain = [one for one in references(study) if not one.study]
    others = [one for one in references(study) if one.study]
    assert rows_of(plain) == [1, 2, 3]
    assert rows_of(others) == [4]
    assert {row: len(found) for row, found in by_row(references(study)).items()} == {1: 1, 2: 1, 3: 1, 4: 2}


def test_equal_items_of_several_objects_are_referred_to_by_each() -> None:
    frames = [
        {"DerivationImageSequence": [{"SourceImageSequence": [{"ReferencedSOPInstanceUID": uid}]}]}
        for uid in ("1.2.3.1", "1.2.3.2", "1.2.3.1")
    ]
    study = view(
        {"PerFrameFunctionalGroupsSequence": frames},
        {"PerFrameFunctionalGroupsSequence": frames[:1]},
        {},
        {"PerFrameFunctionalGroupsSequence": frames, "InstanceNumber": 4},
    )
    found = references(study)
    by_rows = references_by_row(study)
    assert {row: {one.instance for one in several} for row, several in by_rows.items()} == {
        0: {"1.2.3.1", "1.2.3.2"},
        1: {"1.2.3.1"},
        3: {"1.2.3.1", "1.2.3.2"},
    }
    for one in found:
        assert rows_of([one]) == [row for row, several in by_rows.items() if one in several]


def test_a_segmentation_is_judged_by_its_own_list() -> None:
    frames = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4",
        "PerFrameFunctionalGroupsSequence": [
            {"DerivationImageSequence": [{"SourceImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3.1"}]}]}
        ],
    }
    a_list = [{"ReferencedInstanceSequence": [{"ReferencedSOPInstanceUID": "1.2.3.9"}]}]
    study = view(frames, {**frames, "ReferencedSeriesSequence": a_list}, {"SOPInstanceUID": "1.2.3.9"})
    sources = of_segmentations(study)
    assert [(use.row, use.to.instance) for use in sources.unlisted] == [(2, "1.2.3.1")]
    assert [(use.row, use.to.instance) for use in sources.elsewhere] == [(1, "1.2.3.1")]
    assert sources.lost == ()


def test_a_study_without_references_is_told_from_its_raw_cells() -> None:
    study = view({"PatientID": "00081155", "RequestAttributesSequence": [{"StudyInstanceUID": "1.2"}]})
    assert not has_references(study)
    assert references(study) == ()


def test_what_was_read_goes_with_its_study() -> None:
    study = view(KEY_OBJECT)
    assert references(study)
    assert references_by_row(study)
    assert of_segmentations(study).all == ()
    table = weakref.ref(study.table)
    del study
    assert table() is None
