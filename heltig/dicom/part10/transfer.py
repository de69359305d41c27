"""Data sets that are deflated or big endian, as sources of explicit VR little endian bytes.

Neither changes what the walk sees: inflating and swapping happen as bytes are asked for, and swapped bytes
keep their offsets.
"""

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import UNDEFINED_LENGTH, Fault
from heltig.dicom.part10.layout import HEADER_LIMIT, LONG_VRS, NESTING_LIMIT, is_letters, vr_code
from heltig.dicom.part10.source import HeaderSource
from heltig.standard.value_representations import VRS

MOST_TIMES: Final = 100
"""How many times its deflated bytes a data set over `HEADER_LIMIT` is inflated to; real pixels need less."""

_CHUNK: Final = 8_192
_FINISH_CHUNK: Final = 262_144
_SWAP_CHUNK: Final = 65_536
_STREAM_UNITS: Final = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8, "AT": 2}
_UNITS: Final = {vr_code(name): _STREAM_UNITS.get(name, entry.size or 1) for name, entry in VRS.items()}
_ARRAYS: Final = {2: "H", 4: "I", 8: "Q"}
_ITEM_GROUP: Final = 0xFFFE
_NO_END: Final = sys.maxsize
_SQ: Final = vr_code("SQ")


class InflatingSource(HeaderSource):
    """A deflated data set (PS3.5 A.5), inflated as far as it is read.

    Never inflated past `HEADER_LIMIT` or `MOST_TIMES` the deflated bytes, whichever is more, so that a file
    made to be inflated for minutes costs no more than one of ordinary content.

    Attributes:
        size: Bytes of the inflated data set, known after `finish`.
        damage: What ended the inflating before the data did.
        left_over: Bytes behind the deflated data, known after `finish`.
    """

    left_over: int = 0

    def __init__(self, source: HeaderSource) -> None:
        self._source = source
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._deflated = 0
        self._inflated = 0
        self._is_past_limit = False
        self.damage: Fault | None = None

    def read(self, count: int) -> bytes:
        """Inflate until something comes."""
        while not self.damage and not self._inflater.eof:
            deflated = self._inflater.unconsumed_tail or self._next()
            try:
                data = self._inflater.decompress(deflated, count)
            except zlib.error:
                detail = f"the deflated data are damaged after {self._inflated} inflated bytes"
                self.damage = Fault("unreadable", detail)
                break
            self._inflated += len(data)
            limit = max(HEADER_LIMIT, MOST_TIMES * self._deflated)
            if self._inflated > limit:
                self._is_past_limit = True
                self.damage = Fault("unreadable", f"the data set passes the {limit} bytes that are inflated")
            if data:
                return data
            if not deflated:
                detail = f"the deflated data have no end, {self._inflated} bytes were inflated"
                self.damage = Fault("truncated", detail)
        return b""

    def finish(self) -> None:
        """Inflate what is left, to see that it ends and how long it is, and keep nothing of it.

        Only so can it be told whether pixel data are whole: a deflated file is seldom met, and its size says
        nothing.
        """
        while self.read(_FINISH_CHUNK):
            pass
        if self._inflater.eof:
            self.left_over = len(self._inflater.unused_data) + self._source.skip(_NO_END)
        if not self._is_past_limit:
            self.size = self._inflated

    def _next(self) -> bytes:
        deflated = self._source.read(_CHUNK)
        self._deflated += len(deflated)
        return deflated


class BigEndianSource(HeaderSource):
    """Explicit VR big endian (PS3.5 2016b annex A.3, retired) as little endian bytes, of the same length.

    Items and what stands in them are elements in the stream like others; only where a sequence ends is kept
    in mind, so that damage in it does not reach further.
    """

    def __init__(self, source: HeaderSource) -> None:
        self.size = source.size
        self._source = source
        self._place = 0
        self._pieces = self._elements(_NO_END, depth=0)
        self._rest = b""

    def read(self, count: int) -> bytes:
        """Swap elements until `count` bytes are there."""
        pieces = [self._rest]
        have = len(self._rest)
        while have < count:
            piece = next(self._pieces, None)
            if piece is None:
                break
            pieces.append(piece)
            have += len(piece)
        data = b"".join(pieces)
        self._rest = data[count:]
        return data[:count]

    def _elements(self, end: int, *, depth: int) -> Iterator[bytes]:
        """Swap the elements up to a place."""
        while len(header := self._exactly(8, end)) == 8:
            group, element, vr, short = struct.unpack(">HH2sH", header)
            vr = int.from_bytes(vr, "little")
            if group == _ITEM_GROUP:
                yield header[1::-1] + header[3:1:-1] + header[:3:-1]
                continue
            yield struct.pack("<HHHH", group, element, vr, short)
            length = short
            if vr in LONG_VRS:
                more = self._exactly(4, end)
                yield more[::-1]
                length = int.from_bytes(more, "big")
                if length == UNDEFINED_LENGTH:
                    continue
            if not is_letters(vr):
                break
            value_end = min(end, self._place + length)
            if vr == _SQ and depth < NESTING_LIMIT:
                yield from self._elements(value_end, depth=depth + 1)
            elif vr != _SQ:
                yield from self._values(value_end, _UNITS.get(vr, 1))
        else:
            yield header
        yield from self._values(end, 1)  # nothing is left, or damage goes on as it is for the walk to meet

    def _values(self, end: int, unit: int) -> Iterator[bytes]:
        while data := self._exactly(_SWAP_CHUNK, end):
            yield _swap(data, unit)

    def _exactly(self, count: int, end: int) -> bytes:
        """The next bytes; fewer only at `end` or where the source ends."""
        count = min(count, end - self._place)
        data = self._source.read(count) if count else b""
        while len(data) < count:
            more = self._source.read(count - len(data))
            if not more:
                break
            data += more
        self._place += len(data)
        return data


def _swap(data: bytes, unit: int) -> bytes:
    """Swap every number of `unit` bytes; what is left over at the end stays."""
    if unit == 1:
        return data
    whole = len(data) - len(data) % unit
    numbers = array(_ARRAYS[unit], data[:whole])
    numbers.byteswap()
    return numbers.tobytes() + data[whole:]
