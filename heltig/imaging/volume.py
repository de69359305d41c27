"""Volumes: voxels with their place in the patient, and label maps on their grid.

Arrays are indexed (i, j, k): i is the column of the image, j its row, k the slice. Affines map voxel indices
to millimetres in the directions right, anterior, superior (RAS), as NIfTI has it; single positions kept
from DICOM are in its own directions left, posterior, superior (LPS). A voxel's index is that of its centre.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from heltig.dicom.geometry import Vector

Voxels: TypeAlias = NDArray[np.int16] | NDArray[np.float32]

HOUNSFIELD: Final = "[hnsf'U]"
"""The unit of CT numbers in UCUM."""

NO_UNIT: Final = "1"
"""Stands where values have no unit: MR signal, CT that is not scaled to Hounsfield units."""


class Code(NamedTuple):
    """A coded concept (PS3.3 8).

    Attributes:
        value: Code Value (0008,0100).
        scheme: Coding Scheme Designator (0008,0102).
        meaning: Code Meaning (0008,0104).
    """

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Technique:
    """How the images of one series were made. None where the series does not say it, or not with one value.

    Attributes:
        modality: Modality (0008,0060).
        manufacturer: Manufacturer (0008,0070).
        model: Manufacturer's Model Name (0008,1090).
        kernel: Convolution Kernel (0018,1210), its values joined by a backslash.
        kvp: KVP (0018,0060), in kV.
        slice_thickness: Slice Thickness (0018,0050), in mm. No distance is ever taken from it.
        body_part: Body Part Examined (0018,0015).
        series_description: Series Description (0008,103E).
        series_number: Series Number (0020,0011).
        protocol: Protocol Name (0018,1030).
        image_type: Image Type (0008,0008).
        patient_position: Patient Position (0018,5100).
        patient_size_m: Patient's Size (0010,1020) as it is written; metres by the standard.
        contrast_agent: Contrast/Bolus Agent (0018,0010), or the meaning of the first code of its sequence.
        contrast_start: Contrast/Bolus Start Time (0018,1042), as DICOM writes a time.
        acquisition_time: Acquisition Time (0008,0032), or that of Acquisition DateTime (0008,002A), of the
            slice with the smallest one.
        rescale_type: Rescale Type (0028,1054).
        scanning_sequence: Scanning Sequence (0018,0020), its values joined by a backslash.
        sequence_name: Sequence Name (0018,0024), or Pulse Sequence Name (0018,9005).
        mr_acquisition_type: MR Acquisition Type (0018,0023): 2D or 3D.
        echo_time: Echo Time (0018,0081), in ms.
        repetition_time: Repetition Time (0018,0080), in ms.
        inversion_time: Inversion Time (0018,0082), in ms.
        field_strength: Magnetic Field Strength (0018,0087), in T.
    """

    modality: str
    manufacturer: str | None = None
    model: str | None = None
    kernel: str | None = None
    kvp: float | None = None
    slice_thickness: float | None = None
    body_part: str | None = None
    series_description: str | None = None
    series_number: int | None = None
    protocol: str | None = None
    image_type: tuple[str, ...] = ()
    patient_position: str | None = None
    patient_size_m: float | None = None
    contrast_agent: str | None = None
    contrast_start: str | None = None
    acquisition_time: str | None = None
    rescale_type: str | None = None
    scanning_sequence: str | None = None
    sequence_name: str | None = None
    mr_acquisition_type: str | None = None
    echo_time: float | None = None
    repetition_time: float | None = None
    inversion_time: float | None = None
    field_strength: float | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Where the voxels of one slice come from.

    Attributes:
        sop_instance_uid: SOP Instance UID (0008,0018) of its object.
        sop_class_uid: SOP Class UID (0008,0016) of its object.
        position: Image Position (Patient) (0020,0032): the centre of its first voxel, in LPS millimetres.
        frame: The number of the frame in its object, counted from 1.
    """

    sop_instance_uid: str
    sop_class_uid: str
    position: Vector
    frame: int = 1


@dataclass(frozen=True, eq=False)
class Volume:
    """The voxels of one stack of slices.

    Attributes:
        voxels: Values by (i, j, k); k ascends along the normal of the slices. Rescaled: Hounsfield units
            for CT. int16 where every value is a whole number that fits, else float32.
        affine: 4 × 4, from (i, j, k) to RAS millimetres.
        slices: Where each k comes from.
        technique: How the series was made.
        study_instance_uid: Study Instance UID (0020,000D).
        series_instance_uid: Series Instance UID (0020,000E).
        frame_of_reference_uid: Frame of Reference UID (0020,0052).
        unit: `HOUNSFIELD` or `NO_UNIT`.
        tilted: The slices do not stand one straight above the other, as with a tilted gantry. Volumes are
            right, since the affine is sheared with them; what is measured on one slice is not.
        padding: True where a voxel has Pixel Padding Value (0028,0120) and was never reconstructed; None
            where there is no such voxel.
    """

    voxels: Voxels
    affine: NDArray[np.float64]
    slices: tuple[Slice, ...]
    technique: Technique
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str | None = None
    unit: str = HOUNSFIELD
    tilted: bool = False
    padding: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows, slices."""
        columns, rows, slices = self.voxels.shape
        return columns, rows, slices

    @cached_property
    def spacing(self) -> Vector:
        """Millimetres from voxel to voxel along i, j and k.

        In a tilted stack the last one is measured along the way the slices go, not along their normal.
        """
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @cached_property
    def voxel_volume_mm3(self) -> float:
        """Cubic millimetres; right for tilted stacks too."""
        return abs(float(np.linalg.det(self.affine[:3, :3])))


@dataclass(frozen=True, slots=True)
class Structure:
    """What a label stands for.

    Attributes:
        key: Its name in our own table, as `liver` or `kidney_left`.
        name: In words.
        category: Segmented Property Category (0062,0003).
        type: Segmented Property Type (0062,000F).
        laterality: The modifier that says which side (0062,0011).
    """

    key: str
    name: str
    category: Code
    type: Code
    laterality: Code | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """Labels on exactly the grid of a volume.

    Attributes:
        labels: uint16, of the shape of the volume; 0 is background.
        structures: What each label stands for.
    """

    labels: NDArray[np.uint16]
    structures: Mapping[int, Structure]

    def mask(self, key: str) -> NDArray[np.bool_]:
        """Where a structure is; nowhere if the map does not have it."""
        wanted = [label for label, structure in self.structures.items() if structure.key == key]
        found: Any = np.isin(self.labels, wanted) if len(wanted) != 1 else self.labels == wanted[0]
        return np.asarray(found, dtype=np.bool_)
