"""Geometry: have the contours of a structure set as many points as they say?"""

from collections.abc import Iterator

from heltig.dicom.table import ItemTable, Table
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.views import StudyView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_PATH = "/".join(map(tag_of, ("ROIContourSequence", "ContourSequence")))
_DATA = tag_of("ContourData")
_POINTS = tag_of("NumberOfContourPoints")


@rule(
    "GEO-CONTOUR",
    level="study",
    severity="review",
    reads=("ROIContourSequence",),
    reference="PS3.3 C.8.8.6",
)
def points(study: StudyView) -> Iterator[Hit]:
    """A contour has other points than it says.

    Finds: Contours of structure sets whose ContourData (3006,0050) are more or fewer points than
        NumberOfContourPoints (3006,0046). Three coordinates make a point: where some are left over it is a
        matter of VAL-VM, where they are no numbers one of VAL-IS-DS.
    Why: A reader that goes by the number leaves points out, or takes the next value for a coordinate: the
        region gets another shape, and another volume. Some refuse the structure set.
    Mend: Export the structure set again from where it came. Where a tool made it, have it count the points
        that it writes.
    Example: A contour that a converter thinned out, with the number of points it had before.
    """
    contours = _below(_below(study.table, "ROIContourSequence"), "ContourSequence")
    if contours is None:
        return
    wrong: dict[tuple[int, int], list[int]] = {}
    for item, (coordinates, said) in enumerate(zip(_coordinates(contours), _said(contours), strict=True)):
        if coordinates is None or said is None or coordinates % 3:
            continue
        if said != coordinates // 3:
            wrong.setdefault((said, coordinates // 3), []).append(item)
    for (said, there), found in sorted(wrong.items()):
        owners = {contours.owners[item] for item in found}
        yield Hit(
            tags=(f"{_PATH}/{_POINTS}",),
            observed=cut(f"{said}, where there {'is' if there == 1 else 'are'} {there}"),
            expected="the number of points there are",
            rows=contours.parent.study_rows(contours.column.tag, owners),
        )


def _below(table: Table | None, keyword: str) -> ItemTable | None:
    column = table.columns.get(tag_of(keyword)) if table else None
    return table.items(column) if table and column else None


def _coordinates(contours: ItemTable) -> Iterator[int | None]:
    """How many values each ContourData has; None where it has none, or they are elsewhere."""
    column = contours.columns.get(_DATA)
    if column is None:
        return iter([None] * contours.rows)
    lengths: dict[int, int | None] = {}
    for code in range(len(column.cells)):
        cell = contours.cell(column, code)
        lengths[code] = None if cell.empty or cell.bulk else len(cell.values)
    return (lengths[code] for code in column.codes)


def _said(contours: ItemTable) -> Iterator[int | None]:
    return (integer(contours.at(_POINTS, item)) for item in range(contours.rows))
