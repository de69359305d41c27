"""P15: what a case may take, on a volume small enough for every run of the tests.

`tests/bench/imaging_case.py` measures 200 and 1,000 slices.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from imaging.cases import Case, by
from imaging.phantom import Phantom
from imaging.segmentations import nifti

from heltig.imaging.labels import TASKS
from heltig.imaging.order import encoded

SLICES = 24
MIB = 1024  # of the kilobytes that the system counts in
BARE = 320 * MIB
"""What Python, its libraries and the results of 117 structures may take, however many slices there are."""

PROGRAM = """
import atexit, json, pathlib, runpy, sys, time
def last():
    status = pathlib.Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0])
    print(json.dumps([peak, time.process_time()]), file=sys.stderr)
atexit.register(last)
runpy.run_module("heltig.imaging.case", run_name="__main__")
"""


def test_memory_and_time_of_many_structures(tmp_path: Path) -> None:
    """At most three times the voxels and the labels: 0.9 GiB with 200 slices, 3.3 GiB with 1,000."""
    labels = np.zeros((512, 512, SLICES), np.uint16, order="F")
    for label in TASKS["total"]:
        row, column = divmod(label - 1, 11)
        labels[20 + column * 42 : 60 + column * 42, 20 + row * 42 : 60 + row * 42, 2:-2] = label
    voxels = np.random.default_rng(1).normal(40, 12, labels.shape).astype(np.int16)
    body = Phantom(voxels, labels, TASKS["total"], (0.8, 0.8, 1.5))
    case = Case(tmp_path).put(body)
    path = nifti(tmp_path / "total.nii.gz", labels.astype(np.uint8), body.affine)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=encoded(case.order(by("byo-nifti", path=path, task="total"))),
        capture_output=True,
        timeout=200,
        check=True,
    )
    assert b'"done"' in ran.stdout.splitlines()[-1]
    assert sum(one["voxels"] > 0 for one in case.json("analysis.json")["structures"]) == len(TASKS["total"])
    peak, seconds = json.loads(ran.stderr)
    print(peak, seconds)
    assert peak <= BARE + 3 * (voxels.nbytes + labels.nbytes) / 1024
    assert seconds < 30, "of CPU, which other work does not lengthen much"
