"""Backend `deepbet`: mask of the brain on T1-weighted MR, by the network of deepbet, on the processor.

It needs PyTorch, so it runs in a Python environment of its own, which an option names. Its weights are part
of its wheel: nothing is ever downloaded.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import nibabel

from heltig.imaging.nifti import to_nifti
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.external import limits, new_folder, run_segmenter
from heltig.imaging.segment.installed import distribution_version, executable, site_packages
from heltig.imaging.segment.layers import Mask
from heltig.imaging.segment.naming import by_name
from heltig.imaging.segment.nifti_masks import structure_patches
from heltig.imaging.segment.recording import Recording
from heltig.imaging.segment.segmenter import Availability, Capabilities, SegmentationResult
from heltig.imaging.volume import Volume

_PROGRAM: Final = Path(__file__).with_name("deepbet_program.py")
_MODELS: Final = ("bbox_model", "model")
_BRAIN: Final = "brain"

_HEAD_MM: Final = 100.0
"""What a volume has to measure along each axis: of a slab the network makes a mask of anything but brain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deepbet:
    """deepbet.

    Attributes:
        workdir: Where folders for its runs are made.
        python: The python of the environment that deepbet is installed in.
        threshold: From which output of the network on a voxel is inside.
        seconds: Wall-clock time after which it is ended.
        memory_gib: Address space of each of its processes.
    """

    workdir: Path
    python: Path
    threshold: float = 0.5
    seconds: float = 900.0
    memory_gib: float | None = None

    id = "deepbet"

    @property
    def version(self) -> str:
        """That of deepbet; `unknown` where it is not installed."""
        return distribution_version(self.python, "deepbet") or "unknown"

    def capabilities(self) -> Capabilities:
        """The brain, on MR."""
        return Capabilities(frozenset({"MR"}), frozenset({_BRAIN}), needs_weights=True, licence="MIT")

    def available(self) -> Availability:
        """Whether its environment has all it needs."""
        if executable(self.python, "python") is None:
            return Availability("missing_executable", "The python of the option `python` is not there.")
        missing = [name for name in ("deepbet", "torch") if not distribution_version(self.python, name)]
        if missing:
            return Availability("missing_executable", f"Its environment has no {' and no '.join(missing)}.")
        models = [folder / "data" / "models" for folder in site_packages(self.python)]
        if not all(any((folder / f"{name}.pt").is_file() for folder in models) for name in _MODELS):
            return Availability("missing_weights", "The weights of deepbet's wheel are not there.")
        return Availability("ok")

    def segment(self, volume: Volume, *, wanted: Collection[str] | None = None) -> SegmentationResult:
        """Find the brain; see `Segmenter.segment`."""
        if volume.technique.modality != "MR":
            raise Refused("SEGMENTER_MODALITY", volume.technique.modality)
        smallest = min(mm * size for mm, size in zip(volume.spacing, volume.shape, strict=True))
        if smallest < _HEAD_MM:
            raise Refused("SEGMENTER_COVERAGE", f"{smallest:.4g} mm of {_HEAD_MM:g} mm")
        available = self.available()
        if available.condition != "ok":
            raise Refused("SEGMENTER_NOT_READY", available.condition)
        recording = Recording(volume)
        folder = new_folder(self.workdir, self.id)
        source, target = folder / "in.nii", folder / "brain.nii.gz"
        nibabel.save(to_nifti(volume), source)
        ended = run_segmenter(
            [self.python, "-I", _PROGRAM, source, target, f"{self.threshold:g}"],
            folder=folder,
            within=limits(self.seconds, self.memory_gib),
        )
        if not target.is_file():
            raise Refused("SEGMENTER_FAILED", "no mask")
        versions = _versions(ended.output)
        (structure,) = recording.structures([by_name(_BRAIN)])
        result = recording.result(
            [Mask(structure, partial(structure_patches, target, structure.key, recording))],
            tool=self.id,
            version=versions.get("deepbet", self.version),
            wanted=wanted,
            arguments={"threshold": f"{self.threshold:g}", "torch": versions.get("torch", "unknown")},
        )
        provenance = replace(result.provenance, models=_MODELS, exit_code=ended.exit_code)
        return replace(result, provenance=provenance)


def _versions(output: bytes) -> dict[str, str]:
    """What it says of itself in its last line."""
    lines: Sequence[bytes] = output.splitlines() or [b"{}"]
    try:
        return msgspec.json.decode(lines[-1], type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
