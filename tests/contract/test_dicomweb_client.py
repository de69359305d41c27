"""dicomweb-client, the standard consumer, searches our QIDO-RS."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from requests import HTTPError, Session
from servers.heltig_server import HeltigServer, heltig_server
from unit.api.service import study_zip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeltigServer]:
    folder = tmp_path_factory.mktemp("heltig")
    package = folder / "studies.zip"
    package.write_bytes(study_zip("ct-chest", "two-patient-ids", "mr-brain"))
    with heltig_server(folder / "home") as server:
        done = subprocess.run(
            [sys.executable, "-m", "heltig", "upload", str(package), "--server", server.url],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 20, done.stderr
        yield server


@pytest.fixture
def client(server: HeltigServer) -> DICOMwebClient:
    return DICOMwebClient(f"{server.url}/dicom-web", session=Session())


def read(row: dict) -> Dataset:  # type: ignore[type-arg]
    return Dataset.from_json(row)


def test_every_study_with_its_verdict(client: DICOMwebClient) -> None:
    rows = [read(row) for row in client.search_for_studies()]
    assert len(rows) == 3
    for row in rows:
        block = row.private_block(0x0099, "HELTIG READINESS 1")
        assert block[0x01].value in ("READY", "BLOCKED")
        assert block[0x09].value == "JUDGED"
        assert row.StudyInstanceUID.is_valid
        assert row.NumberOfStudyRelatedInstances > 0


def test_searching_by_attributes(client: DICOMwebClient) -> None:
    every = [read(row) for row in client.search_for_studies()]
    one = next(row for row in every if "山田" in str(row.PatientName) or row.ModalitiesInStudy == "MR")
    for keyword in ("StudyInstanceUID", "StudyDate", "AccessionNumber", "PatientID"):
        found = client.search_for_studies(search_filters={keyword: str(one[keyword].value)})
        assert one.StudyInstanceUID in [read(row).StudyInstanceUID for row in found]
    name = str(one.PatientName).split("=")[0]
    (row,) = client.search_for_studies(search_filters={"PatientName": f"{name.lower()}*"})
    assert read(row).StudyInstanceUID == one.StudyInstanceUID
    assert read(row).PatientName == one.PatientName


def test_pages(client: DICOMwebClient) -> None:
    pages = [client.search_for_studies(limit=1, offset=offset) for offset in range(4)]
    assert [len(page) for page in pages] == [1, 1, 1, 0]
    every = client.search_for_studies(limit=2, get_remaining=True)
    assert len(every) == 3


def test_findings_by_includefield_and_filtering_by_readiness(client: DICOMwebClient) -> None:
    (row,) = client.search_for_studies(fields=["00991010"], search_filters={"00991001": "BLOCKED"})
    block = read(row).private_block(0x0099, "HELTIG READINESS 1")
    rules = [item.private_block(0x0099, "HELTIG READINESS 1")[0x20].value for item in block[0x10].value]
    assert "PAT-ID-CONFLICT" in rules


def test_further_attributes_by_includefield(client: DICOMwebClient) -> None:
    uid = read(client.search_for_studies(search_filters={"ModalitiesInStudy": "MR"})[0]).StudyInstanceUID
    kept = client.retrieve_study_metadata(uid)[0]
    (row,) = client.search_for_studies(
        fields=["PatientAge", "00101030", "PatientComments"], search_filters={"StudyInstanceUID": uid}
    )
    asked = {tag: kept[tag] for tag in ("00101010", "00101030", "00104000") if tag in kept}
    assert asked
    assert {tag: row[tag] for tag in row.keys() & {"00101010", "00101030", "00104000"}} == asked


def test_metadata_of_a_study_a_series_and_an_instance(client: DICOMwebClient) -> None:
    uid = read(client.search_for_studies(search_filters={"ModalitiesInStudy": "MR"})[0]).StudyInstanceUID
    every = [read(instance) for instance in client.retrieve_study_metadata(uid)]
    assert {instance.StudyInstanceUID for instance in every} == {uid}
    one = every[0]
    alike = [instance for instance in every if instance.SeriesInstanceUID == one.SeriesInstanceUID]
    assert len(client.retrieve_series_metadata(uid, one.SeriesInstanceUID)) == len(alike)
    found = client.retrieve_instance_metadata(uid, one.SeriesInstanceUID, one.SOPInstanceUID)
    assert read(found) == one


def test_nothing_found_and_what_is_refused(client: DICOMwebClient) -> None:
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    with pytest.raises(HTTPError) as refused:
        client.search_for_studies(search_filters={"StudyDate": "yesterday"})
    assert refused.value.response.status_code == 400
