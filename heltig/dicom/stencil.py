"""What the instances of a series have in common, cut out once and laid over the next one.

Two instances of a series differ in a few values: UID, number, position, time. A stencil is the text of one
instance with holes where its neighbour differed. Where it fits, the text between the holes is known to the
last byte, and only what shows through the holes has to be read: a tenth of the work of decoding the instance.

It is exact. The text between the holes is compared, what shows through a hole has to be one JSON value, and
so the instance has the same members as the one that the stencil was cut from, each once.
"""

from collections.abc import Iterator, Sequence
from typing import overload

import msgspec

_HEAD = 14
"""Bytes of the text behind a hole that are looked for: more than `,"00080018":`."""

_read_value = msgspec.json.Decoder(msgspec.Raw).decode


class Stencil:
    """The text of an instance with holes.

    Attributes:
        tags: The tags of the instance.
        raws: Its raw cells; those at holes are not the next instance's.
        holes: The places of the cells that differ, ascending.
    """

    __slots__ = ("_first", "_lengths", "_steps", "_tail", "holes", "raws", "tags")

    def __init__(
        self, tags: tuple[str, ...], pieces: Sequence[bytes], holes: Sequence[int], *, next_start: bytes
    ) -> None:
        """Cut a stencil.

        Args:
            tags: The tags of the instance.
            pieces: Its text in pieces: what stands before its first cell, the cell, what stands before the
                next one, and so on; at the end what follows the last cell.
            holes: Places of cells, ascending; at least one.
            next_start: The text from the end of the instance to within the start of the next.
        """
        self.tags = tags
        self.raws = list(pieces[1::2])
        self.holes = tuple(holes)
        cuts = [2 * hole + 1 for hole in holes]
        between = [
            b"".join(pieces[a + 1 : b]) for a, b in zip([-1, *cuts], [*cuts, len(pieces)], strict=True)
        ]
        self._tail = len(between[-1])
        between[-1] += next_start
        self._first = between[0]
        self._steps = [(text[:_HEAD], text, len(text)) for text in between[1:]]
        self._lengths = [len(self.raws[hole]) for hole in holes]

    def fit(self, data: bytes, start: int, limit: int) -> "tuple[int, Filled] | None":
        """Lay the stencil over the instance at `start`.

        Args:
            data: The body or a part of it.
            start: Where an instance starts.
            limit: Where to stop looking for the end of a cell.

        Returns:
            The end of the instance and its cells; `None` where it does not fit.
        """
        if not data.startswith(self._first, start):
            return None
        position = start + len(self._first)
        lengths = self._lengths
        cells = []
        for place, (head, text, length) in enumerate(self._steps):
            end = position + lengths[place]  # often the cell is as long as the one before
            if not data.startswith(text, end):
                end = data.find(head, position, limit)
                if end < 0 or not data.startswith(text, end):
                    return None
                lengths[place] = end - position
            cells.append(data[position:end])
            position = end + length
        try:
            for cell in cells:
                if len(_read_value(cell)) != len(cell):
                    return None  # spaces around it
            if not b"".join(cells).isascii():
                b",".join(cells).decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return end + self._tail, Filled(self, cells)


class Filled(Sequence[bytes]):
    """The raw cells of an instance that a stencil fitted: the stencil's, but for those in its holes."""

    __slots__ = ("cells", "stencil")

    def __init__(self, stencil: Stencil, cells: list[bytes]) -> None:
        self.stencil = stencil
        self.cells = cells

    def _all(self) -> list[bytes]:
        raws = self.stencil.raws.copy()
        for hole, cell in zip(self.stencil.holes, self.cells, strict=True):
            raws[hole] = cell
        return raws

    def __len__(self) -> int:
        return len(self.stencil.raws)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        return self._all()[index]


class StencilCutter:
    """Cuts stencils while instances go by, and stops where they do not pay."""

    _START = 5  # instances read before the first stencil is cut: of a few, none pays
    _CHEAP = 2  # a cell of a new stencil costs as much as a hole costs this many instances
    _WORTH = 3  # instances that a stencil has to fit, so that cutting it was worth the time
    _PATIENCE = 16  # stencils not worth it, after which no more are cut

    def __init__(self) -> None:
        self.stencil: Stencil | None = None
        self._holes: set[int] = set()
        self._before: tuple[tuple[str, ...], list[bytes]] | None = None
        self._seen = 0
        self._fitted = 0
        self._wasted = 0

    def fitted(self) -> None:
        """Count an instance that the stencil fitted."""
        self._fitted += 1

    def learn(self, tags: tuple[str, ...], pieces: Sequence[bytes], *, next_start: bytes) -> None:
        """Cut a new stencil from an instance that the last one did not fit.

        Where the last stencil had fitted many, a new series begins, and its instances differ in the same
        places. Where it had not, the holes were too few.

        Args:
            tags: The tags of the instance.
            pieces: Its text in pieces, as for `Stencil`.
            next_start: The text from the end of an instance to within the start of the next.
        """
        raws = list(pieces[1::2])
        if self._before is None or self._before[0] != tags:
            self._holes = set()
        else:
            pairs = enumerate(zip(raws, self._before[1], strict=True))
            more = {i for i, (now, before) in pairs if now != before} - self._holes
            if self._fitted * len(more) < self._CHEAP * len(raws):
                self._holes |= more
        if self.stencil is not None and self._fitted < self._WORTH:
            self._wasted += 1
        self._before, self._fitted = (tags, raws), 0
        fits = self._holes and 2 * len(self._holes) < len(raws) and self._wasted < self._PATIENCE
        self.stencil = Stencil(tags, pieces, sorted(self._holes), next_start=next_start) if fits else None

    def learns(self) -> bool:
        """Count an instance that no stencil fitted, and tell whether it is worth learning from."""
        self._seen += 1
        return self._seen > self._START and self._wasted < self._PATIENCE
