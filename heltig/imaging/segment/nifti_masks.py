"""Masks in NIfTI files as labels or as single structures, read with care: they come from anywhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import nibabel
import numpy as np
from isal import igzip
from nibabel.volumeutils import apply_read_scaling
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from heltig.imaging.labels import STRUCTURES
from heltig.imaging.nifti import VOLUME
from heltig.imaging.reading import MOST_VOXELS
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.grid import Part, exact_steps, meets, moved
from heltig.imaging.segment.layers import Box, Patch, cropped
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
    image = _opened(path)
    values = _whole(_all_of(image))
    recording.compare(image.shape, image.affine)
    recording.read(path, structure=structure)
    return recording.placed(values, image.affine)


def patches_by_label(labels: NDArray[np.uint8 | np.uint16]) -> dict[int, Patch]:
    """A patch for each label that there is."""
    return {label: Patch(box, labels[box] == label) for label, box in boxes(labels).items()}


def labels_in(labels: NDArray[np.uint8 | np.uint16]) -> list[int]:
    """The labels that there are, but for 0."""
    most = int(labels.max(initial=0)) + 1
    counts = np.zeros(most, np.int64)
    for k in range(labels.shape[2]):  # counting makes 64-bit numbers of what it counts
        counts += np.bincount(labels[:, :, k].ravel(order="K"), minlength=most)
    return [label for label in np.flatnonzero(counts).tolist() if label]


def boxes(labels: NDArray[Any]) -> dict[int, Box]:
    """The box about each label that there is, found in the order of memory."""
    memory = sorted(range(3), key=lambda axis: -abs(labels.strides[axis]))
    found: dict[int, Box] = {}
    for label, box in enumerate(ndimage.find_objects(labels.transpose(memory)), 1):
        if box is not None:
            x, y, z = (box[memory.index(axis)] for axis in range(3))
            found[label] = (x, y, z)
    return found


def structure_patches(path: Path, key: str, recording: Recording) -> list[Patch]:
    """Where the structure of a file is: all voxels of its only value beside 0.

    Args:
        path: The file.
        key: Of the structure.
        recording: Of the volume.

    Raises:
        Refused: As `labels_of`; or there are several values. It names a structure of the table, since there
            are many files; other names are not ours to repeat.
    """
    try:
        return _patches(path, key, recording)
    except Refused as reason:
        if key not in STRUCTURES:
            raise
        raise Refused(reason.code, ", ".join(filter(None, (key, reason.observed)))) from None


def _patches(path: Path, key: str, recording: Recording) -> list[Patch]:
    image = _opened(path)
    steps = exact_steps(image.affine, recording.volume)
    if steps is None or image.scaled:
        labels = labels_of(path, recording, structure=key)
        box = cropped(labels)
        return [] if box is None else [Patch(box, _only(labels[box]))]
    if not meets(image.shape, steps, recording.volume.shape):
        raise Refused("MASKS_ELSEWHERE")
    recording.compare(image.shape, image.affine)
    recording.read(path, structure=key)
    found = _occupied(image)
    if found is None:
        return []
    return moved(Part(found.at, _only(_whole(found.values))), steps, recording.volume.shape)


def _only(labels: NDArray[np.uint8 | np.uint16]) -> NDArray[np.bool_]:
    """Where the only structure of a file is."""
    if not ((labels == 0) | (labels == labels.max())).all():
        raise Refused("MASKS_VALUES", "several values in the file of one structure")
    return np.asarray(labels != 0)


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and files of structures in a folder and in the folders in it, as `total/liver.nii.gz`.

    Hidden files are none: some systems put one beside each file that they copy (`._liver.nii.gz`). Neither is
    the volume that stands beside the masks among the files of an analysis.
    """
    for path in sorted((*folder.glob("[!.]*.nii*"), *folder.glob("[!.]*/[!.]*.nii*"))):
        suffix = next((end for end in SUFFIXES if path.name.endswith(end)), None)
        if suffix and path.is_file() and path != folder / VOLUME:
            yield path.name.removesuffix(suffix), path


class _Image(NamedTuple):
    """A file whose values were not read yet."""

    path: Path
    proxy: Any
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @property
    def scaled(self) -> bool:
        return (self.proxy.slope, self.proxy.inter) != (1, 0)


def _opened(path: Path) -> _Image:
    """The header of a file. What a reader says of a damaged one may show what is in it."""
    try:
        image: Any = nibabel.load(path)
        shape, header, affine = image.shape, image.header, np.asarray(image.affine, np.float64)
        placed = bool(header["qform_code"] > 0 or header["sform_code"] > 0)
        kind = image.dataobj.dtype
    except Exception as problem:  # nibabel raises what it meets on the way
        raise Refused("MASKS_UNREADABLE", type(problem).__name__) from None
    if len(shape) < 3 or any(size != 1 for size in shape[3:]):
        raise Refused("MASKS_UNREADABLE", f"shape {shape}")
    if not placed:
        raise Refused("MASKS_GRID")
    if int(np.prod(shape, dtype=object)) > MOST_VOXELS:
        raise Refused("MASKS_TOO_LARGE", f"{shape} voxels")
    if not np.issubdtype(kind, np.integer) and not np.issubdtype(kind, np.floating):
        raise Refused("MASKS_VALUES", f"of type {kind}")
    return _Image(path, image.dataobj, shape[:3], affine)


def _all_of(image: _Image) -> NDArray[Any]:
    """All values of a file, scaled as it says."""
    try:
        if image.path.name.endswith(".gz"):
            stored = np.empty(int(np.prod(image.shape)), image.proxy.dtype)
            with _data_of(image) as file:
                _fill(file, stored)
                file.read(1)  # behind the last byte stands the checksum
            values: Any = apply_read_scaling(stored, image.proxy.slope, image.proxy.inter)
        else:
            values = np.asanyarray(image.proxy)
    except MemoryError:
        raise
    except Exception as problem:  # cut off, or the compression is damaged
        raise Refused("MASKS_UNREADABLE", type(problem).__name__) from None
    return np.asarray(values).reshape(image.shape, order="F")


def _occupied(image: _Image) -> Part | None:
    """The values of a file in the box about all that are not zero, without its scale; None where all are.

    Most planes of most structures are empty. They are read into one piece of memory that stays in the
    processor's cache: a fraction of what it costs to have the whole array first.
    """
    columns, rows, count = image.shape
    plane = np.empty((rows, columns), image.proxy.dtype)
    kept: dict[int, NDArray[Any]] = {}
    anywhere = np.zeros(plane.shape, np.bool_)
    try:
        with _data_of(image) as file:
            for k in range(count):
                _fill(file, plane)
                if plane.view(np.uint8).max():
                    np.logical_or(anywhere, plane, out=anywhere)
                    kept[k] = plane.copy()
            file.read(1)  # behind the last byte stands the checksum
    except Exception as problem:  # cut off, or the compression is damaged
        raise Refused("MASKS_UNREADABLE", type(problem).__name__) from None
    if not anywhere.any():
        return None
    y, x = (np.flatnonzero(anywhere.any(axis=axis)) for axis in (1, 0))
    first = min(kept)
    values = np.zeros((max(kept) + 1 - first, y[-1] + 1 - y[0], x[-1] + 1 - x[0]), plane.dtype)
    for k, found in kept.items():
        values[k - first] = found[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
    return Part((int(x[0]), int(y[0]), first), values.transpose(2, 1, 0))


def _data_of(image: _Image) -> Any:
    """The file of an image where its values begin, decompressed."""
    file: Any = (igzip.open if image.path.name.endswith(".gz") else open)(image.path, "rb")
    file.seek(image.proxy.offset)
    return file


def _fill(file: Any, found: NDArray[Any]) -> None:
    memory = found.data.cast("B")
    count = 0
    while count < len(memory):
        more = file.readinto(memory[count:])
        if not more:
            raise EOFError
        count += more


def _whole(values: NDArray[Any]) -> NDArray[np.uint8 | np.uint16]:
    """Values as labels.

    Raises:
        Refused: They are none.
    """
    if not np.issubdtype(values.dtype, np.integer):
        whole = np.rint(values)
        if not np.array_equal(values, whole):  # not equal where there is NaN either
            raise Refused("MASKS_VALUES", "values that are not whole")
        values = whole
    if values.dtype == np.uint8:
        return values
    if values.size and (values.min() < 0 or values.max() > _MOST_LABEL):
        raise Refused("MASKS_VALUES", f"from {values.min()} to {values.max()}")
    return values.astype(np.uint16, copy=False)
