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
from heltig.dicom.geometry import Orientation, Vector, as_orientation, as_position
from heltig.dicom.points import numbers_in
from heltig.rules.views import RowsView, SeriesView
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup

_SLICES: Final = frozenset({"CT", "MR", "PT"})
_NO_SLICES: Final = frozenset({"LOCALIZER", "MOSAIC", "PROJECTION IMAGE", "SCOUT", "SURVIEW", "TOPOGRAM"})
"""Values of ImageType of images that are no slices of a stack."""

_MAYBE_NO_SLICE: Final = re.compile(rb"LOCALIZER|MOSAIC|PROJECTION|SCOUT|SURVIEW|TOPOGRAM", re.IGNORECASE)
"""Raw cells that may have one of these: the others need not be decoded."""

_LOCALIZER: Final = re.compile(
    r"(?<![A-Z])(?:LOC(?:ALI[SZ]ER)?S?|SCOUTS?|SCANO(?:GRAM)?|SURVEY|SURVIEW|TOPOGRAM|PILOT|3-?PL(?:ANE)?)"
    r"(?![A-Z])"
)
"""What series are called by which others are planned: they have planes in all directions."""

_MAYBE_LOCALIZER: Final = re.compile(rb"LOC|SC(?:OUT|ANO)|SURV|TOPO|PILOT|3-?PL", re.IGNORECASE)
"""Raw cells that may have such a name."""

_STACK: Final = 3
"""Planes of one orientation that make a stack; fewer among stacks are strays."""

_STRAYS: Final = 4
"""At most one of so many planes is a stray; with more of them the series is turned from plane to plane."""


class Planes(NamedTuple):
    """The image planes of a series.

    Attributes:
        rows: The row of each.
        positions: Image Position (Patient) of each, in millimetres; None where it has none.
        groups: For each orientation the numbers of the planes that have it and a position, most of them
            first.
        strays: Numbers of planes whose orientation hardly any other has, among stacks.
        unplaced: How many have no position or no orientation.
        table: The frames, where there are any.
    """

    rows: Sequence[int]
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
        tag = tag_of(keyword)
        return [series.table.at(tag, row) for row in self.rows]

    def varies(self, series: SeriesView, keyword: str) -> bool:
        """An attribute may differ from plane to plane; told without decoding."""
        return self.table is not None or not series.uniform(keyword)


_NONE: Final = Planes((), (), (), (), 0, None)


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


def numbers_of(view: RowsView, keyword: str, rows: Sequence[int]) -> list[tuple[float | None, ...]]:
    """The numbers of an attribute in some rows of a view; plainly written ones are not decoded."""
    return numbers_in(view.table, tag_of(keyword), rows)


def positions_of(series: RowsView) -> list[Vector | None]:
    """Image Position (Patient) of every row; None unless it is three numbers. Use with `once`."""
    return list(map(as_position, numbers_of(series, "ImagePositionPatient", series.rows)))


def planes_of(series: SeriesView) -> Planes:
    """The planes of a series; none of a localizer, and none of objects that are no slices."""
    return series.once(_planes)


def left_out(series: SeriesView) -> list[tuple[Orientation, Vector]]:
    """Where images lie that are no planes of a series, because of their kind."""
    planes = planes_of(series)
    rows = sorted(set(series.rows).difference(planes.rows))
    if planes.table is not None or not rows:
        return []
    orientations = map(as_orientation, numbers_of(series, "ImageOrientationPatient", rows))
    positions = map(as_position, numbers_of(series, "ImagePositionPatient", rows))
    placed = zip(orientations, positions, strict=True)
    return [(o, position) for o, position in placed if o is not None and position is not None]


def _planes(series: SeriesView) -> Planes:
    rows = _slices(series)
    if not rows or _is_localizer(series):
        return _NONE
    if series.has("PerFrameFunctionalGroupsSequence"):
        table = FrameTable(series.table, rows)
        cells = table.cells("PlanePositionSequence", "ImagePositionPatient")
        positions = [as_position(cell.numbers) for cell in cells]
        cells = table.cells("PlaneOrientationSequence", "ImageOrientationPatient")
        orientations = [as_orientation(cell.numbers) for cell in cells]
        return _grouped([frame.row for frame in table.frames], positions, orientations, series, table)
    positions = series.once(positions_of)
    if len(rows) != len(positions):
        start = series.rows.start
        positions = [positions[row - start] for row in rows]
    if None not in positions and series.uniform("ImageOrientationPatient"):
        only = as_orientation(numbers_of(series, "ImageOrientationPatient", rows[:1])[0])
        if only is not None and any(only.normal):
            return Planes(rows, positions, [(only, range(len(rows)))], (), 0, None)
    numbers = numbers_of(series, "ImageOrientationPatient", rows)
    known = {found: as_orientation(found) for found in set(numbers)}
    return _grouped(rows, positions, [known[found] for found in numbers], series, None)


def _grouped(
    rows: Sequence[int],
    positions: Sequence[Vector | None],
    orientations: Sequence[Orientation | None],
    series: SeriesView,
    table: FrameTable | None,
) -> Planes:
    """Group planes by what they are parallel to; orientations nearly equal are one."""
    same: dict[Orientation, list[int]] = {}
    for plane, (position, orientation) in enumerate(zip(positions, orientations, strict=True)):
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
    return Planes(rows, positions, groups, strays, len(rows) - placed, table)


def _slices(series: SeriesView) -> Sequence[int]:
    """The rows that are slices."""
    if not has_slices(series):
        return ()
    rows: Sequence[int] = series.rows
    if not series.uniform("SOPClassUID"):
        rows = _kept(series, rows, "SOPClassUID", lambda cell: is_slice_class(cell.text))
    rows = _kept(series, rows, "ImageType", _is_slice_type, _MAYBE_NO_SLICE)
    uids = series.texts("SOPInstanceUID")
    if len(set(uids)) < len(uids):
        first = dict(zip(reversed(uids), reversed(series.rows), strict=True))
        own = set(first.values()).union(row for uid, row in zip(uids, series.rows, strict=True) if not uid)
        rows = [row for row in rows if row in own]
    return rows


def _kept(
    series: SeriesView,
    rows: Sequence[int],
    keyword: str,
    keep: Callable[[Cell], bool],
    suspect: re.Pattern[bytes] | None = None,
) -> Sequence[int]:
    """The rows whose value of an attribute is one to keep.

    Args:
        series: The series.
        rows: Some of its rows.
        keyword: The attribute.
        keep: Asked once for each distinct value.
        suspect: Raw cells in which it is not found are kept without decoding.
    """
    column = series.table.columns.get(tag_of(keyword))
    if column is None or not rows:
        return rows
    codes = {column.codes[rows[0]]} if series.uniform(keyword) else {column.codes[row] for row in rows}
    dropped = {
        code
        for code in codes
        if (suspect is None or suspect.search(column.cells[code]))
        and not keep(series.table.cell(column, code))
    }
    return [row for row in rows if column.codes[row] not in dropped] if dropped else rows


def _is_slice_type(cell: Cell) -> bool:
    return not any(isinstance(value, str) and value.strip().upper() in _NO_SLICES for value in cell.values)


def _is_localizer(series: SeriesView) -> bool:
    """The first image of the series is called one, in its description or protocol."""
    for keyword in ("SeriesDescription", "ProtocolName"):
        column = series.table.columns.get(tag_of(keyword))
        if column is not None:
            code = column.codes[series.rows[0]]
            if _MAYBE_LOCALIZER.search(column.cells[code]):
                name = series.table.cell(column, code).text.upper().replace("_", " ")
                if _LOCALIZER.search(name):
                    return True
    return False
