"""A header with holes where its neighbour differed, laid over the next header instead of walking that.

As the stencils of DICOM JSON, and as exact. The bytes between the holes are compared: preamble, tags, VRs,
values, whole sequences. Through a hole shows the length and the value of an element whose tag and VR were
compared, and the length says where the bytes after it start. So a header that fits has the elements that the
walk would find, and no other faults than those looked for here.
"""

import struct
from bisect import bisect
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from heltig.dicom.cell import UNDEFINED_LENGTH, DataSet, Fault
from heltig.dicom.part10.layout import KEPT_BYTES, LENGTH_32, LONG_VRS, NESTING_LIMIT
from heltig.dicom.part10.order import group_length_faults
from heltig.dicom.part10.pixels import PixelValue, pixel_faults
from heltig.dicom.part10.sequence import DamagedSequence, MoreNeeded, end_of_sequence
from heltig.dicom.part10.source import CHUNK
from heltig.dicom.part10.window import Window
from heltig.dicom.stencil import Filled, Stencil

_META_GROUP: Final = "0002"
_META_LENGTH: Final = b"UL\x04\x00"
_META_LENGTH_BYTES: Final = 12
_DIFFERS: Final = -1
_SHORT: Final = -2
_SLACK: Final = 256
"""How many bytes longer than its neighbour a header may be that is longer than the first read."""


class HeaderStencil:
    """A header with holes.

    What it is made from is written as its transfer syntax says, ends with the header of its pixel data, and
    has no faults but those of its preamble and of retired group lengths.
    """

    __slots__ = (
        "_enough",
        "_group_lengths",
        "_like",
        "_meta",
        "_pixels",
        "_preamble",
        "_shared",
        "_steps",
        "_tail",
    )

    def __init__(self, start: bytes, like: DataSet, pixels: PixelValue, holes: Sequence[int]) -> None:
        """Cut a stencil.

        Args:
            start: Preamble and prefix.
            like: The elements that follow them one after the other.
            pixels: The pixel data, by their place in the file.
            holes: Places of elements, ascending: at least one, and none that says how to read others.
        """
        elements = zip(map(_tag_bytes, like.tags), map(bytes, like.raws), strict=True)
        pieces = [*chain.from_iterable(elements), b""]
        pieces[0] = start + pieces[0]
        self._like = like
        self._pixels = pixels
        self._enough = pixels.place + _SLACK
        self._shared = Stencil(like.tags, pieces, holes, next_start=b"")
        self._steps = list(_steps(like, pieces, holes))
        self._tail = b"".join(pieces[2 * holes[-1] + 2 :])
        self._preamble = tuple(fault for fault in like.faults if fault.kind == "preamble")
        self._group_lengths = [i for i, tag in enumerate(like.tags) if tag.endswith("0000")][1:]
        self._meta = _MetaLength(like, holes)

    def fit(self, window: Window, *, origin: str) -> DataSet | None:
        """Lay the stencil over the header that a window starts with.

        Returns:
            The header; `None` where the stencil does not fit, and then what is read next is as it was.
        """
        cells: list[bytes] = []
        end = self._show(window.data, cells)
        there = len(window.data)
        while end == _SHORT and there < self._enough:
            data = window.peek(min(there + CHUNK, self._enough))  # no more than the walk would read now
            if len(data) == there:
                return None
            there, cells = len(data), []
            end = self._show(data, cells)
        if end < 0 or not self._meta.is_right(cells):
            return None
        window.reach(0, end)
        pixels = self._pixels._replace(place=end)
        header = Filled(self._shared, cells)
        of_pixels = pixel_faults(window, pixels, self._like.tags, header)
        faults = (*self._preamble, *of_pixels, *self._group_length_faults(header))
        return DataSet(self._like.tags, header, self._like.encoding, faults, origin)

    def _show(self, data: bytes, cells: list[bytes]) -> int:
        """Collect the cells that show through the holes.

        Returns:
            Where the header ends; `_DIFFERS`, or `_SHORT` where it fits as far as the data go.
        """
        position = 0
        try:
            for text, size, before, is_short, may_be_open in self._steps:
                if not data.startswith(text, position):
                    return _SHORT if _goes_past(data, position, text) else _DIFFERS
                position += size
                start = position - before
                if is_short:
                    position += 2 + data[position] + (data[position + 1] << 8)
                else:
                    position = _long_end(data, position, is_explicit=before > 0, may_be_open=may_be_open)
                cells.append(data[start:position])
        except (IndexError, struct.error, MoreNeeded):
            return _SHORT
        except (_NotKept, DamagedSequence):
            return _DIFFERS
        if not data.startswith(self._tail, position):
            return _SHORT if _goes_past(data, position, self._tail) else _DIFFERS
        return position + len(self._tail)

    def _group_length_faults(self, header: Filled) -> list[Fault]:
        if not self._group_lengths:
            return []
        like = self._like
        return group_length_faults(like.tags, list(header), self._group_lengths, like.encoding.syntax)


class _Step(NamedTuple):
    """The bytes up to the length of an element in a hole, and how that is written."""

    text: bytes
    size: int
    before: int  # bytes of the cell before the length: the VR, the reserved bytes
    is_short: bool
    may_be_open: bool  # undefined length means items


def _steps(like: DataSet, pieces: Sequence[bytes], holes: Sequence[int]) -> Iterator[_Step]:
    after = 0
    for hole in holes:
        raw = pieces[2 * hole + 1]
        is_explicit = like.encoding.syntax == "explicit" or like.tags[hole].startswith(_META_GROUP)
        is_long = not is_explicit or int.from_bytes(raw[:2], "little") in LONG_VRS
        before = (4 if is_long else 2) if is_explicit else 0
        text = b"".join(pieces[after : 2 * hole + 1]) + raw[:before]
        is_sequence = not is_explicit or raw.startswith((b"SQ", b"UN"))
        yield _Step(text, len(text), before, not is_long, is_sequence)
        after = 2 * hole + 2


def _goes_past(data: bytes, position: int, text: bytes) -> bool:
    """Whether only the start of a text stands at the end of the data."""
    return position + len(text) > len(data) and text.startswith(data[position:])


def _long_end(data: bytes, position: int, *, is_explicit: bool, may_be_open: bool) -> int:
    """Where the value ends whose 32-bit length stands at `position`."""
    (length,) = LENGTH_32(data, position)
    if length <= KEPT_BYTES:
        return position + 4 + length
    if length != UNDEFINED_LENGTH or not may_be_open:
        raise _NotKept
    end, depth = end_of_sequence(data, position + 4, explicit=is_explicit)
    if depth > NESTING_LIMIT:
        raise _NotKept
    return end


class _NotKept(Exception):
    """A value in a hole that is not kept in its cell, or kept only after a look at what it is."""


class _MetaLength:
    """What the group length of the file meta must be (PS3.10 7.1): it counts what shows through holes too."""

    def __init__(self, like: DataSet, holes: Sequence[int]) -> None:
        sizes = [len(raw) for raw in like.raws[: bisect(like.tags, "0003")]]
        shown = [hole for hole in holes if hole < len(sizes)]
        self._constant = sum(sizes) + 4 * len(sizes) - _META_LENGTH_BYTES - sum(sizes[hole] for hole in shown)
        self._shown = len(shown)
        self._group_length = None if 0 in shown else bytes(like.raws[0])

    def is_right(self, cells: Sequence[bytes]) -> bool:
        """Whether the group length is what the cells that show through the holes come to."""
        there = self._constant + sum(map(len, cells[: self._shown]))
        return (self._group_length or cells[0]) == _META_LENGTH + there.to_bytes(4, "little")


@lru_cache(maxsize=4096)
def _tag_bytes(tag: str) -> bytes:
    return struct.pack("<HH", int(tag[:4], 16), int(tag[4:], 16))
