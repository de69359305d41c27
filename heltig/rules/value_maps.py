"""Pixels: do real world values follow from them (PS3.3 C.7.6.16.2.11)?"""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import Cell, Item
from heltig.rules.items import cell_of, number_of
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place
from heltig.rules.wording import cut

_ENDS: Final = (
    ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"),
    ("DoubleFloatRealWorldValueFirstValueMapped", "DoubleFloatRealWorldValueLastValueMapped"),
)
_MOST_ENTRIES: Final = 2**32


@rule("PIX-REAL-WORLD", level="value", severity="review", reads=("RealWorldValueMappingSequence",),
    reference="PS3.3 C.7.6.16.2.11")  # fmt: skip
def real_world(at: Place) -> Iterator[Hit]:
    """Real world values cannot be told from the pixels.

    Finds: Items of RealWorldValueMappingSequence (0040,9096) whose first value mapped is greater than the
        last, whose RealWorldValueSlope (0040,9225) is zero, or whose RealWorldValueLUTData (0040,9212) has
        more or fewer entries than there are values from the first to the last.
    Why: Whoever measures by the map gets nothing, one number for every pixel, or numbers of other pixels:
        uptake, diffusion or perfusion are wrong.
    Mend: Have the map made anew by what wrote it. Measurements by RescaleSlope and RescaleIntercept, where
        the image has them, are not touched.
    Example: A map from 4095 to 0.
    """
    for item in at.cell.items:
        for first, last in _ENDS:
            start, end = number_of(item, first), number_of(item, last)
            if start is None or end is None:
                continue
            if start > end:
                yield Hit(
                    observed=cut(f"values {start:g} to {end:g} mapped"), expected="the first before the last"
                )
            elif (entries := _entries(item)) is not None and entries != end - start + 1 < _MOST_ENTRIES:
                yield Hit(
                    observed=cut(f"{entries} entries for the values {start:g} to {end:g}"),
                    expected=f"{end - start + 1:.0f} entries",
                )
        if number_of(item, "RealWorldValueSlope") == 0:
            yield Hit(observed="slope 0", expected="a slope other than zero")


def _entries(item: Item) -> int | None:
    """The numbers in the lookup table; `None` where there is none, or it was not read."""
    table: Cell = cell_of(item, "RealWorldValueLUTData")
    return None if table.empty or table.bulk else len(table.values)
