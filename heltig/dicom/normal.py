"""What a value means, however it is written: the form of it that every source and archive comes to.

An archive writes `1.0` for `1`, pads text, or names a new URI for bulk data. What is compared between
archives, and from one day to the next, is therefore made of normal forms. Of a binary value it is only that
there is one.

Where a column has many different values, and all are plain DICOM JSON, they are read in one step: that comes
to the same as one by one, for a tenth of the time.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from math import isfinite
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec

from heltig.dicom.cell import Cell, Item, Value
from heltig.dicom.column import Column
from heltig.dicom.json_members import REFUSALS
from heltig.dicom.json_values import FLOAT_VRS, INTEGER_RANGES
from heltig.dicom.table import Table, decoded
from heltig.dicom.values import BYTE_VRS, TEXT_VRS
from heltig.standard.dictionary import lookup

Normal: TypeAlias = str | bytes
"""Text, or the numbers of a DS or IS as JSON; empty where there is no value."""

_BINARY: Final = "binary"
_NUMBERS: Final = frozenset({"DS", "IS"})

_OF_THE_ARCHIVE: Final = frozenset(
    {
        "00080005",  # SpecificCharacterSet
        "00080054",  # RetrieveAETitle
        "00080056",  # InstanceAvailability
        "00081190",  # RetrieveURL
        "00083002",  # AvailableTransferSyntaxUID
        "00201206",  # NumberOfStudyRelatedSeries
        "00201208",  # NumberOfStudyRelatedInstances
        "00201209",  # NumberOfSeriesRelatedInstances
    }
)
"""What an archive adds to the metadata of the objects it holds (PS3.18 10.6.3.3)."""

_PRIVATE_TO_ARCHIVES: Final = ("DCM4CHEE Archive 5", "HELTIG READINESS 1")
"""Creators of private blocks in which archives and gates note what they think of an object."""


def is_content(tag: str) -> bool:
    """Whether a column holds what the objects themselves say, and what every source can show.

    Args:
        tag: Eight hex digits, or a `heltig.dicom.table.private_key`.
    """
    if " " in tag:
        return not tag.endswith(_PRIVATE_TO_ARCHIVES)
    private_creator = tag[3] in "13579BDF" and tag[4:6] == "00"
    return not (tag in _OF_THE_ARCHIVE or tag[:4] == "0002" or tag[4:] == "0000" or private_creator)


def normals(table: Table, column: Column) -> list[Normal]:
    """The normal form of each distinct cell of a column, by its code; code 0, absent, has none."""
    found: list[Normal] | None = None
    if _may_be_plain(table, column):
        found = _normals_of(column.tag, column.cells[1:])
    if found is None:
        found = [normal(column.tag, table.cell(column, code)) for code in range(1, len(column.cells))]
    return ["", *found]


def texts(table: Table, column: Column) -> list[str]:
    """The first value of each distinct cell of a column, as `Cell.text` gives it, by code."""
    cells = column.cells
    plain = _plain_json(cells[1:]) if _may_be_plain(table, column) else None
    if plain and plain.vr in _WORDS and not plain.has_several:
        with suppress(*REFUSALS):
            found = list(map("".join, map(_values_of, _read_texts(plain.elements))))
            has_two_members = plain.elements.count(b":") == 2 * (len(cells) - 1)
            if len(found) == len(cells) - 1 and has_two_members and not _is_padded(found):
                return ["", *found]
    return [table.cell(column, code).text for code in range(len(cells))]


def normal(tag: str, cell: Cell) -> Normal:
    """The normal form of one value."""
    if cell.empty:
        return ""
    vr = _vr(tag) or cell.vr
    if cell.items or cell.vr == "SQ":
        return "[" + ",".join(map(_item, cell.items)) + "]"
    if cell.bulk or vr in BYTE_VRS or cell.vr in BYTE_VRS:
        return _BINARY
    if vr in _NUMBERS:
        values = zip(cell.values, cell.numbers, strict=True)
        return _written([_text(value) if number is None else number for value, number in values])
    if vr == "PN":
        return "\\".join(["=".join([g.strip(" ^") for g in _text(v).split("=")]) for v in cell.values])
    return "\\".join([_text(v) for v in cell.values])


_written = msgspec.json.Encoder().encode


def _vr(tag: str) -> str:
    """The VR by the dictionary; empty for what is not in it."""
    entry = lookup(tag)
    return entry.vr if entry else ""


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return _BINARY
    return "" if value is None else str(value).strip()


def _item(item: Item) -> str:
    return "{" + ";".join(sorted(_elements(item))) + "}"


def _elements(item: Item) -> Iterator[str]:
    for tag, raw in zip(item.tags, item.raws, strict=True):
        found = normal(tag, decoded(tag, raw, item.encoding)) if is_content(tag) else ""
        if found:
            yield f"{tag}={found if isinstance(found, str) else found.decode()}"


# Many cells in one step.

_MANY: Final = 8
"""Cells from which on it pays."""

_Values: TypeAlias = tuple[Any, ...]

_WRITTEN_VR: Final = re.compile(rb'"vr"[ \t\r\n]*:[ \t\r\n]*"([A-Z]{2})"')

_WORDS: Final = TEXT_VRS - {"PN", "DS", "IS"}
_values_of: Callable[[Any], _Values] = attrgetter("Value")


class _Plain(msgspec.Struct, frozen=True):
    """Elements of DICOM JSON of one VR. No text in them has an escape, and all is ASCII.

    Attributes:
        vr: As it is written.
        elements: A JSON array of them; what members they have is still to be seen.
        has_several: One of them may have more than one value; then none is empty text.
    """

    vr: str
    elements: bytes
    has_several: bool


def _reader(member: str, kind: Any) -> Callable[[bytes], list[Any]]:
    """What decodes elements with `vr` and this member, and no other."""
    members = [("vr", str), (member, kind)]
    element = msgspec.defstruct("Element", members, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(list[element]).decode  # type: ignore[valid-type]  # made when it runs


_read_texts, _read_integers, _read_floats = (
    _reader("Value", tuple[kind, ...])  # type: ignore[valid-type]  # likewise
    for kind in (str, int, float)
)
_read_addresses = _reader("BulkDataURI", str)


def _may_be_plain(table: Table, column: Column) -> bool:
    return len(column.cells) > _MANY and all(encoding.syntax == "json" for encoding in table.encodings)


def _plain_json(cells: Sequence[bytes]) -> _Plain | None:
    """Cells of DICOM JSON that are all plain and of one VR; None where they are not."""
    count = len(cells)
    found = _WRITTEN_VR.search(cells[0])
    text = b",".join(cells)
    if found is None or not text.isascii() or b"\\" in text or text.count(found[0]) != count:
        return None
    has_several = text.count(b",") >= 2 * count
    if has_several and b'""' in text:
        return None
    return _Plain(found[1].decode(), b"[" + text + b"]", has_several)


def _normals_of(tag: str, cells: Sequence[bytes]) -> list[Normal] | None:
    """The normal forms of cells of DICOM JSON; None where they have to be made one by one."""
    plain = _plain_json(cells)
    if plain is None:
        return None
    try:
        if plain.vr in BYTE_VRS and plain.elements.count(b'"') == 8 * len(cells):
            normals: list[Normal] | None = [_BINARY for _ in _read_addresses(plain.elements)]
        elif plain.elements.count(b":") == 2 * len(cells):  # no member stands twice
            normals = _read(_vr(tag) or plain.vr, plain.vr, plain.elements)
        else:
            normals = None
    except (*REFUSALS, ValueError, OverflowError):
        return None
    return normals if normals is None or len(normals) == len(cells) else None


def _read(vr: str, written: str, elements: bytes) -> list[Normal] | None:
    """The normal forms of plain elements; None where they have to be made one by one.

    Args:
        vr: As which they are compared.
        written: The VR that they have.
        elements: A JSON array.
    """
    if vr in _NUMBERS:
        numbers = _numbers(written, elements)
        return None if numbers is None or () in numbers else list(map(_written, numbers))
    if vr == "PN" or vr in BYTE_VRS:
        return None
    if written in _WORDS:
        words = list(map("\\".join, map(_values_of, _read_texts(elements))))
        return None if _is_padded(words) else list[Normal](words)
    if written in INTEGER_RANGES or written in FLOAT_VRS:
        read = _read_floats if written in FLOAT_VRS else _read_integers
        return ["\\".join(map(str, values)) for values in map(_values_of, read(elements))]
    return None


def _is_padded(words: Iterable[str]) -> bool:
    """Whether there is a space at an end of one of several texts, or of their values."""
    text = "\0" + "\0".join(words) + "\0"
    return " " in text and any(place in text for place in ("\0 ", " \0", "\\ ", " \\"))


def _numbers(written: str, elements: bytes) -> list[_Values] | None:
    """The numbers of plain elements; None where one is none, or may be written as DICOM does not write it."""
    if written in FLOAT_VRS or written in _NUMBERS:
        with suppress(msgspec.ValidationError):  # of DS and IS they may be text
            return list(map(_values_of, _read_floats(elements)))
    if written not in _WORDS | _NUMBERS or b"_" in elements:  # which Python takes for a separator
        return None
    numbers = [tuple(map(float, values)) for values in map(_values_of, _read_texts(elements))]
    return numbers if all(all(map(isfinite, values)) for values in numbers) else None
