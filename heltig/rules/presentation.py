"""Pixels: do projections, icons and presentation states say how they are to be shown, and can they be?"""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import Item
from heltig.rules.items import cell_of, number_of
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_DX: Final = "1.2.840.10008.5.1.4.1.1.1"
_TOMOSYNTHESIS: Final = "1.2.840.10008.5.1.4.1.1.13.1"
_PRESENTATION, _PROCESSING = "FOR PRESENTATION", "FOR PROCESSING"
_INTENTS: Final = {
    **dict.fromkeys((f"{_DX}.1", f"{_DX}.2", f"{_DX}.3", f"{_TOMOSYNTHESIS}.4"), _PRESENTATION),
    **dict.fromkeys((f"{_DX}.1.1", f"{_DX}.2.1", f"{_DX}.3.1", f"{_TOMOSYNTHESIS}.5"), _PROCESSING),
}
"""What a projection is made for, by its SOP Class: digital X-ray, mammography, intra-oral, breast."""

_SHAPES: Final = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}


@rule("PIX-INTENT", level="instance", severity="review", reads=("PresentationIntentType", "SOPClassUID"),
    when=lambda at: at["SOPClassUID"].text in _INTENTS and at.has("PresentationIntentType"),
    reference="PS3.3 C.8.11.1")  # fmt: skip
def intent(at: Values) -> Iterator[Hit]:
    """An X-ray image is said to be for presentation and for processing at once.

    Finds: Digital X-ray, mammography, intra-oral and breast projection images whose PresentationIntentType
        (0008,0068) is not that of their SOP Class.
    Why: Archives, viewers and routers choose by one of the two. A raw image that is read as if it were
        processed hides findings; a processed one that goes to a detection program gives wrong marks.
    Mend: Look at the image: a raw one is flat and grey. Have the sender correct the one that is wrong.
    Example: FOR PROCESSING in an image of the class Digital Mammography X-Ray Image Storage - For
        Presentation.
    """
    told, wanted = at["PresentationIntentType"].text.upper(), _INTENTS[at["SOPClassUID"].text]
    if told in (_PRESENTATION, _PROCESSING) and told != wanted:
        yield Hit(
            tags=("PresentationIntentType", "SOPClassUID"),
            observed=f"{told}, of a class {wanted}",
            expected=wanted,
        )


@rule("PIX-LUT-SHAPE", level="instance", severity="review", reference="PS3.3 C.8.11.3",
    reads=("PresentationLUTShape", "PhotometricInterpretation", "SOPClassUID"),
    when=lambda at: at["SOPClassUID"].text in _INTENTS and at.has("PresentationLUTShape"))  # fmt: skip
def shape(at: Values) -> Iterator[Hit]:
    """Black and white of an X-ray image contradict each other.

    Finds: Digital X-ray, mammography, intra-oral and breast projection images in which PresentationLUTShape
        (2050,0020) is not INVERSE for MONOCHROME1, or not IDENTITY for MONOCHROME2.
    Why: One viewer goes by the shape, another by the photometric interpretation: on one of them bone is
        black.
    Mend: Look at the image in the viewers that are used, and have the sender correct the one that is wrong.
    Example: `INVERSE` with MONOCHROME2, after a router inverted the pixels and changed one of the two.
    """
    photometric, told = at["PhotometricInterpretation"].text.upper(), at["PresentationLUTShape"].text.upper()
    wanted = _SHAPES.get(photometric)
    if wanted and told in _SHAPES.values() and told != wanted:
        yield Hit(
            tags=("PresentationLUTShape", "PhotometricInterpretation"),
            observed=f"{told} with {photometric}",
            expected=f"{wanted} with {photometric}",
        )


_OF_ICONS: Final = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}


@rule("PIX-ICON", level="value", severity="note", reads=("IconImageSequence",), reference="PS3.3 F.7")
def icon(at: Place) -> Iterator[Hit]:
    """The icon of an image is none that every reader shows.

    Finds: Items of IconImageSequence (0088,0200) with other than 1 or 8 bits a pixel, allocated or stored,
        more bits stored than allocated, a HighBit other than BitsStored less one, more than one sample a
        pixel or a photometric interpretation other than monochrome or palette.
    Why: Programs that list studies show the icon as noise, or stop. The image itself is not touched.
    Mend: Have the sender make the icon anew, or remove the sequence: it holds nothing that the image lacks.
    Example: An icon of 8 bits allocated of which 12 are said to be stored.
    """
    for item in at.cell.items:
        allocated, stored, high, samples = (
            _whole(item, keyword) for keyword in ("BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel")
        )
        photometric = cell_of(item, "PhotometricInterpretation").text.upper()
        if {allocated, stored} - {None, 1, 8} or (allocated == 1 and stored == 8):
            observed = f"{_said(allocated)} bits allocated, {_said(stored)} stored"
            yield Hit(observed=cut(observed), expected="1 or 8 bits")
        elif stored is not None and high is not None and high != stored - 1:
            yield Hit(observed=cut(f"HighBit {high}, BitsStored {stored}"), expected=f"HighBit {stored - 1}")
        if samples not in (None, 1) or (photometric and photometric not in _OF_ICONS):
            observed = f"{_said(samples)} samples, {photometric or 'no photometric interpretation'}"
            yield Hit(observed=cut(observed), expected="1 sample, monochrome or palette")


def _whole(item: Item, keyword: str) -> int | None:
    number = number_of(item, keyword)
    return int(number) if number is not None and number == int(number) else None


def _said(number: int | None) -> str:
    return "unknown" if number is None else str(number)


_AREAS: Final = "DisplayedAreaSelectionSequence"
_CORNERS: Final = ("DisplayedAreaTopLeftHandCorner", "DisplayedAreaBottomRightHandCorner")
_SCALES: Final = ("PresentationPixelMagnificationRatio", "PresentationPixelSpacing")


@rule("PIX-DISPLAYED-AREA", level="instance", severity="review", reference="PS3.3 C.10.4",
    reads=(_AREAS, "ImageRotation", "ImageHorizontalFlip"), when=lambda at: at.has(_AREAS))  # fmt: skip
def displayed_area(at: Values) -> Iterator[Hit]:
    r"""A presentation state shows an area that is none.

    Finds: Items of DisplayedAreaSelectionSequence (0070,005A) in which the top left corner of the displayed
        area lies below or to the right of the bottom right one, unless the state turns or flips the image, or
        whose PresentationPixelMagnificationRatio or PresentationPixelSpacing is zero or less. Corners outside
        the image are allowed: nothing is seen there.
    Why: The viewer shows nothing, or the whole image and not what was chosen to be looked at.
    Mend: Open the image without the presentation state. Have the state saved again by the workstation.
    Example: `512\512` as the top left, `1\1` as the bottom right corner.
    """
    is_upright = at["ImageRotation"].numbers[:1] in ((), (0.0,)) and at["ImageHorizontalFlip"].text != "Y"
    for item in at[_AREAS].items:
        first, last = (cell_of(item, keyword) for keyword in _CORNERS)
        pairs = zip(first.numbers, last.numbers, strict=False)
        if is_upright and any(a is not None and b is not None and a > b for a, b in pairs):
            yield Hit(
                tags=tuple(f"{tag_of(_AREAS)}/{tag_of(keyword)}" for keyword in _CORNERS),
                observed=cut(f"from {first.shown} to {last.shown}"),
                expected="top left before bottom right",
            )
        for keyword in _SCALES:
            cell = cell_of(item, keyword)
            if any(number is not None and number <= 0 for number in cell.numbers):
                yield Hit(
                    tags=(f"{tag_of(_AREAS)}/{tag_of(keyword)}",),
                    observed=cut(cell.shown),
                    expected="more than zero",
                )
