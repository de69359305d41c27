"""The image planes of a series as geometry rules see them: instances and frames alike.

What is no slice is left out: localizers, projections, mosaics of many slices, objects that are no CT, MR or
PET images, and copies of an object that is there already.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell
from heltig.dicom.frames import FrameTable
from heltig.dicom.geometry import Orientation, Vector, orientation_of, position_of
from heltig.dicom.points import plain_numbers
from heltig.rules.views import RowsView, SeriesView
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup

_SLICES: Final = frozenset({"CT", "MR", "PT"})
_NO_SLICES: Final = frozenset({"LOCALIZER", "MOSAIC", "PROJECTION IMAGE", "SCOUT", "SURVIEW", "TOPOGRAM"})
"""Values of ImageType of images that are no slices of a stack."""

_LOCALIZER: Final = re.compile(
    r"(?<![A-Z])(?:LOC(?:ALI[SZ]ER)?S?|SCOUTS?|SCANO(?:GRAM)?|SURVEY|SURVIEW|TOPOGRAM|PILOT|3-?PL(?:ANE)?)"
    r"(?![A-Z])"
)
"""What series are called by which others are planned: they have planes in all directions."""

_STACK: Final = 3
"""Planes of one orientation that make a stack; fewer among stacks are strays."""

_STRAYS: Final = 4
"""At most one of so many planes is a stray; with more of them the series is turned from plane to plane."""


_DIMENSIONS: Final = 3


class Planes(NamedTuple):
    """The image planes of a series.

    Attributes:
        rows: The row of each.
        frames: The number of each within its object, from 1 on; 0 where that is one image. None: all are.
        positions: Image Position (Patient) of each, in millimetres; None where it has none.
        groups: For each orientation the numbers of the planes that have it and a position, most of them
            first.
        strays: Numbers of planes whose orientation hardly any other has, among stacks.
        unplaced: How many have no position or no orientation.
        table: The frames, where there are any.
    """

    rows: Sequence[int]
    frames: Sequence[int] | None
    positions: Sequence[Vector | None]
    groups: Sequence[tuple[Orientation, Sequence[int]]]
    strays: Sequence[int]
    unplaced: int
    table: FrameTable | None

    def rows_of(self, planes: Sequence[int]) -> list[int]:
        """The rows of some planes, ascending."""
        return sorted({self.rows[plane] for plane in planes})

    def cells(self, series: SeriesView, macro: str, keyword: str) -> list[Cell]:
        """An attribute of every plane, of a frame from the macro of its functional groups."""
        if self.table is not None and macro:
            return self.table.cells(macro, keyword)
        return [series.table.at(tag_of(keyword), row) for row in self.rows]

    def varies(self, series: SeriesView, keyword: str) -> bool:
        """An attribute may differ from plane to plane; told without decoding."""
        return self.table is not None or not series.uniform(keyword)


_NONE: Final = Planes((), None, (), (), (), 0, None)


@lru_cache(512)
def is_slice_class(sop_class_uid: str) -> bool:
    """Objects of the SOP Class are CT, MR or PET images: each image, or each frame, is a plane in space."""
    found = lookup(sop_class_uid)
    return (
        found is not None
        and found.image
        and (found.enhanced or not found.multi_frame)
        and not _SLICES.isdisjoint(found.modality)
    )


def has_slices(series: SeriesView) -> bool:
    """Some object of the series is a CT, MR or PET image."""
    return series.once(_has_slices)


def _has_slices(series: SeriesView) -> bool:
    if series.uniform("SOPClassUID"):
        return is_slice_class(series.first("SOPClassUID").text)
    return any(is_slice_class(group.key) for group in series.groups("SOPClassUID"))


def positions_of(series: RowsView) -> list[Vector | None]:
    """Image Position (Patient) of every row; None unless it is three numbers. Use with `once`."""
    column = series.table.columns.get(tag_of("ImagePositionPatient"))
    if column is None:
        return [None] * len(series)
    codes = [column.codes[row] for row in series.rows]
    distinct = list(dict.fromkeys(codes))
    known: dict[int, Vector | None] = {}
    for code, numbers in zip(distinct, plain_numbers([column.cells[c] for c in distinct]), strict=True):
        if numbers is not None and len(numbers) == _DIMENSIONS:
            known[code] = numbers  # type: ignore[assignment]
        else:
            known[code] = position_of(series.table.cell(column, code))
    return [known[code] for code in codes]


def planes_of(series: SeriesView) -> Planes:
    """The planes of a series; none of a localizer, and none of objects that are no slices."""
    return series.once(_planes)


def _planes(series: SeriesView) -> Planes:
    rows = _slices(series)
    if not rows or _is_localizer(series):
        return _NONE
    if series.has("PerFrameFunctionalGroupsSequence"):
        table = FrameTable(series.table, rows)
        positions = list(map(position_of, table.cells("PlanePositionSequence", "ImagePositionPatient")))
        cells = table.cells("PlaneOrientationSequence", "ImageOrientationPatient")
        orientations = list(map(orientation_of, cells))
        numbers = [frame.number for frame in table.frames]
        rows = [frame.row for frame in table.frames]
        return _grouped(Planes(rows, numbers, positions, (), (), 0, table), orientations, series)
    positions = series.once(positions_of)
    if len(rows) != len(positions):
        start = series.rows.start
        positions = [positions[row - start] for row in rows]
    planes = Planes(rows, None, positions, (), (), 0, None)
    if series.uniform("ImageOrientationPatient"):
        only = orientation_of(series.first("ImageOrientationPatient"))
        if only is None or not any(only.normal):
            return planes._replace(unplaced=len(rows))
        if None not in positions:
            return planes._replace(groups=[(only, range(len(rows)))])
    cells = planes.cells(series, "", "ImageOrientationPatient")
    known = {id(cell): orientation_of(cell) for cell in cells}
    return _grouped(planes, [known[id(cell)] for cell in cells], series)


def _grouped(planes: Planes, orientations: Sequence[Orientation | None], series: SeriesView) -> Planes:
    """Group planes by what they are parallel to; orientations nearly equal are one."""
    same: dict[Orientation, list[int]] = {}
    for plane, (position, orientation) in enumerate(zip(planes.positions, orientations, strict=True)):
        if position is not None and orientation is not None:
            same.setdefault(orientation, []).append(plane)
    tolerance = series.context.parameters.orientation_tolerance
    groups: list[tuple[Orientation, list[int]]] = []
    for orientation in sorted(same, key=lambda found: (-len(same[found]), found)):
        if not any(orientation.normal):
            continue
        like = next((members for known, members in groups if orientation.is_like(known, tolerance)), None)
        if like is None:
            groups.append((orientation, list(same[orientation])))
        else:
            like.extend(same[orientation])
    groups.sort(key=lambda group: -len(group[1]))
    placed = sum(len(members) for _, members in groups)
    strays = sorted(plane for _, members in groups if len(members) < _STACK for plane in members)
    if len(strays) == placed or len(strays) * _STRAYS > placed:
        strays = []
    return planes._replace(groups=groups, strays=strays, unplaced=len(planes.rows) - placed)


def _slices(series: SeriesView) -> Sequence[int]:
    """The rows that are slices."""
    if not has_slices(series):
        return ()
    rows: Sequence[int] = series.rows
    rows = _kept(series, rows, "SOPClassUID", lambda cell: is_slice_class(cell.text))
    rows = _kept(series, rows, "ImageType", _is_slice_type)
    uids = series.texts("SOPInstanceUID")
    if len(set(uids)) < len(uids):
        first = dict(zip(reversed(uids), reversed(series.rows), strict=True))
        own = set(first.values()).union(row for uid, row in zip(uids, series.rows, strict=True) if not uid)
        rows = [row for row in rows if row in own]
    return rows


def _kept(
    series: SeriesView, rows: Sequence[int], keyword: str, keep: Callable[[Cell], bool]
) -> Sequence[int]:
    """The rows whose value of an attribute is one to keep, each distinct value asked once."""
    column = series.table.columns.get(tag_of(keyword))
    if column is None:
        return rows
    if series.uniform(keyword):
        return rows if not rows or keep(series.table.cell(column, column.codes[rows[0]])) else ()
    kept = {code: keep(series.table.cell(column, code)) for code in {column.codes[r] for r in rows}}
    return rows if all(kept.values()) else [row for row in rows if kept[column.codes[row]]]


def _is_slice_type(cell: Cell) -> bool:
    return not any(isinstance(value, str) and value.strip().upper() in _NO_SLICES for value in cell.values)


def _is_localizer(series: SeriesView) -> bool:
    """The series is called one, in its description or protocol."""
    names = (series.first("SeriesDescription").text, series.first("ProtocolName").text)
    return any(_LOCALIZER.search(name.upper().replace("_", " ")) for name in names if name)
