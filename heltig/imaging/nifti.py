"""Volumes as NIfTI-1, the form that most research software reads.

Voxels and affine go out as they are: nothing is resampled, flipped or scaled.
"""

from pathlib import Path
from typing import Any, Final, cast

import nibabel
import numpy as np
from isal import igzip

from heltig.imaging.statements import GATE_USE, RESEARCH_USE
from heltig.imaging.volume import Volume

VOLUME: Final = "volume.nii.gz"
"""The file of the volume among the files of an analysis."""

_SCANNER: Final = 1
"""The code of coordinates in the scanner's own system (NIFTI_XFORM_SCANNER_ANAT)."""

_UNKNOWN: Final = 0
_COMMENT: Final = 6
_LEVEL: Final = 1  # noise hardly gets smaller by more
_DESCRIPTION: Final = b"heltig: research use only, not for diagnosis"


def to_nifti(volume: Volume) -> nibabel.Nifti1Image:
    """A volume as an image in memory, which shares its voxels.

    The affine of a tilted stack is sheared. A quaternion cannot say that, so its code is *unknown*, and
    readers take the affine of the sform.
    """
    image = cast(Any, nibabel.Nifti1Image)(volume.voxels, volume.affine)
    image.set_sform(volume.affine, _SCANNER)
    image.set_qform(volume.affine, _UNKNOWN if volume.tilted else _SCANNER)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = _DESCRIPTION
    image.header.extensions.append(statements())
    return cast(nibabel.Nifti1Image, image)


def statements() -> Any:
    """Both statements, as a comment in the header (NIFTI_ECODE_COMMENT)."""
    return cast(Any, nibabel.nifti1.Nifti1Extension)(_COMMENT, f"{RESEARCH_USE} {GATE_USE}".encode())


def write_nifti(volume: Volume, path: Path) -> None:
    """Write a volume to a file, compressed if its name ends with `.nii.gz`.

    Raises:
        OSError: The file cannot be written.
    """
    if not path.name.endswith(".gz"):
        nibabel.save(to_nifti(volume), path)
        return
    with cast(Any, igzip.open)(path, "wb", compresslevel=_LEVEL) as file:
        cast(Any, to_nifti(volume)).to_stream(file)


def turned_like(image: Any, other: Any) -> Any:
    """An image whose axes are turned and flipped so that they are nearest to those of another image."""
    across = np.linalg.inv(other.affine) @ image.affine
    return image.as_reoriented(cast(Any, nibabel.orientations).io_orientation(across))
