"""CSV that no spreadsheet calculates."""

import re

from hypothesis import given
from hypothesis import strategies as st

from heltig.csv_text import FORMULA, safe


@given(
    text=st.text(st.sampled_from(["=", "+", "-", "@", "＝", ";", ",", " ", '"', "\t", "\r", "\n", "a", "1"]))
)
def test_no_cell_begins_a_formula_whatever_separates_cells(text: str) -> None:
    """In a locale with decimal commas semicolons separate cells, and quotes within one mean nothing."""
    first, *others = re.split(r"\r\n|[;\t\r\n]", safe(text))
    assert not first.lstrip(" ").startswith(FORMULA)
    for cell in others:
        assert not cell.lstrip(' "').startswith(FORMULA), safe(text)


def test_other_texts_stay_as_they_are() -> None:
    for text in ("CT; MR", "Müller", "a-b", "x\r\ny", "1.2.3"):
        assert safe(text) == text
