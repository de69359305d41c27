"""Person names (PN) as they are compared: what in their writing means something, and what does not.

PS3.5 6.2.1: a name has up to three groups joined by `=` (alphabetic, ideographic, phonetic), each with up to
five components joined by `^` (family, given, middle, prefix, suffix); empty components and groups at the end
may be left out with their delimiters.
"""

import re
import unicodedata
from functools import lru_cache

from heltig.dicom.cell import Cell

GROUPS = 3
COMPONENTS = 5
GROUP_LENGTH = 64

_NAMES = 256
"""Names that are remembered: several rules ask for the words of one."""

_LONGEST = 256
"""Characters of a name that is remembered."""

_BETWEEN_WORDS = re.compile(r"[\s^,._]+")


def groups_of(cell: Cell) -> list[str]:
    """The component groups of a name, without empty components at their ends."""
    return _groups(cell.text)


def _groups(name: str) -> list[str]:
    return [group.strip().rstrip("^").rstrip() for group in name.split("=")]


def spelling(cell: Cell) -> str:
    """A name without the delimiters that may be left out."""
    return "=".join(groups_of(cell)).rstrip("=")


def words(cell: Cell, group: int = 0) -> str:
    """One group of a name as bare words: no case, no delimiters, no width of letters.

    `Doe^Jane`, `DOE^JANE^^`, `Doe, Jane` and `DOE JANE` are the same words. Empty where the name does not
    have the group.
    """
    name = cell.text
    return _remembered_words(name, group) if len(name) <= _LONGEST else _words(name, group)


def _words(name: str, group: int) -> str:
    groups = _groups(name)
    text = groups[group] if group < len(groups) else ""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(filter(None, _BETWEEN_WORDS.split(plain)))


_remembered_words = lru_cache(_NAMES)(_words)
