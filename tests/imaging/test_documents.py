"""Documents of an analysis: JSON, CSV, masks, FHIR, and the list of files."""

import csv
import dataclasses
import gzip
import hashlib
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import nibabel
import numpy as np
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.imagingstudy import ImagingStudy
from hypothesis import given
from hypothesis import strategies as st
from imaging.analyses import analysis_of
from imaging.phantom import Box, Phantom, series
from imaging.small_bodies import trunk

from heltig.imaging.analysis import Analysis
from heltig.imaging.documents.masks import mask_paths, write_masks
from heltig.imaging.documents.table import measurements_csv
from heltig.imaging.documents.writing import write_documents, write_list
from heltig.imaging.labels import STRUCTURES, TASKS
from heltig.imaging.metrics.flat import flat_view
from heltig.imaging.statements import GATE_USE, RESEARCH_USE
from heltig.imaging.volume import LabelMap

SAYS = {
    "PatientName": "Secret^Name",
    "PatientID": "SECRET-ID",
    "PatientBirthDate": "19610203",
    "AccessionNumber": "SECRET-ACC",
    "StudyDescription": "Secret study",
    "SeriesDescription": "Secret series",
    "ProtocolName": "Secret protocol",
    "ReferringPhysicianName": "Secret^Doctor",
    "StudyID": "SECRET-STUDY",
    "StudyDate": "20260102",
}
"""What stands in every slice."""


@pytest.fixture(scope="module")
def found() -> Analysis:
    return analysis_of(trunk(), images=partial(series, **SAYS))


@pytest.fixture(scope="module")
def folder(found: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(found, tmp_path_factory.mktemp("written"))


def _written(found: Analysis, folder: Path) -> Path:
    write_documents(found, folder)
    write_masks(found.segmentation, folder)
    write_list(folder)
    return folder


def _identified(found: Analysis) -> Analysis:
    return dataclasses.replace(found, order=msgspec.structs.replace(found.order, allow_identified=True))


def _read(path: Path) -> Any:
    return json.loads(path.read_bytes())


# -- JSON


def test_analysis_json_has_all_that_was_measured(found: Analysis, folder: Path) -> None:
    read = _read(folder / "analysis.json")
    measured = found.results.measurements
    assert [(one["region"], one["name"], one["value"]) for one in read["measurements"]] == [
        (one.region, one.name, one.value) for one in measured
    ]
    assert read["flat"] == flat_view(found.results, "case-1")
    assert {one["key"] for one in read["structures"]} == set(found.results.inventory.found)
    assert read["fingerprint"] == found.fingerprint
    assert read["seconds"] == found.seconds
    assert read["provenance"][0]["inputs"][0]["sha256"] == "ab" * 32
    assert read["series"]["series_instance_uid"] == found.volume.series_instance_uid


def test_what_was_not_measured_is_null(folder: Path) -> None:
    read = _read(folder / "analysis.json")
    missing = [
        one for one in read["measurements"] if one["status"] in ("absent", "not_evaluated", "suppressed")
    ]
    assert missing
    assert all(one["value"] is None and one["reason"] for one in missing)
    assert read["flat"]["hemorrhage_vol_cm3"] is None
    assert _read(folder / "resultados.json")["hemorrhage_vol_cm3"] is None


def test_verdict_and_override_are_told(found: Analysis, tmp_path: Path) -> None:
    order = msgspec.structs.replace(found.order, verdict="NEEDS_REVIEW", override="asked for")
    read = _read(_written(dataclasses.replace(found, order=order), tmp_path) / "analysis.json")
    assert (read["verdict"], read["override"]) == ("NEEDS_REVIEW", "asked for")


def test_the_masks_of_structures_are_where_analysis_json_says(folder: Path) -> None:
    for one in _read(folder / "analysis.json")["structures"]:
        assert (folder / one["file"]).is_file() == bool(one["voxels"])


def test_patient_and_study_only_where_identified_data_is_allowed(
    found: Analysis, folder: Path, tmp_path: Path
) -> None:
    texts = [value.encode() for value in SAYS.values()]
    for path in folder.rglob("*"):
        if path.is_file():
            written = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            assert not [text for text in texts if text in written], path.name
    assert _read(folder / "id.json")["patient"] is None
    assert _read(folder / "id.json")["study"] is None
    read = _read(_written(_identified(found), tmp_path) / "id.json")
    assert read["patient"]["PatientName"] == "Secret^Name"
    assert read["study"]["AccessionNumber"] == "SECRET-ACC"
    assert read["series"]["technique"]["series_description"] == "Secret series"


def test_id_json_names_the_series_and_its_phase(found: Analysis, folder: Path) -> None:
    read = _read(folder / "id.json")
    assert read["case_id"] == "case-1"
    assert read["series"]["contrast_phase"] == found.results.phase.phase
    assert read["series"]["series_number"] == 2
    assert read["seconds"] == found.seconds


def test_folders_of_the_machine_are_not_told(found: Analysis, tmp_path: Path) -> None:
    order = msgspec.structs.replace(
        found.order,
        objects=Path("/secret/in"),
        output=Path("/secret/out"),
        policy=Path("/secret/policy.toml"),
    )
    for path in _written(dataclasses.replace(found, order=order), tmp_path).rglob("*.json"):
        assert b"/secret" not in path.read_bytes()


# -- every file


def test_both_statements_are_in_every_file(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 15
    for path in files:
        written = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert RESEARCH_USE.encode() in written, path.name
        assert GATE_USE.encode() in written, path.name


def test_the_same_analysis_writes_the_same_bytes(found: Analysis, folder: Path, tmp_path: Path) -> None:
    again = _written(found, tmp_path)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in names:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_the_list_of_files_is_whole(folder: Path) -> None:
    listed = {one["path"]: one for one in _read(folder / "files.json")["files"]}
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert set(listed) == set(there) - {"files.json"}
    for name, one in listed.items():
        content = there[name].read_bytes()
        assert (one["size"], one["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert listed["measurements.csv"]["media_type"] == "text/csv"
    assert listed["total/liver.nii.gz"]["media_type"] == "application/gzip"


# -- CSV


def test_a_row_of_the_table_is_a_measurement(found: Analysis, folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((folder / "measurements.csv").read_text("utf-8"), newline="")))
    assert len(rows) == len(found.results.measurements)
    for row, one in zip(rows, found.results.measurements, strict=True):
        assert (row["region"], row["name"], row["unit"]) == (one.region, one.name, one.unit)
        assert row["value"] == ("" if one.value is None else str(one.value))
        assert row["use"] == f"{RESEARCH_USE} {GATE_USE}"
    sma = next(row for row in rows if row["name"] == "SMA")
    assert (float(sma["window_from"]), float(sma["window_to"])) == (-29, 150)
    assert sma["sop_instance_uid"] == found.volume.slices[int(sma["slice_index"])].sop_instance_uid
    assert sma["series_instance_uid"] == found.volume.series_instance_uid
    assert (sma["contrast_phase"], float(sma["kvp"]), sma["kernel"]) == ("unknown", 120, "Br40")


@pytest.mark.parametrize(
    ("key", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        (" =1", "' =1"),
    ],
)
def test_no_name_is_a_formula(key: str, cell: str) -> None:
    body = Phantom.of((20, 20, 6), (3.0, 3.0, 3.0), [Box(key, (5, 5, 1), (15, 15, 5), 60)])
    rows = csv.reader(io.StringIO(measurements_csv(analysis_of(body)), newline=""))
    assert {row[1] for row in rows if row[2] == "attenuation_median"} == {cell}


# -- masks


def test_masks_are_on_the_grid_of_the_volume(found: Analysis, folder: Path) -> None:
    for key, path in mask_paths(found.segmentation.structures).items():
        image: Any = nibabel.load(folder / path)
        read = np.asarray(image.dataobj)
        assert read.dtype == np.uint8
        assert np.array_equal(read.astype(bool), found.segmentation.maps[0].mask(key)), key
        assert np.allclose(image.affine, found.volume.affine, atol=1e-4)


def test_masks_stand_in_the_folders_of_their_tasks(found: Analysis, folder: Path) -> None:
    assert mask_paths(["liver", "torso_fat", "intracerebral_hemorrhage", "vertebrae_body", "lesion"]) == {
        "liver": "total/liver.nii.gz",
        "torso_fat": "tissue_types/torso_fat.nii.gz",
        "intracerebral_hemorrhage": "bleed/intracerebral_hemorrhage.nii.gz",
        "vertebrae_body": "other/vertebrae_body.nii.gz",
        "lesion": "other/lesion.nii.gz",
    }
    assert (folder / "total/liver.nii.gz").is_file()
    keys = {key for task in TASKS.values() for key in task.values()}
    assert all(path.endswith(f"/{key}.nii.gz") for key, path in mask_paths(keys).items())


@pytest.mark.parametrize("encoding", [("L", "I"), ("P", "I"), ("R", "A")])
def test_masks_of_turned_acquisitions_are_whole(encoding: tuple[str, str], tmp_path: Path) -> None:
    body = analysis_of(trunk().turned(*encoding))
    write_masks(body.segmentation, tmp_path)
    image: Any = nibabel.load(tmp_path / "total/spleen.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj) > 0, body.segmentation.maps[0].mask("spleen"))


def test_a_structure_of_several_labels_has_one_mask(tmp_path: Path) -> None:
    body = Phantom.of(
        (20, 20, 6),
        (3.0, 3.0, 3.0),
        [Box("a", (1, 1, 1), (9, 9, 5), 60), Box("b", (11, 11, 1), (18, 18, 5), 60)],
    )
    liver = STRUCTURES["liver"]
    found = analysis_of(body, maps=lambda _: [LabelMap(body.labels, {1: liver, 2: liver})])
    write_masks(found.segmentation, tmp_path)
    image: Any = nibabel.load(tmp_path / "total/liver.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj) > 0, body.labels > 0)


def test_structures_without_voxels_have_no_mask(tmp_path: Path) -> None:
    body = Phantom.of((20, 20, 6), (3.0, 3.0, 3.0), [Box("liver", (5, 5, 1), (5, 5, 1), 60)])
    folder = _written(analysis_of(body), tmp_path)
    assert not list(folder.rglob("*.nii.gz"))
    assert _read(folder / "analysis.json")["structures"][0]["file"] is None


ODD = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "",
    "con",
    "COM1.x",
    "a/b",
    "a\\b",
    "a\0b",
    "x" * 300,
    "肝",
]


@given(st.sets(st.one_of(st.text(max_size=20), st.sampled_from([*ODD, "Liver", "liver", "LIVER", "a_b"]))))
def test_every_mask_has_a_file_of_its_own_within_the_folder(keys: set[str]) -> None:
    paths = mask_paths(keys)
    assert set(paths) == keys
    assert len({path.lower() for path in paths.values()}) == len(keys)
    for path in paths.values():
        folder, _, name = path.partition("/")
        assert folder in ("total", "tissue_types", "bleed", "other")
        assert name.isascii()
        assert not set(name) & set('/\\:*?"<>|\0')
        assert not name.startswith(".")
        assert len(name) < 110
    assert paths == mask_paths(sorted(keys, reverse=True))
    assert paths.get("liver", "total/liver.nii.gz") == "total/liver.nii.gz"


def test_odd_names_of_structures_break_nothing(tmp_path: Path) -> None:
    parts = [Box(key, (1 + 3 * n, 1, 1), (4 + 3 * n, 9, 7), 60) for n, key in enumerate(ODD) if key]
    parts.append(Box("\ud800", (1, 11, 1), (8, 15, 7), 60))
    folder = tmp_path / "inside"
    folder.mkdir()
    _written(analysis_of(Phantom.of((40, 20, 8), (3.0, 3.0, 3.0), parts)), folder)
    assert len(list((folder / "other").iterdir())) == len(parts)
    assert list(tmp_path.iterdir()) == [folder]


# -- FHIR


def test_fhir_is_valid_and_preliminary(found: Analysis, folder: Path) -> None:
    Bundle.model_validate_json((folder / "fhir/observations.json").read_bytes())
    ImagingStudy.model_validate_json((folder / "fhir/imaging-study.json").read_bytes())
    entries = [one["resource"] for one in _read(folder / "fhir/observations.json")["entry"]]
    observations = [one for one in entries if one["resourceType"] == "Observation"]
    assert len(observations) == len(found.results.measurements)
    assert {one["status"] for one in observations} == {"preliminary"}
    for one, measured in zip(observations, found.results.measurements, strict=True):
        assert ("valueQuantity" in one) == (measured.value is not None)
        assert ("dataAbsentReason" in one) == (measured.value is None)
        if measured.value is not None:
            assert one["valueQuantity"]["value"] == measured.value
            assert one["valueQuantity"]["code"] == measured.unit
    urls = [one["fullUrl"] for one in _read(folder / "fhir/observations.json")["entry"]]
    assert len(set(urls)) == len(urls)


def test_fhir_codes_the_liver_and_its_volume(folder: Path) -> None:
    entries = [one["resource"] for one in _read(folder / "fhir/observations.json")["entry"]]
    (volume,) = (
        one
        for one in entries
        if one["resourceType"] == "Observation"
        and one["bodySite"]["text"] == "liver"
        and one["code"]["coding"][0]["code"] == "volume"
    )
    assert volume["code"]["coding"][1] == {
        "system": "http://snomed.info/sct", "code": "118565006", "display": "Volume"
    }  # fmt: skip
    assert volume["bodySite"]["coding"][0]["code"] == "10200004"
    assert (
        volume["derivedFrom"][0]["reference"]
        == _read(folder / "fhir/observations.json")["entry"][0]["fullUrl"]
    )


def test_fhir_names_the_patient_only_where_that_is_allowed(
    found: Analysis, folder: Path, tmp_path: Path
) -> None:
    assert _read(folder / "fhir/imaging-study.json")["subject"] == {"type": "Patient", "display": "unknown"}
    allowed = _written(_identified(found), tmp_path)
    bundle = Bundle.model_validate_json((allowed / "fhir/observations.json").read_bytes())
    subjects = {one.resource.subject.identifier.value for one in bundle.entry}
    assert subjects == {"SECRET-ID"}
    assert _read(allowed / "fhir/imaging-study.json")["started"] == "2026-01-02"


def test_fhir_lists_the_images_that_were_measured(found: Analysis, folder: Path) -> None:
    (listed,) = _read(folder / "fhir/imaging-study.json")["series"]
    assert [one["uid"] for one in listed["instance"]] == [one.sop_instance_uid for one in found.volume.slices]
