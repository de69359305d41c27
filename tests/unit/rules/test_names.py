"""Person names as they are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heltig.dicom.cell import Cell
from heltig.rules.names import GROUPS, groups_of, spelling, words


def name(text: str) -> Cell:
    return Cell("PN", (text,))


@pytest.mark.parametrize(
    "text",
    [
        "Doe^Jane",
        "DOE^JANE",
        "Doe^Jane^^^",
        "Doe^Jane==",
        "Doe, Jane",
        "DOE JANE",
        " doe ^ jane ",
        "Doe_Jane",
    ],
)
def test_writings_of_one_name_are_the_same_words(text):
    assert words(name(text)) == "doe jane"


@pytest.mark.parametrize("text", ["Jane^Doe", "Doe^Jane^Ann", "Doe", "Doé^Jane", ""])
def test_other_names_are_other_words(text):
    assert words(name(text)) != "doe jane"


def test_each_group_has_words_of_its_own():
    cell = name("Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert [words(cell, group) for group in range(GROUPS + 1)] == [
        "yamada tarou",
        "山田 太郎",
        "やまだ たろう",
        "",
    ]


def test_half_width_letters_are_the_same_letters():
    assert words(name("ﾔﾏﾀﾞ^ﾀﾛｳ")) == words(name("ヤマダ^タロウ"))


@given(st.text(st.sampled_from("ab^="), max_size=12))
def test_delimiters_that_may_be_left_out_do_not_change_the_spelling(text):
    assert spelling(name(text + "^^==")) == spelling(name(text))


@given(st.text(max_size=20))
def test_any_text_has_words_and_groups(text):
    cell = name(text)
    assert all(isinstance(words(cell, group), str) for group in range(GROUPS))
    assert len(groups_of(cell)) == cell.text.count("=") + 1
