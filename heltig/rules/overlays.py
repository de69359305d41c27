"""Overlays: are their bits as many as their rows and columns, and do they lie on the image (PS3.3 C.9.2)?"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from heltig.dicom.cell import ABSENT, Cell
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.value_length import length_of
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_GROUPS: Final = tuple(f"60{number:02X}" for number in range(0, 0x20, 2))
_ROWS, _COLUMNS, _ORIGIN, _BITS = "0010", "0011", "0050", "0100"
_FRAMES, _FIRST_FRAME, _POSITION, _DATA = "0015", "0051", "0102", "3000"
_READ: Final = (_ROWS, _COLUMNS, _FRAMES, _ORIGIN, _FIRST_FRAME, _BITS, _POSITION, _DATA)
_OF_IMAGE: Final = tuple(map(tag_of, ("Rows", "Columns", "NumberOfFrames")))
_SHOWN: Final = frozenset(group + element for group in _GROUPS for element in (_ROWS, _BITS, _DATA))
"""What shows that there is an overlay."""


class _Overlay(NamedTuple):
    """One overlay of some instances.

    Attributes:
        group: Four hex digits.
        cells: Its attributes by the last four digits of their tags.
        of_image: Rows, columns and number of frames of the image.
        instances: The rows of the study that have it so.
    """

    group: str
    cells: dict[str, Cell]
    of_image: tuple[int | None, ...]
    instances: list[int]

    def number(self, element: str) -> int | None:
        """The first value of an attribute as a whole number."""
        return integer(self.cells[element])

    def hit(self, *elements: str, observed: str, expected: str) -> Hit:
        """What is found of some of its attributes."""
        tags = tuple(self.group + element for element in elements)
        return Hit(tags=tags, observed=cut(observed), expected=cut(expected, 120), rows=self.instances)


def _has_overlays(study: StudyView) -> bool:
    return not study.table.columns.keys().isdisjoint(_SHOWN)


def _overlays(study: StudyView) -> list[_Overlay]:
    """The overlays of all instances, those that are alike together."""
    table, found = study.table, []
    for group in _GROUPS:
        if all(group + element not in table.columns for element in (_ROWS, _BITS, _DATA)):
            continue
        tags = (*(group + element for element in _READ), *_OF_IMAGE)
        columns = [table.columns.get(tag) for tag in tags]
        alike: dict[tuple[int, ...], list[int]] = {}
        codes = [column.codes if column else bytes(len(study)) for column in columns]
        for row, key in enumerate(zip(*codes, strict=True)):
            alike.setdefault(key, []).append(row)
        for key, rows in alike.items():
            pairs = zip(columns, key, strict=True)
            cells = [table.cell(column, code) if column else ABSENT for column, code in pairs]
            own = dict(zip(_READ, cells, strict=False))
            if any(not own[element].empty for element in (_ROWS, _BITS, _DATA)):
                found.append(_Overlay(group, own, tuple(map(integer, cells[len(_READ) :])), rows))
    return found


@rule("PIX-OVERLAY", level="study", severity="review", when=_has_overlays, reference="PS3.3 C.9.2")
def overlay(study: StudyView) -> Iterator[Hit]:
    """An overlay's bits are not as many as its rows and columns.

    Finds: Overlays, in groups 6000 to 601E, of no rows, columns or frames; those with OverlayData (60xx,3000)
        whose OverlayBitsAllocated (60xx,0100) is not 1 or whose OverlayBitPosition (60xx,0102) is not 0; and
        OverlayData of another length than OverlayRows (60xx,0010) by OverlayColumns (60xx,0011) by
        NumberOfFramesInOverlay (60xx,0015) bits, filled up to an even number of bytes. The length can be told
        where the source shows it: in files, and in metadata that holds the value itself. What an overlay
        lacks is a matter of IOD-OPTIONAL-PART.
    Why: Viewers draw the overlay torn or over the wrong places, read past its end, or refuse the image.
    Mend: Send the image again as the scanner made it. A tool that scales or crops images has to scale the
        overlays too, or remove them.
    Example: An image made smaller by half, with OverlayRows and OverlayColumns halved and the data left.
    """
    for one in _overlays(study):
        data, allocated, position = one.cells[_DATA], one.number(_BITS), one.number(_POSITION)
        size = [
            1 if one.cells[element].empty else one.number(element) for element in (_ROWS, _COLUMNS, _FRAMES)
        ]
        for element, number in zip((_ROWS, _COLUMNS, _FRAMES), size, strict=True):
            if number is not None and number < 1:
                yield one.hit(element, observed=str(number), expected="one or more")
        if data.empty:
            continue
        if allocated not in (None, 1):
            yield one.hit(_BITS, observed=f"{allocated} bits a pixel", expected="1")
        elif position not in (None, 0):
            yield one.hit(_POSITION, observed=f"at bit {position}", expected="0")
        else:
            yield from _length(one, size)


def _length(one: _Overlay, size: list[int | None]) -> Iterator[Hit]:
    """The data of an overlay of one bit a pixel have another length than it says."""
    length = length_of(one.cells[_DATA])
    rows, columns, frames = size
    told = not one.cells[_ROWS].empty and not one.cells[_COLUMNS].empty
    if length is None or not told or not (rows and columns and frames) or min(rows, columns, frames) < 1:
        return
    whole = -(-rows * columns * frames // 8)
    if length not in (whole, whole + whole % 2):
        wanted = f"{whole + whole % 2} bytes: {rows} rows, {columns} columns, {frames} frames"
        yield one.hit(_DATA, observed=f"{length} bytes", expected=wanted)


@rule("PIX-OVERLAY-PLACE", level="study", severity="review", when=_has_overlays, reference="PS3.3 C.9.2")
def overlay_place(study: StudyView) -> Iterator[Hit]:
    r"""An overlay does not lie on the image.

    Finds: Overlays of images whose OverlayOrigin (60xx,0050), with OverlayRows (60xx,0010) and OverlayColumns
        (60xx,0011), puts them beside the image altogether; and those whose frames, from ImageFrameOrigin
        (60xx,0051) on, are beyond NumberOfFrames (0028,0008). The first pixel of the image is 1\1; an origin
        below it is allowed, as long as a part of the overlay lies on the image.
    Why: What the overlay marks is not shown, or is shown on another frame.
    Mend: Send the image again as the scanner made it. A tool that crops images or takes frames out has to
        move the overlays too.
    Example: An origin of `513\1` in an image of 512 rows.
    """
    for one in _overlays(study):
        origin = one.cells[_ORIGIN].numbers
        spans = zip(origin, (one.number(_ROWS), one.number(_COLUMNS)), one.of_image[:2], strict=False)
        beside = [
            first is not None and extent and end and (first > end or first + extent <= 1)
            for first, extent, end in spans
        ]
        if len(origin) == 2 and any(beside):
            height, width = one.of_image[:2]
            yield one.hit(
                _ORIGIN,
                observed=f"from {one.cells[_ORIGIN].shown} on",
                expected=f"an overlay on the image of {height} rows, {width} columns",
            )
        first, count = one.number(_FIRST_FRAME), one.number(_FRAMES)
        frames = one.of_image[2] or 1
        if first is not None and one.of_image[0] and (first < 1 or first + max(count or 1, 1) - 1 > frames):
            yield one.hit(
                _FIRST_FRAME,
                _FRAMES,
                observed=f"{count or 1} frames from {first} on, of {frames}",
                expected="frames that the image has",
            )


@rule("PIX-OVERLAY-EMBEDDED", level="study", severity="note", when=_has_overlays, reference="PS3.3 C.9.2")
def overlay_embedded(study: StudyView) -> Iterator[Hit]:
    """An overlay stands in unused bits of the pixels.

    Finds: Overlays without OverlayData (60xx,3000) whose OverlayBitsAllocated (60xx,0100) is more than 1: one
        bit of each pixel is theirs, that of OverlayBitPosition (60xx,0102).
    Why: The standard has retired it. Many viewers do not show such an overlay, and it is lost as soon as the
        pixels are compressed or changed.
    Mend: Nothing needs to be done before the study is moved uncompressed. Have the archive or a converter
        write the overlay as OverlayData before it compresses.
    Example: Images of the 1990s with graphics in bit 12 of 16.
    """
    for one in _overlays(study):
        allocated = one.number(_BITS)
        if one.cells[_DATA].empty and allocated is not None and allocated > 1:
            observed = f"bit {one.cells[_POSITION].shown or 'unknown'} of {allocated}"
            yield one.hit(_BITS, _POSITION, observed=observed, expected="OverlayData of its own")
