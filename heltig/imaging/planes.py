"""The image planes of a series: instances and frames alike, and what is left out because it is none.

An attribute of a frame stands in its functional groups (PS3.3 C.7.6.16), its own or the shared ones; of an
image of one frame it stands in the data set.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell
from heltig.dicom.frames import FrameTable
from heltig.dicom.geometry import Orientation, Vector, as_orientation, as_position
from heltig.dicom.study import SeriesRows
from heltig.imaging.objects import ImageObject, Study
from heltig.imaging.pixels import same_pixels
from heltig.standard.dictionary import tag_of
from heltig.standard.sop_classes import lookup

LEFT_OUT: Final[Mapping[str, str]] = {
    "NOT_DICOM": "no DICOM object",
    "NO_SLICE": "no CT or MR image: a report, a mask, a secondary capture, raw data",
    "LOCALIZER": "a localizer, scout or topogram",
    "MOSAIC": "many slices in one picture",
    "PROJECTION": "a projection through many slices",
    "NO_PIXEL_DATA": "an image without pixel data",
    "UNPLACED_FRAMES": "several frames without functional groups that say where they lie",
    "SAME_INSTANCE": "an object whose SOP Instance UID is there already",
}
"""Why an object is no plane of a volume."""

_SLICE_MODALITIES: Final = frozenset({"CT", "MR"})
_KINDS: Final = {
    "LOCALIZER": "LOCALIZER",
    "SCOUT": "LOCALIZER",
    "SURVIEW": "LOCALIZER",
    "TOPOGRAM": "LOCALIZER",
    "MOSAIC": "MOSAIC",
    "PROJECTION IMAGE": "PROJECTION",
}
"""Values of Image Type of what is no slice of a stack."""

_PIXEL_DATA: Final = "7FE00010"
_IDENTITY: Final = (
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "InstanceNumber", "Rows", "Columns"),
    *("RescaleSlope", "RescaleIntercept", "BitsStored", "PixelRepresentation"),
)

Numbers = tuple[float | None, ...]


class LeftOut(NamedTuple):
    """An object that is no plane.

    Attributes:
        number: Which of the sources.
        code: A key of `LEFT_OUT`.
    """

    number: int
    code: str


class Planes:
    """The planes of one series.

    Attributes:
        study: The study.
        uid: Series Instance UID, or a key that stands for none.
        left_out: What is no plane.
        conflicts: How many images have the SOP Instance UID of another, but are not the same.
        frames: Of each plane its object and the number of its frame; 0 in objects of one image.
        unplaced: How many frames have no functional groups of their own, in objects whose others have.
    """

    def __init__(self, study: Study, series: SeriesRows) -> None:
        """Find the planes among the objects of a series."""
        self.study = study
        self.uid = series.key
        rows, self.left_out, self.conflicts = _sorted_out(study, series)
        self._frames = FrameTable(study.table, rows)
        self.frames = self._frames.frames
        placed = Counter(frame.row for frame in self.frames)
        self.unplaced = sum(max(0, _frame_count(study, row) - placed[row]) for row in rows)

    def __len__(self) -> int:
        return len(self.frames)

    def object(self, plane: int) -> ImageObject:
        """The object of a plane."""
        return self.study.objects[self.frames[plane].row]

    def cells(self, keyword: str, macro: str = "") -> list[Cell]:
        """An attribute of every plane.

        Args:
            keyword: The attribute.
            macro: Of enhanced objects the sequence it stands in, further ones joined by dots; without one it
                is an attribute of the object.
        """
        if macro:
            return self._frames.cells(macro, keyword)
        tag = tag_of(keyword)
        return [self.study.table.at(tag, frame.row) for frame in self.frames]

    def texts(self, keyword: str, macro: str = "") -> list[str]:
        """The first value of an attribute of every plane."""
        return [cell.text for cell in self.cells(keyword, macro)]

    def numbers(self, keyword: str, macro: str) -> list[Numbers]:
        """The numbers of an attribute of every plane."""
        return self._frames.numbers(macro, keyword)

    @cached_property
    def positions(self) -> list[Vector | None]:
        """Image Position (Patient) (0020,0032), in LPS millimetres."""
        return [as_position(found) for found in self.numbers("ImagePositionPatient", "PlanePositionSequence")]

    @cached_property
    def orientations(self) -> list[Orientation | None]:
        """Image Orientation (Patient) (0020,0037)."""
        numbers = self.numbers("ImageOrientationPatient", "PlaneOrientationSequence")
        known = {found: as_orientation(found) for found in set(numbers)}
        return [known[found] for found in numbers]

    @cached_property
    def spacings(self) -> list[tuple[float, float] | None]:
        """Pixel Spacing (0028,0030): between rows, between columns, in millimetres."""
        return [_spacing(found) for found in self.numbers("PixelSpacing", "PixelMeasuresSequence")]

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """Rows (0028,0010) and Columns (0028,0011)."""
        pairs = zip(self.cells("Rows"), self.cells("Columns"), strict=True)
        return [(_count(rows), _count(columns)) for rows, columns in pairs]


def _sorted_out(study: Study, series: SeriesRows) -> tuple[list[int], list[LeftOut], int]:
    """The rows that are images, why others are none, and how many have the UID of another image."""
    table = study.table
    rows, left_out = [], []
    first: dict[str, int] = {}
    conflicts = 0
    for row in series.rows:
        uid = table.at("00080018", row).text
        code = _why_not(study, row)
        if uid and not code and first.setdefault(uid, row) != row:
            code = "SAME_INSTANCE"
            conflicts += not _is_copy(study, row, first[uid])
        if code:
            left_out.append(LeftOut(study.objects[row].number, code))
        else:
            rows.append(row)
    return rows, left_out, conflicts


def _is_copy(study: Study, row: int, other: int) -> bool:
    """Whether two images that have one UID are the same image, whatever way they are encoded."""
    cells = [[study.table.at(tag_of(keyword), one).values for keyword in _IDENTITY] for one in (row, other)]
    return cells[0] == cells[1] and same_pixels(study.objects[row], study.objects[other])


def _why_not(study: Study, row: int) -> str:
    """Why an object is no image of slices; empty where it is one."""
    table = study.table
    if not _is_slice_class(table.at("00080016", row), table.at("00080060", row)):
        return "NO_SLICE"
    for value in table.at("00080008", row).values:
        kind = _KINDS.get(str(value).strip().upper())
        if kind:
            return kind
    if not table.at(_PIXEL_DATA, row).vr:
        return "NO_PIXEL_DATA"
    if _frame_count(study, row) > 1 and not table.at("52009230", row).items:
        return "UNPLACED_FRAMES"
    return ""


def _frame_count(study: Study, row: int) -> int:
    """Number of Frames (0028,0008); 0 where it is not given."""
    return _count(study.table.at("00280008", row))


def _is_slice_class(sop_class: Cell, modality: Cell) -> bool:
    """Its SOP Class is one of CT or MR images; where it has none, its modality has to do."""
    if not sop_class.text:
        return modality.text in _SLICE_MODALITIES
    found = lookup(sop_class.text)
    return (
        found is not None
        and found.image
        and (found.enhanced or not found.multi_frame)
        and not _SLICE_MODALITIES.isdisjoint(found.modality)
    )


def _spacing(numbers: Sequence[float | None]) -> tuple[float, float] | None:
    if len(numbers) != 2:
        return None
    rows, columns = numbers
    if rows is None or columns is None or rows <= 0 or columns <= 0:
        return None
    return rows, columns


def _count(cell: Cell) -> int:
    number = (*cell.numbers, None)[0]
    return int(number) if number is not None and number > 0 else 0
