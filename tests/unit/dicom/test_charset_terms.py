"""Specific Character Set: which terms are defined, where they may stand, and which are meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import python_encoding

from heltig.dicom.cell import Fault
from heltig.dicom.charset import (
    DEFINED_TERMS,
    MULTI_BYTE_TERMS,
    SINGLE_VALUE_TERMS,
    decode_text,
    normalise_charset,
)


def test_the_terms_are_those_of_pydicom_and_latin_9() -> None:
    misspelt = {"", "ISO 2022 58", "ISO 2022 GBK"}
    assert set(DEFINED_TERMS) == set(python_encoding) - misspelt | {"ISO_IR 203", "ISO 2022 IR 203"}
    assert set(DEFINED_TERMS) >= MULTI_BYTE_TERMS | SINGLE_VALUE_TERMS


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("ISO_IR 100",),
        ("ISO_IR 192",),
        ("GB18030",),
        ("ISO 2022 IR 100",),
        ("ISO 2022 IR 6", "ISO 2022 IR 87", "ISO 2022 IR 159"),
        ("ISO 2022 IR 13", "ISO 2022 IR 87"),
    ],
)
def test_defined_terms_are_kept_without_a_fault(values: tuple[str, ...]) -> None:
    assert normalise_charset(values) == (values, ())


def test_an_empty_first_value_is_the_default_repertoire() -> None:
    assert normalise_charset(("",)) == ((), ())
    assert normalise_charset(("ISO_IR 6",)) == ((), ())
    assert normalise_charset(("", "ISO 2022 IR 87")) == (("ISO 2022 IR 6", "ISO 2022 IR 87"), ())


@pytest.mark.parametrize(
    ("value", "term"),
    [
        ("ISO-IR 100", "ISO_IR 100"),
        ("ISO_IR_100", "ISO_IR 100"),
        ("ISO IR 100", "ISO_IR 100"),
        ("iso_ir 100", "ISO_IR 100"),
        ("ISO_IR100", "ISO_IR 100"),
        ("ISO 8859-1", "ISO_IR 100"),
        ("ISO-8859-15", "ISO_IR 203"),
        ("ISO8859-9", "ISO_IR 148"),
        ("Latin1", "ISO_IR 100"),
        ("UTF-8", "ISO_IR 192"),
        ("utf8", "ISO_IR 192"),
        ("ISO 2022 IR 192", "ISO_IR 192"),
        ("GB 18030", "GB18030"),
        ("GB2312", "GB18030"),
        ("Shift_JIS", "ISO_IR 13"),
        ("ISO-2022-IR-100", "ISO 2022 IR 100"),
    ],
)
def test_well_known_spellings_are_read_as_the_term_they_mean(value: str, term: str) -> None:
    assert normalise_charset((value,)) == (
        (term,),
        (Fault("charset-term", f"value 1 is no defined term, read as {term}"),),
    )


@pytest.mark.parametrize(
    ("values", "terms", "details"),
    [
        (("KOI8-R",), (), ["value 1 is no defined term, ignored"]),
        (("", "KOI8-R"), ("ISO 2022 IR 6",), ["value 2 is no defined term, ignored"]),
        (
            ("ISO_IR 192", "ISO 2022 IR 87"),
            ("ISO_IR 192",),
            ["value 1 (ISO_IR 192) allows no other value beside it"],
        ),
        (
            ("ISO 2022 IR 100", "GB18030"),
            ("ISO 2022 IR 100",),
            ["value 2 (GB18030) allows no other value beside it"],
        ),
        (
            ("ISO_IR 100", "ISO_IR 144"),
            ("ISO 2022 IR 100", "ISO 2022 IR 144"),
            [
                "value 1 (ISO_IR 100) is for a single value, read as ISO 2022 IR 100",
                "value 2 (ISO_IR 144) is for a single value, read as ISO 2022 IR 144",
            ],
        ),
        (
            ("ISO 2022 IR 149",),
            ("ISO 2022 IR 149",),
            ["value 1 (ISO 2022 IR 149) may stand from value 2 on only"],
        ),
    ],
)
def test_terms_that_may_not_stand_so_are_named(
    values: tuple[str, ...], terms: tuple[str, ...], details: list[str]
) -> None:
    assert normalise_charset(values) == (terms, tuple(Fault("charset-term", detail) for detail in details))


@given(st.lists(st.sampled_from(["", *DEFINED_TERMS, "UTF-8", "nonsense"]), max_size=4).map(tuple))
def test_what_is_normalised_stays_as_it_is(values: tuple[str, ...]) -> None:
    terms, _ = normalise_charset(values)
    assert set(terms) <= set(DEFINED_TERMS)
    assert normalise_charset(terms)[0] == terms


def test_text_is_read_by_the_term_that_was_meant() -> None:
    assert decode_text("Ä".encode(), ("UTF-8",), vr="LO") == ("Ä", ())
    assert decode_text(b"\xc4\x1b-F\xc4", ("ISO_IR 100", "ISO-2022-IR-126"), vr="LO") == ("ÄΔ", ())
    assert decode_text(b"\xb1\xe8", ("ISO 2022 IR 149",), vr="PN") == ("김", ())
