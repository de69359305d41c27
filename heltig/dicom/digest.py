"""The content digest: does a study still say the same, wherever and however it was read?

Bytes change when nothing else does: an archive orders keys otherwise, writes `1.0` for `1`, names a new
URI for bulk data. So the digest is made of normalised values, and of what every source can show: no file meta
information, no group lengths, no character set (DICOM JSON is UTF-8 whatever the objects are), nothing that
an archive says of itself, and of binary values only that they are there.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from heltig.dicom.cell import Cell, Encoding, Item, Value
from heltig.dicom.column import Column
from heltig.dicom.json_cell import decode_json_element
from heltig.dicom.study import SOP_INSTANCE_UID, SeriesRows, StudyTable
from heltig.dicom.values import decode_element
from heltig.standard.dictionary import lookup

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

_BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


class SeriesDigest(msgspec.Struct, frozen=True):
    """The content digest of one series: SHA-256, 64 hex digits."""

    key: str
    digest: str


def series_digests(table: StudyTable) -> list[SeriesDigest]:
    """The content digest of each series of an arranged study."""
    columns = [table.columns[tag] for tag in sorted(table.columns) if _counts(tag)]
    return [SeriesDigest(series.key, _series_digest(table, series, columns)) for series in table.series]


def content_digest(series: Iterable[SeriesDigest]) -> str:
    """The content digest of a study, from those of its series in any order."""
    parts = sorted((each.key, each.digest) for each in series)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _counts(tag: str) -> bool:
    if " " in tag:
        return not tag.endswith(_PRIVATE_TO_ARCHIVES)
    private_creator = tag[3] in "13579BDF" and tag[4:6] == "00"
    return not (tag in _OF_THE_ARCHIVE or tag[:4] == "0002" or tag[4:] == "0000" or private_creator)


def _series_digest(table: StudyTable, series: SeriesRows, columns: list[Column]) -> str:
    rows = sorted(series.rows, key=lambda row: table.at(SOP_INSTANCE_UID, row).text)
    digest = hashlib.sha256(msgspec.json.encode((series.key, len(rows))))
    for column in columns:
        digest.update(_column(table, column, rows))
    return digest.hexdigest()


def _column(table: StudyTable, column: Column, rows: list[int]) -> bytes:
    """One column's values, numbered by their first row; nothing when no row has a value."""
    tag = column.tag
    if column.constant:
        normal = _normal(tag, table.cell(column, 1))
        return msgspec.json.encode((tag, [normal])) if normal else b""
    codes = column.codes
    placed = [codes[row] for row in rows]
    numbers: dict[str, int] = {"": 0}
    of_code: dict[int, int] = {}
    for code in dict.fromkeys(placed):
        normal = _normal(tag, table.cell(column, code)) if code else ""
        of_code[code] = numbers.setdefault(normal, len(numbers))
    del numbers[""]
    if not numbers:
        return b""
    if len(numbers) == 1 and 0 not in of_code.values():
        return msgspec.json.encode((tag, list(numbers)))
    return msgspec.json.encode((tag, list(numbers), [of_code[code] for code in placed]))


def _normal(tag: str, cell: Cell) -> str:
    """One value in the form that every way of writing it has; empty when there is none."""
    if cell.empty:
        return ""
    entry = lookup(tag)
    vr = entry.vr if entry else cell.vr
    if cell.items or cell.vr == "SQ":
        return "[" + ",".join(map(_item, cell.items)) + "]"
    if cell.bulk or vr in _BINARY or cell.vr in _BINARY:
        return "binary"
    if vr in ("DS", "IS"):
        values = zip(cell.values, cell.numbers, strict=True)
        return "\\".join([_text(v) if n is None else repr(n) for v, n in values])
    if vr == "PN":
        return "\\".join(["=".join([g.strip(" ^") for g in _text(v).split("=")]) for v in cell.values])
    return "\\".join([_text(v) for v in cell.values])


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return "binary"
    return "" if value is None else str(value).strip()


def _item(item: Item) -> str:
    return "{" + ";".join(sorted(_elements(item))) + "}"


def _elements(item: Item) -> Iterator[str]:
    for tag, raw in zip(item.tags, item.raws, strict=True):
        normal = _normal(tag, _decode(tag, raw, item.encoding)) if _counts(tag) else ""
        if normal:
            yield f"{tag}={normal}"


def _decode(tag: str, raw: bytes, encoding: Encoding) -> Cell:
    return decode_json_element(tag, raw) if encoding.syntax == "json" else decode_element(tag, raw, encoding)
