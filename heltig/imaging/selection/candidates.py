"""What can be chosen: the stacks of surveyed series, reduced to the facts that the policy looks at."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from heltig.imaging.metrics.phase import phase_by_metadata
from heltig.imaging.reading import Series
from heltig.imaging.refusal import Refused
from heltig.imaging.rescale import rescales_of
from heltig.imaging.stacking import SliceStack
from heltig.imaging.volume import Technique

_FRAME_TYPES: Final = ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence")


class Reason(msgspec.Struct, frozen=True, order=True):
    """Why a candidate is rejected.

    Attributes:
        code: A key of `heltig.imaging.selection.codes.REJECTIONS`.
        observed: In numbers or words of the policy; nothing that a person typed.
    """

    code: str
    observed: str = ""


class Phase(msgspec.Struct, frozen=True):
    """In which phase of contrast enhancement a series was acquired.

    Attributes:
        name: One of `heltig.imaging.metrics.phase.PHASES`.
        probability: From 0 to 1; 0 where its provider gives none.
    """

    name: str = "unknown"
    probability: float = 0.0


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One stack of a series, or a series that has none.

    Attributes:
        study_instance_uid: Study Instance UID (0020,000D).
        series_instance_uid: Series Instance UID (0020,000E).
        first_sop_instance_uid: That of the first slice; tells stacks of one series apart. Empty without one.
        technique: How its images were made.
        refused: Why it is no volume.
        image_types: All values of Image Type (0008,0008), and of Frame Type (0008,9007), of its images.
        slices: How many.
        spacing: Between columns, between rows, and between slices along their normal, in mm.
        degrees_off_axis: Between the normal of the slices and the long axis of the patient.
        tilted: The slices do not stand straight above one another.
        volumes: How many volumes of the series stand at its place.
        in_parts: The series has other stacks, or images that make none.
        hounsfield: Its values may be Hounsfield units.
        window: Window Center and Width of its first slice.
        phase: Its phase.
    """

    study_instance_uid: str
    series_instance_uid: str
    first_sop_instance_uid: str = ""
    technique: Technique = Technique(modality="")
    refused: tuple[Reason, ...] = ()
    image_types: tuple[tuple[str, ...], ...] = ()
    slices: int = 0
    spacing: tuple[float, float, float] = (0.0, 0.0, 0.0)
    degrees_off_axis: float = 0.0
    tilted: bool = False
    volumes: int = 1
    in_parts: bool = False
    hounsfield: bool = True
    window: tuple[float, float] | None = None
    phase: Phase = Phase()

    @property
    def coverage(self) -> float:
        """Millimetres along the normal; a slice stands for the space to the next."""
        return self.slices * self.spacing[2]


def candidates_of(series: Series) -> Iterator[tuple[Candidate, SliceStack | None]]:
    """The stacks of a series as candidates; one without a stack for what makes no volume."""
    in_parts = len(series.stacks) + len(series.refused) > 1
    for stack in series.stacks:
        yield _of_stack(series, stack, in_parts=in_parts), stack
    reasons = tuple(sorted({Reason(found.code, found.observed) for found in series.refused}))
    if {reason.code for reason in reasons} <= {"NO_IMAGES"} and not series.stacks:
        reasons = (_left_out(series),)
    if reasons:
        technique = series.technique or Technique(modality="")
        yield (
            Candidate(
                study_instance_uid=series.study_instance_uid,
                series_instance_uid=series.series_instance_uid,
                technique=technique,
                refused=reasons,
                in_parts=in_parts,
            ),
            None,
        )


def _left_out(series: Series) -> Reason:
    """What most objects of a series without images are."""
    counts = Counter(left.code for left in series.left_out)
    code = min(counts, key=lambda code: (-counts[code], code), default="NO_IMAGES")
    return Reason(code, f"{counts[code]} objects" if counts[code] else "")


def _of_stack(series: Series, stack: SliceStack, *, in_parts: bool) -> Candidate:
    technique = stack.technique
    column, row, step = stack.affine[:3, 0], stack.affine[:3, 1], stack.affine[:3, 2]
    normal = np.cross(column, row)
    normal /= np.linalg.norm(normal)
    refused, hounsfield = _values(stack, technique)
    return Candidate(
        study_instance_uid=series.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        first_sop_instance_uid=stack.planes.texts("SOPInstanceUID")[stack.order[0]],
        technique=technique,
        refused=refused,
        image_types=_image_types(stack),
        slices=stack.shape[2],
        spacing=(float(np.linalg.norm(column)), float(np.linalg.norm(row)), abs(float(step @ normal))),
        degrees_off_axis=math.degrees(math.acos(min(1.0, abs(float(normal[2]))))),
        tilted=stack.tilted,
        volumes=stack.volumes,
        in_parts=in_parts,
        hounsfield=hounsfield,
        window=_window(stack),
        phase=Phase(phase_by_metadata(technique).phase),
    )


def _values(stack: SliceStack, technique: Technique) -> tuple[tuple[Reason, ...], bool]:
    """Why values cannot be rescaled, and whether they may be Hounsfield units, by the headers alone."""
    try:
        rescales = rescales_of(stack.planes, stack.order)
    except Refused as refused:
        return (Reason(refused.code, refused.observed),), False
    if (technique.rescale_type or "HU").upper() != "HU":
        return (), False
    signs = stack.planes.cells("PixelRepresentation")
    signed = any((*signs[plane].numbers, None)[0] == 1 for plane in stack.order)
    return (), signed or all(rescale.given for rescale in rescales)


def _image_types(stack: SliceStack) -> tuple[tuple[str, ...], ...]:
    planes = stack.planes
    columns = [
        planes.cells("ImageType"),
        *(planes.cells("FrameType", sequence) for sequence in _FRAME_TYPES),
    ]
    found = {tuple(map(str, cells[plane].values)) for cells in columns for plane in stack.order}
    return tuple(sorted(found - {()}))


def _window(stack: SliceStack) -> tuple[float, float] | None:
    """The first one of the first slice."""
    plane = stack.order[0]
    cells = [
        stack.planes.cells(keyword, "FrameVOILUTSequence")[plane]
        for keyword in ("WindowCenter", "WindowWidth")
    ]
    center, width = ((*cell.numbers, None)[0] for cell in cells)
    return None if center is None or width is None else (center, width)


def all_candidates(found: Sequence[Series]) -> list[tuple[Candidate, SliceStack | None]]:
    """The candidates of all series."""
    return [one for series in found for one in candidates_of(series)]
