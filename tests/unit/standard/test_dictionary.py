"""The data dictionary: look-ups, patterns, multiplicities, and what pydicom's dictionary says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from heltig.standard import dictionary, value_representations
from heltig.standard.dictionary import Entry, label, lookup, tag_of, vm_allows

# Rows where the table and pydicom's dictionary differ, by tag, with the reason.
DIFFERENCES = {
    "00080202": "PS3.6 gives neither VR nor VM for rows retired without a name; pydicom fills in OB and 1",
    "00189445": "as (0008,0202)",
    "00280020": "as (0008,0202)",
    "00281200": "PS3.6 writes the VM as '1-n or 1' (US or OW); pydicom shortens it to 1-n",
    "00283006": "as (0028,1200)",
    "30040012": "Dose Value was retired in pydicom's edition and is in use again in 2024e",
    "FFFEE000": "PS3.6 gives no VR ('See Note'); pydicom writes NONE",
    "FFFEE00D": "as (FFFE,E000)",
    "FFFEE0DD": "as (FFFE,E000)",
}


def test_an_attribute_has_its_row() -> None:
    assert lookup("00100020") == Entry("00100020", "PatientID", "Patient ID", "LO", "1", False)
    assert lookup("00020010") == Entry(
        "00020010", "TransferSyntaxUID", "Transfer Syntax UID", "UI", "1", False
    )
    assert lookup("00101000") == Entry("00101000", "OtherPatientIDs", "Other Patient IDs", "LO", "1-n", True)


@pytest.mark.parametrize(
    ("tag", "pattern", "vr"),
    [
        ("50000005", "50xx0005", "US"),
        ("501E3000", "50xx3000", "OB or OW"),
        ("60003000", "60xx3000", "OB or OW"),
        ("60FE0010", "60xx0010", "US"),
        ("7F020010", "7Fxx0010", "OB or OW"),
        ("002031FF", "002031xx", "CS"),
        ("00280423", "002804x3", "AT"),
        ("10000010", "1000xxx0", "US"),
        ("1010ABCD", "1010xxxx", "US"),
    ],
)
def test_a_tag_of_a_repeating_row_finds_its_pattern(tag: str, pattern: str, vr: str) -> None:
    entry = lookup(tag)
    assert entry is not None
    assert (entry.tag, entry.vr) == (pattern, vr)


def test_an_exact_row_comes_before_a_pattern() -> None:
    assert dictionary.keyword_of("00280400") == "TransformLabel"
    assert dictionary.keyword_of("7FE00010") == "PixelData"


@pytest.mark.parametrize("tag", ["00080000", "00090000", "10000000", "60000000"])
def test_a_group_length_is_ul(tag: str) -> None:
    entry = lookup(tag)
    assert entry is not None
    assert (entry.vr, entry.name, entry.retired) == ("UL", "Group Length", True)


def test_the_group_lengths_in_use_are_not_retired() -> None:
    entry = lookup("00020000")
    assert entry is not None
    assert not entry.retired


@pytest.mark.parametrize(
    ("tag", "vr"),
    [("00090010", "LO"), ("000900FF", "LO"), ("0009000F", None), ("00090100", None), ("00091010", None)],
)
def test_only_private_creators_are_known_of_private_groups(tag: str, vr: str | None) -> None:
    entry = lookup(tag)
    assert (entry.vr if entry else None) == vr


@pytest.mark.parametrize("tag", ["", "0010", "PatientID", "0010002G", "001000200", "00080003", "60013000"])
def test_what_is_no_attribute_of_the_standard_is_none(tag: str) -> None:
    assert lookup(tag) is None


@given(st.text(max_size=10))
def test_any_text_can_be_looked_up(text: str) -> None:
    entry = lookup(text)
    assert entry is None or len(text) == 8


def test_tag_and_keyword_are_each_others_inverse() -> None:
    for row in DicomDictionary.values():
        keyword = row[4]
        if keyword:
            assert dictionary.keyword_of(tag_of(keyword)) == keyword


def test_a_keyword_of_a_repeating_group_gives_its_first_tag() -> None:
    assert tag_of("OverlayData") == "60003000"
    assert tag_of("CurveDimensions") == "50000005"


@pytest.mark.parametrize("keyword", ["PatientId", "", "RowsForNthOrderCoefficients", "EscapeTriplet"])
def test_an_unknown_keyword_is_named(keyword: str) -> None:
    with pytest.raises(KeyError, match=repr(keyword)):
        tag_of(keyword)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("00100020", "(0010,0020) PatientID"),
        ("60023000", "(6002,3000) OverlayData"),
        ("00080000", "(0008,0000) Group Length"),
        ("00090010", "(0009,0010) Private Creator"),
        ("00091001", "(0009,1001) private"),
        ("00080202", "(0008,0202)"),
        ("00080003", "(0008,0003)"),
    ],
)
def test_a_label_names_the_tag_as_people_write_it(tag: str, text: str) -> None:
    assert label(tag) == text


@pytest.mark.parametrize(
    ("vm", "allowed", "refused"),
    [
        ("1", [1], [2, 3]),
        ("3", [3], [1, 2, 6]),
        ("1-3", [1, 2, 3], [4]),
        ("4-5", [4, 5], [3, 6]),
        ("1-n", [1, 2, 1000], []),
        ("6-n", [6, 7, 100], [5]),
        ("2-2n", [2, 4, 6], [1, 3]),
        ("3-3n", [3, 6, 9], [1, 2, 4]),
        ("1-n or 1", [1, 2, 3], []),
        ("", [1, 2, 3], []),
    ],
)
def test_a_multiplicity_allows_its_numbers_of_values(vm: str, allowed: list[int], refused: list[int]) -> None:
    assert [n for n in allowed + refused if vm_allows(vm, n)] == allowed


def test_a_multiplicity_that_ps3_6_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'many'"):
        vm_allows("many", 1)


def test_every_row_has_a_multiplicity_and_vr_that_the_standard_has() -> None:
    for entry in dictionary.entries():
        assert isinstance(vm_allows(entry.vm, 1), bool)
        assert all(value_representations.vr(name) for name in entry.vr.split(" or ") if name), entry


def test_keywords_are_unique() -> None:
    keywords = [entry.keyword for entry in dictionary.entries() if entry.keyword]
    assert len(keywords) == len(set(keywords)) > 5000


def test_pydicom_has_the_same_dictionary_but_for_the_listed_differences() -> None:
    theirs = {f"{tag:08X}": row for tag, row in DicomDictionary.items()} | dict(RepeatersDictionary.items())
    differing = set()
    for tag, (vr, vm, _, retired, keyword) in theirs.items():
        entry = lookup(tag if "x" not in tag else tag.replace("x", "E"))
        assert entry is not None, tag
        if (entry.vr, entry.vm, entry.retired, entry.keyword) != (vr, vm, bool(retired), keyword):
            differing.add(tag)
    assert differing == set(DIFFERENCES)


def test_rows_newer_than_pydicom_have_a_keyword() -> None:
    assert tag_of("ReferencedSegmentationSequence") == "0008114C"
    assert tag_of("RTConeBeamImagingGeometrySequence") == "30020136"
