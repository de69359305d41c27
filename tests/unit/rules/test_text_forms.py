"""Dates, telephone and record numbers and addresses in texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.rules.dates_in_text import dates_in
from heltig.rules.numbers_in_text import mails_in, personal_numbers_in, phones_in, records_in


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("12 Mar 1970", "certain"),
        ("12-MAR-1970", "certain"),
        ("12MAR1970", "certain"),
        ("March 12, 1970", "certain"),
        ("1970-Mar-12", "certain"),
        ("12. März 1970", "certain"),
        ("12 de marzo de 1970", "certain"),
        ("12 août 1970", "certain"),
        ("3/12/1970", "certain"),
        ("1970-03-12", "certain"),
        ("19700312", "certain"),
        ("12 марта 1970", "certain"),
        ("2020年4月17日", "certain"),
        ("Jul 16 2020", "certain"),
        ("MAR 12 2010", "possible"),
        ("12.3.70", "possible"),
        ("12-03-70", "possible"),
        ("1/14/13", "possible"),
        ("12-MAR-70", "possible"),
    ],
)
def test_a_date_is_told(text, evidence) -> None:
    assert list(dates_in(f"born {text}.")) == [(evidence, text)]


@pytest.mark.parametrize(
    "text",
    [
        "31.02.1970",
        "1.2.10",
        "version 12.3.70",
        "18/16/19/23",
        "N15/12/17",
        "12 markers 1970",
        "(2002/8/1)",
        "01.01.1900",
        "10.10.40",
        "12 May 20 mm",
        "01-2-01-1-B",
        "1.2.840.1970",
    ],
)
def test_other_numbers_are_no_dates(text) -> None:
    assert list(dates_in(text)) == []


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("tel. 030 4711 08", "certain"),
        ("phone: 555-4711", "certain"),
        ("+47 22 33 44 55", "certain"),
        ("+1 (212) 555-0123", "certain"),
        ("(555) 123-4567", "certain"),
        ("call 31 12 44 55", "possible"),
        ("06 12 34 56 78", "possible"),
        ("(089) 123456", "possible"),
        ("TEL 31 12 44 55", "possible"),
    ],
)
def test_a_telephone_number_is_told(text, evidence) -> None:
    assert list(phones_in(text))[:1] == [(evidence, text)]


@pytest.mark.parametrize(
    "text",
    ["TEL 180 200 220", "offset +12.5 +10 20 30 40", "shift +90 120 240 360", "call 12", "tel. 1.5 2.5 3.5"],
)
def test_rows_of_values_are_no_telephone_numbers(text) -> None:
    assert list(phones_in(text)) == []


@pytest.mark.parametrize(
    ("text", "evidences"),
    [
        ("astrid.l@example.org", ["certain"]),
        ("info@klinik.example.de", ["possible"]),
        ("git@github.com", []),
        ("dwi@b1000.adc.map", []),
        ("70kV@b30.f", []),
        ("mean@roi.de", ["possible"]),
        ("IR@TI.it", []),
    ],
)
def test_an_address_is_one_below_a_domain_that_there_is(text, evidences) -> None:
    assert [evidence for evidence, _ in mails_in(text)] == evidences


@pytest.mark.parametrize(
    ("text", "evidences"),
    [
        ("MRN 1234", ["certain"]),
        ("MRN00471108", ["certain"]),
        ("Patient ID: 4711-08", ["certain"]),
        ("SSN 123-45-6789", ["certain"]),
        ("Pat.-Nr. 123456", ["certain"]),
        ("Patientennummer 123456", ["certain"]),
        ("fnr 15108695088", ["certain"]),
        ("CPR 1234", []),
        ("NHS 12345", []),
        ("PAT no 123456", ["possible"]),
        ("PID 12345678", ["possible"]),
        ("PID 12345678 control loop", []),
    ],
)
def test_a_record_number_follows_a_word_that_says_so(text, evidences) -> None:
    assert [evidence for evidence, _ in records_in(text)][:1] == evidences


@pytest.mark.parametrize(
    ("text", "count"), [("ROI 123-45-6789", 0), ("for Holm 123-45-6789", 1), ("ROI 170461-0126", 1)]
)
def test_what_others_look_like_is_none_behind_a_word_of_imaging(text, count) -> None:
    assert len(list(personal_numbers_in(text))) == count


@given(st.text(max_size=60) | st.from_regex(r"[0-9+()./ a-z@-]{5,60}", fullmatch=True))
def test_any_text_can_be_looked_through(text) -> None:
    for forms in (dates_in, phones_in, mails_in, records_in, personal_numbers_in):
        for evidence, part in forms(text):
            assert evidence in ("certain", "possible")
            assert part in text
