"""Numbers that states give to people."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.rules.personal_numbers import number_in_text, personal_number

EXAMPLES = {
    "Austria": ("1237 010180", "possible"),
    "Belgium": ("85.07.30-033.28", "certain"),
    "Brazil": ("390.533.447-05", "possible"),
    "Bulgaria": ("6104170015", "possible"),
    "Chile": ("12.345.678-5", "possible"),
    "Chile, without points": ("12345678-5", "possible"),
    "China": ("11010519491231002X", "certain"),
    "Czechia": ("710319/2745", "possible"),
    "Denmark": ("211062-5629", "possible"),
    "Denmark, bare": ("0707614285", "possible"),
    "Egypt": ("29001010123456", "possible"),
    "England": ("943 476 5919", "possible"),
    "Estonia": ("36805280109", "possible"),
    "Finland": ("131052-308T", "certain"),
    "France": ("295109912611193", "certain"),
    "Greece": ("01013099997", "possible"),
    "India": ("2341 2341 2346", "possible"),
    "Italy": ("RCCMNL83S18D969H", "certain"),
    "Korea": ("971013-1019901", "possible"),
    "Latvia": ("161175-19997", "possible"),
    "Malaysia": ("900101-14-5678", "possible"),
    "Mexico": ("HEGG560427MVZRRL04", "certain"),
    "Mexico, of another check digit": ("GODE561231HDFRRN09", "possible"),
    "Norway": ("15108695088", "certain"),
    "Pakistan": ("35202-1234567-1", "possible"),
    "Poland": ("44051401359", "possible"),
    "Romania": ("1630615123457", "possible"),
    "Russia": ("112-233-445 95", "possible"),
    "Singapore": ("S1234567D", "possible"),
    "South Africa": ("7503305044089", "possible"),
    "Spain": ("54362315-K", "possible"),
    "Sweden": ("811228-9874", "possible"),
    "Sweden, with the century": ("198112289874", "possible"),
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


@pytest.mark.parametrize(
    "country", ["Brazil", "Chile", "Czechia", "Denmark", "Korea", "Latvia", "Russia", "Sweden"]
)
def test_a_number_with_the_separators_of_its_state_is_certain_in_a_text(country) -> None:
    text, _ = EXAMPLES[country]
    found = number_in_text(f"see {text}, please")
    assert found is not None
    assert (found.text, found.evidence) == (text, "certain")


@pytest.mark.parametrize(
    ("text", "has_check"),
    [
        ("120315-4482", False),
        ("170461-0126", False),
        ("070761-4285", True),
        ("811228-9874", True),
        ("12.345.678-5", False),
    ],
)
def test_a_number_says_whether_its_check_digits_tell_it_from_a_pseudonym(text, has_check) -> None:
    number = personal_number(text)
    assert number is not None
    assert (number.evidence, number.has_check) == ("possible", has_check)


def test_a_danish_number_needs_no_check_digit_and_says_so() -> None:
    number = personal_number("1704610126")
    assert number is not None
    assert (number.evidence, number.has_check) == ("possible", False)


def test_a_number_that_is_a_telephone_number_elsewhere_is_possible_in_a_text() -> None:
    number = number_in_text("see 943 476 5919")
    assert number is not None
    assert number.evidence == "possible"


_FORMS = """
dddddddd ddddddddd dddddddddd ddddddddddd dddddddddddd ddddddddddddd dddddddddddddd ddddddddddddddd
dddddd-dddd dd0ddd-dddd 0d0d0d-dddd YMD-dddd DMY-dddd 20YMD-dddd 20YMDdddd YMDdddd YMDddddd DMYddddd
YMDddddddd YMD-dddL DMYALddL dddddd/dddd dddddd-ddddd dddddd-ddddddd
ddd_ddd_dddd ddd-ddd-dddd d.ddd.ddd-d dd.ddd.ddd-d
ddd.ddd.ddd-dd ddd-ddd-ddd_dd ddd-dd-dddd dddd_dddddd dddd-dddd-dddd ddddddddL LdddddddL dd.dd.dd-ddd.dd
ddd-ddd LL-dddddd SITE-dddddd-dddd
"""
"""Forms of pseudonyms: `d` digits, `L` letters, `Y`, `M` and `D` of a date of these years."""


def _pseudonym(form: str, source: random.Random) -> str:
    parts = {
        "d": lambda: source.choice("0123456789"),
        "L": lambda: source.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        "Y": lambda: f"{source.randrange(27):02}",
        "M": lambda: f"{source.randrange(1, 13):02}",
        "D": lambda: f"{source.randrange(1, 29):02}",
        "_": lambda: " ",
    }
    if form.startswith("SITE"):
        return "SITE" + _pseudonym(form[4:], source)
    return "".join(parts[character]() if character in parts else character for character in form)


@pytest.mark.parametrize("form", _FORMS.split())
def test_hardly_a_pseudonym_passes_as_certain(form) -> None:
    source = random.Random(form)
    found = [personal_number(_pseudonym(form, source)) for _ in range(3000)]
    assert sum(number is not None and number.evidence == "certain" for number in found) <= 6


@pytest.mark.parametrize("digits", [8, 9, 10, 11, 12, 13, 14, 15])
def test_few_random_numbers_pass_as_possible(digits) -> None:
    random_digits = random.Random(digits)
    numbers = [f"{random_digits.randrange(10**digits):0{digits}}" for _ in range(5000)]
    assert sum(personal_number(number) is not None for number in numbers) <= 300


@given(
    st.text(st.characters(codec="utf-8"), max_size=30) | st.from_regex(r"[0-9A-Z .+/-]{6,20}", fullmatch=True)
)
def test_any_text_can_be_looked_through(text) -> None:
    for found in (personal_number(text), number_in_text(text)):
        assert found is None or found.text in text
