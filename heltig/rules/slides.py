"""Whole slide images: do place, size, directions and paths mean something (PS3.3 C.8.12.4, C.8.12.14)?"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from heltig.dicom.frames import FrameTable
from heltig.dicom.geometry import FARTHEST, orientation_of
from heltig.rules.items import cell_of
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, SeriesView, Values
from heltig.rules.wording import cut, listed
from heltig.standard.dictionary import tag_of

MATRIX: Final = ("TotalPixelMatrixColumns", "TotalPixelMatrixRows")
PLANES: Final = "TotalPixelMatrixFocalPlanes"
PATHS: Final = "OpticalPathSequence"
_IDENTIFICATION: Final = "OpticalPathIdentificationSequence"
_VOLUME: Final = ("ImagedVolumeWidth", "ImagedVolumeHeight", "ImagedVolumeDepth")
_SHARED: Final = "SharedFunctionalGroupsSequence"
_ORIGIN: Final = "TotalPixelMatrixOriginSequence"
_OFFSETS: Final = ("XOffsetInSlideCoordinateSystem", "YOffsetInSlideCoordinateSystem")

_LARGEST_SLIDE: Final = 300.0
"""Millimetres; slides of whole organs are some 200 mm long."""

_OTHER_UNIT: Final = 10.0
"""Sizes that differ by it are in two units: scanners that round, or count a margin, differ by less."""

_PHOTOGRAPHS: Final = frozenset({"LABEL", "OVERVIEW"})
"""Third values of ImageType, of images by another camera that nobody measures in."""


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


@rule("PIX-SLIDE-MATRIX", level="instance", severity="review", reads=(*MATRIX, PLANES),
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
    for keyword in (*MATRIX, PLANES):
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


@rule("PIX-SLIDE-SIZE", level="instance", severity="review", requires=_VOLUME[:1], reference="PS3.3 C.8.12.4",
    reads=(*_VOLUME[:2], *MATRIX, _SHARED, "ImageType"))  # fmt: skip
def size(at: Values) -> Iterator[Hit]:
    """The part of the slide that was imaged is far larger, or smaller, than its pixels.

    Finds: Images of slides whose ImagedVolumeWidth (0048,0001) is ten times TotalPixelMatrixColumns
        (0048,0006) by PixelSpacing (0028,0030), or more, or a tenth or less; likewise ImagedVolumeHeight
        (0048,0002) and TotalPixelMatrixRows (0048,0007). All are in millimetres. Images of the label and of
        the whole slide, by another camera, are left alone.
    Why: One of them was written in another unit. Viewers take the size of a pixel from one or the other:
        lengths of tissue come out wrong by a factor of ten or a thousand.
    Mend: Have the image made again by the converter that wrote it. Tissue and magnification show which of the
        two is right: with an objective of 40 x a pixel is some 0.00025 mm.
    Example: Width and height in micrometres beside a spacing in millimetres.
    """
    if not _PHOTOGRAPHS.isdisjoint(str(value) for value in at["ImageType"].values[2:3]):
        return
    groups = [item for shared in at[_SHARED].items for item in cell_of(shared, "PixelMeasuresSequence").items]
    spacing = cell_of(groups[0], "PixelSpacing").numbers if groups else ()
    if len(spacing) != 2:
        return
    for keyword, count, distance in zip(_VOLUME, MATRIX, reversed(spacing), strict=False):
        told, pixels = at[keyword].numbers[:1], integer(at[count])
        if not (told and told[0] and told[0] > 0 and pixels and pixels > 0 and distance and distance > 0):
            continue  # PIX-SLIDE-VOLUME, PIX-SLIDE-MATRIX and GEO-SPACING-ZERO tell
        extent = pixels * distance
        if not extent / _OTHER_UNIT < told[0] < extent * _OTHER_UNIT:
            yield Hit(
                tags=(
                    keyword,
                    count,
                    f"{tag_of(_SHARED)}/{tag_of('PixelMeasuresSequence')}/{tag_of('PixelSpacing')}",
                ),
                observed=f"{told[0]:.6g} mm, {pixels} pixels of {distance:.6g} mm",
                expected=f"some {extent:.6g} mm",
            )


@rule("GEO-SLIDE-ORIGIN", level="instance", severity="review", reads=(_ORIGIN,), reference="PS3.3 C.8.12.14")
def origin(at: Values) -> Iterator[Hit]:
    """The image begins beyond any slide.

    Finds: A TotalPixelMatrixOriginSequence (0048,0008) whose XOffsetInSlideCoordinateSystem (0040,072A) or
        YOffsetInSlideCoordinateSystem (0040,073A), in millimetres, is more than 300 from zero.
    Why: It was written in another unit, or is no place. Annotations, and other images of the slide, are laid
        elsewhere.
    Mend: Have the image made again by the converter that wrote it, with the offsets in millimetres.
    Example: `23449.873`, in micrometres.
    """
    for item in at[_ORIGIN].items[:1]:
        for keyword in _OFFSETS:
            cell = cell_of(item, keyword)
            if any(number is not None and abs(number) > _LARGEST_SLIDE for number in cell.numbers):
                yield Hit(
                    tags=(f"{tag_of(_ORIGIN)}/{tag_of(keyword)}",),
                    observed=cut(cell.shown),
                    expected=f"at most {_LARGEST_SLIDE:g} mm from zero",
                )


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


@rule("PIX-SLIDE-PATHS", level="series", severity="review", reads=(PATHS, "NumberOfOpticalPaths"),
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
    for (number, described), rows in series.alike("NumberOfOpticalPaths", PATHS):
        count, items = integer(number), described.items
        if count is not None and items and count != len(items):
            yield Hit(
                tags=("NumberOfOpticalPaths", PATHS),
                observed=cut(f"{count} optical paths, {len(items)} described"),
                expected="an item for each",
                rows=rows,
            )
        names = Counter(cell_of(item, "OpticalPathIdentifier").text for item in items)
        twice = sorted(name for name, times in names.items() if name and times > 1)
        if twice:
            yield Hit(
                tags=(_in_paths(PATHS),),
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
