"""Which structure a mask is of: by its code, else by its name.

What is not in the table keeps its own code and gets a key of its own: it is measured like all others.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pydicom.sr.coding import Code as CodedConcept

from heltig.imaging.labels import ABNORMAL_STRUCTURE, LEFT, RIGHT, STRUCTURES, TISSUE, structure_by_code
from heltig.imaging.segment.segmenter import Note
from heltig.imaging.volume import Code, Structure

OWN_SCHEME: Final = "99HELTIG"
"""Coding Scheme Designator of names that came without a code."""

BACKGROUND: Final = ("125040", "DCM")

_SNOMED: Final = (
    *{code.value: code for found in STRUCTURES.values() for code in (found.type, found.category)}.values(),
    *(LEFT, RIGHT),
)
_PLACE: Final = {key: place for place, key in enumerate(STRUCTURES)}
_MOST_LETTERS: Final = 64  # of a key, as of Long String (PS3.5 6.2)
_DIGEST_LETTERS: Final = 8


class Named(NamedTuple):
    """A structure and whether the table knows it.

    Attributes:
        structure: The structure.
        known: It is one of the table.
    """

    structure: Structure
    known: bool


def by_code(category: Code, kind: Code, *, laterality: Code | None, label: str) -> Named:
    """The structure of a segment (PS3.3 C.8.20.2).

    The label counts where the code names none of the table, as *Rib*, which is no single structure. It does
    not make a whole organ of what is coded as a change in one.

    Args:
        category: Segmented Property Category (0062,0003).
        kind: Segmented Property Type (0062,000F).
        laterality: Its modifier, where it names a side.
        label: Segment Label (0062,0005).
    """
    kind_now, category_now = _current(kind), _current(category)
    side = _current(laterality) if laterality else None
    abnormal = category_now.value == ABNORMAL_STRUCTURE.value
    found = None if abnormal else structure_by_code(kind_now, side)
    if found is None:
        text = _by_words(label)
        if text and (text.category.value == ABNORMAL_STRUCTURE.value) == abnormal:
            found = text
    if found:
        return Named(found, known=True)
    name = label.strip() or kind.meaning
    return Named(Structure(_own_key(name), name, category, kind, laterality), known=False)


def by_name(name: str) -> Named:
    """The structure of a name, as a file's or one in a label table."""
    found = _by_words(name)
    if found:
        return Named(found, known=True)
    key = _own_key(name)
    return Named(Structure(key, name, TISSUE, Code(key[:16], OWN_SCHEME, name[:64])), known=False)


def slug(text: str) -> str:
    """A text as keys are written; vertebrae keep their capital letter."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return re.sub(r"^(vertebrae?)_([clts]\d+)$", lambda found: f"vertebrae_{found[2].upper()}", words)


def told_apart(structures: Iterable[Structure]) -> tuple[list[Structure], list[Note]]:
    """Structures with a key each: the second liver is `liver_2`, since nothing is summed in silence."""
    taken: set[str] = set()
    found, notes = [], []
    for structure in structures:
        key, number = structure.key, 2
        while key in taken:
            key, number = f"{structure.key}_{number}", number + 1
        taken.add(key)
        if key != structure.key:
            notes.append(Note("SAME_STRUCTURE", key))
            name = f"{structure.name} {number - 1}"
            structure = Structure(key, name, structure.category, structure.type, structure.laterality)
        found.append(structure)
    return found, notes


def in_order(structures: Sequence[Structure]) -> list[int]:
    """Positions of structures in the order of the table, then by key: the order of their labels."""
    return sorted(
        range(len(structures)),
        key=lambda at: (_PLACE.get(structures[at].key, len(_PLACE)), structures[at].key),
    )


def _by_words(text: str) -> Structure | None:
    """The structure of the table that a text names; *left kidney* is `kidney_left`."""
    key = slug(text)
    side, _, rest = key.partition("_")
    return STRUCTURES.get(f"{rest}_{side}" if side in ("left", "right") else key)


def _own_key(name: str) -> str:
    """A key that no structure of the table has; where letters of the name are lost, its digest follows."""
    key = slug(name)
    if len(key) > _MOST_LETTERS or any(map(_is_lost, unicodedata.normalize("NFKD", name))):
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LETTERS]
        key = f"{key[: _MOST_LETTERS - _DIGEST_LETTERS - 1] or 'unnamed'}_{digest}"
    key = key or "unnamed"
    return f"other_{key}" if key in STRUCTURES else key


def _is_lost(letter: str) -> bool:
    """A letter or digit that no key has."""
    return letter.isalnum() and not letter.isascii()


def _current(code: Code) -> Code:
    """A code of SNOMED RT, as objects had them until 2018, as the one of SNOMED CT that it stands for."""
    if code.scheme not in ("SRT", "SNM3", "99SDM"):
        return code
    old = CodedConcept(code.value, "SRT", code.meaning)
    return next((new for new in _SNOMED if CodedConcept(*new) == old), code)
