"""Numbers that states give to people."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.rules.personal_numbers import number_in_text, personal_number

EXAMPLES = {
    "Austria": ("1237 010180", "possible"),
    "Belgium": ("85.07.30-033.28", "certain"),
    "Brazil": ("390.533.447-05", "certain"),
    "Bulgaria": ("6104170015", "possible"),
    "Chile": ("12.345.678-5", "certain"),
    "Chile, without points": ("12345678-5", "possible"),
    "China": ("11010519491231002X", "certain"),
    "Czechia": ("710319/2745", "certain"),
    "Denmark": ("211062-5629", "certain"),
    "Denmark, bare": ("0707614285", "possible"),
    "Egypt": ("29001010123456", "possible"),
    "England": ("943 476 5919", "certain"),
    "Estonia": ("36805280109", "possible"),
    "Finland": ("131052-308T", "certain"),
    "France": ("295109912611193", "certain"),
    "Greece": ("01013099997", "possible"),
    "India": ("2341 2341 2346", "possible"),
    "Italy": ("RCCMNL83S18D969H", "certain"),
    "Korea": ("971013-1019901", "certain"),
    "Latvia": ("161175-19997", "certain"),
    "Malaysia": ("900101-14-5678", "possible"),
    "Mexico": ("HEGG560427MVZRRL04", "certain"),
    "Mexico, of another check digit": ("GODE561231HDFRRN09", "possible"),
    "Norway": ("15108695088", "certain"),
    "Pakistan": ("35202-1234567-1", "possible"),
    "Poland": ("44051401359", "possible"),
    "Romania": ("1630615123457", "possible"),
    "Russia": ("112-233-445 95", "certain"),
    "Singapore": ("S1234567D", "possible"),
    "South Africa": ("7503305044089", "certain"),
    "Spain": ("54362315-K", "possible"),
    "Sweden": ("811228-9874", "certain"),
    "Sweden, with the century": ("198112289874", "certain"),
    "Switzerland": ("756.9217.0769.85", "certain"),
    "United States": ("123-45-6789", "possible"),
    "Yugoslavia": ("0101006500006", "certain"),
}


@pytest.mark.parametrize(("text", "evidence"), EXAMPLES.values(), ids=EXAMPLES)
def test_a_number_of_a_state_is_told(text, evidence) -> None:
    found = personal_number(f" {text} ")
    assert found is not None
    assert (found.text, found.evidence) == (text, evidence)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A1",
        "9434765919",
        "943 476 5918",
        "20200417-0930",
        "200417-0930",
        "202004170930",
        "666-45-6789",
        "1234567890",
        "12.345.678-4",
        "29013010123456",
        "234123412346",
        "2341 2341 2345",
        "901301-14-5678",
        "GODE561331HDFRRN09",
        "GODE561231HAARRN09",
        "S1234567A",
    ],
)
def test_other_numbers_are_none(text) -> None:
    assert personal_number(text) is None


def test_a_danish_number_needs_no_check_digit_and_says_so() -> None:
    number = personal_number("1704610126")
    assert number is not None
    assert (number.evidence, number.has_check) == ("possible", False)


def test_a_number_that_is_a_telephone_number_elsewhere_is_possible_in_a_text() -> None:
    number = number_in_text("see 943 476 5919")
    assert number is not None
    assert number.evidence == "possible"


@pytest.mark.parametrize("digits", [8, 9, 10, 11, 12, 13, 14, 15])
def test_hardly_a_random_number_passes_as_certain(digits) -> None:
    random_digits = random.Random(digits)
    numbers = [f"{random_digits.randrange(10**digits):0{digits}}" for _ in range(5000)]
    found = [personal_number(number) for number in numbers]
    assert sum(number is not None and number.evidence == "certain" for number in found) <= 15
    assert sum(number is not None for number in found) <= 300


@given(
    st.text(st.characters(codec="utf-8"), max_size=30) | st.from_regex(r"[0-9A-Z .+/-]{6,20}", fullmatch=True)
)
def test_any_text_can_be_looked_through(text) -> None:
    for found in (personal_number(text), number_in_text(text)):
        assert found is None or found.text in text
