"""Volumes and values of 117 structures, against the other ways to them.

Run by hand: `python tests/bench/imaging_metrics.py`. A synthetic CT of 200 slices of 512 × 512 with one
label map of 117 structures. The ways take turns, each in a process of its own; imports and reading the
arrays are not counted, but the arrays are in the peaks. All end with the same voxels and means, or the bench
stops. TotalSegmentator's way takes minutes and is run once.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measuring import ROUNDS, Row, Timing, cpu_seconds, faster, machine, print_table, within

sys.path.insert(0, str(Path(__file__).parents[1]))

SHAPE = (200, 512, 512)
STRUCTURES = 117
SPACING = (0.8, 0.8, 1.5)
MIB = 1024  # of the kilobytes that the system counts in

Numbers = dict[int, tuple[int, float]]
"""Voxels and mean of each label."""


def segmentation(voxels: np.ndarray, labels: np.ndarray) -> Any:
    from imaging.phantom import Phantom

    from heltig.imaging.labels import STRUCTURES as TABLE
    from heltig.imaging.labels import TASKS
    from heltig.imaging.segmentation import Segmentation

    phantom = Phantom(voxels.T, labels.T, TASKS["total"], SPACING)
    return Segmentation(phantom.volume(), [phantom.label_map(TABLE)])


def heltig(voxels: np.ndarray, labels: np.ndarray) -> Numbers:
    """Voxels, mean, SD, median, percentiles, and where each structure is cut off."""
    from heltig.imaging.inventory import Inventory
    from heltig.imaging.labels import TASKS

    inventory = Inventory(segmentation(voxels, labels))
    keys = {key: label for label, key in TASKS["total"].items()}
    found = {}
    for key, one in inventory.found.items():
        found[keys[key]] = (one.voxels, inventory.segmentation.distribution(key).mean)
    return found


def heltig_all(voxels: np.ndarray, labels: np.ndarray) -> Numbers:
    """All that is measured: eroded cores, parts, slices, phase and regions, too."""
    from heltig.imaging.labels import TASKS
    from heltig.imaging.metrics import measure

    results = measure(segmentation(voxels, labels))
    found = {}
    for label, key in TASKS["total"].items():
        mean = results.one("attenuation_mean", key)
        if mean is None or mean.value is None:
            raise RuntimeError(f"{key} was not measured")
        found[label] = (results.inventory.found[key].voxels, mean.value)
    return found


def simpleitk_intensity(voxels: np.ndarray, labels: np.ndarray) -> Numbers:
    """LabelIntensityStatistics, without the shapes that it could do."""
    import SimpleITK

    images = _itk(SimpleITK, voxels, labels)
    found = SimpleITK.LabelIntensityStatisticsImageFilter()
    found.ComputePerimeterOff()
    found.ComputeFeretDiameterOff()
    found.Execute(images[1], images[0])
    return {n: (found.GetNumberOfPixels(n), found.GetMean(n)) for n in found.GetLabels()}


def simpleitk_label(voxels: np.ndarray, labels: np.ndarray) -> Numbers:
    """LabelStatistics, which has no median without a histogram."""
    import SimpleITK

    found = SimpleITK.LabelStatisticsImageFilter()
    found.Execute(*_itk(SimpleITK, voxels, labels))
    return {n: (found.GetCount(n), found.GetMean(n)) for n in found.GetLabels() if n}


def _itk(itk: Any, *arrays: np.ndarray) -> list[Any]:
    images = [itk.GetImageFromArray(array) for array in arrays]
    for image in images:
        image.SetSpacing(SPACING)
    return images


def totalsegmentator(voxels: np.ndarray, labels: np.ndarray) -> Numbers:
    """The formula of its statistics: a mask a label and its weighted mean; no SD, no median."""
    found = {}
    for label in range(1, STRUCTURES + 1):
        mask = labels == label
        weights = (mask > 0).astype(np.uint8)
        found[label] = (int(mask.sum()), float(np.average(voxels, weights=weights)))
    return found


ALL = "Heltig, all metrics"
WAYS: dict[str, Callable[[np.ndarray, np.ndarray], Numbers]] = {
    "Heltig": heltig,
    ALL: heltig_all,
    "SimpleITK LabelStatistics": simpleitk_label,
    "SimpleITK LabelIntensityStatistics": simpleitk_intensity,
    "TotalSegmentator's formula": totalsegmentator,
}
ONCE = "TotalSegmentator's formula"


def in_process(way: str, folder: Path) -> None:
    """Measure a way once, after a try on a few slices that imports what it needs."""
    voxels, labels = (np.load(folder / f"{name}.npy") for name in ("voxels", "labels"))
    small = np.zeros((30, 30, STRUCTURES * 3), np.uint16)
    small[...] = np.repeat(np.arange(1, STRUCTURES + 1, dtype=np.uint16), 3)
    WAYS[way](small.astype(np.int16), small)
    start = cpu_seconds()
    numbers = WAYS[way](voxels, labels)
    seconds = cpu_seconds() - start
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0])
    print(json.dumps({"seconds": seconds, "peak": peak / MIB, "numbers": sorted(numbers.items())}))


def measured(way: str, folder: Path) -> dict[str, Any]:
    """Let a process of its own measure."""
    command = [sys.executable, __file__, way, str(folder)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=1_800)
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def race(folder: Path, rounds: int = ROUNDS) -> dict[str, list[dict[str, Any]]]:
    """Let the ways take turns; they must find the same numbers."""
    answers: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way, found in answers.items():
            if number == 0 or way != ONCE:
                found.append(measured(way, folder))
    expected = answers["Heltig"][0]["numbers"]
    for way, found in answers.items():
        for (label, (voxels, mean)), (other, (theirs, their_mean)) in zip(
            expected, found[0]["numbers"], strict=True
        ):
            if label != other or voxels != theirs or abs(mean - their_mean) > 1e-6 * max(1.0, abs(mean)):
                raise RuntimeError(f"{way} does not find the same numbers")
    return answers


def write_body(folder: Path) -> None:
    """117 ellipsoids in a body of noise; a quarter of the voxels have a label."""
    rng = np.random.default_rng(1)
    labels = np.zeros(SHAPE, np.uint16)
    z, y, x = np.ogrid[-1:1:40j, -1:1:92j, -1:1:92j]  # type: ignore[misc]
    inside = z**2 + y**2 + x**2 <= 1
    places = [(k, j, i) for k in range(5) for j in range(5) for i in range(5)]
    for label, (k, j, i) in enumerate(places[:STRUCTURES], 1):
        box = labels[k * 40 : k * 40 + 40, 20 + j * 95 : 112 + j * 95, 20 + i * 95 : 112 + i * 95]
        box[inside] = label
    voxels = rng.normal(40, 12, SHAPE).astype(np.int16)
    voxels += (labels % 13 * 10).astype(np.int16)
    np.save(folder / "voxels.npy", voxels)
    np.save(folder / "labels.npy", labels)


def main(rounds: int = ROUNDS) -> None:
    print(machine("numpy", "scipy", "SimpleITK"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_body(folder)
        answers = race(folder, rounds)
    timings = {way: Timing(tuple(one["seconds"] * 1e6 for one in found)) for way, found in answers.items()}
    peaks = {way: statistics.median(one["peak"] for one in found) for way, found in answers.items()}
    rows = []
    for way in WAYS:
        if not way.startswith("Heltig"):
            rows.append(
                Row("µs", timings["Heltig"], way, timings[way], faster(timings["Heltig"], timings[way]))
            )
    rows.append(Row("all metrics, µs", timings[ALL]))
    rows += [Row("peak memory", f"{peaks['Heltig']:.0f} MiB", way, f"{peaks[way]:.0f} MiB") for way in WAYS]
    limit = within(2 * MIB, "≤ 2 GiB", "all metrics", f"{peaks[ALL]:.0f} MiB", peaks[ALL])
    print_table(f"{STRUCTURES} structures in {SHAPE[0]} slices", [*rows, limit])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        in_process(sys.argv[1], Path(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:]))
