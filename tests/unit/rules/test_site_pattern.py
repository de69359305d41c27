"""Expressions of site rules: what `re` would say, in time that grows with the value alone."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.rules.site_pattern import Pattern, PatternError

ATOMS = st.sampled_from(
    ["a", "b", "ü", ".", "-", "]", "[ab]", "[^a]", "[a-c-]", "[]a]", r"\d", r"\.", r"[\w.]", r"\t", "&", "#"]
)


def compound(inner):
    group = inner.map(lambda text: f"({text})")
    return (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map("|".join)
        | st.tuples(
            group | ATOMS, st.sampled_from(["?", "*", "+", "{2}", "{0,2}", "{1,}", "{0}", "{1,3}"])
        ).map("".join)
        | inner.map(lambda text: f"(?:{text})")
    )


EXPRESSIONS = st.recursive(ATOMS | st.just(""), compound, max_leaves=8)


@given(EXPRESSIONS, st.lists(st.text("abcü1.-]\t&# \n", max_size=6), min_size=5, max_size=20))
def test_an_expression_means_what_it_means_elsewhere(expression, texts):
    try:
        pattern = Pattern(expression)
    except PatternError as error:
        assert "more than" in str(error)  # noqa: PT017  # too large is no fault of the expression
        return
    assert [pattern.matches(text) for text in texts] == [
        re.fullmatch(expression, text) is not None for text in texts
    ]


def test_characters_that_mean_more_in_other_classes_can_be_written():
    assert [Pattern(r"[a\[\&&|~]").matches(text) for text in "a[&|~]"] == [True] * 5 + [False]


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*)(.*)(.*)(.*)b", "(a*)*b"])
def test_no_value_makes_an_expression_slow(expression):
    pattern = Pattern(expression)
    start = time.process_time()
    assert not pattern.matches("a" * 20_000)
    assert time.process_time() - start < 5  # backtracking would take longer than the universe is old


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("(a", "a ( without its ), at character 3"),
        ("a)", "a ) without its (, at character 2"),
        ("[a", "a [ without its ], at character 3"),
        ("*a", "nothing to repeat, at character 1"),
        ("a**", "a repetition of a repetition, at character 3"),
        ("a{2", "a { that is no {m}, {m,} or {m,n}"),
        ("a{3,1}", "the second number is smaller"),
        ("^a", "the value is matched as a whole"),
        ("a$", "the value is matched as a whole"),
        ("a\\", "at the end"),
        (r"(a)\1", r"\1 is not accepted"),
        (r"\bx", r"\b is not accepted"),
        ("(?=a)", "only (?: is accepted"),
        ("(?i)a", "only (?: is accepted"),
        ("[[:alnum:]]", "a [ in a class: write A-Z, a-z, 0-9"),
        ("[a[bc]]", "and \\[ for the character, at character 3"),
        ("[a&&b]", "&& in a class: write \\& for the character, at character 3"),
        ("[a||b]", "|| in a class"),
        ("[a--b]", "-- in a class"),
        ("[a~~b]", "~~ in a class"),
        ("[z-a]", "bad character range z-a, at character 1"),
        ("a{9999}", "more than 256 characters"),
        ("((((){9999}){9999}){9999})", "too many groups"),
        ("(" * 400, "too many groups"),
        ("x" * 501, "longer than 500 characters"),
    ],
)
def test_what_is_not_accepted_is_told_with_its_place(expression, told):
    with pytest.raises(PatternError, match=re.escape(told)):
        Pattern(expression)


def test_values_of_many_kinds_are_forgotten_again():
    pattern = Pattern("[^x]*")
    assert all(pattern.matches(chr(code)) for code in range(0x4E00, 0x4E00 + 10_000))
