"""The value representations of PS3.5 table 6.2-1."""

import pytest
from pydicom.charset import default_encoding
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, EXPLICIT_VR_LENGTH_32, VR

from heltig.standard.value_representations import CHARSET_VRS, FORMAT_EFFECTORS, VRS, vr


def test_every_vr_of_the_standard_has_its_row() -> None:
    alternatives = {name for name in VR if "_" in name or " or " in name.value}
    assert set(VRS) == {name.value for name in VR} - {name.value for name in alternatives}


@pytest.mark.parametrize("name", ["", "XX", "lo", "US or SS"])
def test_other_letters_are_no_vr(name: str) -> None:
    assert vr(name) is None


def test_the_charset_governs_the_vrs_that_pydicom_decodes_with_it() -> None:
    assert default_encoding == "iso8859"
    assert {name.value for name in CUSTOMIZABLE_CHARSET_VR} == CHARSET_VRS
    assert {row.name for row in VRS.values() if row.repertoire == "extended"} == CHARSET_VRS


def test_the_long_vrs_have_a_four_byte_length() -> None:
    assert {row.name for row in VRS.values() if row.long} == {name.value for name in EXPLICIT_VR_LENGTH_32}


@pytest.mark.parametrize(
    ("name", "limit", "unit"),
    [
        ("AE", 16, "bytes"),
        ("AS", 4, "bytes"),
        ("CS", 16, "bytes"),
        ("DA", 8, "bytes"),
        ("DS", 16, "bytes"),
        ("DT", 26, "bytes"),
        ("IS", 12, "bytes"),
        ("LO", 64, "characters"),
        ("LT", 10240, "characters"),
        ("PN", 64, "characters"),
        ("SH", 16, "characters"),
        ("ST", 1024, "characters"),
        ("TM", 14, "bytes"),
        ("UI", 64, "bytes"),
        ("UT", 2**32 - 2, "bytes"),
        ("OW", 2**32 - 2, "bytes"),
        ("OD", 2**32 - 8, "bytes"),
    ],
)
def test_a_vr_limits_its_values(name: str, limit: int, unit: str) -> None:
    row = VRS[name]
    assert (row.limit, row.unit) == (limit, unit)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("CS", "HEAD_FIRST 1", "a-é\\"),
        ("DS", "+1.5E-3 ", "x,"),
        ("UI", "1.2.840", " a\0"),
        ("DA", "20240101", ". -"),
        ("DT", "20240101120000.5+0100", "T:"),
    ],
)
def test_a_restricted_vr_names_its_characters(name: str, inside: str, outside: str) -> None:
    characters = VRS[name].characters
    assert set(inside) <= characters
    assert not set(outside) & characters


def test_only_paragraphs_may_hold_format_effectors() -> None:
    assert {row.name for row in VRS.values() if row.controls} == {"ST", "LT", "UT"}
    assert VRS["ST"].controls == FORMAT_EFFECTORS


def test_padding_makes_values_even() -> None:
    assert {row.name for row in VRS.values() if row.padding == b"\0"} == {
        *("UI", "UN", "OB", "OW", "OD", "OF", "OL", "OV"),
    }
    assert all(row.size % 2 == 0 for row in VRS.values() if row.padding == b"")


def test_the_fields_with_one_value_are_not_split() -> None:
    assert {row.name for row in VRS.values() if row.text and not row.multiple} == {"ST", "LT", "UT", "UR"}


@pytest.mark.parametrize(
    ("name", "size"), [("US", 2), ("FL", 4), ("AT", 4), ("FD", 8), ("SV", 8), ("OW", 2), ("OB", 1), ("LO", 0)]
)
def test_a_binary_vr_says_how_long_a_number_is(name: str, size: int) -> None:
    assert VRS[name].size == size
