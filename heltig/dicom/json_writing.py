"""A study's evidence written as DICOM JSON again (PS3.18 Annex F), whatever it was read from.

Cells that came as DICOM JSON and read cleanly are written as they came. All others are written from their
values: what cannot be told in legal JSON (a control character, a byte that is no text) is told as it was
decoded. Left out are file meta information and group lengths (PS3.18 F.2.2), and values that were not kept
and have no address: an empty element would say that there is none.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from heltig.dicom.cell import Cell, Encoding, Item, Value
from heltig.dicom.study import StudyTable
from heltig.dicom.table import decoded

_NUMBERS: Final = frozenset({"DS", "IS"})
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_UNKNOWN: Final = "UN"

_encode = msgspec.json.Encoder().encode


def instances_as_json(table: StudyTable, rows: Iterable[int]) -> Iterator[bytes]:
    """The instances of an arranged study, each as one JSON object with its tags ascending.

    Args:
        table: The study.
        rows: Which of its instances.
    """
    columns = [(tag, table.columns[tag]) for tag in sorted(table.columns) if _is_told(tag)]
    written: dict[tuple[str, int], bytes] = {}
    for row in rows:
        members = []
        blocks = _Blocks()
        for tag, column in columns:
            code = column.codes[row]
            if not code:
                continue
            if (tag, code) not in written:
                encoding = table.encodings[column.encodings[code]]
                written[tag, code] = element_as_json(tag, column.cells[code], encoding)
            if " " not in tag:
                blocks.note(tag, column.cells[code], table.encodings[column.encodings[code]])
            if element := written[tag, code]:
                members.append((blocks.place(tag), element))
        yield _object(members)


class _Blocks:
    """Where the private blocks of one data set stand (PS3.5 7.8.1)."""

    def __init__(self) -> None:
        self._blocks: dict[str, str] = {}

    def note(self, tag: str, raw: bytes, encoding: Encoding) -> None:
        """An element of the data set, which may be a private creator."""
        if tag[3] in "13579BDF" and tag[4:6] == "00" and tag[6:] >= "10":
            self._blocks.setdefault(f"{tag[:4]} {decoded(tag, raw, encoding).text}", tag[6:])

    def place(self, key: str) -> str:
        """The tag of a column in this data set."""
        if " " not in key:
            return key
        tag, _, creator = key.partition(" ")
        return tag[:4] + self._blocks[f"{tag[:4]} {creator}"] + tag[6:]


def _is_told(tag: str) -> bool:
    return tag[:4] != "0002" and tag[4:8] != "0000"


def _object(members: list[tuple[str, bytes]]) -> bytes:
    members.sort()
    return b"{" + b",".join([b'"%s":%s' % (tag.encode(), element) for tag, element in members]) + b"}"


def element_as_json(tag: str, raw: bytes, encoding: Encoding) -> bytes:
    """One element from its raw cell; empty where there is nothing to tell of it."""
    cell = decoded(tag, raw, encoding)
    if encoding.syntax == "json" and not cell.faults and not cell.items:
        return bytes(raw)
    vr = cell.vr or _UNKNOWN
    if cell.items:
        return b'{"vr":"SQ","Value":[' + b",".join(map(_item, cell.items)) + b"]}"
    if cell.bulk:
        return b""
    if any(isinstance(value, bytes) for value in cell.values):
        return _encode({"vr": vr, "InlineBinary": _base64(cell.values)})
    return _encode({"vr": vr, "Value": _values(vr, cell)} if cell.values else {"vr": vr})


def _item(item: Item) -> bytes:
    elements = zip(item.tags, item.raws, strict=True)
    told = {tag: element_as_json(tag, raw, item.encoding) for tag, raw in elements if _is_told(tag)}
    return _object([(tag, element) for tag, element in told.items() if element])


def _base64(values: Iterable[Value]) -> str:
    return base64.b64encode(b"".join(value for value in values if isinstance(value, bytes))).decode("ascii")


def _values(vr: str, cell: Cell) -> list[Any]:
    if vr == "PN":
        return [_person(value) for value in cell.values]
    if vr in _NUMBERS:
        return [_number(vr, value, number) for value, number in zip(cell.values, cell.numbers, strict=True)]
    return [_legal(value) for value in cell.values]


def _person(value: Value) -> dict[str, str] | None:
    groups = zip(_GROUPS, str(value or "").split("="), strict=False)
    return {group: part for group, part in groups if part} or None


def _number(vr: str, value: Value, number: float | None) -> Any:
    """A number where DS or IS holds one, and what is written there where it does not (PS3.18 F.2.3)."""
    if number is None:
        return _legal(value)
    return int(number) if vr == "IS" and number.is_integer() else number


def _legal(value: Value) -> Any:
    """What JSON has no number for is text (PS3.18 F.2.3.1)."""
    if isinstance(value, float) and (value - value) != 0:
        return {"nan": "NaN", "inf": "inf", "-inf": "-inf"}[str(value)]
    return value if value != "" else None
