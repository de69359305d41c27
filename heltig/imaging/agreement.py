"""A second opinion: the same slices converted by dcm2niix have to give the same volume.

dcm2niix is the converter that most research goes through, written independently of this one. Where the two
disagree, nobody should measure without a look at the images: the case is flagged, not refused.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import nibabel
import numpy as np
from numpy.typing import NDArray

from heltig.imaging.nifti import to_nifti, turned_like
from heltig.imaging.stacking import SliceStack
from heltig.imaging.volume import Volume

AFFINE: Final = 1e-3
"""Millimetres that entries of the two affines may differ, in the same orientation."""

_FLOAT: Final = 1e-6
"""How far values that are no whole numbers may differ, as a part of the largest: both round to 32 bits."""

_TIMEOUT_S: Final = 120.0

_OPTIONS: Final[Sequence[str]] = (
    *("-g", "i"),  # no defaults of whoever runs it
    *("-b", "n"),  # no sidecar
    *("-f", "v"),
    *("-x", "i"),  # neither crop nor rotate
    *("-z", "n"),
)
"""Philips' slices are scaled by the slope of the standard instead of their private one (`-p n`)."""

_RESAMPLED: Final = re.compile("_(Tilt|Eq)")
"""In the names of what it writes beside a tilted or uneven stack."""

Status = Literal["agrees", "differs", "not_compared"]


class Agreement(NamedTuple):
    """What a comparison gave.

    Attributes:
        status: `not_compared` where dcm2niix is not installed, gave nothing, or gave something else.
        differences: In words and numbers; or why nothing was compared.
    """

    status: Status
    differences: tuple[str, ...] = ()


def check_agreement(
    volume: Volume, stack: SliceStack, folder: Path, *, timeout_s: float = _TIMEOUT_S
) -> Agreement:
    """Convert the slices of a stack by dcm2niix and compare.

    Args:
        volume: What was read of the stack.
        stack: The stack.
        folder: An empty folder, for the slices and what becomes of them.
        timeout_s: Seconds after which dcm2niix is ended.

    Raises:
        OSError: The folder cannot be written.
    """
    executable = _executable()
    if executable is None:
        return Agreement("not_compared", ("dcm2niix is not installed",))
    objects = {stack.planes.object(plane).number: stack.planes.object(plane) for plane in stack.order}
    rows = {stack.planes.frames[plane].row for plane in stack.order}
    if sum(frame.row in rows for frame in stack.planes.frames) > len(stack.order):
        return Agreement("not_compared", ("its objects hold other volumes too",))
    slices, converted = folder / "slices", folder / "converted"
    slices.mkdir()
    converted.mkdir()
    for number, found in objects.items():
        target = slices / f"{number:06}.dcm"
        if isinstance(found.source, bytes):
            target.write_bytes(found.source)
        else:
            target.symlink_to(found.source.resolve())
    by_philips = (volume.technique.manufacturer or "").casefold().startswith("philips")
    options = [*_OPTIONS, "-p", "n"] if by_philips else _OPTIONS
    problem = _convert([executable, *options, "-o", str(converted), str(slices)], timeout_s)
    if problem:
        return Agreement("not_compared", (problem,))
    written = [path for path in sorted(converted.glob("*.nii")) if not _RESAMPLED.search(path.stem)]
    if len(written) != 1:
        return Agreement("not_compared", (f"dcm2niix wrote {len(written)} volumes",))
    differences = compare(volume, written[0])
    return Agreement("differs" if differences else "agrees", differences)


def compare(volume: Volume, path: Path) -> tuple[str, ...]:
    """How a volume differs from a NIfTI file, turned to the axes of the volume; nothing where they agree.

    Of a tilted CT stack dcm2niix writes the affine without its shear: then the distance of the slices is
    compared, not how they lean.
    """
    ours: Any = to_nifti(volume)
    theirs = turned_like(nibabel.load(path), ours)
    if ours.shape != theirs.shape:
        return (f"shape {ours.shape}, by dcm2niix {theirs.shape}",)
    differences = []
    affines = [_upright(image.affine) if volume.tilted else image.affine for image in (ours, theirs)]
    furthest = float(np.abs(affines[0] - affines[1]).max())
    if furthest > AFFINE:
        differences.append(f"affine by up to {furthest:.4f} mm")
    own, voxels = np.asanyarray(ours.dataobj), np.asanyarray(theirs.dataobj)
    most = max(
        float(np.abs(own[:, :, k].astype(np.float64) - voxels[:, :, k]).max()) for k in range(own.shape[2])
    )
    allowed = 0.0 if np.issubdtype(own.dtype, np.integer) else _FLOAT * float(np.abs(own).max())
    if most > allowed:
        differences.append(f"values by up to {most:g}")
    return tuple(differences)


def _upright(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """An affine whose third axis is cut to what of it is along the normal of the first two."""
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    normal = normal / np.linalg.norm(normal)
    upright = affine.copy()
    upright[:3, 2] = normal * (normal @ affine[:3, 2])
    return upright


def _executable() -> str | None:
    """dcm2niix of the environment we run in, or of the path."""
    beside = Path(sys.executable).with_name("dcm2niix")
    return str(beside) if beside.is_file() else shutil.which("dcm2niix")


def _convert(command: Sequence[str], timeout_s: float) -> str:
    """Run dcm2niix; why it gave nothing, in words, else empty. What it prints may name patients."""
    try:
        subprocess.run(  # noqa: S603 - a program of ours with folders of ours
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=True
        )
    except subprocess.TimeoutExpired:
        return f"dcm2niix took longer than {timeout_s:g} s"
    except subprocess.CalledProcessError as failed:
        return f"dcm2niix ended with {failed.returncode}"
    except OSError as failed:
        return f"dcm2niix did not start: {type(failed).__name__}"
    return ""
