"""Whole slide images: do the tiles make up the matrix of pixels that they are said to (PS3.3 C.8.12.14)?"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from heltig.dicom.cell import Cell
from heltig.dicom.frames import PER_FRAME, FrameTable
from heltig.dicom.geometry import FARTHEST, orientation_of
from heltig.rules.item_values import of_item
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, SeriesView, Values
from heltig.rules.wording import cut, listed
from heltig.standard.dictionary import tag_of

_MATRIX: Final = ("TotalPixelMatrixColumns", "TotalPixelMatrixRows")
_PLANES: Final = "TotalPixelMatrixFocalPlanes"
_PATHS: Final = "OpticalPathSequence"
_IDENTIFICATION: Final = "OpticalPathIdentificationSequence"
_POSITION: Final = "PlanePositionSlideSequence"
_PLACES: Final = ("ColumnPositionInTotalImagePixelMatrix", "RowPositionInTotalImagePixelMatrix")
_VOLUME: Final = ("ImagedVolumeWidth", "ImagedVolumeHeight", "ImagedVolumeDepth")

_SLIDE: Final = "1.2.840.10008.5.1.4.1.1.77.1.6"
_SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
_ONE_A_TILE: Final = frozenset({"1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.5.1.4.1.1.30"})
"""Label map segmentations and parametric maps: one frame shows all of a tile in one focal plane."""


@rule("GEO-SLIDE-ORIENTATION", level="value", severity="review", reads=("ImageOrientationSlide",),
    reference="PS3.3 C.8.12.14")  # fmt: skip
def orientation(at: Place) -> Iterator[Hit]:
    r"""The directions of a slide's rows and columns are none.

    Finds: An ImageOrientationSlide (0048,0102) whose row or column direction is not 1 long, or which are not
        at a right angle, by more than the profile's `direction_tolerance`. Other than six numbers are a
        matter of VAL-VM.
    Why: Where a tile lies on the glass is worked out from it: annotations, and other images of the slide, are
        laid elsewhere, stretched or turned.
    Mend: Have the slide's image sent again from the scanner, or corrected by the maker of the converter. Most
        scanners write `0\-1\0\-1\0\0` or `-1\0\0\0\-1\0`.
    Example: `0\-1\0\0\-1\0`, both directions the same.
    """
    found, slack = orientation_of(at.cell), at.context.parameters.direction_tolerance
    is_endless = any(number is not None and abs(number) > FARTHEST for number in at.cell.numbers)
    if is_endless or (found and found.length_error > slack):
        yield Hit(observed=cut(at.cell.shown), expected="two directions of length 1")
    elif found and abs(found.skew) > slack:
        yield Hit(observed=cut(at.cell.shown), expected="directions at a right angle")


@rule("PIX-SLIDE-MATRIX", level="instance", severity="review", reads=(*_MATRIX, _PLANES),
    reference="PS3.3 C.8.12.14")  # fmt: skip
def matrix(at: Values) -> Iterator[Hit]:
    """The matrix of pixels that the tiles make up is empty.

    Finds: A TotalPixelMatrixColumns (0048,0006), TotalPixelMatrixRows (0048,0007) or
        TotalPixelMatrixFocalPlanes (0048,0303) that is below one. Absent ones are a matter of IOD-TYPE1.
    Why: Viewers work out from these numbers which tile to show. Without them they show nothing.
    Mend: Have the image made again by the converter that wrote it; the numbers are those of the level's
        pixels, without what the last tiles have beyond them.
    Example: A converter that writes the tiles first and the sizes never.
    """
    for keyword in (*_MATRIX, _PLANES):
        number = integer(at[keyword])
        if number is not None and number < 1:
            yield Hit(tags=(keyword,), observed=cut(str(number)), expected="one or more")


@rule("PIX-SLIDE-VOLUME", level="instance", severity="review", reads=_VOLUME, reference="PS3.3 C.8.12.4")
def volume(at: Values) -> Iterator[Hit]:
    """The part of the slide that was imaged has no size.

    Finds: An ImagedVolumeWidth (0048,0001) or ImagedVolumeHeight (0048,0002), in millimetres, that is zero or
        negative, and a negative ImagedVolumeDepth (0048,0003), in micrometres. A depth of zero is a matter of
        PIX-SLIDE-DEPTH.
    Why: Some viewers take the size of a pixel from width and height: lengths of tissue come out as zero or
        negative.
    Mend: Have the image made again by the converter that wrote it. Width and height are those of the matrix
        of pixels by their spacing.
    Example: A converter of another format in which no size is told.
    """
    for keyword in _VOLUME:
        least = 0.0 if keyword != "ImagedVolumeDepth" else None
        for number in at[keyword].numbers:
            if number is not None and (number < 0 or number == least):
                yield Hit(tags=(keyword,), observed=cut(at[keyword].shown), expected="more than zero")


@rule("PIX-SLIDE-DEPTH", level="instance", severity="note", reads=("ImagedVolumeDepth",),
    reference="PS3.3 C.8.12.4")  # fmt: skip
def depth(at: Values) -> Iterator[Hit]:
    """The part of the slide that was imaged has no depth.

    Finds: An ImagedVolumeDepth (0048,0003) of zero.
    Why: It says nothing of how much of the section is in focus. Nothing else depends on it where there is one
        focal plane.
    Mend: Nothing needs to be done before the study is moved. The converter should write the depth of field.
    Example: `0` from a converter that does not know the scanner's optics.
    """
    if 0.0 in at["ImagedVolumeDepth"].numbers:
        yield Hit(tags=("ImagedVolumeDepth",), observed="0", expected="more than zero")


@rule("PIX-SLIDE-PATHS", level="series", severity="review", reads=(_PATHS, "NumberOfOpticalPaths"),
    reference="PS3.3 C.8.12.5")  # fmt: skip
def paths(series: SeriesView) -> Iterator[Hit]:
    """The optical paths of a slide's image are not those that it describes.

    Finds: A NumberOfOpticalPaths (0048,0302) that is not the number of items of OpticalPathSequence
        (0048,0105); two items with one OpticalPathIdentifier (0048,0106); and frames that name an identifier
        which no item has.
    Why: The path says how light and colour of a frame are meant: stains of a fluorescence image are mistaken
        for one another, or shown in wrong colours. Where frames are counted, they are counted wrong.
    Mend: Have the image made again by what wrote it; a tool that takes a channel out has to take out its
        description too.
    Example: Three stains, of which two are called `1`.
    """
    for (number, described), rows in series.alike("NumberOfOpticalPaths", _PATHS):
        count, items = integer(number), described.items
        if count is not None and items and count != len(items):
            yield Hit(
                tags=("NumberOfOpticalPaths", _PATHS),
                observed=cut(f"{count} optical paths, {len(items)} described"),
                expected="an item for each",
                rows=rows,
            )
        names = Counter(of_item(item, "OpticalPathIdentifier").text for item in items)
        twice = sorted(name for name, times in names.items() if name and times > 1)
        if twice:
            yield Hit(
                tags=(_in_paths(_PATHS),),
                observed=listed([f"{name} ({names[name]})" for name in twice]),
                expected="an identifier of its own for each path",
                rows=rows,
            )
        if items:
            yield from _unknown_paths(series, rows, set(names))


def _unknown_paths(series: SeriesView, rows: list[int], known: set[str]) -> Iterator[Hit]:
    """Frames of optical paths that are not described."""
    table, wrong = FrameTable(series.table, rows), dict[str, list[int]]()
    cells = table.cells(_IDENTIFICATION, "OpticalPathIdentifier")
    for frame, cell in zip(table.frames, cells, strict=True):
        if not cell.empty and cell.text not in known:
            wrong.setdefault(cell.text, []).append(frame.row)
    for name, found in sorted(wrong.items()):
        yield Hit(
            tags=(_in_paths(_IDENTIFICATION),),
            observed=cut(f"path {name} in {len(found)} frames"),
            expected="a path that is described",
            rows=sorted(set(found)),
        )


def _in_paths(sequence: str) -> str:
    return f"{tag_of(sequence)}/{tag_of('OpticalPathIdentifier')}"


_TILED: Final = (
    *("SOPClassUID", "DimensionOrganizationType", "ConcatenationUID", "NumberOfFrames", "Rows", "Columns"),
    *(*_MATRIX, _PLANES, "NumberOfOpticalPaths", _PATHS, "SegmentationType", "SegmentSequence"),
)


class _Tiled(NamedTuple):
    """What the number of frames of a fully tiled image follows from; None where it is not told."""

    down: int
    across: int
    planes: int | None
    channels: tuple[int, ...]

    @property
    def frames(self) -> int:
        """The number, with one focal plane where they are not counted."""
        return self.down * self.across * (self.planes or 1) * self.channels[0]


@rule("PIX-SLIDE-FRAMES", level="series", severity="review", reads=_MATRIX, reference="PS3.3 C.7.6.17.3")
def frames(series: SeriesView) -> Iterator[Hit]:
    """A fully tiled image does not have a frame for each tile.

    Finds: Images whose DimensionOrganizationType (0020,9311) is TILED_FULL and whose NumberOfFrames
        (0028,0008) is not the number of tiles that cover TotalPixelMatrixColumns (0048,0006) and
        TotalPixelMatrixRows (0048,0007), by optical paths, by focal planes; of segmentations by segments. Of
        a part of a concatenation no more is asked than that it has not more frames than the whole.
    Why: Frames of such an image do not say where they lie: viewers count. With one frame too few or too many
        all tiles after it stand in wrong places, or paths and planes are mixed up.
    Mend: Have the image made again by what wrote it. Tiles that are left out, since they are empty, need
        TILED_SPARSE and a position for each frame.
    Example: A converter that leaves out white tiles and writes TILED_FULL.
    """
    for cells, rows in series.alike(*_TILED):
        of = dict(zip(_TILED, cells, strict=True))
        tiled = _tiled(of) if of["DimensionOrganizationType"].text == "TILED_FULL" else None
        count = 1 if of["NumberOfFrames"].empty else integer(of["NumberOfFrames"])
        if tiled is None or count is None or _fits(tiled, count, is_part=not of["ConcatenationUID"].empty):
            continue
        size = f"tiles {tiled.across} x {tiled.down}, paths or segments {tiled.channels[0]}"
        yield Hit(
            tags=("NumberOfFrames", *_MATRIX),
            observed=cut(f"{count} frame{'' if count == 1 else 's'}"),
            expected=cut(f"{tiled.frames}: {size}, focal planes {tiled.planes or 1}", 120),
            rows=rows,
        )


def _tiled(of: dict[str, Cell]) -> _Tiled | None:
    width, height, columns, rows = (integer(of[name]) or 0 for name in (*_MATRIX, "Columns", "Rows"))
    channels = _channels(of)
    if min(width, height, columns, rows) < 1 or not channels:
        return None
    return _Tiled(-(-height // rows), -(-width // columns), integer(of[_PLANES]), channels)


def _channels(of: dict[str, Cell]) -> tuple[int, ...]:
    """How many frames show one tile in one focal plane: each number that the object tells."""
    sop_class = of["SOPClassUID"].text
    told: tuple[int, ...] = ()
    if sop_class == _SLIDE:
        told = (integer(of["NumberOfOpticalPaths"]) or 0, len(of[_PATHS].items))
    elif sop_class == _SEGMENTATION and of["SegmentationType"].text != "LABELMAP":
        told = (len(of["SegmentSequence"].items),)
    elif sop_class in _ONE_A_TILE or sop_class == _SEGMENTATION:
        told = (1,)
    return tuple(number for number in told if number > 0)


def _fits(tiled: _Tiled, count: int, *, is_part: bool) -> bool:
    for channels in tiled.channels:
        whole = tiled.down * tiled.across * channels * (tiled.planes or 1)
        if count == whole or (is_part and count < whole) or (tiled.planes is None and count % whole == 0):
            return count > 0
    return False


@rule("GEO-SLIDE-POSITION", level="series", severity="review", reads=_MATRIX, reference="PS3.3 C.8.12.6.1")
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
    cells = zip(series.rows, *map(series.cells, _MATRIX), strict=True)
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
