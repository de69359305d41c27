"""Geometry: do bulk annotations of microscopy have the points that they say (PS3.3 C.37.1.2)?"""

from collections.abc import Iterator
from typing import Final

from heltig.dicom.cell import Item
from heltig.rules.items import cell_of, number_of
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of
from heltig.standard.terms import enumerated

_CLASS: Final = "1.2.840.10008.5.1.4.1.1.91.1"
_GROUPS: Final = "AnnotationGroupSequence"
_POINTS_OF_ONE: Final = {"POINT": 1, "ELLIPSE": 4, "RECTANGLE": 4}
_FEWEST_POINTS: Final = {"POLYLINE": 2, "POLYGON": 3}
_TYPES: Final = ", ".join((*_POINTS_OF_ONE, *_FEWEST_POINTS))
_OF_OTHERS: Final = (
    (enumerated("GraphicType", 1) or frozenset()) - _POINTS_OF_ONE.keys() - _FEWEST_POINTS.keys()
)
"""Types that other objects have: what no object has is a matter of VAL-ENUM."""
_COORDINATES: Final = (("PointCoordinatesData", 4), ("DoublePointCoordinatesData", 8))
_INDEX: Final = 4
"""Bytes of one value of OL and OF."""


def _is_annotations(at: Values) -> bool:
    return at["SOPClassUID"].text == _CLASS and bool(at[_GROUPS].items)


@rule("GEO-ANNOTATION", level="instance", severity="review", reference="PS3.3 C.37.1.2",
    reads=(_GROUPS, "AnnotationCoordinateType", "SOPClassUID"), when=_is_annotations)  # fmt: skip
def annotation(at: Values) -> Iterator[Hit]:
    """A group of annotations has other points than it says.

    Finds: Groups of Microscopy Bulk Simple Annotations with a GraphicType (0070,0023) of other objects
        (CIRCLE, MULTIPOINT and the like); whose points, or indices of first points, are more or fewer
        than NumberOfAnnotations (006A,000C) takes; of which a measurement has more or fewer values than there
        are annotations; and groups that are not numbered 1, 2, 3 and so on. Values that the source keeps
        elsewhere are not counted.
    Why: From the first wrong number on each outline gets the points, and each measurement the cell, of
        another one. Counts of cells that somebody reports are wrong.
    Mend: Have the object made anew by the program that wrote it. Nobody can tell from the points alone where
        one outline ends.
    Example: 1,000 nuclei in NumberOfAnnotations, and the first points of 998 polygons.
    """
    is_flat = at["AnnotationCoordinateType"].text.upper() == "2D"
    for place, group in enumerate(at[_GROUPS].items, 1):
        number = number_of(group, "AnnotationGroupNumber")
        if number is not None and number != place:
            yield _hit(
                "AnnotationGroupNumber", f"group {place} has the number {number:g}", "1, 2, 3 and so on"
            )
        kind = cell_of(group, "GraphicType").text.upper()
        if kind in _OF_OTHERS:
            yield _hit("GraphicType", kind, _TYPES)
        count = number_of(group, "NumberOfAnnotations")
        if count is not None:
            yield from _of_points(group, kind, count, is_flat=is_flat)
            yield from _of_measurements(group, count)


def _of_points(group: Item, kind: str, count: float, *, is_flat: bool) -> Iterator[Hit]:
    axes = 2 if is_flat or not cell_of(group, "CommonZCoordinateValue").empty else 3
    known = [(_bytes(group, keyword), size) for keyword, size in _COORDINATES]
    points = next((length / (size * axes) for length, size in known if length is not None), None)
    firsts = _bytes(group, "LongPrimitivePointIndexList")
    said = f"{count:g} annotations"
    if kind in _POINTS_OF_ONE and points is not None and points != count * _POINTS_OF_ONE[kind]:
        expected = f"{count * _POINTS_OF_ONE[kind]:g} points"
        yield _hit("NumberOfAnnotations", f"{said} of type {kind}, {points:g} points", expected)
    elif kind in _FEWEST_POINTS and firsts is not None and firsts != count * _INDEX:
        yield _hit("NumberOfAnnotations", f"{said}, {firsts / _INDEX:g} first points", "as many first points")
    elif kind in _FEWEST_POINTS and points is not None and points < count * _FEWEST_POINTS[kind]:
        expected = f"{_FEWEST_POINTS[kind]} points or more for each"
        yield _hit("NumberOfAnnotations", f"{said} of type {kind}, {points:g} points", expected)


def _of_measurements(group: Item, count: float) -> Iterator[Hit]:
    for measurement in cell_of(group, "MeasurementsSequence").items:
        for values in cell_of(measurement, "MeasurementValuesSequence").items:
            indices, numbers = _bytes(values, "AnnotationIndexList"), _bytes(values, "FloatingPointValues")
            wanted = indices / _INDEX if indices is not None else count
            is_known = indices is not None or cell_of(values, "AnnotationIndexList").empty
            if is_known and numbers is not None and numbers / _INDEX != wanted:
                observed = f"{numbers / _INDEX:g} measured values for {wanted:g} annotations"
                yield _hit("MeasurementsSequence", observed, "a value for each annotation")


def _bytes(item: Item, keyword: str) -> int | None:
    """Bytes of a value; `None` where there is none, or nobody can tell."""
    cell = cell_of(item, keyword)
    if not cell.vr or (cell.length is None and cell.bulk):
        return None
    if cell.length is not None:
        return cell.length
    return sum(len(value) for value in cell.values if isinstance(value, bytes))


def _hit(keyword: str, observed: str, expected: str) -> Hit:
    return Hit(tags=(f"{tag_of(_GROUPS)}/{tag_of(keyword)}",), observed=cut(observed), expected=expected)
