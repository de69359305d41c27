from typing import Any

import pytest
from fhir.resources.imagingstudy import ImagingStudy as ImagingStudyR5
from fhir.resources.operationoutcome import OperationOutcome as OperationOutcomeR5
from fhir.resources.R4B.imagingstudy import ImagingStudy as ImagingStudyR4B
from fhir.resources.R4B.operationoutcome import OperationOutcome as OperationOutcomeR4B
from unit.api.service import Service, study_zip, synthetic
from unit.store.samples import finding

R5 = {"Accept": "application/fhir+json; fhirVersion=5.0"}
NAMES = ("pet-ct", "rt-chain", "ecg", "two-patient-ids", "patient-id-empty", "date-impossible", "uid-letters",
    "uid-too-long", "charset-wrong", "modality-missing")  # fmt: skip


def uid_of(name: str) -> str:
    uid: str = synthetic(name).datasets[0]["0020000D"]["Value"][0]
    return uid


async def uploaded(service: Service, *names: str) -> None:
    answer = await service.post("/api/v1/jobs/upload", content=study_zip(*names), timeout=120)
    assert answer.status_code == 201


async def resource(service: Service, study: str, kind: str, **options: Any) -> dict[str, Any]:
    answer = await service.get(f"/api/v1/studies/{study}/fhir/{kind}", **options)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_clean_and_broken_studies_are_valid_in_both_versions(service: Service) -> None:
    await uploaded(service, *NAMES)
    keys = [row["key"] for row in (await service.get("/api/v1/studies?limit=1000")).json()["items"]]
    assert len(keys) >= len(NAMES)
    for key in keys:
        ImagingStudyR4B.model_validate(await resource(service, key, "ImagingStudy"))
        ImagingStudyR5.model_validate(await resource(service, key, "ImagingStudy", headers=R5))
        OperationOutcomeR4B.model_validate(await resource(service, key, "OperationOutcome"))
        OperationOutcomeR5.model_validate(await resource(service, key, "OperationOutcome", headers=R5))


async def test_a_study_with_its_series_and_instances(service: Service) -> None:
    await uploaded(service, "pet-ct")
    study = await resource(service, uid_of("pet-ct"), "ImagingStudy")
    assert study["identifier"][0] == {"system": "urn:dicom:uid", "value": f"urn:oid:{uid_of('pet-ct')}"}
    assert (study["status"], study["numberOfInstances"]) == ("available", len(synthetic("pet-ct").datasets))
    assert [coding["code"] for coding in study["modality"]] == ["CT", "PT"]
    listed = {one["uid"]: one["sopClass"]["code"] for series in study["series"] for one in series["instance"]}
    assert listed == {
        dataset["00080018"]["Value"][0]: f"urn:oid:{dataset['00080016']['Value'][0]}"
        for dataset in synthetic("pet-ct").datasets
    }
    r5 = await resource(service, uid_of("pet-ct"), "ImagingStudy", headers=R5)
    assert [modality["coding"][0]["code"] for modality in r5["modality"]] == ["CT", "PT"]


async def test_the_verdict_is_the_first_issue_and_each_finding_another(service: Service) -> None:
    await service.judged(
        "1.2.3",
        finding(observed="X"),
        finding("VAL-LENGTH", "review"),
        finding("SER-1", "block", waived=True),
        readiness="BLOCKED",
    )
    verdict, *issues = (await resource(service, "1.2.3", "OperationOutcome"))["issue"]
    assert verdict["details"]["text"].startswith("BLOCKED, revision 1: 1 to block it, 1 to review")
    assert [(one["severity"], one["code"], one["details"]["coding"][0]["code"]) for one in issues] == [
        ("error", "business-rule", "PAT-ID-EMPTY"),
        ("warning", "value", "VAL-LENGTH"),
        ("information", "business-rule", "SER-1"),
        ("error", "exception", "SITE-1"),  # which failed to run
    ]
    assert "observed: X" in issues[0]["diagnostics"]


async def test_uids_that_are_no_fhir_ids_are_counted_and_not_listed(service: Service) -> None:
    await uploaded(service, "uid-letters", "uid-too-long")
    for key in [row["key"] for row in (await service.get("/api/v1/studies")).json()["items"]]:
        study = await resource(service, key, "ImagingStudy")
        uids = [one["uid"] for series in study.get("series", []) for one in series.get("instance", [])]
        assert len(uids) <= study["numberOfInstances"]
        assert all(len(uid) <= 64 for uid in uids)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/fhir+json; fhirVersion=4.3"),
        ("application/fhir+json; fhirVersion=5.0", "application/fhir+json; fhirVersion=5.0"),
        ("application/json", "application/json"),
    ],
)
async def test_versions_and_media_types(service: Service, accept: str, media_type: str) -> None:
    await service.judged("1.2.3")
    answer = await service.get("/api/v1/studies/1.2.3/fhir/OperationOutcome", headers={"Accept": accept})
    assert answer.headers["content-type"] == media_type


@pytest.mark.parametrize("accept", ["application/fhir+json; fhirVersion=3.0", "application/fhir+xml"])
async def test_what_is_not_spoken(service: Service, accept: str) -> None:
    await service.judged("1.2.3")
    answer = await service.get("/api/v1/studies/1.2.3/fhir/ImagingStudy", headers={"Accept": accept})
    assert answer.status_code == 406


async def test_what_is_not_known(service: Service) -> None:
    assert (await service.get("/api/v1/studies/9.9.9/fhir/ImagingStudy")).status_code == 404
    await service.judged("1.2.3")
    elsewhere = await service.get("/api/v1/studies/1.2.3/fhir/OperationOutcome?location=other")
    assert elsewhere.status_code == 404
