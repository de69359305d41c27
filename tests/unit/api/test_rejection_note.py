import io
from pathlib import Path

import pydicom
import pytest
import pytest_asyncio
from unit.api.service import LATER, Service, study_zip, synthetic, together
from unit.dciodvfy import errors_by_dciodvfy

from heltig.pipeline.check import check
from heltig.rules.profile import DEFAULT

BLOCKED = synthetic("two-patient-ids")
UID = BLOCKED.datasets[0]["0020000D"]["Value"][0]
PATH = f"/dicom-web/studies/{UID}/rejection-note"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared: Service) -> Service:
    uploaded = await shared.post("/api/v1/jobs/upload", content=study_zip("two-patient-ids"), timeout=120)
    assert uploaded.status_code == 201
    return shared


async def note_of(service: Service) -> bytes:
    answer = await service.get(PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom")
    return answer.content


@together
async def test_it_names_every_instance_and_the_reason(shared: Service) -> None:
    note = pydicom.dcmread(io.BytesIO(await note_of(shared)))
    assert note.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.59"
    assert (note.Modality, note.StudyInstanceUID) == ("KO", UID)
    (title,) = note.ConceptNameCodeSequence
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113001", "DCM")
    (evidence,) = note.CurrentRequestedProcedureEvidenceSequence
    named = {
        (series.SeriesInstanceUID, one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID)
        for series in evidence.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    assert named == {
        tuple(dataset[tag]["Value"][0] for tag in ("0020000E", "00080016", "00080018"))
        for dataset in BLOCKED.datasets
    }
    description, *contents = note.ContentSequence
    assert "PAT-ID-CONFLICT" in description.TextValue
    assert {item.ValueType for item in contents} == {"IMAGE"}
    assert len(contents) == len(named)


@together
async def test_the_same_verdict_gives_the_same_note(shared: Service) -> None:
    assert await note_of(shared) == (await shared.get(PATH)).content
    tag = (await shared.get(PATH)).headers["etag"]
    assert (await shared.get(PATH, headers={"If-None-Match": tag})).status_code == 304


@together
async def test_it_conforms_to_the_standard(shared: Service, tmp_path: Path) -> None:
    file = tmp_path / "note.dcm"
    file.write_bytes(await note_of(shared))
    (judged,) = check([file], profile=DEFAULT, reference_date=LATER.date()).studies
    assert [found.rule for found in judged.findings if found.severity != "note"] == []
    assert errors_by_dciodvfy(file) == []


async def test_only_a_blocked_study_has_one(service: Service) -> None:
    await service.judged("1.2.3", readiness="NEEDS_REVIEW")
    answer = await service.get("/dicom-web/studies/1.2.3/rejection-note")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert (await service.get("/dicom-web/studies/9.9.9/rejection-note")).status_code == 404


@pytest.mark.parametrize("name", ["uid-letters", "uid-too-long"])
async def test_a_study_that_it_cannot_name(service: Service, name: str) -> None:
    await service.post("/api/v1/jobs/upload", content=study_zip(name), timeout=120)
    (row,) = (await service.get("/api/v1/studies")).json()["items"]
    answer = await service.get(f"/dicom-web/studies/{row['key']}/rejection-note")
    assert (row["readiness"], answer.status_code) == ("BLOCKED", 409)
    assert "legal" in answer.json()["detail"]


@together
async def test_it_is_a_dicom_file_and_nothing_else(shared: Service) -> None:
    assert (await shared.get(PATH, headers={"Accept": "application/dicom+json"})).status_code == 406


@pytest.mark.parametrize(("role", "status"), [("researcher", 403), ("auditor", 403), ("reader", 404)])
async def test_it_is_patient_data(guarded: Service, role: str, status: int) -> None:
    assert (await guarded.get(PATH, headers=await guarded.key(role))).status_code == status  # type: ignore[arg-type]
