"""The cells of one attribute over all rows: each distinct raw cell once, and a number for each row."""

from array import array
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from heltig.dicom.cell import Cell, Encoding

Raw: TypeAlias = bytes | msgspec.Raw
Codes: TypeAlias = Sequence[int]

_Run: TypeAlias = tuple[int, int, int | Codes]
"""Rows that were appended together: the first, how many, and one code for all of them or one for each."""

_NO_ENCODINGS = array("H", [0])

_MOST_ROWS: Final = 32  # of a table that shares columns with others
_LONGEST: Final = 1024  # bytes of a cell that is worth keeping
_MOST_OF_A_TAG: Final = 48  # columns of an attribute
_MOST: Final = 16_384  # columns of all attributes and tables


class Column:
    """The cells of one attribute.

    Attributes:
        tag: Eight hex digits, or a `private_key`.
        cells: Distinct raw cells; entry 0 stands for absent. Equal codes mean equal cells; two codes may hold
            equal cells, since a column of mostly different values is not searched for the few equal ones.
        encodings: For each cell how to read it, a number into the table's list.
        codes: For each row the number of its cell, 0 where the row has no such element.
        constant: Every row has the same cell.
        decoded: Cells that the table has decoded, by number.
        common: Other tables have this very column, too; it is never changed.
    """

    __slots__ = ("_index", "_runs", "cells", "codes", "common", "constant", "decoded", "encodings", "tag")

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.cells: list[bytes] = [b""]
        self.encodings = _NO_ENCODINGS  # of the absent cell; replaced, never added to
        self.codes: Codes = b""
        self.constant = False
        self.common = False
        self._index: dict[tuple[int, bytes], int] | None = None
        self._runs: list[_Run] = []
        self.decoded: dict[int, Cell] = {}

    def extend(self, start: int, raws: tuple[Raw, ...], encoding: int) -> None:
        """Append the raw cells of rows `start`, `start + 1` and so on."""
        first, count = raws[0], len(raws)
        if raws.count(first) == count:
            self.repeat(start, bytes(first), count, encoding)
            return
        cells = list(map(bytes, raws))
        if count >= 8 and len(set(cells)) * 10 > count * 9:
            known = len(self.cells)
            self.cells.extend(cells)
            self.encodings = self.encodings + array("H", [encoding]) * count
            self._runs.append((start, count, range(known, known + count)))
        else:
            numbers = {cell: self._code(cell, encoding) for cell in dict.fromkeys(cells)}
            self._runs.append((start, count, list(map(numbers.__getitem__, cells))))

    def repeat(self, start: int, raw: bytes, count: int, encoding: int) -> None:
        """Append one raw cell for `count` rows from `start` on."""
        code = self._code(raw, encoding)
        if self._runs:
            begin, length, codes = self._runs[-1]
            if codes == code and begin + length == start:
                self._runs[-1] = (begin, length + count, code)
                return
        self._runs.append((start, count, code))

    def absorb(self, start: int, other: "Column", encodings: Sequence[int]) -> None:
        """Append the rows of a settled column of another table.

        Args:
            start: The row that the other table's first row becomes.
            other: The column.
            encodings: For each of the other table's encodings its number here.
        """
        read_as = [encodings[number] for number in other.encodings]
        numbers = [0, *(self._code(c, e) for c, e in zip(other.cells[1:], read_as[1:], strict=True))]
        count = len(other.codes)
        codes = numbers[1] if other.constant else [numbers[code] for code in other.codes]
        self._runs.append((start, count, codes))

    def _code(self, raw: bytes, encoding: int) -> int:
        known = len(self.cells)
        if known == 1:
            self.cells.append(raw)
            self.encodings = array("H", (0, encoding))
            return 1
        if known == 2 and self.cells[1] == raw and self.encodings[1] == encoding:
            return 1  # most columns have one cell and need no index
        if self._index is None:
            self._index = {
                pair: code for code, pair in enumerate(zip(self.encodings, self.cells, strict=True))
            }
        code = self._index.get((encoding, raw), 0)
        if not code:
            code = self._index[encoding, raw] = known
            self.cells.append(raw)
            self.encodings.append(encoding)
        return code

    def settle(self, rows: int, ones: bytes) -> None:
        """Turn what was appended into `codes`.

        Args:
            rows: Number of rows of the table.
            ones: The codes of a constant column, shared by all of them.
        """
        runs, self._runs, self._index = self._runs, [], None
        everywhere = len(self.cells) == 2 and sum([count for _, count, _ in runs]) == rows
        if everywhere and all(isinstance(codes, int) or 0 not in codes for _, _, codes in runs):
            self.codes, self.constant = ones, True
            return
        typecode: Literal["B", "I"] = "B" if len(self.cells) <= 256 else "I"
        codes = array(typecode)
        codes.frombytes(bytes(rows * codes.itemsize))
        for start, count, run in runs:
            one_each = array(typecode, [run]) * count if isinstance(run, int) else array(typecode, run)
            codes[start : start + count] = one_each
        self.codes = codes.tobytes() if typecode == "B" else codes

    def permute(self, pick: Callable[[Codes], Sequence[int]]) -> None:
        """Put the rows into another order, given what picks one thing a row in this order."""
        self.codes = _packed(pick(self.codes), self.cells)


class Alike:
    """What the columns of tables share that have so many rows, read alike.

    Small studies of one scanner agree in most of their columns. Those in which nothing changes are one object
    for all of them, so that what somebody finds out about it is known of all.

    Attributes:
        rows: Number of rows.
        encoding: How to read them, a number into the tables' lists.
        one: `Column.encodings` of a constant column.
        ones: `Column.codes` of a constant column.
    """

    def __init__(self, rows: int, encoding: int, kept: Callable[[], None] | None = None) -> None:
        """Prepare for columns.

        Args:
            rows: Number of rows.
            encoding: How to read them.
            kept: Called for each column that others will share; None where none will.
        """
        self.rows = rows
        self.encoding = encoding
        self.one = array("H", (0, encoding))
        self.ones = b"\x01" * rows
        self._common: dict[str, dict[bytes, Column]] = {}
        self._kept = kept

    def constant(self, tag: str, cell: bytes) -> Column:
        """The column of a tag that has this cell in every row."""
        of_tag = self._common.get(tag)
        column = of_tag.get(cell) if of_tag else None
        if column is None:
            column = Column(tag)
            column.cells.append(cell)
            column.encodings, column.codes, column.constant = self.one, self.ones, True
            if self._kept and len(cell) <= _LONGEST:
                of_tag = self._common.setdefault(tag, {})
                if len(of_tag) < _MOST_OF_A_TAG:  # else it has a value of its own in each study, or nearly
                    of_tag[cell] = column
                    column.common = True
                    self._kept()
        return column


class _Shared:
    """What tables share, by what they have to have in common."""

    def __init__(self) -> None:
        self._alike: dict[tuple[int, int, Encoding], Alike] = {}
        self._size = 0

    def alike(self, rows: int, encoding: int, read_as: Encoding) -> Alike:
        key = rows, encoding, read_as
        found = self._alike.get(key)
        if found is None:
            found = self._alike[key] = Alike(rows, encoding, self._count)
        return found

    def _count(self) -> None:
        """Take note of one more column; with too many all are forgotten."""
        self._size += 1
        if self._size > _MOST:
            self._alike.clear()
            self._size = 0


_SHARED: Final = _Shared()


def alike(rows: int, encoding: int, read_as: Encoding) -> Alike:
    """What tables share that have so many rows.

    Args:
        rows: Number of rows.
        encoding: A number into the tables' lists of encodings.
        read_as: The encoding that it stands for: a cell that is decoded for one table is so for all.
    """
    return _SHARED.alike(rows, encoding, read_as) if rows <= _MOST_ROWS else Alike(rows, encoding)


def settled(tag: str, raws: tuple[Raw, ...], alike: Alike) -> Column:
    """The column of a table that has all its rows: what `extend` and `settle` come to, for less.

    Args:
        tag: Of the column.
        raws: The raw cells; every row has one.
        alike: What the columns of the table share.
    """
    first = raws[0]
    if raws.count(first) == alike.rows:
        return alike.constant(tag, bytes(first))
    column = Column(tag)
    numbers: dict[bytes, int] = {}
    codes = [numbers.setdefault(bytes(raw), len(numbers) + 1) for raw in raws]
    column.cells.extend(numbers)
    column.encodings = array("H", (0, *[alike.encoding] * len(numbers)))
    column.codes = _packed(codes, column.cells)
    return column


def _packed(codes: Sequence[int], cells: Sequence[bytes]) -> Codes:
    """The codes of a column with these cells: in one byte each where they fit."""
    return bytes(codes) if len(cells) <= 256 else array("I", codes)
