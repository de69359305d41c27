"""When two values of an attribute say the same, however they are written: by their VR."""

from collections.abc import Callable
from functools import cache
from typing import Final

from heltig.dicom.cell import Cell, Item, Value
from heltig.dicom.dates import parse_tm
from heltig.dicom.table import decoded
from heltig.rules.conflict import capitals, shown
from heltig.rules.names import GROUPS, words
from heltig.standard.dictionary import lookup, tag_of

_DEEPEST: Final = 4
"""Sequences within a sequence that are read; what lies deeper is compared as it is written."""

_CODES: Final = ("00080100", "00080119", "00080120")  # CodeValue, LongCodeValue, URNCodeValue
_SCHEME: Final = "00080102"


@cache
def same_by(keyword: str) -> Callable[[Cell], str]:
    """What makes two values of an attribute the same.

    Case, spacing and delimiters of text do not count, nor do other forms of a number or a time, the order of
    names and items, and the meaning that stands beside a code.

    Args:
        keyword: The attribute. Of several possible VRs the first decides.

    Returns:
        A function that gives equal texts for cells that say the same; empty for those that say nothing.
    """
    entry = lookup(tag_of(keyword))
    return _of_vr(entry.vr[:2] if entry else "")


def code_of(item: Item) -> str:
    """The code of an item that is one, without its scheme; empty for other items."""
    return next((text for tag in _CODES if (text := _text(item, tag))), "")


def _of_vr(vr: str) -> Callable[[Cell], str]:
    return _KEYS.get(vr, capitals)


def _names(cell: Cell) -> str:
    names = [Cell("PN", (value,)) for value in cell.values]
    said = ["=".join(words(name, group) for group in range(GROUPS)).rstrip("=") for name in names]
    return "\\".join(sorted(filter(None, said)))


def _dates(cell: Cell) -> str:
    return cell.shown.strip().replace(".", "").replace("-", "")


def _times(cell: Cell) -> str:
    return "\\".join(map(_time, cell.values)).strip("\\")


def _time(value: Value) -> str:
    text = "" if value is None else str(value).strip()
    time = parse_tm(text)
    return time.isoformat() if time else text


def _numbers(cell: Cell) -> str:
    said = [
        f"{number:.10g}" if number is not None else str(value or "").strip()
        for number, value in zip(cell.numbers, cell.values, strict=True)
    ]
    return "\\".join(said).strip("\\")


def _items(cell: Cell, depth: int = 0) -> str:
    return " | ".join(sorted(filter(None, (_item(item, depth) for item in cell.items))))


def _item(item: Item, depth: int) -> str:
    code = code_of(item)
    if code:
        return f"{_text(item, _SCHEME)} {code}".strip()
    said = []
    for tag, raw in sorted(zip(item.tags, item.raws, strict=True)):
        text = _inside(tag, bytes(raw), item, depth) if _is_standard(tag) else ""
        if text:
            said.append(f"{tag} {text}")
    return ", ".join(said)


def _inside(tag: str, raw: bytes, item: Item, depth: int) -> str:
    cell = decoded(tag, raw, item.encoding)
    if cell.items:
        return f"({_items(cell, depth + 1)})" if depth < _DEEPEST else raw.hex()
    return _of_vr(cell.vr)(cell)


def _is_standard(tag: str) -> bool:
    """Neither private nor a group length."""
    return tag[3] in "02468ACE" and tag[4:] != "0000"


def _text(item: Item, tag: str) -> str:
    for found, raw in zip(item.tags, item.raws, strict=True):
        if found == tag:
            return decoded(tag, bytes(raw), item.encoding).text
    return ""


_KEYS: Final[dict[str, Callable[[Cell], str]]] = {
    "PN": _names,
    "DA": _dates,
    "TM": _times,
    "UI": shown,
    "SQ": _items,
    **dict.fromkeys(("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"), _numbers),
}
