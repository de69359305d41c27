"""Enumerated values, defined terms and body parts."""

import pytest
from pydicom.sr.codedict import codes

from heltig.standard import sop_classes, terms
from heltig.standard.terms import (
    BODY_PARTS,
    MODALITIES,
    RETIRED_MODALITIES,
    UNPAIRED_BODY_PARTS,
    defined_terms,
    enumerated,
)

# Terms of PS3.3 C.7.3.1.1.1 that pydicom's edition of CID 33 lacks.
NOT_IN_CID_33 = {"ANN", "RTINTENT", "RTRAD", "RTSEGANN", "XAPROTOCOL"}


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("PatientSex", {"M", "F", "O"}),
        ("Laterality", {"L", "R"}),
        ("ImageLaterality", {"L", "R", "U", "B"}),
        ("BurnedInAnnotation", {"YES", "NO"}),  # all modules together: many allow NO only
        ("PatientIdentityRemoved", {"YES", "NO"}),
        ("LossyImageCompression", {"00", "01"}),
        ("PresentationIntentType", {"FOR PRESENTATION", "FOR PROCESSING"}),
        ("PixelRepresentation", {0, 1}),
        ("PixelIntensityRelationshipSign", {1, -1}),
        ("ImageType", {"ORIGINAL", "DERIVED", "MIXED"}),
    ],
)
def test_an_enumeration_holds_in_every_iod(keyword: str, values: set[str | int]) -> None:
    assert enumerated(keyword) == frozenset(values)


def test_an_enumeration_can_be_of_one_value_only() -> None:
    assert enumerated("ImageType", 2) == frozenset({"PRIMARY", "SECONDARY", "MIXED"})
    assert enumerated("ImageType", 3) is None


@pytest.mark.parametrize(
    "keyword",
    [
        "Modality",  # PS3.3 C.7.3.1 has defined terms, other modules an enumeration
        "MRAcquisitionType",  # enumerated for MR, open for enhanced MR
        "PhotometricInterpretation",
        "BodyPartExamined",
        "RescaleType",
        "SamplesPerPixel",
        "SeriesType",  # value 1 only, and only for PET
        "SelectorAttributeVR",  # enumerated for reports, open in hanging protocols
        "PatientName",
        "",
    ],
)
def test_what_one_module_leaves_open_is_not_enumerated(keyword: str) -> None:
    assert enumerated(keyword) is None


def test_the_modalities_are_those_of_context_group_33() -> None:
    in_cid_33 = {code.value for code in codes.CID33.concepts.values()}
    assert MODALITIES - in_cid_33 == NOT_IN_CID_33
    assert in_cid_33 <= MODALITIES


def test_retired_modalities_are_terms_still() -> None:
    assert not MODALITIES & RETIRED_MODALITIES
    assert defined_terms("Modality") == MODALITIES | RETIRED_MODALITIES


def test_every_modality_expected_of_a_sop_class_is_a_term() -> None:
    expected = {modality for row in sop_classes.entries() for modality in row.modality}
    assert expected <= MODALITIES | RETIRED_MODALITIES


@pytest.mark.parametrize(
    ("keyword", "term"),
    [
        ("PatientPosition", "HFS"),
        ("PhotometricInterpretation", "YBR_FULL_422"),
        ("RescaleType", "HU"),
        ("Units", "BQML"),
        ("LossyImageCompressionMethod", "ISO_15444_1"),
        ("BodyPartExamined", "LSPINE"),
    ],
)
def test_defined_terms_are_listed(keyword: str, term: str) -> None:
    listed = defined_terms(keyword)
    assert listed is not None
    assert term in listed


def test_other_attributes_have_no_terms_here() -> None:
    assert defined_terms("PatientName") is None


@pytest.mark.parametrize("term", ["KNEE", "HAND", "BREAST", "EYE", "KIDNEY", "FEMUR", "SHOULDER"])
def test_paired_body_parts(term: str) -> None:
    assert BODY_PARTS[term].paired is True


@pytest.mark.parametrize("term", ["HEAD", "CHEST", "ABDOMEN", "LSPINE", "PROSTATE", "HEART", "WHOLEBODY"])
def test_unpaired_body_parts(term: str) -> None:
    assert term in UNPAIRED_BODY_PARTS


@pytest.mark.parametrize("term", ["LATRIUM", "RUQ", "THYMUS", "MAXILLA", "JOINT", "PHANTOM"])
def test_sided_and_doubtful_body_parts_are_neither(term: str) -> None:
    assert BODY_PARTS[term].paired is None
    assert term not in UNPAIRED_BODY_PARTS


def test_terms_fit_their_value_representation() -> None:
    for keyword in ("Modality", "BodyPartExamined", "PatientPosition", "Units"):
        assert all(len(term) <= 16 for term in terms.defined_terms(keyword) or ()), keyword
