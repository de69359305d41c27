"""Ultrasound: do the calibrated regions fit the image that they are in (PS3.3 C.8.5.5)?"""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import Cell, DataSet, Item
from heltig.dicom.study import element
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_REGIONS: Final = "SequenceOfUltrasoundRegions"
_EDGES: Final = (
    ("RegionLocationMinX0", "RegionLocationMaxX1", "Columns"),
    ("RegionLocationMinY0", "RegionLocationMaxY1", "Rows"),
)
_SCALES: Final = (
    ("PhysicalUnitsXDirection", "PhysicalDeltaX"),
    ("PhysicalUnitsYDirection", "PhysicalDeltaY"),
)


@rule("PIX-US-REGION", level="instance", severity="review", reads=(_REGIONS, "Rows", "Columns"),
    when=lambda at: bool(at[_REGIONS].items), reference="PS3.3 C.8.5.5")  # fmt: skip
def region(at: Values) -> Iterator[Hit]:
    """A calibrated region of an ultrasound image is not within the image.

    Finds: Items of SequenceOfUltrasoundRegions (0018,6011) whose RegionLocationMin is beyond their
        RegionLocationMax, or that reach past Rows (0028,0010) or Columns (0028,0011). A region that ends at
        Rows or Columns instead of one pixel before, as many systems count, is no finding.
    Why: The regions say where in the image a length, a time or a velocity can be measured, and how large a
        pixel is there. An image that was scaled or cropped while its regions stayed gives wrong lengths.
    Mend: Send the image again as the scanner made it. Whatever scales or crops images has to change the
        regions and PhysicalDeltaX and Y too, or remove them.
    Example: A clip halved to 320 by 240 for teaching, with a region that still reaches to column 595.
    """
    for item in at[_REGIONS].items:
        for lowest, highest, size in _EDGES:
            first, last, end = integer(_of(item, lowest)), integer(_of(item, highest)), integer(at[size])
            if first is not None and last is not None and first > last:
                yield Hit(
                    tags=(_in_regions(lowest), _in_regions(highest)),
                    observed=cut(f"from {first} to {last}"),
                    expected="a first pixel before the last",
                )
            elif end and last is not None and last > end:
                yield Hit(
                    tags=(_in_regions(highest), size),
                    observed=cut(f"to {last}, in an image of {end} {size.lower()}"),
                    expected=cut(f"no more than {end - 1}"),
                )


@rule("PIX-US-SCALE", level="instance", severity="review", reads=(_REGIONS,),
    needs=("metadata", "all_attributes"), when=lambda at: bool(at[_REGIONS].items),
    reference="PS3.3 C.8.5.5")  # fmt: skip
def scale(at: Values) -> Iterator[Hit]:
    """A region of an ultrasound image has units, and a pixel of no size.

    Finds: Items of SequenceOfUltrasoundRegions (0018,6011) with a PhysicalDeltaX (0018,602C) or
        PhysicalDeltaY (0018,602E) that is zero, empty or absent in a direction that has units. Without units
        (0) it says nothing, and is no finding; a negative delta is allowed.
    Why: Every length, time or velocity measured in the region is zero, or the viewer divides by zero and
        refuses to measure.
    Mend: Send the image again as the scanner made it. Where no calibration is known, the units are 0, and
        viewers offer no measurement.
    Example: A converter that writes centimetres as the unit, and no size of a pixel.
    """
    for item in at[_REGIONS].items:
        for units, delta in _SCALES:
            unit, cell = integer(_of(item, units)), _of(item, delta)
            if unit and (cell.empty or cell.numbers[:1] == (0.0,)):
                lacking = "absent" if not cell.vr else "empty" if cell.empty else "0"
                yield Hit(
                    tags=(_in_regions(delta), _in_regions(units)),
                    observed=cut(f"{lacking}, with units {unit}"),
                    expected="what a pixel is in these units",
                )


def _of(item: Item, keyword: str) -> Cell:
    return element(DataSet(item.tags, item.raws, item.encoding), tag_of(keyword))


def _in_regions(keyword: str) -> str:
    return f"{tag_of(_REGIONS)}/{tag_of(keyword)}"
