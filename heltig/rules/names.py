"""Person names (PN) as they are compared: what in their writing means something, and what does not.

PS3.5 6.2.1: a name has up to three groups joined by `=` (alphabetic, ideographic, phonetic), each with up to
five components joined by `^` (family, given, middle, prefix, suffix); empty components and groups at the end
may be left out with their delimiters.
"""

import re
import unicodedata

from heltig.dicom.cell import Cell

GROUPS = 3
COMPONENTS = 5
GROUP_LENGTH = 64

_BETWEEN_WORDS = re.compile(r"[\s^,._]+")


def groups_of(cell: Cell) -> list[str]:
    """The component groups of a name, without empty components at their ends."""
    return [group.strip().rstrip("^").rstrip() for group in cell.text.split("=")]


def spelling(cell: Cell) -> str:
    """A name without the delimiters that may be left out."""
    return "=".join(groups_of(cell)).rstrip("=")


def words(cell: Cell, group: int = 0) -> str:
    """One group of a name as bare words: no case, no delimiters, no width of letters.

    `Doe^Jane`, `DOE^JANE^^`, `Doe, Jane` and `DOE JANE` are the same words. Empty where the name does not
    have the group.
    """
    groups = groups_of(cell)
    text = groups[group] if group < len(groups) else ""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(filter(None, _BETWEEN_WORDS.split(plain)))
