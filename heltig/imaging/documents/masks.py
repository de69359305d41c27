"""Masks as NIfTI, one file a structure, in the folder of the task that has it; none without a voxel.

Names of structures may come from files that somebody else wrote: a file name is made of the key only as far
as it is letters, digits, dots, dashes and underscores.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast

import nibabel
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from heltig.imaging.labels import TASKS
from heltig.imaging.nifti import statements
from heltig.imaging.segmentation import Segmentation
from heltig.imaging.volume import Volume

OTHER: Final = "other"

_FOLDERS: Final = {
    "total": "total",
    "total_mr": "total",
    "tissue_types": "tissue_types",
    "cerebral_bleed": "bleed",
}
_FOLDER_OF: Final[Mapping[str, str]] = {
    key: folder for task, folder in _FOLDERS.items() for key in TASKS[task].values()
}

_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
_MOST: Final = 80
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.ASCII | re.IGNORECASE)
"""Names that no file can have on Windows."""

_LEVEL: Final = 1
_SCANNER: Final = 1
_UNKNOWN: Final = 0
_AT_ONCE: Final = 2


def mask_paths(keys: Iterable[str]) -> dict[str, str]:
    """Where the mask of each structure is, from the output folder on.

    Two structures never have one file, also where names do not tell capital letters from small ones.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for key in sorted(keys, key=lambda one: (_name(one) != one, one)):  # who needs no change keeps his name
        folder, name = _FOLDER_OF.get(key, OTHER), _name(key)
        if name != key or f"{folder}/{name}".lower() in taken:
            name = f"{name}-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
        taken.add(f"{folder}/{name}".lower())
        found[key] = f"{folder}/{name}.nii.gz"
    return found


def write_masks(segmentation: Segmentation, folder: Path) -> None:
    """Write the masks of all structures of which there is a voxel.

    Raises:
        OSError: A file cannot be written.
    """
    head = _head(segmentation.volume)
    paths = mask_paths(key for key in segmentation.structures if segmentation.box(key))
    for path in paths.values():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)

    def write(keys: Iterable[str]) -> None:
        file = _File(segmentation, head)
        for key in keys:
            (folder / paths[key]).write_bytes(file.compressed(key))

    with ThreadPoolExecutor(_AT_ONCE) as pool:  # compression leaves other threads alone
        list(pool.map(write, (list(paths)[start::_AT_ONCE] for start in range(_AT_ONCE))))


class _File:
    """The bytes of a file, used again for one mask after the other: only the box about it is written."""

    def __init__(self, segmentation: Segmentation, head: bytes) -> None:
        columns, rows, slices = segmentation.volume.shape
        self._segmentation = segmentation
        self._bytes = np.zeros(len(head) + columns * rows * slices, np.uint8)
        self._bytes[: len(head)] = np.frombuffer(head, np.uint8)
        voxels = self._bytes[len(head) :].reshape(slices, rows, columns).transpose(2, 1, 0)
        self._voxels: NDArray[Any] = segmentation.axes.view(voxels)

    def compressed(self, key: str) -> bytes:
        """The file of a structure of which there is a voxel."""
        box = self._segmentation.box(key)
        if box is None:
            raise ValueError("there is no voxel of this structure")
        self._voxels[box] = self._segmentation.mask(key, box)
        found: bytes = igzip.compress(self._bytes, _LEVEL, mtime=0)
        self._voxels[box] = 0
        return found


def _name(key: str) -> str:
    """A key as the name of a file: itself, wherever that can be."""
    name = _UNFIT.sub("_", key).lstrip(".-")[:_MOST].rstrip(".")
    return f"_{name}" if not name or _DEVICES.match(name) else name


def _head(volume: Volume) -> bytes:
    """All of the file up to its voxels: the header, and both statements as a comment."""
    header = cast(Any, nibabel.Nifti1Header)()
    header.set_data_shape(volume.shape)
    header.set_data_dtype(np.uint8)
    header.set_sform(volume.affine, _SCANNER)
    header.set_qform(volume.affine, _UNKNOWN if volume.tilted else _SCANNER)
    header.set_xyzt_units("mm")
    header["descrip"] = b"heltig: research use only, not for diagnosis"
    header["magic"] = b"n+1"
    header.extensions.append(statements())
    header["vox_offset"] = header.single_vox_offset + header.extensions.get_sizeondisk()
    stream = BytesIO()
    header.write_to(stream)
    return stream.getvalue()
