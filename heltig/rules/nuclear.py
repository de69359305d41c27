"""Nuclear medicine and PET: do the numbers of frames and images say which one is which (PS3.3 C.8.4.8)?"""

from collections.abc import Iterator
from math import prod
from typing import Final

from heltig.dicom.cell import Cell, DataSet
from heltig.dicom.study import element
from heltig.rules.acquisition import value
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.uptake import PET_IMAGE
from heltig.rules.views import SeriesView, Values
from heltig.rules.wording import cut, listed
from heltig.standard.dictionary import keyword_of, tag_of

NM_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.20"

COUNTED: Final = {
    "EnergyWindowVector": "NumberOfEnergyWindows",
    "DetectorVector": "NumberOfDetectors",
    "PhaseVector": "NumberOfPhases",
    "RotationVector": "NumberOfRotations",
    "RRIntervalVector": "NumberOfRRIntervals",
    "TimeSlotVector": "NumberOfTimeSlots",
    "SliceVector": "NumberOfSlices",
}
"""Each vector with the attribute that says how far it counts (PS3.3 C.8.4.8.1.2 and following)."""

_COUNTED_IN_ITEMS: Final = {
    "AngularViewVector": ("RotationInformationSequence", "NumberOfFramesInRotation"),
    "TimeSliceVector": ("PhaseInformationSequence", "NumberOfFramesInPhase"),
}
"""Vectors that count anew in each rotation or phase: the sequence, and the attribute of its items."""

_NAMED: Final = 4
"""Numbers beyond the count that are named one by one."""

VECTORS: Final = (*COUNTED, *_COUNTED_IN_ITEMS)

_BY_PLACE: Final = ("EnergyWindowVector", "DetectorVector")
_GATED: Final = ("RRIntervalVector", "TimeSlotVector")
POINTED_TO: Final = {
    "STATIC": _BY_PLACE,
    "WHOLE BODY": _BY_PLACE,
    "DYNAMIC": (*_BY_PLACE, "PhaseVector", "TimeSliceVector"),
    "GATED": (*_BY_PLACE, *_GATED),
    "TOMO": (*_BY_PLACE, "RotationVector", "AngularViewVector"),
    "GATED TOMO": (*_BY_PLACE, "RotationVector", *_GATED, "AngularViewVector"),
    "RECON TOMO": ("SliceVector",),
    "RECON GATED TOMO": (*_GATED, "SliceVector"),
}
"""What FrameIncrementPointer names, by value 3 of ImageType (PS3.3 table C.8-8)."""

_DESCRIBED: Final = {
    "EnergyWindowInformationSequence": "NumberOfEnergyWindows",
    "PhaseInformationSequence": "NumberOfPhases",
    "RotationInformationSequence": "NumberOfRotations",
}
"""Sequences with an item for each window, phase or rotation (PS3.3 C.8.4.10, C.8.4.14, C.8.4.12)."""

_PLACES: Final = {
    "STATIC": ("NumberOfSlices",),
    "WHOLE BODY": ("NumberOfSlices",),
    "DYNAMIC": ("NumberOfTimeSlices", "NumberOfSlices"),
    "GATED": ("NumberOfRRIntervals", "NumberOfTimeSlots", "NumberOfSlices"),
}
"""What the images of a PET series are numbered along, by value 1 of SeriesType (PS3.3 C.8.9.4.1.9)."""

_DIMENSIONS: Final = ("NumberOfRRIntervals", "NumberOfTimeSlots", "NumberOfTimeSlices", "NumberOfSlices")


def is_nm(at: Values) -> bool:
    """It is an image of nuclear medicine."""
    return at["SOPClassUID"].text == NM_IMAGE


@rule("PIX-NM-VECTOR", level="instance", severity="review", reference="PS3.3 C.8.4.8.1",
    when=lambda at: is_nm(at) and any(at.has(vector) for vector in VECTORS),
    reads=("SOPClassUID", "NumberOfFrames", "FrameIncrementPointer", *VECTORS, *COUNTED.values(),
           *[sequence for sequence, _ in _COUNTED_IN_ITEMS.values()]))  # fmt: skip
def vector(at: Values) -> Iterator[Hit]:
    """A vector of a nuclear medicine image does not fit its frames.

    Finds: EnergyWindowVector, DetectorVector, PhaseVector, RotationVector, RRIntervalVector, TimeSlotVector,
        SliceVector, AngularViewVector and TimeSliceVector with numbers below 1 or above what there is by
        NumberOfDetectors, NumberOfPhases and so on; and those that FrameIncrementPointer does not name, with
        more or fewer values than NumberOfFrames (of those that it names, PIX-FRAME-POINTER tells).
    Why: The vectors alone say which detector, energy window, angle, phase or slice a frame is of. A program
        that goes by them reads past the end, or puts frames of one kind among those of another.
    Mend: Have the object written again by the system that made it: where frames were cut out, the vectors and
        the counts have to follow. Nothing else tells which frame is which.
    Example: The posterior view cut out of a whole body scan: DetectorVector has 2, NumberOfDetectors says 1.
    """
    pointed = at["FrameIncrementPointer"].values
    frames = integer(at["NumberOfFrames"])
    for name in VECTORS:
        cell = at[name]
        if cell.empty or cell.bulk:
            continue
        if frames is not None and len(cell.values) != frames and tag_of(name) not in pointed:
            yield Hit(
                tags=(name, "NumberOfFrames"),
                observed=cut(f"{len(cell.values)} values for {frames} frames"),
                expected="a value for each frame",
            )
        counted, most = _most(at, name)
        beyond = sorted({n for n in cell.numbers if n is not None and not 1 <= n <= (most or n)})
        if beyond:
            yield Hit(
                tags=(name, counted),
                observed=_beyond(beyond, most),
                expected=cut(f"1 to {most}" if most else "1 or more"),
            )


def _most(at: Values, name: str) -> tuple[str, int | None]:
    """The attribute that says how far a vector counts, and its number; None where nothing usable is said."""
    if name in COUNTED:
        counted = COUNTED[name]
        most = integer(at[counted])
    else:
        sequence, counted = _COUNTED_IN_ITEMS[name]
        most = max((number for number in _in_items(at[sequence], counted) if number), default=None)
    return counted, most if most and most > 0 else None


def _in_items(cell: Cell, keyword: str) -> Iterator[int | None]:
    for item in cell.items:
        yield integer(element(DataSet(item.tags, item.raws, item.encoding), tag_of(keyword)))


def _beyond(numbers: list[float], most: int | None) -> str:
    more = [f"{len(numbers) - _NAMED} more"] if len(numbers) > _NAMED else []
    named = ", ".join([*(f"{number:.15g}" for number in numbers[:_NAMED]), *more])
    return cut(f"{named}, where there {'is' if most == 1 else 'are'} {most}" if most else named)


@rule("PIX-NM-POINTER", level="instance", severity="review", reference="PS3.3 C.8.4.8.1.1",
    when=lambda at: is_nm(at) and at.has("FrameIncrementPointer") and kind_of(at) in POINTED_TO,
    reads=("SOPClassUID", "ImageType", "FrameIncrementPointer"))  # fmt: skip
def pointer(at: Values) -> Iterator[Hit]:
    """A nuclear medicine image does not say how its frames are ordered.

    Finds: FrameIncrementPointer (0028,0009) without a vector that images of this kind have, by value 3 of
        ImageType (0008,0008): TOMO without AngularViewVector, for instance. Another order of the vectors, or
        more of them, is no finding: each frame is still numbered.
    Why: Viewers and programs for processing sort the frames by these vectors. Without them a tomogram cannot
        be reconstructed, and anterior and posterior views are mixed up.
    Mend: Have the sender write the vectors of the kind of image that it is, or the right ImageType. The
        vectors tell nothing that could be guessed from the pixels.
    Example: A reconstructed tomogram of which ImageType still says TOMO.
    """
    kind, pointed = kind_of(at), at["FrameIncrementPointer"].values
    lacking = [name for name in POINTED_TO[kind] if tag_of(name) not in pointed]
    if lacking:
        there = [keyword_of(value) or value for value in pointed[:10] if isinstance(value, str)]
        yield Hit(
            tags=("FrameIncrementPointer", "ImageType"),
            observed=cut(f"{kind}, ordered by {listed(there, 100)}", 160),
            expected=cut(f"{', '.join(POINTED_TO[kind])}", 160),
        )


def kind_of(at: Values) -> str:
    """Value 3 of ImageType."""
    values = at["ImageType"].values
    return str(values[2]).strip() if len(values) > 2 else ""


@rule("PIX-NM-COUNT", level="instance", severity="note", reference="PS3.3 C.8.4.10",
    when=lambda at: is_nm(at) and any(at[sequence].items for sequence in _DESCRIBED),
    reads=("SOPClassUID", *_DESCRIBED, *_DESCRIBED.values()))  # fmt: skip
def described(at: Values) -> Iterator[Hit]:
    """A nuclear medicine image describes more or fewer windows, phases or rotations than it has.

    Finds: EnergyWindowInformationSequence (0054,0012), PhaseInformationSequence (0054,0032) and
        RotationInformationSequence (0054,0052) whose items are not as many as NumberOfEnergyWindows,
        NumberOfPhases and NumberOfRotations say. An empty sequence is allowed, and is no finding.
    Why: The first item describes the frames that are numbered 1, the second those numbered 2: of some nobody
        knows the energy, duration or angle, or the descriptions belong to others.
    Mend: Nothing needs to be done before the study is moved, unless frames were cut out: then have the object
        written again by the system that made it.
    Example: Two energy windows of which one was taken out, with the descriptions of both.
    """
    for sequence, counted in _DESCRIBED.items():
        there, said = len(at[sequence].items), integer(at[counted])
        if there and said is not None and said != there:
            yield Hit(
                tags=(sequence, counted),
                observed=cut(f"{there} described, where there {'is' if said == 1 else 'are'} {said}"),
                expected="an item for each",
            )


@rule("PIX-PET-INDEX", level="instance", severity="note", reference="PS3.3 C.8.9.4.1.9",
    when=lambda at: (
        at["SOPClassUID"].text == PET_IMAGE and at.has("ImageIndex") and at["SeriesType"].text in _PLACES
    ),
    reads=("SOPClassUID", "ImageIndex", "SeriesType", *_DIMENSIONS))  # fmt: skip
def pet_index(at: Values) -> Iterator[Hit]:
    """A PET image has a number beyond those of its series.

    Finds: ImageIndex (0054,1330) below 1, or above the product of the dimensions of the series by SeriesType
        (0054,1000): NumberOfSlices (0054,0081), times NumberOfTimeSlices (0054,0101) of dynamic series, times
        NumberOfRRIntervals (0054,0061) and NumberOfTimeSlots (0054,0071) of gated ones.
    Why: Programs for processing find slice and time of an image by its index: with a wrong one it stands
        among those of another time, or outside the memory that was set aside.
    Mend: Look whether series were joined or cut: numbers and index have to follow. Position and time of each
        image still tell where it belongs.
    Example: Two bed positions joined into one series, with the NumberOfSlices of the first.
    """
    index, names = integer(at["ImageIndex"]), _PLACES[at["SeriesType"].text]
    numbers = [integer(at[name]) for name in names]
    places = 1
    for number in numbers:
        places *= number if number and number > 0 else 0
    if index is not None and (index < 1 or index > places > 0):
        yield Hit(
            tags=("ImageIndex", *names),
            observed=cut(f"{index}, where there are {places}" if places else str(index)),
            expected=cut(f"1 to {places}" if places else "1 or more"),
        )


def _is_counted(series: SeriesView) -> bool:
    """A PET series of images that says how many there are."""
    types = series.first("SeriesType")
    return (
        series.has_uid
        and series.first("SOPClassUID").text == PET_IMAGE
        and types.text in _PLACES
        and value(types, 2) == "IMAGE"
    )


@rule("PIX-PET-COUNT", level="series", severity="review", reference="PS3.3 C.8.9.4.1.9",
    needs=("metadata", "complete_study"), when=_is_counted,
    reads=("SeriesType", "ImageIndex", *_DIMENSIONS))  # fmt: skip
def pet_count(series: SeriesView) -> Iterator[Hit]:
    """A PET series has fewer images than it says.

    Finds: Series of images, no projections, with fewer instances than the product of their dimensions by
        SeriesType (0054,1000): NumberOfSlices (0054,0081), times NumberOfTimeSlices (0054,0101) of dynamic
        series, times NumberOfRRIntervals (0054,0061) and NumberOfTimeSlots (0054,0071) of gated ones. Series
        in which these differ are a matter of SER-DETAIL-CONFLICT, images with a number beyond of
        PIX-PET-INDEX.
    Why: Slices at the ends of the body, or a time, are missing, and positions alone do not show it: uptake in
        a lesion there is not seen, and curves over time break off.
    Mend: Compare with the scanner's own list of the series and send it again. Where images were left out on
        purpose, a waiver can accept it.
    Example: A transfer of 324 slices that was broken off after 300.
    """
    names = _PLACES[series.first("SeriesType").text]
    numbers = [integer(series.first(name)) or 0 for name in names]
    there, said = len(set(filter(None, series.texts("SOPInstanceUID")))), prod(numbers)
    if all(map(series.uniform, names)) and min(numbers) > 0 and there < said:
        yield Hit(tags=names, observed=cut(f"{there} of {said} images"), expected=cut(str(said)))


@rule("PIX-PET-INDEX-TWICE", level="series", severity="note", reference="PS3.3 C.8.9.4.1.9",
    when=_is_counted, reads=("ImageIndex",))  # fmt: skip
def pet_index_twice(series: SeriesView) -> Iterator[Hit]:
    """Two PET images of a series have one number.

    Finds: ImageIndex (0054,1330) that several images of one series have, under SOPInstanceUIDs of their own.
    Why: Programs for processing find slice and time of an image by its index: of two, one is lost.
    Mend: Look whether series were joined, or an image was made twice. Position and time of each image still
        tell where it belongs.
    Example: Two bed positions joined into one series, each numbered from 1 on.
    """
    uids = series.texts("SOPInstanceUID")
    rows: dict[str, dict[str, int]] = {}
    for row, uid, index in zip(series.rows, uids, series.texts("ImageIndex"), strict=True):
        if index and uid:
            rows.setdefault(index, {}).setdefault(uid, row)
    twice = {index: of_uid for index, of_uid in rows.items() if len(of_uid) > 1}
    if twice:
        more = f", and {len(twice) - 1} other number{'s' * (len(twice) > 2)}" if len(twice) > 1 else ""
        index, of_uid = next(iter(twice.items()))
        yield Hit(
            tags=("ImageIndex",),
            observed=cut(f"{len(of_uid)} images have number {index}{more}"),
            expected="an index of its own for each image",
            rows=sorted(row for of_uid in twice.values() for row in of_uid.values()),
        )
