r"""Numbers of plainly written cells, read without decoding: positions, distances, places.

Of Image Position (Patient) and Slice Location nearly every instance has a value of its own, as plainly
written as can be. All of them are read in one go as JSON: that is what DICOM JSON has, and Decimal Strings
become it when their backslashes are written as commas.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from heltig.dicom.table import Table

_HEADER = 4  # bytes before a Decimal String: VR and length (PS3.5 7.1.2), or the length (7.1.3)
_IS_PART10 = re.compile(rb"(?:DS[\x00-\xff]{2}|[\x00-\xff]{2}\x00{2})[-+0-9.eE \\]*", re.DOTALL)


class _Element(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    vr: Literal["DS", "FD", "FL"]
    Value: tuple[float, ...]


_elements = msgspec.json.Decoder(list[_Element])
_lists = msgspec.json.Decoder(list[tuple[float, ...]])


def plain_numbers(cells: Sequence[bytes]) -> list[tuple[float, ...] | None]:
    """The numbers of raw cells of one attribute of VR DS (in JSON also FD and FL).

    Args:
        cells: Raw cells as a table has them.

    Returns:
        For each cell its numbers, as `Cell.numbers` of the decoded cell has them, or `None` where the cell is
        not plainly written: that one has to be decoded.
    """
    try:
        return list(_read(cells))
    except msgspec.DecodeError:
        return [_one(cell) for cell in cells]


def numbers_in(table: Table, tag: str, rows: Sequence[int]) -> list[tuple[float | None, ...]]:
    """The numbers of an attribute in some rows of a table; plainly written ones are not decoded."""
    column = table.columns.get(tag)
    if column is None:
        return [()] * len(rows)
    if column.constant:
        only = _one_again(column.cells[1])
        return [table.cell(column, 1).numbers if only is None else only] * len(rows)
    codes = [column.codes[row] for row in rows]
    distinct = list(dict.fromkeys(codes))
    plain = plain_numbers([column.cells[code] for code in distinct])
    numbers = [
        table.cell(column, code).numbers if read is None else read
        for code, read in zip(distinct, plain, strict=True)
    ]
    if len(distinct) == len(codes):
        return numbers
    return list(map(dict(zip(distinct, numbers, strict=True)).__getitem__, codes))


@lru_cache(1024)
def _one_again(cell: bytes) -> tuple[float, ...] | None:
    """Orientations, spacings and thicknesses come again from study to study."""
    return _one(cell)


def _one(cell: bytes) -> tuple[float, ...] | None:
    try:
        return _read((cell,))[0]
    except msgspec.DecodeError:
        return None


def _read(cells: Sequence[bytes]) -> Sequence[tuple[float, ...]]:
    if cells and cells[0].startswith(b"{"):
        return [element.Value for element in _elements.decode(b"[%b]" % b",".join(cells))]
    if not all(map(_IS_PART10.fullmatch, cells)):
        raise msgspec.DecodeError
    texts = b"],[".join([cell[_HEADER:] for cell in cells]).replace(b"\\", b",")
    return _lists.decode(b"[[%b]]" % texts if cells else b"[]")
