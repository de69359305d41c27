"""Whole slide images: do the tiles make up the matrix of pixels that they are part of (PS3.3 C.7.6.17.3)?"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell
from heltig.dicom.frames import PER_FRAME, FrameTable
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.slides import MATRIX, PATHS, PLANES
from heltig.rules.views import SeriesView
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_POSITION: Final = "PlanePositionSlideSequence"
_PLACES: Final = ("ColumnPositionInTotalImagePixelMatrix", "RowPositionInTotalImagePixelMatrix")

_SLIDE: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
_SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
_ONE_A_TILE: Final = frozenset({"1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.30"})
"""Label map segmentations and parametric maps: one frame shows all of a tile in one focal plane."""

_TILED: Final = (
    *("SOPClassUID", "DimensionOrganizationType", "ConcatenationUID", "NumberOfFrames", "Rows", "Columns"),
    *(*MATRIX, PLANES, "NumberOfOpticalPaths", PATHS, "SegmentationType", "SegmentSequence"),
)


class _Tiled(NamedTuple):
    """A fully tiled image, and what its number of frames follows from.

    Attributes:
        across: Tiles side by side.
        down: Tiles one below the other.
        planes: Focal planes; None where they are not counted.
        channels: Frames of one tile in one plane: each number that the object tells.
        number: Its NumberOfFrames.
        of_slide: It is an image of a slide, not what was made of one.
        rows: The instances that are so.
    """

    across: int
    down: int
    planes: int | None
    channels: tuple[int, ...]
    number: int
    of_slide: bool
    rows: list[int]

    @property
    def frames(self) -> int:
        """The frames it should have, with one focal plane where they are not counted."""
        return self.across * self.down * (self.planes or 1) * self.channels[0]

    @property
    def fits(self) -> bool:
        """It has as many, by one of the numbers that it tells."""
        sets = [self.across * self.down * (self.planes or 1) * channels for channels in self.channels]
        if self.planes is None:
            return self.number > 0 and any(self.number % frames == 0 for frames in sets)
        return self.number in sets

    @property
    def is_part(self) -> bool:
        """It has all tiles of some planes and paths, but not of all."""
        return (
            self.of_slide and 0 < self.number < self.frames and self.number % (self.across * self.down) == 0
        )

    def hit(self) -> Hit:
        """What is found of its number of frames."""
        size = f"tiles {self.across} x {self.down}, paths or segments {self.channels[0]}"
        frames = "frame" if self.number == 1 else "frames"
        return Hit(
            tags=("NumberOfFrames", *MATRIX),
            observed=cut(f"{self.number} {frames}: {size}, focal planes {self.planes or 1}", 120),
            expected=cut(f"{self.frames} frames"),
            rows=self.rows,
        )


def _wrongly_tiled(series: SeriesView) -> list[_Tiled]:
    """The fully tiled images that do not have the frames they should; parts of concatenations have fewer."""
    found = []
    for cells, rows in series.alike(*_TILED):
        of = dict(zip(_TILED, cells, strict=True))
        width, height, columns, lines = (integer(of[name]) or 0 for name in (*MATRIX, "Columns", "Rows"))
        channels = _channels(of)
        number = 1 if of["NumberOfFrames"].empty else integer(of["NumberOfFrames"])
        if (
            of["DimensionOrganizationType"].text != "TILED_FULL"
            or min(width, height, columns, lines) < 1
            or not channels
            or number is None
        ):
            continue
        tiled = _Tiled(
            across=-(-width // columns),
            down=-(-height // lines),
            planes=max(integer(of[PLANES]) or 0, 0) or None,
            channels=channels,
            number=number,
            of_slide=of["SOPClassUID"].text == _SLIDE,
            rows=rows,
        )
        if not tiled.fits and not (tiled.number < tiled.frames and not of["ConcatenationUID"].empty):
            found.append(tiled)
    return found


def _channels(of: Mapping[str, Cell]) -> tuple[int, ...]:
    """How many frames show one tile in one focal plane: each number that the object tells."""
    sop_class = of["SOPClassUID"].text
    told: tuple[int, ...] = ()
    if sop_class == _SLIDE:
        told = (integer(of["NumberOfOpticalPaths"]) or 0, len(of[PATHS].items))
    elif sop_class == _SEGMENTATION and of["SegmentationType"].text != "LABELMAP":
        told = (len(of["SegmentSequence"].items),)
    elif sop_class in _ONE_A_TILE or sop_class == _SEGMENTATION:
        told = (1,)
    return tuple(count for count in told if count > 0)


@rule("PIX-SLIDE-FRAMES", level="series", severity="review", reads=MATRIX, reference="PS3.3 C.7.6.17.3")
def frames(series: SeriesView) -> Iterator[Hit]:
    """A fully tiled image does not have a frame for each tile.

    Finds: Images whose DimensionOrganizationType (0020,9311) is TILED_FULL and whose NumberOfFrames
        (0028,0008) is not the number of tiles that cover TotalPixelMatrixColumns (0048,0006) and
        TotalPixelMatrixRows (0048,0007), by optical paths, by focal planes; of segmentations by segments. Of
        a part of a concatenation no more is asked than that it has not more frames than the whole. All tiles
        of some of the planes or paths are a matter of PIX-SLIDE-PART.
    Why: Frames of such an image do not say where they lie: viewers count. With one frame too few or too many
        all tiles after it stand in wrong places, or paths and planes are mixed up.
    Mend: Have the image made again by what wrote it. Tiles that are left out, since they are empty, need
        TILED_SPARSE and a position for each frame.
    Example: A converter that leaves out white tiles and writes TILED_FULL.
    """
    for tiled in _wrongly_tiled(series):
        if not tiled.is_part:
            yield tiled.hit()


@rule("PIX-SLIDE-PART", level="series", severity="note", reads=MATRIX, reference="PS3.3 C.7.6.17.3")
def part(series: SeriesView) -> Iterator[Hit]:
    """An image has not all focal planes or optical paths that it counts.

    Finds: Images of slides whose DimensionOrganizationType (0020,9311) is TILED_FULL and that have all tiles
        of some of the focal planes or optical paths that they count, but not of all. Tiles that lack are a
        matter of PIX-SLIDE-FRAMES.
    Why: Some scanners write each plane into an object of its own and count all of them in each. Others have
        lost the rest. Viewers that expect all frames refuse the object.
    Mend: Nothing needs to be done before the study is moved, where the other planes and paths are in other
        objects of the series. Else have the slide sent again from the scanner.
    Example: An image of the middle one of three focal planes, with TotalPixelMatrixFocalPlanes 3.
    """
    for tiled in _wrongly_tiled(series):
        if tiled.is_part:
            yield tiled.hit()


@rule("GEO-SLIDE-POSITION", level="series", severity="review", reads=MATRIX, reference="PS3.3 C.8.12.6.1")
def position(series: SeriesView) -> Iterator[Hit]:
    """A tile begins outside the image that it is part of.

    Finds: Frames whose ColumnPositionInTotalImagePixelMatrix (0048,021E) or
        RowPositionInTotalImagePixelMatrix (0048,021F) is below one, or beyond TotalPixelMatrixColumns
        (0048,0006) or TotalPixelMatrixRows (0048,0007). A tile may reach beyond the edge, where it begins
        within it.
    Why: Viewers never show such a tile, or fail on it; where positions are counted from zero all tiles are
        off by one.
    Mend: Have the image made again by what wrote it. The first column and row have the number 1.
    Example: A position of 0, 0 from a converter that counts from zero.
    """
    if not series.has("PerFrameFunctionalGroupsSequence"):
        return
    cells = zip(series.rows, *map(series.cells, MATRIX), strict=True)
    sizes = {row: (integer(width), integer(height)) for row, width, height in cells}
    table, outside = FrameTable(series.table, series.rows), dict[int, list[str]]()
    counted = Counter(frame.row for frame in table.frames)
    columns, rows = (table.cells(_POSITION, keyword) for keyword in _PLACES)
    for frame, column, down in zip(table.frames, columns, rows, strict=True):
        places = integer(column), integer(down)
        pairs = zip(places, sizes[frame.row], strict=True)
        if any(place is not None and (place < 1 or (size and place > size)) for place, size in pairs):
            outside.setdefault(frame.row, []).append(f"column {column.shown}, row {down.shown}")
    for row, found in sorted(outside.items()):
        width, height = sizes[row]
        yield Hit(
            tags=tuple("/".join((PER_FRAME, tag_of(_POSITION), tag_of(keyword))) for keyword in _PLACES),
            observed=cut(f"{len(found)} of {counted[row]} frames, the first at {found[0]}", 120),
            expected=cut(f"columns 1 to {width}, rows 1 to {height}"),
            rows=(row,),
        )
