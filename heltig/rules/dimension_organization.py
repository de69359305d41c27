"""Geometry: do the dimensions of an enhanced object belong to what it declares, and count what they say?"""

from collections.abc import Iterator, Mapping
from typing import Final

from heltig.dicom.cell import Cell, DataSet
from heltig.dicom.frames import FrameTable
from heltig.dicom.study import element
from heltig.rules.geometry_frames import INDICES, declared_dimensions, pointed_at
from heltig.rules.rule import Hit, rule
from heltig.rules.views import SeriesView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_ORGANIZATIONS: Final = "DimensionOrganizationSequence"
_UID: Final = tag_of("DimensionOrganizationUID")
_OF_GEO_ENH_INDEX: Final = frozenset({"InStackPositionNumber", "TemporalPositionIndex"})


@rule("GEO-ENH-DIMENSION", level="series", severity="note", reads=("DimensionIndexSequence",),
    reference="PS3.3 C.7.6.17")  # fmt: skip
def dimension(series: SeriesView) -> Iterator[Hit]:
    """A dimension of an enhanced object belongs to nothing, or counts one value twice.

    Finds: Items of DimensionIndexSequence (0020,9222) whose DimensionOrganizationUID (0020,9164) is not in
        DimensionOrganizationSequence (0020,9221), where that has any; and frames that have one value of the
        attribute that a dimension points to, and different indices for it. InStackPositionNumber and
        TemporalPositionIndex are a matter of GEO-ENH-INDEX, attributes that no frame has one of
        GEO-ENH-MISSING.
    Why: Programs that go by the dimensions find other stacks, or more of them, than those that go by the
        frames' own attributes; objects of one organisation are not recognised as such.
    Mend: Nothing needs to be done before the study is moved, where viewers show the frames in order. Have the
        object made anew by what wrote it otherwise.
    Example: A tool that changed the UIDs of an object, and not those in the items of this sequence.
    """
    declared = declared_dimensions(series)
    if declared:
        yield from _strange(series, declared)
        yield from _counted_twice(series, declared)


def _strange(series: SeriesView, declared: Mapping[int, Cell]) -> Iterator[Hit]:
    """Dimensions of an organization that the object does not have."""
    rows: dict[str, set[int]] = {}
    for row, cell in declared.items():
        known = _uids(series.table.at(tag_of(_ORGANIZATIONS), row))
        for uid in _uids(cell) - known if known else ():
            rows.setdefault(uid, set()).add(row)
    for uid, found in sorted(rows.items()):
        yield Hit(
            tags=(f"{tag_of('DimensionIndexSequence')}/{_UID}",),
            observed=cut(uid),
            expected="a UID of DimensionOrganizationSequence",
            rows=sorted(found),
        )


def _uids(cell: Cell) -> set[str]:
    texts = {element(DataSet(item.tags, item.raws, item.encoding), _UID).text for item in cell.items}
    return texts - {""}


def _counted_twice(series: SeriesView, declared: Mapping[int, Cell]) -> Iterator[Hit]:
    """Values of frames that have two indices in one dimension."""
    rows: dict[str, set[int]] = {}
    for row, cell in declared.items():
        table = FrameTable(series.table, [row])
        indices = table.cells(*INDICES)
        for place, item in enumerate(cell.items):
            group, pointer = pointed_at(item)
            if not group or not pointer or pointer in _OF_GEO_ENH_INDEX:
                continue
            of_value: dict[Cell, object] = {}
            for value, index in zip(table.cells(group, pointer), indices, strict=True):
                if value.empty or value.items or len(index.values) != len(cell.items):
                    continue
                if of_value.setdefault(value, index.values[place]) != index.values[place]:
                    rows.setdefault(pointer, set()).add(row)
                    break
    for pointer, found in sorted(rows.items()):
        yield Hit(
            tags=("DimensionIndexValues", pointer),
            observed=f"several indices for one {pointer}",
            expected="one index for each value",
            rows=sorted(found),
        )
