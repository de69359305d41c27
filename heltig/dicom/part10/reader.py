"""Headers one after the other: each through a stencil of one before it where one fits, otherwise walked."""

from bisect import bisect
from collections import deque
from typing import Final

from heltig.dicom.cell import DataSet
from heltig.dicom.part10.header import START_BYTES, WalkedHeader, open_header, walk_header
from heltig.dicom.part10.layout import KEPT_BYTES
from heltig.dicom.part10.source import HeaderSource
from heltig.dicom.part10.stencil import HeaderStencil

_SERIES_INSTANCE_UID: Final = "0020000E"
_READ_BY: Final = frozenset({"00020010", "00080005", "00280103"})
"""What says how others are read: Transfer Syntax UID, Specific Character Set, Pixel Representation."""

_TOLD_BY_STENCIL: Final = frozenset({"preamble", "group-length"})
"""Kinds of faults that a stencil tells of the headers it fits."""

_STENCILS = 4  # in use at a time: files of several series may lie side by side
_SHAPES = 32  # remembered at a time
_FEW = 2  # headers that pass between the first of a shape and the two that the first stencil is cut from
_WORTH = 2  # headers that a stencil has to fit, so that cutting it was worth the time
_MOST_WASTED = 12  # stencils that did not pay, one after the other, before the waits grow no more


class HeaderReader:
    """Reads headers as `read_header` does, and those like one before in a fraction of the time.

    Keeps the bytes of a few headers. Not for several threads at once.
    """

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._latest: deque[_Shape] = deque(maxlen=_STENCILS)

    def read(self, source: HeaderSource, *, origin: str = "") -> DataSet:
        """Read the elements of a Part 10 object up to its pixel data.

        Args:
            source: The object, from its first byte.
            origin: What to call it in findings.

        Raises:
            NotDicom: There is no `DICM` prefix and no data set at the start.
            UnreadableFile: Not one element could be read.
        """
        window = open_header(source)
        for shape in self._latest:
            data_set = shape.stencil.fit(window, origin=origin) if shape.stencil else None
            if data_set is not None:
                shape.fitted += 1
                if shape is not self._latest[0]:
                    self._come_first(shape)
                return data_set
        start = window.data[:START_BYTES]
        header = walk_header(window, origin=origin)
        self._learn(start, header)
        return header.data_set

    def _learn(self, start: bytes, header: WalkedHeader) -> None:
        """Learn from a header that no stencil fitted, where one before had the same tags."""
        shape = self._shapes.get(header.data_set.tags)
        if shape is not None:
            shape.learn(start, header)
            if shape.stencil:
                self._come_first(shape)
        elif header.pixels is not None:
            if len(self._shapes) == _SHAPES:
                del self._shapes[next(iter(self._shapes))]
            self._shapes[header.data_set.tags] = _Shape()

    def _come_first(self, shape: "_Shape") -> None:
        if shape in self._latest:
            self._latest.remove(shape)
        self._latest.appendleft(shape)


class _Shape:
    """Headers with the same tags, and where those of a series differ."""

    def __init__(self) -> None:
        self.stencil: HeaderStencil | None = None
        self.fitted = 0
        self._before: DataSet | None = None
        self._holes: set[int] = set()
        self._wasted = 0
        self._to_pass = _FEW

    def learn(self, start: bytes, header: WalkedHeader) -> None:
        """Cut a new stencil from a header that the last one did not fit.

        Where the last one had fitted and another series begins, its headers will differ in the same places.
        Otherwise the holes were too few. After each stencil that did not pay twice as many headers pass
        before the next.
        """
        if self.stencil is not None:
            self._wasted = 0 if self.fitted >= _WORTH else min(self._wasted + 1, _MOST_WASTED)
            self._to_pass = 2**self._wasted - 1
            self.stencil = None
        elif self._to_pass:
            self._to_pass -= 1
            return
        if header.pixels is None or not _can_be_cut(header):
            return
        now, before, self._before = header.data_set, self._before, header.data_set
        if before is None:
            return
        pairs = enumerate(zip(now.raws, before.raws, strict=True))
        differ = {place for place, (raw, other) in pairs if raw != other}
        if not self.fitted or _SERIES_INSTANCE_UID not in [now.tags[place] for place in differ]:
            self._holes |= (differ | _group_lengths(now)) - _not_for_holes(now)
        if 2 * len(self._holes) >= len(now.tags):
            self._holes = set()
        self.fitted = 0
        if self._holes and not self._to_pass:
            self.stencil = HeaderStencil(start, now, header.pixels, sorted(self._holes))


def _can_be_cut(header: WalkedHeader) -> bool:
    """Whether a header is short, stands in the file as it was read, and has no fault that depends on more."""
    data_set, pixels = header
    return (
        pixels is not None
        and pixels.place <= KEPT_BYTES
        and {fault.kind for fault in data_set.faults} <= _TOLD_BY_STENCIL
        # later groups look like lower ones when read as big endian
        and data_set.tags[_meta_elements(data_set)].startswith("00")
        and START_BYTES + sum(map(len, data_set.raws)) + 4 * len(data_set.raws) == pixels.place
    )


def _group_lengths(data_set: DataSet) -> set[int]:
    """The elements that count what stands in others, and so differ when a value is longer."""
    return {place for place, tag in enumerate(data_set.tags) if tag.endswith("0000")}


def _not_for_holes(data_set: DataSet) -> set[int]:
    """The elements that say how others are read, and the pixel data."""
    places = {data_set.tags.index(tag) for tag in _READ_BY if tag in data_set.tags}
    if data_set.encoding.syntax == "implicit":
        places.add(_meta_elements(data_set))  # its length is looked at for a VR
    return places | {len(data_set.tags) - 1}


def _meta_elements(data_set: DataSet) -> int:
    """How many elements the file meta has; the tags ascend."""
    return bisect(data_set.tags, "0003")
