"""Integer and decimal strings (PS3.5 6.2), and the numbers of a cell."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.valuerep import STR_VR_REGEXES

from heltig.dicom.cell import Cell
from heltig.dicom.numbers import ds_fault, is_fault, parse_ds, parse_is, whole_numbers


@pytest.mark.parametrize(
    ("text", "number", "fault"),
    [
        ("0", 0, None),
        ("-12", -12, None),
        ("+7", 7, None),
        ("  42 ", 42, None),
        ("2147483647", 2147483647, None),
        ("-2147483648", -2147483648, None),
        ("2147483648", 2147483648, "outside -2147483648 to 2147483647"),
        ("0000000000001", 1, "longer than 12 characters"),
        ("", None, "not an integer string"),
        ("1.0", None, "not an integer string"),
        ("1e3", None, "not an integer string"),
        ("1_000", None, "not an integer string"),
        ("1 000", None, "not an integer string"),
        ("٣", None, "not an integer string"),
        ("\t1", None, "not an integer string"),
        ("1\n", None, "not an integer string"),
        ("- 1", None, "not an integer string"),
        ("9" * 5000, None, "not an integer string"),
    ],
)
def test_an_integer_string(text: str, number: int | None, fault: str | None) -> None:
    assert (parse_is(text), is_fault(text)) == (number, fault)


@pytest.mark.parametrize(
    ("text", "number", "fault"),
    [
        ("0", 0.0, None),
        ("-1.5", -1.5, None),
        ("+.5", 0.5, None),
        ("5.", 5.0, None),
        (" 1E-3  ", 0.001, None),
        ("1e+10", 1e10, None),
        ("1234567890.123456", 1234567890.123456, "longer than 16 characters"),
        ("1e999", None, "too large for a double"),
        ("", None, "not a decimal string"),
        (" ", None, "not a decimal string"),
        (".", None, "not a decimal string"),
        ("1,5", None, "not a decimal string"),
        ("1e", None, "not a decimal string"),
        ("1 5", None, "not a decimal string"),
        ("1_0", None, "not a decimal string"),
        ("0x1", None, "not a decimal string"),
        ("nan", None, "not a decimal string"),
        ("-inf", None, "not a decimal string"),
        ("Infinity", None, "not a decimal string"),
        ("١", None, "not a decimal string"),
        ("\xa01", None, "not a decimal string"),
        ("1\t", None, "not a decimal string"),
        ("1\n", None, "not a decimal string"),
    ],
)
def test_a_decimal_string(text: str, number: float | None, fault: str | None) -> None:
    assert (parse_ds(text), ds_fault(text)) == (number, fault)


numberlike = st.text("0123456789+-.eE_ \t\n\x1fnaifty١", max_size=9) | st.text(max_size=5)


@given(numberlike)
def test_the_grammar_is_that_of_pydicom(text: str) -> None:
    written = not re.search(r"[^\x20-\x7e]", text)  # pydicom's \d and $ let other digits and a line end pass
    assert (parse_ds(text) is not None or ds_fault(text) == "too large for a double") == (
        written and STR_VR_REGEXES["DS"].match(text) is not None
    )
    assert (parse_is(text) is not None) == (written and STR_VR_REGEXES["IS"].match(text) is not None)


@given(numberlike)
def test_what_is_no_number_always_has_a_fault(text: str) -> None:
    if parse_ds(text) is None:
        assert ds_fault(text)
    if parse_is(text) is None:
        assert is_fault(text)


def test_the_numbers_of_a_cell() -> None:
    cell = Cell("DS", (" 1.5", "1_000", "nan", None, b"1", 2, 0.5, float("inf"), 10**400, "1e400", "٣"))
    assert cell.numbers == (1.5, None, None, None, None, 2.0, 0.5, None, None, None, None)


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1", "20"], [1, 20]),
        (["1", "007"], [1, 7]),
        ([], None),
        (["1", ""], None),
        (["1", "-2"], None),
        (["1", "2000"], None),
    ],
)
def test_whole_numbers_are_read_where_all_texts_are_plain(texts, numbers):
    assert whole_numbers(texts, 3) == numbers
