"""Nuclear medicine: has each frame a place of its own, and each place a frame (PS3.3 C.8.4.8.1)?"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from heltig.rules.nuclear import COUNTED, POINTED_TO, VECTORS, is_nm, kind_of
from heltig.rules.pixel_facts import integer
from heltig.rules.rule import Hit, rule
from heltig.rules.views import Values
from heltig.rules.wording import cut
from heltig.standard.dictionary import tag_of

_ONE_BY_ONE: Final = POINTED_TO.keys() - {"STATIC", "WHOLE BODY"}
"""Kinds of images in which the vectors number each frame: static ones may have views of one detector."""

_FILLED: Final = ("SliceVector", "TimeSlotVector", "RRIntervalVector", "PhaseVector", "RotationVector")
"""Vectors that have every number: detectors and energy windows may be left out."""

_STACKED: Final = frozenset({"RECON TOMO", "RECON GATED TOMO"})

_MOST: Final = 65_535
"""A count is a US, in JSON too."""

_VECTOR_OF: Final = {tag_of(name): name for name in VECTORS}


def _is_numbered(at: Values) -> bool:
    """A nuclear medicine image of several frames with the vectors of its kind."""
    if not is_nm(at) or (integer(at["NumberOfFrames"]) or 0) < 2 or kind_of(at) not in _ONE_BY_ONE:
        return False
    pointed = set(at["FrameIncrementPointer"].values)
    return all(tag_of(name) in pointed for name in POINTED_TO[kind_of(at)])


@rule("PIX-NM-FRAMES", level="instance", severity="review", when=_is_numbered,
    reads=("SOPClassUID", "ImageType", "NumberOfFrames", "FrameIncrementPointer", *VECTORS,
           *(COUNTED[name] for name in _FILLED)), reference="PS3.3 C.8.4.8.1")  # fmt: skip
def frames(at: Values) -> Iterator[Hit]:
    """Two frames of a nuclear medicine image have one place, or a place has no frame.

    Finds: Dynamic, gated and tomographic images, reconstructed ones too, in which two frames have the same
        number in each vector that FrameIncrementPointer (0028,0009) names. Where none do, numbers that no
        frame has, from 1 to NumberOfSlices (0054,0081), NumberOfTimeSlots (0054,0071), NumberOfRRIntervals
        (0054,0061), NumberOfPhases (0054,0031) or NumberOfRotations (0054,0051). Static and whole body images
        are left alone, which may have several views of one detector. Numbers beyond are a matter of
        PIX-NM-VECTOR, vectors that are not named one of PIX-NM-POINTER, and those with more or fewer values
        than frames one of PIX-FRAME-POINTER.
    Why: The vectors alone say which slice, angle or time a frame is of. Of two frames with one place one is
        shown; where a place has none, part of the heart is missing, or a slice is empty.
    Mend: Have the object written again by the system that made it: where frames were taken out, vectors and
        counts have to follow. Nothing else tells which frame is which.
    Example: A SliceVector that ends in 7, 7 where it should end in 7, 8.
    """
    vectors = [name for tag in at["FrameIncrementPointer"].values if (name := _VECTOR_OF.get(str(tag)))]
    count = integer(at["NumberOfFrames"])
    if any(at[name].bulk or len(at[name].values) != count or None in at[name].numbers for name in vectors):
        return
    places = Counter(zip(*(at[name].numbers for name in vectors), strict=True))
    twice = [(place, number) for place, number in places.items() if number > 1]
    if twice:
        place, number = twice[0]
        named = ", ".join(f"{name} {index:g}" for name, index in zip(vectors, place, strict=True))
        more = f", and {len(twice) - 1} more" if len(twice) > 1 else ""
        yield Hit(
            tags=tuple(vectors),
            observed=cut(f"{number} frames have {named}{more}", 160),
            expected="a place of its own for each frame",
        )
        return
    for name in vectors:
        yield from _lacking(at, name)


def _lacking(at: Values, name: str) -> Iterator[Hit]:
    """The numbers that no frame has."""
    most = integer(at[COUNTED[name]]) if name in _FILLED else None
    if most is None or most > _MOST:
        return
    there = set(at[name].numbers)
    lacking = [number for number in range(1, most + 1) if number not in there]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        yield Hit(
            tags=(name, COUNTED[name]),
            observed=f"no frame has number {lacking[0]}{more}, of {most}",
            expected=f"frames for each number from 1 to {most}",
        )


@rule("PIX-NM-SPACING", level="instance", severity="review", reference="PS3.3 C.8.4.15",
    when=lambda at: is_nm(at) and kind_of(at) in _STACKED and (integer(at["NumberOfSlices"]) or 0) > 1,
    reads=("SOPClassUID", "ImageType", "NumberOfSlices", "SpacingBetweenSlices"))  # fmt: skip
def spacing(at: Values) -> Iterator[Hit]:
    """The slices of a reconstructed tomogram all lie at one place.

    Finds: Reconstructed images of nuclear medicine with several slices and a SpacingBetweenSlices (0018,0088)
        of zero. An empty one says that it is not known; the sign tells the direction of counting.
    Why: The distance is the only thing that says where slices after the first one lie: programs put all of
        them on one place, divide by zero, or stop.
    Mend: Have the object written again with the distance of its slices.
    Example: A converter that copied the spacing of a single slice.
    """
    if 0.0 in at["SpacingBetweenSlices"].numbers:
        yield Hit(tags=("SpacingBetweenSlices",), observed="0", expected="the distance of two slices")
