"""Geometry: is each image's own position, orientation and spacing there, and does it make sense?"""

from collections.abc import Iterator
from itertools import compress
from typing import Final

from heltig.dicom.cell import Cell
from heltig.dicom.frames import FrameTable
from heltig.dicom.geometry import FARTHEST, Orientation, Vector, orientation_of
from heltig.rules.planes import has_slices, is_slice_class, numbers_of, positions_of
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Place, SeriesView, Values
from heltig.rules.wording import cut

SPACINGS: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "SpacingBetweenSlices")
"""Distances of which zero or less measures nothing."""

PLANE: Final = (
    ("PlanePositionSequence", "ImagePositionPatient"),
    ("PlaneOrientationSequence", "ImageOrientationPatient"),
    ("PixelMeasuresSequence", "PixelSpacing"),
)
"""What an image plane cannot be without: the macro of frames, and the attribute."""

_ORIGINAL: Final = ("ORIGINAL", "MIXED")


@rule(
    "GEO-IPP-IOP-MISSING",
    level="series",
    severity="review",
    reads=tuple(keyword for _, keyword in PLANE),
    needs=("metadata", "all_attributes"),
    when=has_slices,
    reference="PS3.3 C.7.6.2",
)
def plane_missing(series: SeriesView) -> Iterator[Hit]:
    """An image does not say where it lies.

    Finds: CT, MR and PET images, localizers too, in which ImagePositionPatient (0020,0032),
        ImageOrientationPatient (0020,0037) or PixelSpacing (0028,0030) is absent or empty, and original
        frames of enhanced ones that have none, neither of their own nor a shared one.
    Why: Without them an image cannot be put into a volume, be measured, or be shown as a line on others.
    Mend: Send the series again from the modality. Position and orientation cannot be made up from
        SliceLocation or InstanceNumber.
    Example: One slice of a stack that an editing tool has written anew without its position.
    """
    rows, cells = _plane_cells(series)
    lacking: dict[tuple[tuple[str, ...], str], list[int]] = {}
    if not cells:
        return
    for row, of_plane in zip(rows, zip(*cells.values(), strict=True), strict=True):
        absent = [keyword for keyword, cell in zip(cells, of_plane, strict=True) if cell.empty]
        if absent:
            state = "empty" if any(cell.vr for cell in of_plane if cell.empty) else "absent"
            lacking.setdefault((tuple(absent), state), []).append(row)
    for (keywords, state), found in sorted(lacking.items()):
        yield Hit(
            tags=keywords, observed=state, expected="a value in " + ", ".join(keywords), rows=set(found)
        )


def _plane_cells(series: SeriesView) -> tuple[list[int], dict[str, list[Cell]]]:
    """Rows that should lie somewhere, with their cells of the attributes that some of them may lack."""
    if series.has("PerFrameFunctionalGroupsSequence"):
        types = zip(series.rows, series.cells("SOPClassUID"), series.cells("ImageType"), strict=True)
        # Derived frames of enhanced objects may lie nowhere (PS3.3 A.36, A.38).
        table = FrameTable(
            series.table,
            [r for r, uid, kind in types if is_slice_class(uid.text) and kind.text.upper() in _ORIGINAL],
        )
        rows = [frame.row for frame in table.frames]
        return rows, {keyword: table.cells(macro, keyword) for macro, keyword in PLANE}
    suspect = [keyword for _, keyword in PLANE if not _is_everywhere(series, keyword)]
    if not suspect:
        return [], {}
    slices = [is_slice_class(cell.text) for cell in series.cells("SOPClassUID")]
    columns = {keyword: list(compress(series.cells(keyword), slices)) for keyword in suspect}
    return list(compress(series.rows, slices)), columns


def _is_everywhere(series: SeriesView, keyword: str) -> bool:
    """Every row has a value; told as cheaply as can be."""
    if keyword == "ImagePositionPatient":
        return None not in series.once(positions_of)
    return series.uniform(keyword) and bool(numbers_of(series, keyword, series.rows[:1])[0])


@rule(
    "GEO-IOP-UNIT",
    level="value",
    severity="review",
    reads=("ImageOrientationPatient",),
    reference="PS3.3 C.7.6.2.1.1",
)
def orientation_unit(at: Place) -> Iterator[Hit]:
    r"""Direction cosines are not of unit length.

    Finds: An ImageOrientationPatient (0020,0037) whose row or column direction is not 1 long, by more than
        the profile's `direction_tolerance`; frames too.
    Why: Viewers scale distances by it: reconstructions are stretched, and reference lines are off.
    Mend: Have the sender write direction cosines with enough digits. Dividing both directions by their length
        is safe where the error is one of rounding.
    Example: `0\0\0\0\0\0` from a converter that did not know the orientation.
    """
    orientation = orientation_of(at.cell)
    is_endless = any(number is not None and abs(number) > FARTHEST for number in at.cell.numbers)
    if is_endless or (orientation and orientation.length_error > at.context.parameters.direction_tolerance):
        yield Hit(observed=cut(at.cell.shown), expected="two directions of length 1")


@rule(
    "GEO-IPP-FAR",
    level="value",
    severity="review",
    reads=("ImagePositionPatient",),
    reference="PS3.3 C.7.6.2.1.1",
)
def position_far(at: Place) -> Iterator[Hit]:
    r"""An image lies metres away from its patient.

    Finds: An ImagePositionPatient (0020,0032) with a number beyond ten metres; frames too. Rules about stacks
        take such an image for one without a position.
    Why: The value is damaged. Viewers place the slice nowhere or hang, and one such slice spoils the volume.
    Mend: Have the image sent again from the modality; a position cannot be guessed.
    Example: `0\0\1e308` from a converter that wrote what was not initialised.
    """
    if any(number is not None and abs(number) > FARTHEST for number in at.cell.numbers):
        yield Hit(observed=cut(at.cell.shown), expected="a place near the patient")


@rule(
    "GEO-IOP-ORTHO",
    level="value",
    severity="review",
    reads=("ImageOrientationPatient",),
    reference="PS3.3 C.7.6.2.1.1",
)
def orientation_orthogonal(at: Place) -> Iterator[Hit]:
    r"""Rows and columns are not at a right angle.

    Finds: An ImageOrientationPatient (0020,0037) whose row and column directions are not orthogonal, by more
        than the profile's `direction_tolerance` (as a cosine); frames too.
    Why: Nobody can tell where the slice lies. Viewers refuse such a series, or show it skewed.
    Mend: Have the sender's software corrected; send the series again from the modality.
    Example: `1\0\0\0.1\0.995\0`, turned in one direction only.
    """
    orientation = orientation_of(at.cell)
    if orientation and abs(orientation.skew) > at.context.parameters.direction_tolerance:
        yield Hit(observed=cut(at.cell.shown), expected="directions at a right angle")


@rule(
    "GEO-SPACING-ZERO",
    level="value",
    severity="review",
    reads=SPACINGS,
    reference="PS3.3 10.7",
)
def spacing_zero(at: Place) -> Iterator[Hit]:
    r"""A spacing is zero or less.

    Finds: Zero or a negative number in PixelSpacing, ImagerPixelSpacing and NominalScannedPixelSpacing, in
        items of sequences too, and in SpacingBetweenSlices of a functional group. In the data set itself that
        may be zero for a single slice; of negative ones there GEO-SPACING-SIGN tells.
    Why: Every distance measured is zero, or viewers divide by it and show nothing.
    Mend: Have the sender write the real value; an unknown spacing is left out.
    Example: PixelSpacing `0\0` from a converter of pictures.
    """
    if at.entry is None or (at.entry.keyword == "SpacingBetweenSlices" and at.depth == 0):
        return
    if any(number is not None and number <= 0 for number in at.cell.numbers):
        yield Hit(observed=cut(at.cell.shown), expected="more than zero")


_NUCLEAR_MEDICINE: Final = "1.2.840.10008.5.1.4.1.1.20"


@rule(
    "GEO-SPACING-SIGN",
    level="instance",
    severity="review",
    reads=("SpacingBetweenSlices", "SOPClassUID"),
    when=lambda at: at.has("SpacingBetweenSlices"),
    reference="PS3.3 C.8.3.1",
)
def spacing_negative(at: Values) -> Iterator[Hit]:
    """The spacing between slices is negative where its sign has no meaning.

    Finds: A SpacingBetweenSlices (0018,0088) below zero in the data set itself. In nuclear medicine the sign
        tells the direction in which the slices are counted. In functional groups it is a matter of
        GEO-SPACING-ZERO.
    Why: Programs that go by it stack the slices in reverse, mirror the volume, or stop.
    Mend: Have the sender write the distance without a sign; the order of slices is in their positions.
    Example: `-5` in an MR series that was acquired from head to feet.
    """
    number = (*at["SpacingBetweenSlices"].numbers, None)[0]
    if number is not None and number < 0 and at["SOPClassUID"].text != _NUCLEAR_MEDICINE:
        yield Hit(
            tags=("SpacingBetweenSlices",),
            observed=cut(at["SpacingBetweenSlices"].shown),
            expected="zero or more",
        )


_AXES: Final = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "H": (2, 1), "F": (2, -1)}
"""What the letters stand for: the axis of the patient's coordinate system, and which way."""

_MAIN: Final = 0.25  # the largest of three direction cosines is at least 0.577
_FURTHER: Final = -0.1


@rule(
    "GEO-PATORIENT",
    level="instance",
    severity="review",
    reads=("PatientOrientation", "ImageOrientationPatient", "AnatomicalOrientationType"),
    when=lambda at: at.has("PatientOrientation"),
    reference="PS3.3 C.7.6.1.1.1",
)
def patient_orientation(at: Values) -> Iterator[Hit]:
    r"""PatientOrientation contradicts itself or the direction cosines.

    Finds: A PatientOrientation (0020,0020) with a letter that stands twice, or with its opposite, in one
        value; rows and columns that run along the same axis of the body; letters against which
        ImageOrientationPatient (0020,0037) runs. Animals, whose directions have other names, are left alone.
    Why: Viewers write these letters at the edges of the image: left and right may be confused.
    Mend: Look at the image. Where direction cosines are there, they are what the modality measured: have the
        letters corrected.
    Example: `L\H` of an axial slice, after a coronal reformat was copied from it.
    """
    if at["AnatomicalOrientationType"].text.upper() == "QUADRUPED":
        return
    values = [str(value).strip().upper() for value in at["PatientOrientation"].values if value]
    if len(values) != 2 or not all(set(value) <= _AXES.keys() for value in values):
        return  # other letters: GEO-PATORIENT-TERM and VAL-CS; other numbers of values: VAL-VM
    observed = cut(at["PatientOrientation"].shown)
    tags = ("PatientOrientation",)
    if any(len({_AXES[letter][0] for letter in value}) < len(value) for value in values):
        yield Hit(tags=tags, observed=observed, expected="each axis of the body once in a value")
    elif _AXES[values[0][0]][0] == _AXES[values[1][0]][0]:
        yield Hit(tags=tags, observed=observed, expected="rows and columns along different axes")
    else:
        orientation = orientation_of(at["ImageOrientationPatient"])
        if orientation and not _agree(values, orientation):
            yield Hit(
                tags=(*tags, "ImageOrientationPatient"),
                observed=observed,
                expected="\\".join(map(_letters, orientation)),
            )


def _agree(values: list[str], orientation: Orientation) -> bool:
    for value, direction in zip(values, orientation, strict=True):
        for place, letter in enumerate(value):
            axis, sign = _AXES[letter]
            if direction[axis] * sign < (_FURTHER if place else _MAIN):
                return False
    return True


def _letters(direction: Vector) -> str:
    """A direction in letters, the main one first."""
    letters = sorted(_AXES, key=lambda letter: -direction[_AXES[letter][0]] * _AXES[letter][1])
    return "".join(letter for letter in letters if direction[_AXES[letter][0]] * _AXES[letter][1] > _MAIN)


@rule(
    "GEO-CALIBRATION",
    level="instance",
    severity="note",
    reads=("PixelSpacing", "ImagerPixelSpacing", "PixelSpacingCalibrationType"),
    requires=("PixelSpacing", "ImagerPixelSpacing"),
    when=lambda at: at.has("PixelSpacing") and at.has("ImagerPixelSpacing"),
    reference="PS3.3 10.7",
)
def calibration(at: Values) -> Iterator[Hit]:
    r"""A projection is calibrated, but not how.

    Finds: A PixelSpacing (0028,0030) that differs from ImagerPixelSpacing (0018,1164) without a
        PixelSpacingCalibrationType (0028,0A02).
    Why: Nobody can tell whether measurements hold in the body, and in which depth: corrected for
        magnification, or scaled by an object of known size.
    Mend: Have the modality write PixelSpacingCalibrationType, GEOMETRY or FIDUCIAL.
    Example: PixelSpacing `0.1\0.1` and ImagerPixelSpacing `0.143\0.143`.
    """
    spacing, imager = at["PixelSpacing"].numbers, at["ImagerPixelSpacing"].numbers
    if at.has("PixelSpacingCalibrationType") or len(spacing) != 2 or len(imager) != 2:
        return
    ratio = at.context.parameters.pixel_spacing_ratio
    pairs = list(zip(spacing, imager, strict=True))
    if any(a is not None and b is not None and abs(a - b) > ratio * abs(b) for a, b in pairs):
        observed = f"{at['PixelSpacing'].shown}, at the detector {at['ImagerPixelSpacing'].shown}"
        yield Hit(
            tags=("PixelSpacing", "ImagerPixelSpacing"),
            observed=cut(observed),
            expected="a PixelSpacingCalibrationType",
        )
