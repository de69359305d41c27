"""Geometry: do the planes of a series belong together?"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from heltig.dicom.cell import Cell
from heltig.dicom.frames import FrameTable
from heltig.dicom.stacks import SAME_PLACE
from heltig.rules.conflict import conflict
from heltig.rules.planes import Planes, has_slices, is_slice_class, planes_of
from heltig.rules.rule import Hit, rule
from heltig.rules.stacking import stacks_of, volumes_of
from heltig.rules.views import SeriesView
from heltig.rules.wording import counted, cut
from heltig.standard.dictionary import tag_of

_SHOWN: Final = 3  # digits after the point


@rule(
    "GEO-IOP-MIXED",
    level="series",
    severity="review",
    reads=("ImageOrientationPatient", "PerFrameFunctionalGroupsSequence"),
    when=lambda series: has_slices(series) and len(planes_of(series).groups) > 0,
    reference="PS3.3 C.7.6.2.1.1",
)
def orientation_mixed(series: SeriesView) -> Iterator[Hit]:
    """A few images of a series are turned against its stacks.

    Finds: Images whose ImageOrientationPatient (0020,0037) hardly any other image of the series has, while
        the others form stacks. Directions count as equal within the profile's `orientation_tolerance`.
        Several stacks of different orientation, localizers, and series that turn from image to image are as
        they should be.
    Why: The image cannot be part of the volume. Viewers leave it out, or reconstruct a wrong volume.
    Mend: Look at the image: a reformat or localizer belongs into a series of its own. If it is a slice of the
        stack, its orientation was damaged: have it sent again.
    Example: One sagittal reformat stored into the axial series.
    """
    planes = planes_of(series)
    if planes.strays:
        odd = set(planes.strays)
        shown = [
            ("\\".join(f"{number:.{_SHOWN}g}" for number in (*orientation.row, *orientation.column)), members)
            for orientation, members in planes.groups
        ]
        yield Hit(
            tags=("ImageOrientationPatient",),
            observed=counted((text, len(members)) for text, members in shown if odd.issuperset(members)),
            expected=cut(shown[0][0]),
            rows=planes.rows_of(planes.strays),
        )


@rule(
    "GEO-FOR-MIXED",
    level="series",
    severity="review",
    reads=("FrameOfReferenceUID",),
    compares=True,
    reference="PS3.3 C.7.4.1",
)
def frame_of_reference_mixed(series: SeriesView) -> Iterator[Hit]:
    """One series has several frames of reference.

    Finds: More than one FrameOfReferenceUID (0020,0052) within a CT, MR or PET series; images without one do
        not count.
    Why: Positions of different frames of reference cannot be compared: viewers take the series apart, and
        registration, planning and fusion refuse it.
    Mend: Find out where the images of the rarer value come from. Two acquisitions between which the patient
        was moved are two series.
    Example: Half of a series sent again after the console had been restarted with a new frame of reference.
    """
    if has_slices(series):
        yield from conflict(series, "FrameOfReferenceUID", where="series")


@rule(
    "GEO-SPACING-MIXED",
    level="series",
    severity="review",
    reads=("PixelSpacing", "PerFrameFunctionalGroupsSequence"),
    when=lambda series: has_slices(series) and len(planes_of(series).groups) > 0,
    reference="PS3.3 10.7",
)
def spacing_mixed(series: SeriesView) -> Iterator[Hit]:
    """Parallel images of a series have different pixel spacings.

    Finds: More than one PixelSpacing (0028,0030) among images of one orientation and one ImageType, by more
        than the profile's `pixel_spacing_ratio`. Localizers are left alone.
    Why: The images do not lie on one grid: viewers scale a part of the volume wrongly, and measurements in it
        are wrong.
    Mend: Compare with the modality. Two reconstructions with different fields of view are two series.
    Example: One slice of 512 that a tool has scaled and given another spacing.
    """
    planes = planes_of(series)
    if not planes.varies(series, "PixelSpacing"):
        return
    cells = planes.cells(series, "PixelMeasuresSequence", "PixelSpacing")
    types = [cell.values for cell in planes.cells(series, "", "ImageType")]
    for _, members in planes.groups:
        kinds: dict[object, list[int]] = {}
        for plane in members:
            kinds.setdefault(types[plane], []).append(plane)
        for alike in kinds.values():
            yield from _spacings(series, planes, cells, alike)


def _spacings(
    series: SeriesView, planes: Planes, cells: Sequence[Cell], alike: Sequence[int]
) -> Iterator[Hit]:
    exact: dict[tuple[float | None, ...], list[int]] = {}
    for plane in alike:
        if len(cells[plane].values) == 2:
            exact.setdefault(cells[plane].numbers, []).append(plane)
    ratio = series.context.parameters.pixel_spacing_ratio
    groups: list[tuple[tuple[float | None, ...], list[int]]] = []
    for numbers in sorted(exact, key=lambda numbers: (-len(exact[numbers]), str(numbers))):
        like = next((members for known, members in groups if _close(known, numbers, ratio)), None)
        if like is None:
            groups.append((numbers, list(exact[numbers])))
        else:
            like.extend(exact[numbers])
    if len(groups) > 1:
        yield Hit(
            tags=("PixelSpacing",),
            observed=counted((cells[members[0]].shown, len(members)) for _, members in groups),
            expected="one PixelSpacing of parallel images",
            rows=planes.rows_of([plane for _, members in groups[1:] for plane in members]),
        )


def _close(a: Sequence[float | None], b: Sequence[float | None], ratio: float) -> bool:
    return all(
        x is not None and y is not None and abs(x - y) <= ratio * abs(x) for x, y in zip(a, b, strict=True)
    )


_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")

_SMALLEST: Final = 2.0
_LARGEST: Final = 5000.0
"""Millimetres along a side: no part of a patient that is imaged is smaller, and no patient larger."""

_LINES: Final = 8
"""Pixels along a side; with fewer of them it is no picture."""


@rule(
    "GEO-FIELD-SIZE",
    level="series",
    severity="review",
    reads=("PixelSpacing", "Rows", "Columns", *_GROUPS),
    when=has_slices,
    reference="PS3.3 10.7",
)
def field_size(series: SeriesView) -> Iterator[Hit]:
    r"""An image is smaller than a tooth or larger than a room.

    Finds: CT, MR and PET images, localizers too, and frames of enhanced ones, of which a side, PixelSpacing
        (0028,0030) times Rows or Columns, is shorter than 2 mm or longer than 5 m, specimens under a
        microscope too. Sides of less than eight pixels, as navigators and profiles have them, are left alone;
        spacings of zero or less are a matter of GEO-SPACING-ZERO.
    Why: The spacing is in another unit than millimetres, or damaged. Every length, area and volume that is
        measured is wrong, and no viewer says so.
    Mend: Have the program that wrote the images write millimetres. Compare with the field of view that the
        modality shows before you correct it.
    Example: PixelSpacing `0.000488\0.000488` of a CT image of 512 by 512, written in metres.
    """
    for (spacing, rows, columns), found in _grids(series):
        numbers, pixels = spacing.numbers, (*rows.numbers, *columns.numbers)
        if len(numbers) != 2 or len(pixels) != 2:
            continue
        pairs = zip(numbers, pixels, strict=True)
        sides = [a * b for a, b in pairs if a is not None and b is not None and b >= _LINES]
        if any(0 < side < _SMALLEST or side > _LARGEST for side in sides):
            yield Hit(
                tags=("PixelSpacing",),
                observed=cut(f"{spacing.shown}, {rows.text} rows and {columns.text} columns"),
                expected=f"each side {_SMALLEST:.0f} mm to {_LARGEST / 1000:.0f} m",
                rows=found,
            )


def _grids(series: SeriesView) -> Iterable[tuple[Sequence[Cell], Sequence[int]]]:
    """PixelSpacing, Rows and Columns of slices and frames, with the rows that have them."""
    if not any(map(series.has, _GROUPS)):
        alike = series.alike("PixelSpacing", "Rows", "Columns", "SOPClassUID")
        return [(grid, found) for (*grid, sop_class), found in alike if is_slice_class(sop_class.text)]
    classes = zip(series.rows, series.cells("SOPClassUID"), strict=True)
    frames = FrameTable(series.table, [row for row, sop_class in classes if is_slice_class(sop_class.text)])
    spacings = frames.cells("PixelMeasuresSequence", "PixelSpacing")
    distinct = {(frame.row, cell.values): cell for frame, cell in zip(frames.frames, spacings, strict=True)}
    sizes = [tag_of("Rows"), tag_of("Columns")]
    return [
        ((cell, *(series.table.at(tag, row) for tag in sizes)), [row]) for (row, _), cell in distinct.items()
    ]


@rule(
    "GEO-SINGLE-LOCATION",
    level="series",
    severity="note",
    reads=("ImagePositionPatient", "PerFrameFunctionalGroupsSequence"),
    needs=("metadata", "complete_study"),
    when=lambda series: has_slices(series) and len(planes_of(series).positions) > 1,
    reference="PS3.3 C.7.6.2.1.1",
)
def single_location(series: SeriesView) -> Iterator[Hit]:
    """All images of a series show the same place.

    Finds: CT, MR and PET series of two images or more, all of one orientation and at one position. Mosaics,
        which hold a whole volume each, are left alone.
    Why: It is no volume: a slice over time, such as a heart in motion or the watching of a contrast bolus.
        What makes volumes of series fails on it.
    Mend: Nothing, if it should be so. If it should be a stack, its positions were lost: have it sent again.
    Example: Thirty phases of one slice through the heart.
    """
    planes = planes_of(series)
    if len(planes.groups) != 1 or planes.unplaced or len(stacks_of(series)) == 0:
        return
    places = [
        place for found in stacks_of(series) for place in (found.stack.places[0], found.stack.places[-1])
    ]
    if max(places) - min(places) <= SAME_PLACE:
        yield Hit(
            tags=("ImagePositionPatient",),
            observed=f"{len(planes.positions)} images at one position",
            expected="a volume has several positions",
            rows=planes.rows_of(range(len(planes.positions))),
        )


_PRESCRIBED: Final = "NumberOfTemporalPositions"


@rule(
    "GEO-VOLUME-MISSING",
    level="series",
    severity="review",
    reads=(_PRESCRIBED,),
    needs=("metadata", "complete_study"),
    when=lambda series: series.has(_PRESCRIBED) and has_slices(series),
    reference="PS3.3 C.8.3.1",
)
def volume_missing(series: SeriesView) -> Iterator[Hit]:
    """A series has fewer positions in time than it says.

    Finds: CT, MR and PET series of two positions in time or more, but fewer than NumberOfTemporalPositions
        (0020,0105): different values of TemporalPositionIdentifier (0020,0100), or, without any, images at
        one place. A series that has fewer than half of them is a selection of what was measured, or one of
        several that share a measurement, and is left alone.
    Why: The transfer, or the scan, ended early. What is made of the course in time is wrong or cannot be
        compared.
    Mend: Compare with the modality's own list of the series and send it again. A scan that was stopped can be
        accepted by a waiver.
    Example: 150 of 200 volumes of a functional scan after the network had failed.
    """
    stated = next((n for n in series.first(_PRESCRIBED).numbers if n is not None), 0)
    identifiers = set(series.texts("TemporalPositionIdentifier")) - {""}
    if identifiers:
        there = len(identifiers)
    else:
        there = max((len(level) for found in volumes_of(series) for level in found.whole.levels), default=0)
    if 1 < there < stated <= there * _SELECTED:
        yield Hit(
            tags=(_PRESCRIBED,),
            observed=f"{there} of {stated:g} positions in time",
            expected=f"all {stated:g}",
        )


_SELECTED: Final = 2
