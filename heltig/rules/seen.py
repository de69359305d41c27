"""What a finding has seen: all of what was observed, of which its text may show a part.

A text is short: it counts what it does not name, cuts long values, says `present`. Whoever accepts a finding
accepts the data behind it, so a waiver goes by a digest of all of it:

- A value rule has seen the value, an instance rule the values of the attributes that it reads. They are given
  nothing else, so nothing can be behind their findings that is not in the digest.
- A series, study or context rule is given the whole study, and has seen all of it, unless the hit itself says
  what it is made of (`Hit.seen`).
"""

import hashlib
from collections.abc import Iterable

import msgspec

from heltig.dicom.cell import Cell
from heltig.rules.rule import Hit
from heltig.rules.wording import plain

DIGITS = 32
"""Hex digits of a finding's digest."""


def digest_of(rule: str, tags: tuple[str, ...], observed: str, seen: Iterable[str] | None) -> str:
    """The digest of a finding: of its rule, attributes and text, and of what it has seen.

    Args:
        rule: The rule's id.
        tags: The attributes.
        observed: The text.
        seen: All that was observed, in any order; None where only the verdict knows it: no digest then.
    """
    if seen is None:
        return ""
    parts = (rule, tags, observed, sorted(set(seen)))
    text = msgspec.json.encode([_plain(part) for part in parts])
    return hashlib.sha256(text).hexdigest()[:DIGITS]


def with_cells(hit: Hit, cells: Iterable[Cell]) -> Hit:
    """A hit that has seen some cells, unless it says itself what it has seen."""
    if not isinstance(hit, Hit) or hit.seen is not None:
        return hit
    return msgspec.structs.replace(hit, seen=("\x1f".join(map(_of_cell, cells)),))


def _of_cell(cell: Cell) -> str:
    """All that a cell holds, as one text."""
    values = [
        value.hex() if isinstance(value, bytes) else None if value is None else str(value)
        for value in cell.values
    ]
    items = [
        [(tag, hashlib.sha256(raw).hexdigest()) for tag, raw in zip(item.tags, item.raws, strict=True)]
        for item in cell.items
    ]
    length = cell.length if cell.bulk else None
    parts = (cell.vr, values, [(fault.kind, fault.detail) for fault in cell.faults], length, items)
    return msgspec.json.encode(_plain(parts)).decode()


def _plain(part: object) -> object:
    """The same with half surrogate pairs, which no text of Unicode can hold, written out."""
    if isinstance(part, str):
        return plain(part)
    if isinstance(part, list | tuple):
        return [_plain(inner) for inner in part]
    return part
