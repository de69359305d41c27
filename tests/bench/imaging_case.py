"""Whole cases of 200 slices and 117 supplied masks, against the other ways from files to numbers.

Run by hand: `python tests/bench/imaging_case.py [ROUNDS]`. Synthetic CT of 512 × 512 with 117 structures, in
the page cache. A case is measured as its program, start and imports included: it reads, measures, draws and
writes everything. The other ways read the same images and masks and only measure volumes and means, and so
does Heltig without a case (with SD, median and percentiles); imports are not counted there. All find the same
voxels and means, or the bench stops. TotalSegmentator's formula takes a minute and is run once.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Row, Timing, faster, machine, print_table, within

sys.path.insert(0, str(Path(__file__).parents[1]))

SLICES, MANY = 200, 1_000
STRUCTURES = 117
SPACING = (0.8, 0.8, 1.5)
GIB = 1024 * 1024  # of the kilobytes that the system counts in
ROUNDS = 3

Numbers = dict[str, tuple[int, float]]
"""Voxels and mean of each structure."""


def case(folder: Path, masks: str) -> tuple[Numbers, dict[str, float]]:
    """All of a case, by its program; the seconds of its stages are what it tells."""
    from heltig.imaging.order import Order, SegmenterOrder, encoded

    options = {"path": str(folder / masks)} | ({"task": "total"} if masks.endswith(".gz") else {})
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        order = Order(
            analysis_id="bench",
            objects=folder / "objects",
            output=Path(scratch, "output"),
            segmenters=(SegmenterOrder(id="byo-nifti", options=options),),
        )
        program = [sys.executable, "-m", "heltig.imaging.case"]
        seconds, state, since = {}, "starting", time.perf_counter()
        with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ran:
            assert ran.stdin
            assert ran.stdout
            ran.stdin.write(encoded(order))
            ran.stdin.close()
            for line in ran.stdout:
                now = time.perf_counter()
                seconds[state], state, since = now - since, json.loads(line)["state"], now
        seconds["ending"] = time.perf_counter() - since
        if ran.returncode or state != "done":
            raise RuntimeError(f"the case ended with {ran.returncode}, {state}")
        found = json.loads((order.output / "analysis.json").read_bytes())
    voxels = {one["key"]: one["voxels"] for one in found["structures"]}
    means = {
        one["region"]: one["value"] for one in found["measurements"] if one["name"] == "attenuation_mean"
    }
    return {key: (voxels[key], means[key]) for key in voxels}, seconds


def numbers(folder: Path) -> Numbers:
    """What the other ways do, and no more: images and masks read, volumes and values measured."""
    from heltig.imaging.inventory import Inventory
    from heltig.imaging.reading import read_only_volume
    from heltig.imaging.segment.byo_nifti import ByoNifti
    from heltig.imaging.segmentation import Segmentation

    volume = read_only_volume(sorted((folder / "objects").iterdir()))
    found = ByoNifti(folder / "total.nii.gz", task="total").segment(volume)
    inventory = Inventory(Segmentation(volume, found.maps))
    values = inventory.segmentation.distribution
    return {key: (one.voxels, values(key).mean) for key, one in inventory.found.items()}


def dcm2niix_and_formula(folder: Path) -> Numbers:
    """dcm2niix, then the formula of TotalSegmentator's statistics: a mask a label, and its weighted mean."""
    import nibabel

    executable = Path(sys.executable).with_name("dcm2niix")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        subprocess.run(
            [executable, "-g", "i", "-b", "n", "-f", "v", "-z", "n", "-o", scratch, folder / "objects"],
            check=True,
            capture_output=True,
        )
        images = [nibabel.load(path) for path in (Path(scratch, "v.nii"), folder / "total.nii.gz")]
        voxels, labels = (np.asanyarray(nibabel.as_closest_canonical(one).dataobj) for one in images)
    found = {}
    for label, key in _keys().items():
        mask = labels == label
        weights = (mask > 0).astype(np.uint8)
        found[key] = int(mask.sum()), float(np.average(voxels, weights=weights))
    return found


def simpleitk(folder: Path) -> Numbers:
    """ITK's series reader, and its statistics of labels."""
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder / "objects")))
    image, labels = reader.Execute(), SimpleITK.ReadImage(str(folder / "total.nii.gz"))
    labels.CopyInformation(image)
    found = SimpleITK.LabelIntensityStatisticsImageFilter()
    found.ComputePerimeterOff()
    found.ComputeFeretDiameterOff()
    found.Execute(labels, image)
    keys = _keys()
    return {keys[n]: (found.GetNumberOfPixels(n), found.GetMean(n)) for n in found.GetLabels()}


def _keys() -> dict[int, str]:
    from heltig.imaging.labels import TASKS

    return dict(TASKS["total"])


HELTIG, FILES, NUMBERS = "Heltig, a label map", "Heltig, 117 files", "Heltig, numbers alone"
WAYS: dict[str, Callable[[Path], Any]] = {
    HELTIG: lambda folder: case(folder, "total.nii.gz"),
    FILES: lambda folder: case(folder, "total"),
    NUMBERS: numbers,
    "SimpleITK LabelIntensityStatistics": simpleitk,
    "dcm2niix and TotalSegmentator's formula": dcm2niix_and_formula,
}
ONCE = "dcm2niix and TotalSegmentator's formula"


LIBRARIES = {
    NUMBERS: ("heltig.imaging.segment.byo_nifti", "heltig.imaging.inventory"),
    "SimpleITK LabelIntensityStatistics": ("SimpleITK", "heltig.imaging.labels"),
    ONCE: ("nibabel", "heltig.imaging.labels"),
}


def in_process(way: str, folder: Path) -> None:
    """Measure a way once, of all that this process and those it starts do."""
    for name in LIBRARIES.get(way, ()):
        import_module(name)
    start, since = time.perf_counter(), time.process_time()
    found = WAYS[way](folder)
    wall = time.perf_counter() - start
    measures, stages = found if isinstance(found, tuple) else (found, {})
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    status = Path("/proc/self/status").read_text()
    own = int(status.partition("VmHWM:")[2].split()[0])
    peak = children.ru_maxrss if stages else max(own, children.ru_maxrss)
    cpu = time.process_time() - since + children.ru_utime + children.ru_stime
    said = {"wall": wall, "cpu": cpu, "peak": peak, "stages": stages}
    print(json.dumps({**said, "numbers": sorted(measures.items())}))


def measured(way: str, folder: Path) -> dict[str, Any]:
    """Let a process of its own measure."""
    command = [sys.executable, __file__, way, str(folder)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=3_600)
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def race(folder: Path, rounds: int, ways: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Let the ways take turns; they must find the same numbers."""
    answers: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for number in range(rounds):
        for way, found in answers.items():
            if number == 0 or way != ONCE:
                found.append(measured(way, folder))
    expected = answers[HELTIG][0]["numbers"]
    for way, found in answers.items():
        for (key, (voxels, mean)), (other, (theirs, their_mean)) in zip(
            expected, found[0]["numbers"], strict=True
        ):
            if key != other or voxels != theirs or abs(mean - their_mean) > 1e-6 * max(1.0, abs(mean)):
                raise RuntimeError(f"{way} does not find the same numbers")
    return answers


def write_study(folder: Path, slices: int, *, files: bool) -> Path:
    """A body of noise with 117 ellipsoids, as images and as masks; a quarter of the voxels have a label."""
    import nibabel
    from imaging.phantom import Phantom, encode, series
    from imaging_metrics import write_body

    (folder / "objects").mkdir(parents=True)
    write_body(folder)
    voxels, labels = (np.load(folder / f"{name}.npy") for name in ("voxels", "labels"))
    times = slices // SLICES
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    step = SLICES // times
    for number in range(times):  # a body of several times the height
        some = slice(number * step, (number + 1) * step)
        tall = [np.repeat(array[some], times, axis=0).T for array in (voxels, labels)]
        phantom = Phantom(*tall, {}, SPACING, origin=(0.0, 0.0, number * SLICES * SPACING[2]))
        for k, ds in enumerate(series(phantom)):
            at = number * SLICES + k
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{at}"
            ds.InstanceNumber = at + 1
            (folder / "objects" / f"{at:05}.dcm").write_bytes(encode(ds))
    whole = np.repeat(labels.astype(np.uint8), times, axis=0).T
    nibabel.save(nibabel.Nifti1Image(whole, affine), folder / "total.nii.gz")
    (folder / "total").mkdir()
    for label, key in _keys().items() if files else ():
        mask = nibabel.Nifti1Image((whole == label).astype(np.uint8), affine)
        nibabel.save(mask, folder / "total" / f"{key}.nii.gz")
    return folder


def _rows(answers: dict[str, list[dict[str, Any]]]) -> list[Row]:
    def of(way: str, what: str) -> Timing:
        return Timing(tuple(one[what] * 1e6 for one in answers[way]))

    def peak(way: str) -> float:
        return statistics.median(one["peak"] for one in answers[way])

    rows = []
    for way in answers:
        if not way.startswith("Heltig"):
            for what in ("wall", "cpu"):
                ours, theirs = of(NUMBERS, what), of(way, what)
                rows.append(Row(f"numbers alone, {what}, µs", ours, way, theirs, faster(ours, theirs)))
        rows.append(Row("peak memory", f"{peak(NUMBERS) / 1024:.0f} MiB", way, f"{peak(way) / 1024:.0f} MiB"))
    for way, limit in ((HELTIG, 20), (FILES, 60)):
        if way in answers:
            wall, cpu = of(way, "wall").median / 1e6, of(way, "cpu").median / 1e6
            shown = f"{wall:.1f} s, {cpu:.1f} s of CPU, {peak(way) / 1024:.0f} MiB"
            rows.append(within(limit, f"≤ {limit} s", way, shown, wall))
            rows += [
                Row(
                    f"{way}: {stage}",
                    f"{statistics.median(one['stages'][stage] for one in answers[way]):.2f} s",
                )
                for stage in answers[way][0]["stages"]
            ]
    rows.append(within(2 * GIB, "≤ 2 GiB", "peak", f"{peak(HELTIG) / GIB:.2f} GiB", peak(HELTIG)))
    return rows


def main(rounds: int = ROUNDS) -> None:
    print(machine("numpy", "scipy", "SimpleITK", "highdicom"), f"; load {os.getloadavg()[0]:.0f}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_study(Path(scratch, "few"), SLICES, files=True)
        print_table(f"{STRUCTURES} structures in {SLICES} slices", _rows(race(folder, rounds, list(WAYS))))
        large = measured(HELTIG, write_study(Path(scratch, "many"), MANY, files=False))
        shown = f"{large['peak'] / GIB:.2f} GiB, {large['wall']:.0f} s"
        stages = [Row(stage, f"{seconds:.2f} s") for stage, seconds in large["stages"].items()]
        limit = within(6 * GIB, "≤ 6 GiB", "peak", shown, large["peak"])
        print_table(f"{STRUCTURES} structures in {MANY} slices", [limit, *stages])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        in_process(sys.argv[1], Path(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:]))
