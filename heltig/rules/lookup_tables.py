"""Lookup tables: are they as long and as deep as their descriptors say (PS3.3 C.7.6.3.1.5, C.11.1)?"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from struct import unpack
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell
from heltig.rules.items import cell_of
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.value_length import length_of
from heltig.rules.views import Place, StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_COLOURS: Final = ("Red", "Green", "Blue")
_DESCRIPTORS: Final = tuple(f"{colour}PaletteColorLookupTableDescriptor" for colour in _COLOURS)
_DATA: Final = tuple(f"{colour}PaletteColorLookupTableData" for colour in _COLOURS)
_PIXELS: Final = ("BitsStored", "PixelRepresentation")
_ICON: Final = "IconImageSequence"
_PATHS: Final = "OpticalPathSequence"
_OF_PATH: Final = "PaletteColorLookupTableSequence"

_TABLES: Final = ("ModalityLUTSequence", "VOILUTSequence", "PresentationLUTSequence")
"""Sequences whose items are lookup tables of grey values."""

_SHALLOWEST, _DEEPEST = 8, 16
_MOST: Final = 65_536
"""Entries of a table; a descriptor writes them as 0."""

_OF_SIGN: Final = 32_768


class _Descriptor(NamedTuple):
    """The three values of a descriptor.

    Attributes:
        entries: How many entries the table has.
        first: The value that is mapped to the first entry.
        bits: Bits of an entry.
    """

    entries: int
    first: int
    bits: int

    @property
    def lengths(self) -> tuple[int, ...]:
        """How long the data may be, in bytes: entries of 8 bits may have two bytes each (C.7.6.3.1.5)."""
        return (self.entries + self.entries % 2, 2 * self.entries) if self.bits <= 8 else (2 * self.entries,)

    def __str__(self) -> str:
        return f"{self.entries} entries of {self.bits} bits"


def _descriptor(cell: Cell) -> _Descriptor | None:
    """The descriptor of a table; None unless it is three whole numbers."""
    numbers = [int(number) for number in cell.numbers if number is not None and number == int(number)]
    if len(numbers) != 3 or len(cell.values) != 3:
        return None
    entries, first, bits = numbers
    return _Descriptor(entries % _MOST or _MOST, first, bits)


@rule("PIX-LUT-DATA", level="value", severity="review", reads=_TABLES, reference="PS3.3 C.11.1.1.1")
def lut_data(at: Place) -> Iterator[Hit]:
    """A lookup table is not as long or as deep as its descriptor says.

    Finds: Items of ModalityLUTSequence (0028,3000), VOILUTSequence (0028,3010) and PresentationLUTSequence
        (2050,0010), wherever they stand, whose LUTDescriptor (0028,3002) says other than 8 to 16 bits an
        entry, or whose LUTData (0028,3006) has another length than the entries need. Entries of 8 bits may
        have two bytes each. The length can be told where the source shows it: in files, and in metadata that
        holds the value itself. Absent data are a matter of conformance, other than three values of VAL-VM.
    Why: Viewers read past the end of the table, refuse it, or show bright parts black.
    Mend: Send the image again as the scanner made it. If the table is broken there, its maker has to correct
        it; a window, where the image has one, can be used meanwhile.
    Example: A table of 4096 entries whose descriptor says 65536, written as 0.
    """
    for item in at.cell.items:
        descriptor = _descriptor(cell_of(item, "LUTDescriptor"))
        if descriptor is None:
            continue
        length = length_of(cell_of(item, "LUTData"))
        if not _SHALLOWEST <= descriptor.bits <= _DEEPEST:
            yield Hit(observed=cut(f"{descriptor.bits} bits an entry"), expected="8 to 16 bits")
        elif length is not None and length not in descriptor.lengths:
            yield Hit(
                observed=f"{length} bytes", expected=cut(f"{descriptor.lengths[-1]} bytes: {descriptor}")
            )


@rule("PIX-LUT-DEPTH", level="value", severity="note", reads=_TABLES, reference="PS3.3 C.11.2.1.1")
def lut_depth(at: Place) -> Iterator[Hit]:
    """A lookup table has entries that its descriptor has no bits for.

    Finds: Items of ModalityLUTSequence (0028,3000), VOILUTSequence (0028,3010) and PresentationLUTSequence
        (2050,0010) with entries of LUTData (0028,3006) greater than the third value of LUTDescriptor
        (0028,3002) allows. It can be told where the source shows the data.
    Why: The third value says what is white. Viewers that go by it cut off the brightest parts; others look
        for the greatest entry, and show the image well.
    Mend: Nothing needs to be done before the study is moved. Where the image looks washed out in a viewer,
        have the maker of the system correct the third value.
    Example: Entries up to 4095 in a table that says 8 bits.
    """
    for item in at.cell.items:
        descriptor = _descriptor(cell_of(item, "LUTDescriptor"))
        if descriptor is None or not _SHALLOWEST <= descriptor.bits < _DEEPEST:
            continue
        greatest = max(_entries(cell_of(item, "LUTData"), descriptor), default=0)
        if greatest >= 1 << descriptor.bits:
            yield Hit(
                observed=f"an entry of {greatest}, {descriptor.bits} bits",
                expected=f"no more than {(1 << descriptor.bits) - 1}",
            )


def _entries(cell: Cell, descriptor: _Descriptor) -> Sequence[int]:
    """The entries of a table, where they are at hand and as many as its descriptor says."""
    value = cell.values[0] if len(cell.values) == 1 else None
    if isinstance(value, bytes):
        return unpack(f"<{len(value) // 2}H", value) if len(value) == 2 * descriptor.entries else ()
    numbers = [value for value in cell.values if isinstance(value, int)]
    return numbers if len(numbers) == descriptor.entries else ()


_VALUES: Final = ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept")


@rule("PIX-LUT-RESCALE", level="study", severity="review", reads=("ModalityLUTSequence",),
    reference="PS3.3 C.11.1")  # fmt: skip
def lut_and_rescale(study: StudyView) -> Iterator[Hit]:
    """The values of an image are told in two ways.

    Finds: Instances with a ModalityLUTSequence (0028,3000) and a RescaleSlope (0028,1053) or RescaleIntercept
        (0028,1052) that change the values. The standard allows one of the two. A slope of 1 with an intercept
        of 0 is a matter of PIX-LUT-IDENTITY.
    Why: Some viewers take the table, others slope and intercept, or both: what they show and measure differs.
    Mend: Have the sender write the one that its values are meant by. Which one cannot be told from the image.
    Example: A table of logarithms beside a slope of 0.01.
    """
    yield from _both(study, changes=True)


@rule("PIX-LUT-IDENTITY", level="study", severity="note", reads=("ModalityLUTSequence",),
    reference="PS3.3 C.11.1")  # fmt: skip
def lut_and_identity(study: StudyView) -> Iterator[Hit]:
    """Beside the table for the values of an image stand a slope and intercept that change nothing.

    Finds: Instances with a ModalityLUTSequence (0028,3000) and a RescaleSlope (0028,1053) of 1, a
        RescaleIntercept (0028,1052) of 0, or both. The standard allows either these or the table.
    Why: Viewers that apply both show the image rightly; one that takes slope and intercept alone does not.
    Mend: Nothing needs to be done before the study is moved. The sender should leave slope and intercept out.
    Example: A converter that adds slope 1 and intercept 0 to whatever it writes.
    """
    yield from _both(study, changes=False)


def _both(study: StudyView, *, changes: bool) -> Iterator[Hit]:
    """Tables with a slope or intercept, where these change the values or where they do not."""
    for (table, slope, intercept), rows in study.alike(*_VALUES):
        if not table.items or (slope.empty and intercept.empty):
            continue
        told = (slope, 1.0), (intercept, 0.0)
        if changes == any(cell.numbers[:1] != (same,) for cell, same in told if not cell.empty):
            shown = f"slope {slope.text or 'absent'}, intercept {intercept.text or 'absent'}"
            yield Hit(
                tags=_VALUES, observed=cut(f"a table, and {shown}"), expected="one of the two", rows=rows
            )


@rule("PIX-PALETTE-TABLE", level="study", severity="review", reads=(*_DESCRIPTORS, *_DATA, _ICON, _PATHS),
    reference="PS3.3 C.7.6.3.1.5")  # fmt: skip
def palette_table(study: StudyView) -> Iterator[Hit]:
    r"""The colours of a palette are not as their descriptors say.

    Finds: Palettes, of images, their icons and optical paths, whose descriptors (0028,1101), (0028,1102) and
        (0028,1103) of red, green and blue differ; that have other than 8 or 16 bits an entry; whose tables
        (0028,1201), (0028,1202) and (0028,1203) have another length than the entries need, where the source
        shows it; or that begin beyond, or end before, all values that pixels of BitsStored (0028,0101) can
        have. Entries of 8 bits may have two bytes each. Segmented tables are not looked into; what lacks a
        table is a matter of PIX-PALETTE.
    Why: Viewers read past the end of a table, mix up the colours, or show the whole image in one colour.
    Mend: Send the image again as the scanner made it, or have it converted to RGB by a viewer that shows it
        rightly.
    Example: Descriptors that say `256\0\8` for red and `255\0\8` for blue.
    """
    for cells, rows in study.alike(*_DESCRIPTORS, *_DATA, *_PIXELS):
        of_image = dict(zip((*_DESCRIPTORS, *_DATA, *_PIXELS), cells, strict=True))
        yield from _palette(of_image.__getitem__, "", rows)
    for (icon,), rows in study.alike(_ICON):
        for item in icon.items:
            yield from _palette(partial(cell_of, item), f"{tag_of(_ICON)}/", rows)
    for (paths,), rows in study.alike(_PATHS):
        for item in [inner for path in paths.items for inner in cell_of(path, _OF_PATH).items]:
            yield from _palette(partial(cell_of, item), f"{tag_of(_PATHS)}/{tag_of(_OF_PATH)}/", rows)


def _palette(of: Callable[[str], Cell], above: str, rows: list[int]) -> Iterator[Hit]:
    """What is wrong with the palette of an image or icon.

    Args:
        of: Gives its attributes.
        above: The path to them.
        rows: The instances that have it.
    """
    descriptors = [_descriptor(of(keyword)) for keyword in _DESCRIPTORS]
    red = descriptors[0]
    if red is None or None in descriptors:
        return
    tags = tuple(above + tag_of(keyword) for keyword in _DESCRIPTORS)
    if len(set(descriptors)) > 1:
        shown = [
            f"{colour.lower()} {of(name).shown}" for colour, name in zip(_COLOURS, _DESCRIPTORS, strict=True)
        ]
        yield Hit(tags=tags, observed=cut(", ".join(shown)), expected="three alike", rows=rows)
        return
    if red.bits not in (_SHALLOWEST, _DEEPEST):
        yield Hit(tags=tags, observed=cut(f"{red.bits} bits an entry"), expected="8 or 16 bits", rows=rows)
        return
    for keyword in _DATA:
        length = length_of(of(keyword))
        if length is not None and length not in red.lengths:
            yield Hit(
                tags=(above + tag_of(keyword),),
                observed=f"{length} bytes",
                expected=f"{red.lengths[0]} bytes: {red}",
                rows=rows,
            )
    yield from _unreached(red, of, tags[0], rows)


def _unreached(red: _Descriptor, of: Callable[[str], Cell], tag: str, rows: list[int]) -> Iterator[Hit]:
    """No value that a pixel can have is in the table: each has the colour of its first or last entry."""
    stored, sign = (integer(of(keyword)) for keyword in _PIXELS)
    if stored is None or not 1 <= stored <= 16:
        return
    lowest = -(1 << stored - 1) if sign == 1 else 0
    greatest = lowest + (1 << stored) - 1
    # Whether the first value has a sign is written nowhere, so either may be meant.
    firsts = {red.first, red.first - _MOST if red.first >= _OF_SIGN else red.first}
    if not any(first <= greatest and lowest < first + red.entries for first in firsts):
        yield Hit(
            tags=(tag,),
            observed=cut(f"from {red.first} on, {red.entries} entries"),
            expected=f"values of pixels: {lowest} to {greatest}",
            rows=rows,
        )
