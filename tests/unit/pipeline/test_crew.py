"""Several processes come to what one comes to."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from unit.connectors.upload.made import dicom, zipped

from heltig.dicom.snapshot import series_evidence, snapshot_id
from heltig.dicom.study import StudyTable
from heltig.errors import StorageError
from heltig.pipeline.batch import Facts
from heltig.pipeline.check import check
from heltig.pipeline.crew import work_together
from heltig.pipeline.reading import listed, read_inputs
from heltig.rules.profile import DEFAULT

STUDIES = 12
FILES = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Studies in folders of their own, one over many folders, one in two ZIPs that lack something."""
    root = tmp_path_factory.mktemp("in")

    def put(place: str, study: str, sop: str) -> None:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(dicom(sop).replace(b"1.2.3\0", f"1.2.{study}\0".encode()))

    for study in range(1, STUDIES):
        for n in range(FILES):
            put(f"{study:02}/{n:03}.dcm", str(study % 10), f"7.{study}.{n}")
            put(f"all/{study:02}-{n:03}.dcm", "0", f"8.{study}.{n}")
    for name, lost in (("a.zip", b""), ("b.zip", b"\xff\xd8\xff")):
        members = [(f"{n}.dcm", dicom(f"9.{name}.{n}")) for n in range(FILES)]
        (root / name).write_bytes(zipped([*members, ("lost.dcm", lost)]))
    return root


def evidence(study: StudyTable, facts: Facts = ()) -> tuple[str, str]:
    return study.key, snapshot_id(study, series_evidence(study))


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_any_number_of_processes_has_the_same_evidence(folder: Path, processes: int) -> None:
    told: list[tuple[int, int]] = []
    alone = read_inputs([folder])
    with listed([folder]) as listings:
        reports, studies = work_together(
            listings, evidence, processes=processes, progress=lambda *of: told.append(of)
        )
    assert reports == alone.reports
    assert studies == [evidence(study) for study in alone.studies]
    assert told[-1] == (len(listings[0].refs), len(listings[0].refs))


def test_a_check_is_the_same_for_any_number_of_jobs(folder: Path) -> None:
    reports = [check([folder], DEFAULT, reference_date=date(2026, 1, 1), jobs=jobs) for jobs in (1, 2, 0)]
    assert reports[0] == reports[1] == reports[2]
    assert reports[0].inputs[0].members > 300


def of_no_use(study: StudyTable, facts: Facts = ()) -> str:
    raise ValueError(study.key)


def that_ends_the_one_that_gives_orders(study: StudyTable, facts: Facts = ()) -> str:
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert parent.pid is not None
    os.kill(parent.pid, signal.SIGKILL)  # not `getppid()`: of two that do this the second has another parent
    return study.key


KILLED = """
import sys
from pathlib import Path
from heltig.pipeline.crew import work_together
from heltig.pipeline.reading import listed
from unit.pipeline.test_crew import that_ends_the_one_that_gives_orders

with listed([Path(sys.argv[1])]) as listings:
    work_together(listings, that_ends_the_one_that_gives_orders, processes=3)
"""


def that_ends_the_process(study: StudyTable, facts: Facts = ()) -> str:
    if multiprocessing.parent_process():
        os.kill(os.getpid(), signal.SIGKILL)
    return study.key


@pytest.mark.parametrize(("work", "error"), [(of_no_use, ValueError), (that_ends_the_process, StorageError)])
def test_what_fails_in_a_process_fails_here(
    folder: Path, work: Callable[[StudyTable, Facts], str], error: type[Exception]
) -> None:
    with listed([folder / "01", folder / "02"]) as listings, pytest.raises(error):
        work_together(listings, work, processes=1)


def test_no_process_outlives_the_one_that_gives_orders(folder: Path, tmp_path: Path) -> None:
    # They share its output: that ends only when all of them have.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", KILLED, str(folder)]
    ran = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (-signal.SIGKILL, b"")
