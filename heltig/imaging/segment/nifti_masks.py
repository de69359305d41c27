"""Masks in NIfTI files as labels or as single structures, read with care: they come from anywhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from heltig.imaging.reading import MOST_VOXELS
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.layers import Patch, cropped
from heltig.imaging.segment.recording import Recording

SUFFIXES: Final = (".nii.gz", ".nii")

_MOST_LABEL: Final = int(np.iinfo(np.uint16).max)


def labels_of(path: Path, recording: Recording, *, structure: str = "") -> NDArray[np.uint8 | np.uint16]:
    """The labels of a file, on the grid of the volume.

    Args:
        path: The file.
        recording: Of the volume.
        structure: The key of the only structure that the file is of, if it is.

    Raises:
        Refused: The file cannot be read, holds other than labels, or lies elsewhere.
    """
    values, affine = _read(path)
    if not np.issubdtype(values.dtype, np.integer):
        whole = np.rint(values)
        if not np.array_equal(values, whole):  # not equal where there is NaN either
            raise Refused("MASKS_VALUES", "values that are not whole")
        values = whole
    if values.dtype != np.uint8 and values.size and (values.min() < 0 or values.max() > _MOST_LABEL):
        raise Refused("MASKS_VALUES", f"from {values.min()} to {values.max()}")
    recording.read(path, structure=structure)
    if values.dtype != np.uint8:
        values = values.astype(np.uint16, copy=False)
    return recording.placed(values, affine)


def patches_by_label(labels: NDArray[np.uint8 | np.uint16]) -> dict[int, Patch]:
    """A patch for each label that there is."""
    found = {}
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            found[label] = Patch(box, labels[box] == label)
    return found


def structure_patches(path: Path, key: str, recording: Recording) -> list[Patch]:
    """Where the structure of a file is: all voxels of its only value beside 0.

    Args:
        path: The file.
        key: Of the structure.
        recording: Of the volume.

    Raises:
        Refused: As `labels_of`; or there are several values.
    """
    labels = labels_of(path, recording, structure=key)
    box = cropped(labels)
    if box is None:
        return []
    inside = labels[box]
    if not ((inside == 0) | (inside == inside.max())).all():
        raise Refused("MASKS_VALUES", "several values in the file of one structure")
    return [Patch(box, inside != 0)]


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and files of structures in a folder and in the folders in it, as `total/liver.nii.gz`."""
    for path in sorted((*folder.glob("*.nii*"), *folder.glob("*/*.nii*"))):
        suffix = next((end for end in SUFFIXES if path.name.endswith(end)), None)
        if suffix and path.is_file():
            yield path.name.removesuffix(suffix), path


def _read(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Values and affine of a file. What a reader says of a damaged file may show what is in it."""
    try:
        image: Any = nibabel.load(path)
        shape, header, affine = image.shape, image.header, np.asarray(image.affine, np.float64)
        placed = bool(header["qform_code"] > 0 or header["sform_code"] > 0)
    except Exception as problem:  # nibabel raises what it meets on the way
        raise Refused("MASKS_UNREADABLE", type(problem).__name__) from None
    if len(shape) < 3 or any(size != 1 for size in shape[3:]):
        raise Refused("MASKS_UNREADABLE", f"shape {shape}")
    if not placed:
        raise Refused("MASKS_GRID")
    if int(np.prod(shape, dtype=object)) > MOST_VOXELS:
        raise Refused("MASKS_TOO_LARGE", f"{shape} voxels")
    try:
        values = np.asanyarray(image.dataobj)
    except MemoryError:
        raise
    except Exception as problem:  # cut off, or the compression is damaged
        raise Refused("MASKS_UNREADABLE", type(problem).__name__) from None
    if not np.issubdtype(values.dtype, np.integer) and not np.issubdtype(values.dtype, np.floating):
        raise Refused("MASKS_VALUES", f"of type {values.dtype}")
    return values.reshape(shape[:3], order="F"), affine
