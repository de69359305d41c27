"""Backend `totalsegmentator`: TotalSegmentator, called as a program in an environment of its own.

    TotalSegmentator -i in.nii.gz -o seg.nii.gz --ml -ta TASK [--fast] -d cpu -nr 1 -ns 1 --report run.json

It would download missing weights and send statistics of its use. Neither happens: nothing is started unless
all weights are there, and each run has a configuration of its own that forbids statistics. Its own
measurements (`-s`) are never used. A licence is taken from the environment only, TOTALSEG_LICENSE.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from heltig.imaging.labels import TASKS
from heltig.imaging.nifti import write_nifti
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.external import limits, new_folder, run_segmenter
from heltig.imaging.segment.installed import distribution_version, executable
from heltig.imaging.segment.layers import Mask, Patch
from heltig.imaging.segment.naming import Named, by_name
from heltig.imaging.segment.nifti_masks import labels_of, patches_by_label
from heltig.imaging.segment.recording import Recording
from heltig.imaging.segment.segmenter import Availability, Capabilities, Note, SegmentationResult
from heltig.imaging.volume import Volume

LICENCE_VARIABLE: Final = "TOTALSEG_LICENSE"

_LICENCE_LENGTH: Final = 18
"""Letters of a licence number, which is all that TotalSegmentator checks of it without a network."""

_LICENCE: Final = (
    "program Apache-2.0; weights of its tasks under terms of their own, of tissue_types with a licence only"
)


_BY_DEFAULT: Final = ("total", "total_mr")


class _Task(NamedTuple):
    """A task of TotalSegmentator 2.

    Attributes:
        modality: Of the images it is for.
        models: Numbers of the nnU-Net data sets whose weights it needs, those it crops by among them.
        fast_models: The same with `--fast`; None where there is no fast model.
        licensed: It needs a licence.
    """

    modality: str
    models: tuple[int, ...]
    fast_models: tuple[int, ...] | None = None
    licensed: bool = False


_TASKS: Final[Mapping[str, _Task]] = {
    "total": _Task("CT", (291, 292, 293, 294, 295), (297,)),
    "tissue_types": _Task("CT", (481,), licensed=True),
    "cerebral_bleed": _Task("CT", (150, 298)),
    "vertebrae_body": _Task("CT", (305,)),
    "total_mr": _Task("MR", (850, 851), (852,)),
}


class _Report(msgspec.Struct, frozen=True):
    """What it reports of a run, as far as it is used."""

    totalsegmentator_version: str | None = None
    nnunetv2_version: str | None = None
    torch_version: str | None = None
    classes: dict[int, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalSegmentator:
    """TotalSegmentator.

    Attributes:
        workdir: Where folders for its runs are made.
        executable: The program; None for the one on the path.
        weights: The folder of its weights; None for where it keeps them itself.
        tasks: In the order in which they run; None for `total` or `total_mr`, as the volume is.
        fast: Take the 3 mm model where there is one.
        device: `cpu`, `gpu` or `gpu:N`.
        seconds: Wall-clock time after which a task is ended.
        memory_gib: Address space of each of its processes.
    """

    workdir: Path
    executable: Path | None = None
    weights: Path | None = None
    tasks: Sequence[str] | None = None
    fast: bool = False
    device: str = "cpu"
    seconds: float = 7200.0
    memory_gib: float | None = None

    id = "totalsegmentator"

    @property
    def version(self) -> str:
        """That of TotalSegmentator; `unknown` where its environment does not say it."""
        program = executable(self.executable, "TotalSegmentator")
        return (distribution_version(program, "totalsegmentator") if program else "") or "unknown"

    def capabilities(self) -> Capabilities:
        """The structures of its tasks."""
        tasks = self.tasks or _BY_DEFAULT
        modalities = frozenset(_TASKS[task].modality for task in tasks)
        keys = frozenset(key for task in tasks for key in TASKS[task].values())
        return Capabilities(modalities, keys, needs_weights=True, licence=_LICENCE)

    def available(self) -> Availability:
        """Whether program, weights and licence are there: for all its tasks, or for one it may choose."""
        if self.tasks:
            return self._available(self.tasks)
        found = [self._available((task,)) for task in _BY_DEFAULT]
        return next((one for one in found if one.condition == "ok"), found[0])

    def weights_there(self) -> dict[str, bool]:
        """Whether the weights of each task are there, whatever tasks were asked for."""
        return {task: all(self._of(number) for number in self._numbers(task)) for task in _TASKS}

    def segment(self, volume: Volume, *, wanted: Collection[str] | None = None) -> SegmentationResult:
        """Run its tasks, one after another; see `Segmenter.segment`."""
        tasks = self._tasks_for(volume.technique.modality)
        available = self._available(tasks)
        program = executable(self.executable, "TotalSegmentator")
        if available.condition != "ok" or program is None:
            raise Refused("SEGMENTER_NOT_READY", available.condition)
        recording = Recording(volume)
        folder = new_folder(self.workdir, self.id)
        write_nifti(volume, folder / "in.nii.gz")
        variables = self._surroundings(folder, tasks)
        named: list[Named] = []
        patches: list[Patch | None] = []
        report = _Report()
        try:
            for task in tasks:
                run_segmenter(
                    [program, *self._arguments(task, folder)],
                    folder=folder / task,
                    within=limits(self.seconds, self.memory_gib),
                    variables=variables,
                )
                report = _report(folder / task / "run.json")
                found = _labels(folder / task / "seg.nii.gz", recording)
                table = report.classes or TASKS[task]
                unknown = sorted(found.keys() - table.keys())
                recording.notes += [Note("NOT_IN_TABLE", str(label)) for label in unknown]
                names = {**table, **{label: f"label {label}" for label in unknown}}
                named += [by_name(name) for name in names.values()]
                patches += [found.get(label) for label in names]
        finally:
            (folder / "home" / "config.json").unlink(missing_ok=True)  # it may have done so itself
        masks = [
            Mask(structure, partial(_there, patch))
            for structure, patch in zip(recording.structures(named), patches, strict=True)
        ]
        result = recording.result(
            masks,
            tool=self.id,
            version=report.totalsegmentator_version or self.version,
            wanted=wanted,
            arguments={
                "tasks": " ".join(tasks),
                "fast": "yes" if self.fast else "no",
                "nnunetv2": report.nnunetv2_version or "unknown",
                "torch": report.torch_version or "unknown",
            },
        )
        models = tuple(path.name for task in tasks for path in self._models(task))
        provenance = replace(
            result.provenance, models=tuple(dict.fromkeys(models)), device=self.device, exit_code=0
        )
        return replace(result, provenance=provenance)

    # -- what is needed

    def _tasks_for(self, modality: str) -> Sequence[str]:
        tasks = self.tasks or _BY_DEFAULT
        found = [task for task in tasks if _TASKS[task].modality == modality]
        if not found:
            raise Refused("SEGMENTER_MODALITY", modality)
        return found

    def _available(self, tasks: Sequence[str]) -> Availability:
        if executable(self.executable, "TotalSegmentator") is None:
            return Availability(
                "missing_executable", "Install TotalSegmentator in an environment of its own and name it."
            )
        missing = [f"{number}" for task in tasks for number in self._numbers(task) if not self._of(number)]
        if missing:
            return Availability(
                "missing_weights",
                f"There are no weights {', '.join(dict.fromkeys(missing))} for {', '.join(tasks)}.",
            )
        licence = os.environ.get(LICENCE_VARIABLE, "")
        if any(_TASKS[task].licensed for task in tasks) and len(licence) != _LICENCE_LENGTH:
            return Availability(
                "missing_licence", f"Set {LICENCE_VARIABLE} to the licence number: {_LICENCE_LENGTH} letters."
            )
        return Availability("ok")

    def _numbers(self, task: str) -> Sequence[int]:
        one = _TASKS[task]
        return one.fast_models if self.fast and one.fast_models else one.models

    def _models(self, task: str) -> Iterator[Path]:
        """Folders of the weights of a task."""
        for number in self._numbers(task):
            yield from self._of(number)

    def _of(self, number: int) -> list[Path]:
        return sorted((self.weights or _own_weights()).glob(f"Dataset{number}_*"))

    # -- a run

    def _surroundings(self, folder: Path, tasks: Sequence[str]) -> dict[str, str]:
        """Configuration and weights for one run: what it changes in them is changed nowhere else."""
        home, weights = folder / "home", folder / "weights"
        home.mkdir()
        weights.mkdir()
        for task in tasks:
            (folder / task).mkdir()
            for path in self._models(task):
                link = weights / path.name
                if not link.exists():
                    link.symlink_to(path.resolve(), target_is_directory=True)
        configuration = {
            "totalseg_id": "totalseg_00000000",
            "send_usage_stats": False,
            "prediction_counter": 0,
            "statistics_disclaimer_shown": True,
        }
        licence = os.environ.get(LICENCE_VARIABLE)
        if licence and any(_TASKS[task].licensed for task in tasks):
            configuration["license_number"] = licence
        config = home / "config.json"
        config.touch(0o600)
        config.write_text(json.dumps(configuration))
        return {"TOTALSEG_HOME_DIR": str(home), "TOTALSEG_WEIGHTS_PATH": str(weights)}

    def _arguments(self, task: str, folder: Path) -> list[str]:
        return [
            *("-i", str(folder / "in.nii.gz")),
            *("-o", str(folder / task / "seg.nii.gz")),
            "--ml",
            *("-ta", task),
            *(["--fast"] if self.fast and _TASKS[task].fast_models else []),
            *("-d", self.device),
            *("-nr", "1"),
            *("-ns", "1"),
            *("--report", str(folder / task / "run.json")),
        ]


def _own_weights() -> Path:
    """Where TotalSegmentator looks for its weights by itself."""
    if weights := os.environ.get("TOTALSEG_WEIGHTS_PATH"):
        return Path(weights)
    home = os.environ.get("TOTALSEG_HOME_DIR")
    return (Path(home) if home else Path.home() / ".totalsegmentator") / "nnunet" / "results"


def _report(path: Path) -> _Report:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Report)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        raise Refused("SEGMENTER_FAILED", "no report of the run") from None


def _labels(path: Path, recording: Recording) -> dict[int, Patch]:
    if not path.is_file():
        raise Refused("SEGMENTER_FAILED", "no file of labels")
    return patches_by_label(labels_of(path, recording))


def _there(patch: Patch | None) -> Sequence[Patch]:
    return () if patch is None else (patch,)
