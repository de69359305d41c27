"""Backend `command`: any program of the site, by a contract of folders.

The program is given IN_DIR and OUT_DIR in its environment. In IN_DIR lie `volume.nii.gz`, `task.json` and, if
that is asked for, the DICOM files of the series in `dicom/`. It writes masks into OUT_DIR, as the backends
`byo-nifti` and `byo-dicom-seg` read them, and `result.json`, which names them. docs/imaging.md has all of it.
"""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import msgspec
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from heltig.imaging.nifti import write_nifti
from heltig.imaging.refusal import Refused
from heltig.imaging.segment.byo_dicom_seg import ByoDicomSeg
from heltig.imaging.segment.byo_nifti import ByoNifti
from heltig.imaging.segment.external import limits, new_folder, run_segmenter
from heltig.imaging.segment.segmenter import Availability, Capabilities, SegmentationResult, Segmenter
from heltig.imaging.segment.together import together
from heltig.imaging.volume import Volume

FORM: Final = 1
"""The version of the contract, in `task.json` and `result.json`."""

_LARGEST_RESULT: Final = 1 << 20


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `task.json` says.

    Attributes:
        form: `FORM`.
        volume: The file of the voxels, in IN_DIR.
        modality: Modality (0008,0060) of the series.
        unit: Of the voxels, in UCUM: `[hnsf'U]`, or `1` where they have none.
        shape: Columns, rows, slices.
        spacing: Millimetres from voxel to voxel.
        wanted: Keys of the structures that are asked for; left out where all are.
        dicom: The folder of the DICOM files, in IN_DIR; left out where they are not given.
        settings: What the site tells the program.
    """

    form: int
    volume: str
    modality: str
    unit: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    wanted: tuple[str, ...] | None = None
    dicom: str | None = None
    settings: Mapping[str, Any] = {}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What `result.json` says.

    Attributes:
        form: `FORM`.
        masks: Files and folders in OUT_DIR: NIfTI labels with a label table beside them, a folder with one
            NIfTI file a structure, DICOM segmentations (`.dcm`).
        tool: The name of the program, for the provenance.
        version: Its version.
        models: Identifiers of the models it used.
    """

    form: int
    masks: tuple[str, ...]
    tool: str = ""
    version: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program of the site.

    Attributes:
        program: The program and its arguments.
        objects: DICOM files, those of the series among them.
        workdir: Where folders for its runs are made.
        dicom: It is given the files of the series.
        settings: What it is told.
        seconds: Wall-clock time after which it is ended.
        memory_gib: Address space of each of its processes.
    """

    program: Sequence[str]
    objects: Sequence[Path]
    workdir: Path
    dicom: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 3600.0
    memory_gib: float | None = None

    id = "command"
    version = "1"

    def capabilities(self) -> Capabilities:
        """Any structure, on CT and MR."""
        return Capabilities(frozenset({"CT", "MR"}), None, needs_weights=False, licence="that of the program")

    def available(self) -> Availability:
        """Whether the program is there."""
        if shutil.which(self.program[0]):
            return Availability("ok")
        return Availability("missing_executable", "The program of the option `program` is not there.")

    def segment(self, volume: Volume, *, wanted: Collection[str] | None = None) -> SegmentationResult:
        """Run the program and read its masks; see `Segmenter.segment`."""
        started = perf_counter()
        if self.available().condition != "ok":
            raise Refused("SEGMENTER_NOT_READY", self.available().condition)
        folder = new_folder(self.workdir, self.id)
        given, taken = folder / "in", folder / "out"
        given.mkdir()
        taken.mkdir()
        self._give(volume, given, wanted)
        ended = run_segmenter(
            self.program,
            folder=folder,
            within=limits(self.seconds, self.memory_gib),
            variables={"IN_DIR": str(given), "OUT_DIR": str(taken)},
        )
        result = _result(taken)
        found = [backend.segment(volume, wanted=wanted) for backend in _backends(result, taken)]
        inputs = tuple(one for part in found for one in part.provenance.inputs)
        grids = dict.fromkeys(grid for part in found for grid in part.provenance.resampled_from)
        provenance = replace(
            found[0].provenance,
            tool=self.id,
            version=self.version,
            inputs=inputs,
            arguments={"program": result.tool or Path(self.program[0]).name, "version": result.version},
            seconds=perf_counter() - started,
            models=result.models,
            exit_code=ended.exit_code,
            resampled_from=tuple(grids),
        )
        put = together(volume.shape, found)
        return SegmentationResult(put.maps, provenance, put.notes)

    def _give(self, volume: Volume, folder: Path, wanted: Collection[str] | None) -> None:
        """Write what the program is given."""
        write_nifti(volume, folder / "volume.nii.gz")
        if self.dicom:
            (folder / "dicom").mkdir()
            for number, path in enumerate(_of_series(self.objects, volume.series_instance_uid), 1):
                shutil.copyfile(path, folder / "dicom" / f"{number:05}.dcm")
        task = Task(
            form=FORM,
            volume="volume.nii.gz",
            modality=volume.technique.modality,
            unit=volume.unit,
            shape=volume.shape,
            spacing=volume.spacing,
            wanted=None if wanted is None else tuple(sorted(wanted)),
            dicom="dicom" if self.dicom else None,
            settings=self.settings,
        )
        (folder / "task.json").write_bytes(msgspec.json.format(msgspec.json.encode(task)))


def _result(folder: Path) -> Result:
    """What the program says it gave."""
    path = folder / "result.json"
    if not path.is_file() or path.stat().st_size > _LARGEST_RESULT:
        raise Refused("SEGMENTER_FAILED", "no result.json")
    try:
        result = msgspec.json.decode(path.read_bytes(), type=Result)
    except (msgspec.DecodeError, UnicodeDecodeError):  # what it says shows what is in the file
        raise Refused("SEGMENTER_FAILED", "result.json is not of the form that is described") from None
    if result.form != FORM or not result.masks:
        raise Refused("SEGMENTER_FAILED", "result.json of another form, or without masks")
    return result


def _backends(result: Result, folder: Path) -> Iterator[Segmenter]:
    """What reads each of the masks."""
    objects: list[Path] = []
    for name in result.masks:
        path = _within(folder, name)
        if path is None:
            raise Refused("SEGMENTER_FAILED", "masks that result.json names are not in OUT_DIR")
        if path.suffix == ".dcm":
            objects.append(path)
        else:
            yield ByoNifti(path)
    if objects:
        yield ByoDicomSeg(objects)


def _within(folder: Path, name: str) -> Path | None:
    """A file or folder in a folder, after all links; None where there is none, or the name cannot be one."""
    try:
        path = (folder / name).resolve()
        there = path.is_file() or (path.is_dir() and path.suffix != ".dcm")  # a pipe would never end
        return path if there and path.is_relative_to(folder.resolve()) else None
    except (OSError, RuntimeError, ValueError):  # too long, links in a circle, NUL
        return None


def _of_series(objects: Sequence[Path], series_instance_uid: str) -> Iterator[Path]:
    for path in objects:
        try:
            ds = dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
        except InvalidDicomError:
            continue
        if ds.get("SeriesInstanceUID") == series_instance_uid:
            yield path
