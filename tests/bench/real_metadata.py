"""Real metadata as DICOM JSON, where it is at hand: the benchmarks say what is missing and go on.

* HELTIG_TEST_TOOLS names a folder with `idc_dicomweb.py`, which makes the metadata of real studies out of the
  index of the Imaging Data Commons (PyPI idc-index-data, read with pyarrow).
* HELTIG_TEST_CORPUS names the folder of real files that tests use, with its `index.csv`.

Failing that, both are looked for beside the repository.
"""

import csv
import gzip
import json
import os
import subprocess
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pydicom

_BESIDE = Path(__file__).parents[3] / "shared"


class NotAtHandError(Exception):
    """The real metadata is not on this machine."""


def imaging_data_commons(scratch: Path, *, studies: int = 100, balance: bool = True) -> list[bytes]:
    """The metadata of real studies, one body each.

    Args:
        scratch: An empty folder to make it in.
        studies: Number of studies.
        balance: Of every modality as many, not as there are.

    Raises:
        NotAtHandError: The tool or what it needs is missing.
    """
    dump(scratch, studies=studies, balance=balance)
    return [gzip.decompress(path.read_bytes()) for path in sorted(scratch.glob("metadata/*.json.gz"))]


def dump(folder: Path, *, studies: int, balance: bool = False) -> None:
    """Writes studies into a folder: `studies.json`, `series/UID.json`, `metadata/UID.json.gz`.

    Raises:
        NotAtHandError: The tool or what it needs is missing.
    """
    tool = Path(os.environ.get("HELTIG_TEST_TOOLS", _BESIDE / "tools")) / "idc_dicomweb.py"
    if not tool.exists():
        raise NotAtHandError(f"{tool.name} is in no folder that HELTIG_TEST_TOOLS names")
    command = [sys.executable, tool, "dump", "--out", folder, "--n", studies, "--max-instances", 2000]
    command += ["--balance"] if balance else []
    made = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if made.returncode:
        raise NotAtHandError(made.stderr.strip().rpartition("\n")[2])


def corpus_series(modality: str, *, at_least: int = 10) -> dict[str, list[bytes]]:
    """The larger series of the corpus as DICOM JSON texts, one an instance, converted by pydicom.

    Raises:
        NotAtHandError: The corpus is missing.
    """
    folder = Path(os.environ.get("HELTIG_TEST_CORPUS", _BESIDE / "data/dev"))
    if not (folder / "index.csv").exists():
        raise NotAtHandError("the corpus of real files is not in the folder that HELTIG_TEST_CORPUS names")
    series: dict[str, list[Path]] = defaultdict(list)
    with (folder / "index.csv").open(encoding="utf-8", newline="") as index:
        for row in csv.DictReader(index):
            if row["modality"] == modality and row["pydicom_read"] == "ok":
                series[row["series_uid"]].append(folder / row["path"])
    return {uid: list(map(_as_json, paths)) for uid, paths in series.items() if len(paths) >= at_least}


def _as_json(path: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(path, stop_before_pixels=True)
        return json.dumps(dict(_elements(data_set)), separators=(",", ":"), ensure_ascii=False).encode()


def _elements(data_set: pydicom.Dataset) -> Iterator[tuple[str, object]]:
    """The elements of a data set in the DICOM JSON model; binary values become addresses, as in archives."""
    for element in data_set:
        try:
            value = element.to_json_dict(lambda _: "http://archive.example/bulk", 1024)
        except (ValueError, TypeError, AttributeError):
            continue  # a value that pydicom cannot write as JSON
        yield f"{element.tag:08X}", value
