"""From DICOM objects to volumes.

    found = survey(paths)
    for series in found.series:
        for stack in series.stacks:
            volume = read_volume(stack)

`survey` reads headers only: which volumes there are, and why other images make none. `read_volume` reads the
pixels of one of them.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from heltig.dicom.cell import Cell
from heltig.imaging.objects import Source, Study, read_objects
from heltig.imaging.pixels import PixelForm, PixelReader
from heltig.imaging.planes import LeftOut, Planes
from heltig.imaging.refusal import Refused
from heltig.imaging.rescale import Rescale, padding_of, rescales_of
from heltig.imaging.stacking import SliceStack, stacks_of
from heltig.imaging.technique import technique_of
from heltig.imaging.volume import HOUNSFIELD, NO_UNIT, Slice, Technique, Volume, Voxels

MOST_VOXELS: Final = 1 << 30
"""A volume of so many voxels takes 2 GiB, or 4 GiB where its values are not whole."""


class Series(NamedTuple):
    """One series, by its headers.

    Attributes:
        study_instance_uid: Empty where its images have none.
        series_instance_uid: Empty where its images have none.
        technique: How its images were made; None where it has none.
        images: How many image planes it has: images, and frames of images.
        stacks: Each can be read as a volume.
        refused: Why other images, or all of them, make no volume.
        left_out: What is no image of slices.
    """

    study_instance_uid: str
    series_instance_uid: str
    technique: Technique | None
    images: int
    stacks: Sequence[SliceStack]
    refused: Sequence[Refused]
    left_out: Sequence[LeftOut]


class Survey(NamedTuple):
    """What there is in some DICOM objects.

    Attributes:
        series: In the order of study and series UIDs, whatever the order of the objects.
        unreadable: What is no DICOM object.
        studies: The headers of all others, in the order of their UIDs.
    """

    series: Sequence[Series]
    unreadable: Sequence[LeftOut]
    studies: Sequence[Study]


def survey(sources: Iterable[Source]) -> Survey:
    """Find the volumes among DICOM objects, by their headers; of copies, pixel data are compared as well.

    Args:
        sources: Files, or their contents; of any series, in any order.

    Raises:
        OSError: A file cannot be read.
    """
    objects = read_objects(sources)
    found = []
    for study in objects.studies:
        for rows in study.table.series:
            planes = Planes(study, rows)
            stacks = stacks_of(planes)
            technique = technique_of(planes, range(len(planes))) if len(planes) else None
            found.append(
                Series(
                    study.table.uid or "",
                    rows.uid or "",
                    technique=technique,
                    images=len(planes),
                    stacks=stacks.stacks,
                    refused=stacks.refused,
                    left_out=planes.left_out,
                )
            )
    unreadable = [LeftOut(number, "NOT_DICOM") for number in objects.unreadable]
    return Survey(found, unreadable, objects.studies)


def read_only_volume(sources: Iterable[Source]) -> Volume:
    """Read the one volume that there is in some DICOM objects.

    Raises:
        Refused: There is none, or more than one.
        OSError: A file cannot be read.
    """
    series = [found for found in survey(sources).series if found.stacks or found.refused]
    stacks = [stack for found in series for stack in found.stacks]
    refused = [reason for found in series for reason in found.refused]
    if not refused and len(stacks) == 1:
        return read_volume(stacks[0])
    if stacks:
        raise Refused("SEVERAL_VOLUMES", f"{len(stacks)} volumes, {len(refused)} refused")
    raise next((reason for reason in refused if reason.code != "NO_IMAGES"), Refused("NO_IMAGES"))


def read_volume(stack: SliceStack, *, most_voxels: int = MOST_VOXELS) -> Volume:
    """Read the voxels of a stack.

    Args:
        stack: From `survey`.
        most_voxels: A larger volume is refused.

    Raises:
        Refused: Pixel data are missing, short, of the wrong kind or cannot be decompressed.
        OSError: A file cannot be read.
    """
    planes, order = stack.planes, stack.order
    columns, rows, count = stack.shape
    if columns * rows * count > most_voxels:
        raise Refused("TOO_LARGE", f"{columns} × {rows} × {count} voxels")
    rescales = rescales_of(planes, order)
    technique = stack.technique
    filling = _Filling(stack, rescales)
    for k in range(count):
        filling.fill(k)
    voxels = filling.voxels
    return Volume(
        voxels=voxels.transpose(2, 1, 0),
        affine=stack.affine,
        slices=tuple(_slices(planes, order)),
        technique=technique,
        study_instance_uid=planes.study.table.uid or "",
        series_instance_uid=planes.texts("SeriesInstanceUID")[order[0]],
        frame_of_reference_uid=planes.texts("FrameOfReferenceUID")[order[0]] or None,
        unit=_unit(technique, rescales, voxels),
        tilted=stack.tilted,
        padding=None if filling.padding is None else filling.padding.transpose(2, 1, 0),
    )


class _Filling:
    """Voxels by slice, row and column, as they are filled: as int16 while all values fit, else as float32."""

    def __init__(self, stack: SliceStack, rescales: Sequence[Rescale]) -> None:
        columns, rows, count = stack.shape
        self._stack = stack
        self._rescales = rescales
        self._reader = PixelReader()
        self._forms = _forms(stack.planes)
        self._scratch = np.empty((rows, columns), np.int16)
        self._pads = _pads(stack.planes, self._forms)
        whole = all(rescale.is_whole for rescale in rescales)
        shape = (count, rows, columns)
        self.voxels: Voxels = np.empty(shape, np.int16) if whole else np.empty(shape, np.float32)
        self.padding: NDArray[np.bool_] | None = None

    def fill(self, k: int) -> None:
        """Read slice k."""
        plane = self._stack.order[k]
        form, rescale, pads = self._forms[plane], self._rescales[k], self._pads[plane]
        form.check()
        is_int16 = self.voxels.dtype == np.int16
        out = cast(NDArray[np.int16], self.voxels[k]) if is_int16 else self._scratch
        frame = max(1, self._stack.planes.frames[plane].number)
        stored = self._reader.stored_values(self._stack.planes.object(plane), form, frame, out)
        if pads is not None:
            self._mark(k, (stored >= pads[0]) & (stored <= pads[1]))
        if is_int16 and rescale.fits(stored):
            rescale.into_int16(stored, out)
            return
        if is_int16:
            stored = stored.copy()
            self.voxels = self.voxels.astype(np.float32)
        rescale.into_float32(stored, cast(NDArray[np.float32], self.voxels[k]))

    def _mark(self, k: int, mask: NDArray[np.bool_]) -> None:
        if self.padding is None and mask.any():
            self.padding = np.zeros(self.voxels.shape, np.bool_)
        if self.padding is not None:
            self.padding[k] = mask


def _slices(planes: Planes, order: Sequence[int]) -> Iterable[Slice]:
    instances, classes = planes.texts("SOPInstanceUID"), planes.texts("SOPClassUID")
    for plane in order:
        position = planes.positions[plane] or (0.0, 0.0, 0.0)  # a stack has positions
        yield Slice(instances[plane], classes[plane], position, max(1, planes.frames[plane].number))


def _unit(technique: Technique, rescales: Sequence[Rescale], voxels: NDArray[np.generic]) -> str:
    """Hounsfield units: CT whose Rescale Type says so, or says nothing (PS3.3 C.8.2.1.1.2).

    Without an intercept CT is taken for scaled when it has negative values.
    """
    if technique.modality != "CT" or (technique.rescale_type or "HU").upper() != "HU":
        return NO_UNIT
    if all(rescale.given for rescale in rescales):
        return HOUNSFIELD
    return HOUNSFIELD if voxels.min() < 0 else NO_UNIT


def _forms(planes: Planes) -> list[PixelForm]:
    """How the pixels of each plane are stored."""
    columns = [
        planes.cells(keyword)
        for keyword in (
            "TransferSyntaxUID",
            "BitsAllocated",
            "BitsStored",
            "HighBit",
            "PixelRepresentation",
            "SamplesPerPixel",
            "PhotometricInterpretation",
            "NumberOfFrames",
        )
    ]
    return [_form(size, *cells) for size, *cells in zip(planes.sizes, *columns, strict=True)]


def _form(
    size: tuple[int, int],
    syntax: Cell,
    allocated: Cell,
    stored: Cell,
    high: Cell,
    representation: Cell,
    samples: Cell,
    photometric: Cell,
    frames: Cell,
) -> PixelForm:
    bits = _whole(stored, _whole(allocated, 0))
    return PixelForm(
        transfer_syntax=syntax.text,
        rows=size[0],
        columns=size[1],
        allocated=_whole(allocated, 0),
        stored=bits,
        high=_whole(high, bits - 1),
        signed=_whole(representation, 0) == 1,
        samples=_whole(samples, 1),
        photometric=photometric.text,
        frames=max(1, _whole(frames, 1)),
    )


def _whole(cell: Cell, otherwise: int) -> int:
    number = (*cell.numbers, None)[0]
    return otherwise if number is None else int(number)


def _pads(planes: Planes, forms: Sequence[PixelForm]) -> list[tuple[int, int] | None]:
    """The stored values of each plane that mean padding."""
    values, limits = planes.cells("PixelPaddingValue"), planes.cells("PixelPaddingRangeLimit")
    return [padding_of(*cells) for cells in zip(values, limits, forms, strict=True)]
