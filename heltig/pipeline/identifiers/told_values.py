"""Values out of the evidence, in the words that somebody may see."""

from typing import Any, Final

import msgspec

from heltig.dicom.cell import Cell
from heltig.dicom.column import Column
from heltig.dicom.json_writing import element_as_json
from heltig.dicom.table import Table
from heltig.pipeline.identifiers.sights import Sight
from heltig.standard.dictionary import lookup

LONGEST: Final = 80
"""Characters of a value that are told."""


class Told(msgspec.Struct, frozen=True):
    """A value as it is told.

    Attributes:
        text: What it says; empty where nothing is told.
        kind: `value`; `absent`, `empty` or `binary`; `hidden` where they may not see it.
    """

    text: str
    kind: str = "value"


ABSENT: Final = Told("", "absent")
_EMPTY: Final = Told("", "empty")
_BINARY: Final = Told("", "binary")
_HIDDEN: Final = Told("", "hidden")


def told(table: Table, column: Column | None, code: int, sight: Sight) -> Told:
    """One value of an attribute, as somebody may see it.

    Args:
        table: Where it stands.
        column: The attribute, None where no instance has it.
        code: The number of the value in it.
        sight: What they see of patients.
    """
    if column is None or code == 0:
        return ABSENT
    cell = table.cell(column, code)
    if cell.vr == "SQ" or cell.items:  # only their number is told
        number = len(cell.items)
        return Told(f"{number:,} item{'' if number == 1 else 's'}") if number else _EMPTY
    if cell.empty:
        return _EMPTY
    if cell.bulk or any(isinstance(value, bytes) for value in cell.values):
        return _BINARY
    if sight.evidence:
        return Told(_cut(_shown(cell)))
    raw, encoding = column.cells[code], table.encodings[column.encodings[code]]
    return _masked(column.tag, cell, element_as_json(column.tag, raw, encoding), sight)


def name_of(tag: str, sight: Sight) -> str:
    """An attribute by its keyword, or else as its tag, with the creator of a private one where that is shown.

    >>> name_of("00100010", Sight()), name_of("0029xx10 SIEMENS CSA HEADER", Sight())
    ('PatientName', '(0029,xx10) SIEMENS CSA HEADER')
    """
    entry = lookup(tag)
    if entry and entry.keyword:
        return entry.keyword
    number, _, creator = tag.partition(" ")
    name = f"({number[:4]},{number[4:]})"
    return f"{name} {_cut(creator)}" if creator and sight.evidence else name


def _masked(tag: str, cell: Cell, written: bytes, sight: Sight) -> Told:
    """What masks leave of a value; `identifiers` decides what they do."""
    if not written:
        return _HIDDEN
    element: Any = msgspec.json.decode(written)
    left = sight.dataset({tag: element}).get(tag, {})
    if "Value" in element and left.get("Value") == element["Value"]:
        return Told(_cut(_shown(cell)))
    values = left.get("Value")
    if sight.keyed is None or not isinstance(values, list):
        return _HIDDEN
    texts = [value.get("Alphabetic", "") if isinstance(value, dict) else value for value in values]
    return Told(_cut("\\".join(str(text) for text in texts)))


def _shown(cell: Cell) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in cell.shown)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
