"""DICOM series to volumes, against the other ways from files to voxels.

Run by hand: `python tests/bench/imaging_reading.py`. Synthetic CT of 512 × 512, in the page cache. The ways
take turns, each time in a process of its own; imports are not counted. All end with the same voxels in
Hounsfield units, or the bench stops. dcm2niix ends with a file, so Heltig is measured with one, too.
"""

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from measuring import ROUNDS, Row, Timing, cpu_seconds, faster, machine, print_table, within

sys.path.insert(0, str(Path(__file__).parents[1]))

from imaging.compression import transcoded
from imaging.phantom import Box, Phantom, series

SLICES, FEW, MANY = 200, 30, 1_000
COMPRESSED = ("RLE", "JPEG-LS", "JPEG 2000")
AT_ONCE = 50  # slices drawn at a time
MIB = 1024  # of the kilobytes that the system counts in


def heltig(folder: Path) -> np.ndarray:
    """Headers, checks and voxels."""
    from heltig.imaging.reading import read_only_volume

    return read_only_volume(sorted(folder.iterdir())).voxels


def heltig_nifti(folder: Path) -> np.ndarray:
    """The same, and a file written."""
    from heltig.imaging.nifti import write_nifti
    from heltig.imaging.reading import read_only_volume

    volume = read_only_volume(sorted(folder.iterdir()))
    with tempfile.TemporaryDirectory() as scratch:
        write_nifti(volume, Path(scratch, "v.nii"))
    return volume.voxels


def dcm2niix(folder: Path) -> np.ndarray:
    """The converter, as a process; what is read of its file for comparison is not counted."""
    executable = Path(sys.executable).with_name("dcm2niix")
    scratch = Path(tempfile.mkdtemp())
    try:
        subprocess.run([executable, "-g", "i", "-b", "n", "-f", "v", "-z", "n", "-o", scratch, folder],
                       check=True, capture_output=True)  # fmt: skip
        global told
        told = cpu_seconds()
        import nibabel

        return np.asanyarray(nibabel.load(scratch / "v.nii").dataobj)
    finally:
        shutil.rmtree(scratch)


def simpleitk(folder: Path) -> np.ndarray:
    """ITK's series reader, by GDCM."""
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    _KEPT.append(reader.Execute())
    return SimpleITK.GetArrayViewFromImage(_KEPT[-1])


def pydicom_numpy(folder: Path) -> np.ndarray:
    """What many scripts do: read, sort by position, stack, rescale. No checks."""
    import pydicom

    slices = sorted(map(pydicom.dcmread, folder.iterdir()), key=lambda ds: ds.ImagePositionPatient[2])
    voxels = np.empty((len(slices), *slices[0].pixel_array.shape), np.int16)
    for k, ds in enumerate(slices):
        voxels[k] = ds.pixel_array * ds.RescaleSlope + ds.RescaleIntercept
    return voxels


def by_highdicom(folder: Path) -> np.ndarray:
    """highdicom's volume, with its checks."""
    import highdicom
    import pydicom

    return highdicom.get_volume_from_series([pydicom.dcmread(path) for path in folder.iterdir()]).array


_KEPT: list[object] = []  # images whose memory arrays look at
WRITTEN = "Heltig, and NIfTI written"
WAYS: dict[str, Callable[[Path], np.ndarray]] = {
    "Heltig": heltig,
    WRITTEN: heltig_nifti,
    "dcm2niix": dcm2niix,
    "SimpleITK": simpleitk,
    "pydicom and numpy": pydicom_numpy,
    "highdicom": by_highdicom,
}
told: float | None = None
"""CPU seconds when a way had its voxels, where that was before it returned."""


def measured(way: str, folder: Path) -> dict[str, float]:
    """Let a process of its own read a folder."""
    command = [sys.executable, __file__, way, str(folder)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=900)
    answer: dict[str, float] = json.loads(ran.stdout)
    return answer


def in_process(way: str, folder: Path) -> None:
    """Measure a way once; a first reading of one file has imported whatever it needs."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(folder.iterdir())[:2]:
            shutil.copy(path, scratch)
        if way != "dcm2niix":
            WAYS[way](Path(scratch))
    global told
    told = None
    start = cpu_seconds()
    voxels = WAYS[way](folder)
    seconds = (told or cpu_seconds()) - start
    if way == "dcm2niix":
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    else:  # getrusage would count what the process had before it became this one
        status = Path("/proc/self/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0])
    print(json.dumps({"seconds": seconds, "peak": peak / MIB, "sum": int(voxels.sum(dtype=np.int64))}))


def race(folder: Path, ways: list[str], rounds: int = ROUNDS) -> dict[str, list[dict[str, float]]]:
    """Let the ways take turns; they must see the same voxels."""
    answers: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            answers[way].append(measured(way, folder))
    if len({answer["sum"] for found in answers.values() for answer in found}) > 1:
        raise RuntimeError("the ways do not see the same voxels")
    return answers


def rows(folder: Path, what: str, ways: list[str], slices: int, rounds: int = ROUNDS) -> Iterator[Row]:
    answers = race(folder, ways, rounds)
    timings = {
        way: Timing(tuple(a["seconds"] / slices * 1e6 for a in found)) for way, found in answers.items()
    }
    peaks = {way: statistics.median(a["peak"] for a in found) for way, found in answers.items()}
    for way in ways[1:]:
        ours = WRITTEN if way == "dcm2niix" and WRITTEN in ways else "Heltig"
        if way != WRITTEN:
            yield Row(
                f"{what}, µs a slice", timings[ours], way, timings[way], faster(timings[ours], timings[way])
            )
    for way in ways:
        yield Row(f"{what}, peak memory", f"{peaks['Heltig']:.0f} MiB", way, f"{peaks[way]:.0f} MiB")


def write_series(folder: Path, slices: int, syntax: str = "explicit") -> Path:
    """A CT of noise about boxes."""
    folder.mkdir()
    for start in range(0, slices, AT_ONCE):
        count = min(AT_ONCE, slices - start)
        body = [
            Box("body", (60, 90, 0), (450, 420, count), 30),
            Box("liver", (100, 150, 0), (300, 300, count), 60),
        ]
        phantom = Phantom.of((512, 512, count), (0.8, 0.8, 1.25), body, noise_sd=4, seed=start)
        phantom = phantom.placed(origin=(-200, -200, 1.25 * start))
        for k, ds in enumerate(series(phantom)):
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{start + k}"
            (folder / f"{start + k:05}.dcm").write_bytes(transcoded(ds, syntax, folder.parent))
    return folder


def main() -> None:
    print(machine("numpy", "pydicom", "dcm2niix", "SimpleITK", "highdicom", "pylibjpeg-openjpeg", "pyjpegls"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_series(Path(scratch, "native"), SLICES)
        print_table(f"{SLICES} slices, not compressed", rows(folder, "native", list(WAYS), SLICES))
        shutil.rmtree(folder)
        for syntax in COMPRESSED:
            folder = write_series(Path(scratch, syntax), FEW, syntax)
            ways = ["Heltig", "dcm2niix", "SimpleITK", "pydicom and numpy"]
            print_table(f"{FEW} slices, {syntax}", rows(folder, syntax, ways, FEW, 3))
            shutil.rmtree(folder)
        folder = write_series(Path(scratch, "many"), MANY)
        ways = ["Heltig", "dcm2niix", "SimpleITK"]
        print_table(f"{MANY:,} slices, not compressed", rows(folder, "native", ways, MANY, 3))
        peak = measured("Heltig", folder)["peak"]
        limit = within(6 * MIB, "≤ 6 GiB for the whole analysis", "1,000 slices", f"{peak:.0f} MiB", peak)
        print_table("Limit", [limit])


if __name__ == "__main__":
    if len(sys.argv) == 3:
        in_process(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
