"""Data sets that are deflated or big endian, as sources of explicit VR little endian bytes.

Neither changes what the walk sees: inflating and swapping happen as bytes are asked for, and swapped bytes
keep their offsets.
"""

import struct
import zlib
from array import array
from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import UNDEFINED_LENGTH
from heltig.dicom.part10.layout import HEADER_LIMIT, LONG_VRS, is_letters, vr_code
from heltig.dicom.part10.source import HeaderSource
from heltig.standard.value_representations import VRS

_CHUNK: Final = 8_192
_SWAP_CHUNK: Final = 65_536
_STREAM_UNITS: Final = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8, "AT": 2}
_UNITS: Final = {vr_code(name): _STREAM_UNITS.get(name, entry.size or 1) for name, entry in VRS.items()}
_ARRAYS: Final = {2: "H", 4: "I", 8: "Q"}
_ITEM_GROUP: Final = 0xFFFE


class InflatingSource(HeaderSource):
    """A deflated data set (PS3.5 A.5), inflated as far as it is read and never past `HEADER_LIMIT`.

    Attributes:
        damage: Why inflating ended before the data did; empty while all is well.
    """

    def __init__(self, source: HeaderSource) -> None:
        self._source = source
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._inflated = 0
        self.damage = ""

    def read(self, count: int) -> bytes:
        """Inflate until something comes."""
        while not self.damage and not self._inflater.eof:
            deflated = self._inflater.unconsumed_tail or self._source.read(_CHUNK)
            try:
                data = self._inflater.decompress(deflated, count)
            except zlib.error:
                self.damage = f"the deflated data are damaged after {self._inflated} inflated bytes"
                break
            self._inflated += len(data)
            if self._inflated > HEADER_LIMIT:
                self.damage = f"the header passes the {HEADER_LIMIT} bytes that are inflated"
            if data:
                return data
            if not deflated:
                self.damage = f"the deflated data end early, after {self._inflated} inflated bytes"
        return b""


class BigEndianSource(HeaderSource):
    """Explicit VR big endian (PS3.5 2016b annex A.3, retired) as little endian bytes, of the same length.

    Sequences and items are not followed: their headers are elements like others in the stream, and what
    stands in them comes next.
    """

    def __init__(self, source: HeaderSource) -> None:
        self.size = source.size
        self._source = source
        self._pieces = self._swapped()
        self._rest = b""

    def read(self, count: int) -> bytes:
        """Swap elements until `count` bytes are there."""
        pieces = [self._rest]
        have = len(self._rest)
        while have < count:
            piece = next(self._pieces, b"")
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        data = b"".join(pieces)
        self._rest = data[count:]
        return data[:count]

    def _swapped(self) -> Iterator[bytes]:
        while len(header := self._exactly(8)) == 8:
            group, element, vr, short = struct.unpack(">HHHH", header)
            vr = vr >> 8 | (vr & 0xFF) << 8  # two letters, not a number
            if group == _ITEM_GROUP:
                (length,) = struct.unpack_from(">I", header, 4)
                yield struct.pack("<HHI", group, element, length)
                continue
            if vr in LONG_VRS:
                more = self._exactly(4)
                yield struct.pack("<HHHH", group, element, vr, short) + more[::-1]
                length = int.from_bytes(more, "big")
                if vr == vr_code("SQ") or length == UNDEFINED_LENGTH:
                    continue
            elif is_letters(vr):
                yield struct.pack("<HHHH", group, element, vr, short)
                length = short
            else:
                break
            yield from self._value(length, _UNITS.get(vr, 1))
        while header:  # the end of the data, or damage that goes on as it is for the walk to meet
            yield header
            header = self._source.read(_SWAP_CHUNK)

    def _value(self, length: int, unit: int) -> Iterator[bytes]:
        while length:
            data = self._exactly(min(length, _SWAP_CHUNK))
            if not data:
                return
            length -= len(data)
            yield _swap(data, unit)

    def _exactly(self, count: int) -> bytes:
        data = self._source.read(count)
        while len(data) < count:
            more = self._source.read(count - len(data))
            if not more:
                break
            data += more
        return data


def _swap(data: bytes, unit: int) -> bytes:
    """Swap every number of `unit` bytes; what is left over at the end stays."""
    if unit == 1:
        return data
    whole = len(data) - len(data) % unit
    numbers = array(_ARRAYS[unit], data[:whole])
    numbers.byteswap()
    return numbers.tobytes() + data[whole:]
