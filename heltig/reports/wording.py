"""How reports and pages write tags, numbers, values, and what rules are about."""

from collections.abc import Mapping
from typing import Final

from heltig.rules.proposal import ProposedChange
from heltig.rules.wording import cut
from heltig.standard.dictionary import keyword_of

FAMILIES: Final[Mapping[str, str]] = {
    "SRC": "Source and transport",
    "STU": "Study",
    "PAT": "Patient",
    "SER": "Series",
    "INS": "Instance",
    "UID": "Unique identifiers",
    "CHR": "Character sets",
    "VAL": "Values",
    "REF": "References and radiotherapy",
    "IOCM": "Rejection",
    "DEI": "De-identification",
    "TGT": "Target archive",
    "ENC": "Encoding",
    "PIX": "Pixels",
    "WAV": "Waveforms",
    "GEO": "Geometry",
    "IOD": "Object definitions",
}
"""What rules are about, by what their ids begin with. A site's own say it by their ids alone."""


def place(tag: str) -> str:
    """A finding's attribute as people write it.

    >>> place("00400275/00080050")
    '(0040,0275) RequestAttributesSequence > (0008,0050) AccessionNumber'
    """
    return " > ".join(map(_one, tag.split("/")))


def _one(tag: str) -> str:
    number, _, creator = tag.partition(" ")
    return f"({number[:4]},{number[4:]}) {creator or keyword_of(number)}".rstrip()


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "study", "studies"), counted(1200, "instance")
    ('1 study', '1,200 instances')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def change(proposed: ProposedChange) -> str:
    """A proposed change as people write it: the attribute, what it is and what it would be."""
    name = keyword_of(proposed.tag) or place(proposed.tag)
    if proposed.operation == "remove":
        return f"{name}: remove"
    becomes = _quoted(proposed.becomes)
    return f"{name}: {_quoted(proposed.was)} → {becomes}" if proposed.was else f"{name}: add {becomes}"


def _quoted(values: tuple[str, ...]) -> str:
    text = cut("\\".join(values))
    return f'"{text}"'
