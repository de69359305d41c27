"""P17: what was found goes into an archive as DICOM and comes back as it was; the gate takes no offence."""

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import pytest
from dicomweb_client import DICOMwebClient
from imaging.analyses import analysis_of
from imaging.multiframe import enhanced
from imaging.phantom import Box, Phantom, encode, series
from imaging.test_dicom_sr import BODY, with_bodies
from pydicom.dataset import Dataset
from requests import Session
from servers.orthanc import Orthanc

from heltig.imaging.dicom_out.identity import encoded
from heltig.imaging.dicom_out.objects import result_objects
from heltig.imaging.dicom_out.seg import segmentation_object
from heltig.imaging.metrics import measure
from heltig.imaging.reading import read_volume, survey
from heltig.imaging.segment.byo_dicom_seg import ByoDicomSeg
from heltig.imaging.segmentation import Segmentation


def store(orthanc: Orthanc, study: str, files: Sequence[bytes]) -> None:
    """STOW-RS (PS3.18 10.5)."""
    body = b"".join(b"--part\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files)
    with orthanc.rest() as rest:
        answer = rest.post(
            f"/dicom-web/studies/{study}",
            content=body + b"--part--\r\n",
            headers={
                "Content-Type": 'multipart/related; type="application/dicom"; boundary=part',
                "Accept": "application/dicom+json",
            },
        ).raise_for_status()
    told = Dataset.from_json(answer.json())
    assert len(told.ReferencedSOPSequence) == len(files)
    assert not told.get("FailedSOPSequence")


def retrieved(orthanc: Orthanc, study: str) -> dict[str, list[Dataset]]:
    """WADO-RS: the objects of a study by modality."""
    session = Session()
    session.auth = (orthanc.username, orthanc.password)
    found: dict[str, list[Dataset]] = {}
    for ds in DICOMwebClient(orthanc.root, session=session).retrieve_study(study):
        found.setdefault(ds.Modality, []).append(ds)
    return found


@pytest.mark.orthanc
@pytest.mark.parametrize("label_map", [False, True])
def test_there_and_back_again(orthanc: Orthanc, *, label_map: bool) -> None:
    maps = None if label_map else with_bodies  # label maps do not overlap
    analysis = analysis_of(BODY, maps=maps, height_m=1.75)
    study = analysis.volume.study_instance_uid
    objects = dict(result_objects(analysis))
    if label_map:
        other = segmentation_object(analysis, label_map=True)
        assert other is not None
        objects["seg.dcm"] = other
    store(orthanc, study, [encode(ds) for ds in series(BODY)])
    for _ in range(2):  # a replay changes nothing
        store(orthanc, study, [encoded(made) for made in objects.values()])
    found = retrieved(orthanc, study)
    assert {modality: len(some) for modality, some in found.items()} == {"CT": 24, "SEG": 1, "SR": 1}

    (stack,) = (stack for one in survey(map(_file, found["CT"])).series for stack in one.stacks)
    volume = read_volume(stack)
    masks = ByoDicomSeg([_file(found["SEG"][0])]).segment(volume)
    results = measure(Segmentation(volume, masks.maps), height_m=1.75)
    again = {(one.region, one.name): one for one in results.measurements}
    direct = {
        (one.region, one.name): one
        for one in analysis.results.measurements
        if one.region != "gallbladder"  # what is absent is in no segmentation
    }
    assert again == direct

    report = highdicom.sr.Comprehensive3DSR.from_dataset(found["SR"][0])
    groups = report.content.get_volumetric_roi_measurement_groups()
    numbers = {
        group.tracking_identifier: number.value
        for group in groups
        for number in group.get_measurements()
        if number.name.meaning == "Volume" and number.method is None
    }
    assert numbers == {
        region: one.value
        for (region, name), one in again.items()
        if name == "volume" and one.value is not None
    }


def _file(ds: Dataset) -> bytes:
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


SMALL = Phantom.of(
    (30, 24, 22),
    (2.0, 2.0, 5.0),
    [Box("liver", (4, 4, 4), (20, 20, 18), 60), Box("spleen", (22, 4, 12), (28, 20, 22), 45)],
)
NAMED = {
    "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
    "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
}
STUDIES: dict[str, Any] = {
    "plain": partial(series, name="plain"),
    "japanese": partial(series, name="japanese", **NAMED),
    "enhanced": lambda phantom: [enhanced([phantom])],
    "MR": partial(series, name="MR", modality="MR", signed=True),
}


def test_the_gate_finds_nothing_worse_beside_our_objects(tmp_path: Path) -> None:
    images, both = tmp_path / "images", tmp_path / "both"
    for name, made in STUDIES.items():
        for folder in (images / name, both / name):
            folder.mkdir(parents=True)
            for number, ds in enumerate(made(SMALL)):
                (folder / f"{number}.dcm").write_bytes(encode(ds))
        analysis = analysis_of(SMALL, images=made, fingerprint=name)
        for file, result in result_objects(analysis):
            (both / name / file).write_bytes(encoded(result))
    before, after = findings(images), findings(both)
    assert len(before) == len(STUDIES)
    for study, rules in after.items():
        # descriptions in objects that are said to be de-identified; UTF-8 beside other character sets
        assert rules - before[study] <= {("review", "DEI-TABLE-X"), ("note", "CHR-MIXED")}, study


def findings(folder: Path) -> dict[str, set[tuple[str, str]]]:
    """What `heltig check` finds in each study."""
    done = subprocess.run(
        [sys.executable, "-m", "heltig", "check", "--format", "json", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (0, 10, 20), done.stderr
    return {
        study["studyInstanceUID"]: {(one["severity"], one["rule"]) for one in study["findings"]}
        for study in json.loads(done.stdout)["studies"]
    }


def test_results_are_no_images_of_the_next_analysis() -> None:
    made = analysis_of(SMALL)
    files = [encode(ds) for ds in series(SMALL)] + [encoded(result) for _, result in result_objects(made)]
    found = survey(files).series
    assert sum(len(one.stacks) for one in found) == 1
    assert sorted(left.code for one in found for left in one.left_out) == ["NO_SLICE", "NO_SLICE"]
