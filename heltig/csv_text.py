"""CSV as RFC 4180 has it, which a spreadsheet takes for text and never for a formula."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell of a formula begins with, in one spreadsheet or another."""


_WITHIN: Final = re.compile(r"(\r\n|[;\t\r\n])(?=[ \t\"]*[=+@＝＋－＠-])")
"""A separator or line end of one locale or another, with what begins a formula after it."""


def safe(text: str) -> str:
    """A text of an archive or a person: what a spreadsheet might calculate stands behind an apostrophe.

    So does what follows a semicolon or a line end within it: where commas are decimal, a spreadsheet takes
    semicolons for separators.

    >>> safe("=HYPERLINK(1)"), safe("CT"), safe(" @SUM(A1)"), safe("a;=1+1")
    ("'=HYPERLINK(1)", 'CT', "' @SUM(A1)", "a;'=1+1")
    """
    text = _WITHIN.sub(r"\1'", text)
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip(" ").startswith(FORMULA) else text


def lines(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV, each with its line end (CR LF): texts made safe, numbers as they are, None as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for row in rows:
        writer.writerow([safe(cell) if isinstance(cell, str) else _plain(cell) for cell in row])
    return text.getvalue()


def _plain(cell: object) -> object:
    return ("yes" if cell else "no") if isinstance(cell, bool) else cell
