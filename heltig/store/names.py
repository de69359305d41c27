"""Names of persons as they are searched for (PS3.4 C.2.2.2.1 and C.2.2.2.4 leave this to whoever searches).

Case, accents, the width of letters and spaces around delimiters do not matter, nor do components and groups
that are empty at the end (PS3.5 6.2.1.1). A pattern without `=` is looked for in the alphabetic group, and in
the ideographic and the phonetic one where its letters belong there or it begins with `*`. One with `=` names
the groups in their order; one of them that is empty stands for anything.
"""

import re
import unicodedata
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.sql.elements import KeyedColumnElement

from heltig.store.text import TEXT_LENGTH

_MARKS: Final = re.compile(
    "[\u0300-\u036f]"
)  # of Latin, Greek and Cyrillic; those of kana make another letter
_NOT_COMPOSED: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_AROUND_DELIMITERS: Final = re.compile(r"\s*([\^=])\s*")
_SPACES: Final = re.compile(r"\s+")
_EMPTY_AT_THE_END: Final = re.compile(r"\^+(?==|$)")
_FIRST_OF_OTHER_GROUPS: Final = "\u1100"
"""Hangul, kana, ideographs: what is written in the other groups begins here (PS3.5 6.2.1.2)."""


def folded(name: str) -> str:
    """A name, or a pattern for names, with nothing left of what does not matter.

    >>> folded("Grün ^ ÖL^^=")
    'grun^ol'
    """
    if not name.isascii():
        name = _MARKS.sub("", unicodedata.normalize("NFKD", name))
        name = unicodedata.normalize("NFC", name.casefold().translate(_NOT_COMPOSED))
    name = _SPACES.sub(" ", _AROUND_DELIMITERS.sub(r"\1", name.lower().strip()))
    return _EMPTY_AT_THE_END.sub("", name).rstrip("=")[:TEXT_LENGTH]


def is_like(column: KeyedColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Whether a column that holds `folded` names matches.

    Args:
        column: The column.
        pattern: With `*` for any characters and `?` for any one.
    """
    groups = [group if group.strip("*") else "*" for group in folded(pattern).split("=")]
    while len(groups) > 1 and groups[-1] == "*":
        groups.pop()
    whole = "=".join(groups)
    ways = [whole]
    if not whole.endswith("*"):
        ways.append(f"{whole}=*")
    if len(groups) == 1 and not whole.startswith("*") and any(c >= _FIRST_OF_OTHER_GROUPS for c in whole):
        ways += [f"*={way}" for way in ways]
    return or_(*(matches(column, way) for way in ways))


def matches(column: KeyedColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Matching by `*` and `?` (PS3.4 C.2.2.2.4); a prefix by a range, so that an index serves it."""
    fixed = pattern.replace("?", "*").partition("*")[0]
    if fixed == pattern:
        return column == pattern
    like = column.like(escaped(pattern).replace("*", "%").replace("?", "_"), escape="!")
    return and_(column >= fixed, column < fixed + chr(0x10FFFF), like) if fixed else like


def escaped(text: str) -> str:
    """Text in which `LIKE ... ESCAPE '!'` finds nothing but itself."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
