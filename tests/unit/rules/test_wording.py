"""Observed values as findings show them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.rules.wording import LONGEST, counted, cut, is_invisible, printable, visible_spaces


@given(st.text())
def test_what_is_shown_is_printable_and_short(text):
    assert printable(text).isprintable()
    assert len(cut(text)) <= LONGEST
    assert cut(text).isprintable()


@given(st.text(st.characters(categories=["L", "N"]), max_size=LONGEST))
def test_a_plain_short_text_is_shown_as_it_is(text):
    assert cut(text) == text


def test_a_long_text_keeps_both_ends():
    assert cut("A" * 60 + "B" * 60, 11) == "AAAAA…BBBBB"


@given(st.lists(st.tuples(st.text(max_size=200), st.integers(1, 10**6)), max_size=12))
def test_values_side_by_side_are_short_and_each_has_its_count(pairs):
    text = counted(pairs)
    assert len(text) <= 120
    for _, count in pairs[:4]:
        assert f"({count})" in text


def test_more_values_than_are_named_are_counted():
    assert counted([("A", 3), ("B", 2), ("C", 1), ("D", 1), ("E", 1), ("F", 1)]) == (
        "A (3), B (2), C (1), D (1), 2 more"
    )


def test_short_values_are_not_shortened_for_the_sake_of_a_long_one():
    assert counted([("Explicit VR Little Endian", 3), ("Implicit VR Little Endian", 1)]) == (
        "Explicit VR Little Endian (3), Implicit VR Little Endian (1)"
    )


@pytest.mark.parametrize(
    ("text", "shown"), [(" A1", "␣A1"), ("A1  ", "A1␣␣"), ("  ", "␣␣"), ("A 1", "A 1"), ("A\t1", r"A\t1")]
)
def test_spaces_around_a_value_can_be_seen(text, shown):
    assert visible_spaces(text) == shown


@pytest.mark.parametrize("character", ["\t", "\n", "\x00", "\u00a0", "\u200b", "\ufeff", "\u3000"])
def test_invisible_characters(character):
    assert is_invisible(character)


@pytest.mark.parametrize("character", [" ", "A", "-", "ü", "山"])
def test_visible_characters_and_the_plain_space(character):
    assert not is_invisible(character)
