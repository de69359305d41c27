"""The content digest: does a study still say the same, wherever and however it was read?

Bytes change when nothing else does: an archive orders keys otherwise, or writes a value otherwise. So the
digest is made of normal forms (`heltig.dicom.normal`), and of what every source can show: no file meta
information, no group lengths, no character set (DICOM JSON is UTF-8 whatever the objects are), and nothing
that an archive says of itself.

It is made a series at a time, and in a series column by column, so that a value is looked at once however
many instances have it.
"""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

import msgspec

from heltig.dicom.column import Codes
from heltig.dicom.normal import Normal, is_content, normals
from heltig.dicom.study import SOP_INSTANCE_UID, SeriesRows, StudyTable

_encode = msgspec.msgpack.Encoder().encode


class SeriesDigest(msgspec.Struct, frozen=True):
    """The content digest of one series: SHA-256, 64 hex digits."""

    key: str
    digest: str


class _Differing(msgspec.Struct, frozen=True):
    """A column in which instances differ.

    Attributes:
        tag: Of the column.
        values: Normal forms.
        codes: Of each row of the study the place of its value; the same value has one place.
    """

    tag: str
    values: Sequence[Normal]
    codes: Codes


_Part: TypeAlias = bytes | _Differing
"""What goes into the digests of all series: bytes, or what has to be looked at a series at a time."""


def series_digests(table: StudyTable) -> list[SeriesDigest]:
    """The content digest of each series of an arranged study."""
    parts = _parts(table)
    return [SeriesDigest(series.key, _series_digest(series, parts)) for series in table.series]


def content_digest(series: Iterable[SeriesDigest]) -> str:
    """The content digest of a study, from those of its series in any order."""
    parts = sorted((each.key, each.digest) for each in series)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _parts(table: StudyTable) -> list[_Part]:
    parts: list[_Part] = []
    alike = bytearray()
    for tag in filter(is_content, sorted(table.columns)):
        column = table.columns[tag]
        values = normals(table, column)
        if column.constant:
            alike += _same(tag, values[1])
        else:
            parts += [bytes(alike), _Differing(tag, values, _places(column.codes, values))]
            alike.clear()
    return [*parts, bytes(alike)]


def _places(codes: Codes, values: Sequence[Normal]) -> Codes:
    """For each code that of the first cell which means the same."""
    if len(set(values)) == len(values):
        return codes
    first: dict[Normal, int] = {}
    places = [first.setdefault(value, code) for code, value in enumerate(values)]
    return list(map(places.__getitem__, codes))


def _series_digest(series: SeriesRows, parts: Sequence[_Part]) -> str:
    rows = series.rows
    in_order = _in_order(parts, rows)
    digest = hashlib.sha256(_encode((series.key, len(rows))))
    for part in parts:
        if isinstance(part, _Differing):
            codes = part.codes[rows.start : rows.stop]
            digest.update(_column(part, in_order(codes) if in_order else codes))
        else:
            digest.update(part)
    return digest.hexdigest()


def _in_order(parts: Iterable[_Part], rows: range) -> "itemgetter[Sequence[int]] | None":
    """What puts something of each row into the order of the SOP Instance UIDs; None where it is in that.

    Rows of one UID, or without any, are put in the order of what they say: the table has them in the order
    of how it is written.
    """
    differing = [part for part in parts if isinstance(part, _Differing)]
    uids: list[Normal] = [""] * len(rows)
    for part in differing:
        if part.tag == SOP_INSTANCE_UID:
            uids = [part.values[code] for code in part.codes[rows.start : rows.stop]]
    order = sorted(range(len(uids)), key=uids.__getitem__)
    if len(set(uids)) < len(uids):
        tied = (list(group) for _, group in groupby(order, key=uids.__getitem__))
        order = [row for group in tied for row in _by_content(differing, rows, group)]
    return None if order == list(range(len(uids))) else itemgetter(*order)


def _by_content(parts: Sequence[_Differing], rows: range, tied: list[int]) -> list[int]:
    def content(row: int) -> list[bytes]:
        return [_encode(part.values[part.codes[rows.start + row]]) for part in parts]

    return sorted(tied, key=content) if len(tied) > 1 else tied


def _same(tag: str, value: Normal) -> bytes:
    """A column in which every instance has this value; nothing where that is none."""
    return _encode((tag, value)) if value else b""


def _column(column: _Differing, codes: Sequence[int]) -> bytes:
    """A column of a series: its values in the order of their first rows, and for each row which it has."""
    if type(codes) is bytes and codes.count(codes[0]) == len(codes):  # quickest seen so
        return _same(column.tag, column.values[codes[0]])
    numbers = {code: number for number, code in enumerate(dict.fromkeys(codes))}
    values = list(map(column.values.__getitem__, numbers))
    if len(values) == 1:
        return _same(column.tag, values[0])
    if len(values) == len(codes):
        return _encode((column.tag, values))
    which = array("I", map(numbers.__getitem__, codes))
    return _encode((column.tag, values, which.tobytes()))
