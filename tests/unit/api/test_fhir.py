from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.imagingstudy import ImagingStudy as ImagingStudyR5
from fhir.resources.operationoutcome import OperationOutcome as OperationOutcomeR5
from fhir.resources.R4B.imagingstudy import ImagingStudy as ImagingStudyR4B
from fhir.resources.R4B.operationoutcome import OperationOutcome as OperationOutcomeR4B
from unit.api.service import Service, study_zip, synthetic
from unit.store.samples import MAIN, NOW, finding

from heltig.reports.fhir import Version, imaging_study, operation_outcome
from heltig.store.records import Patient, Series, Study, StudyAttributes

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


def study_record(attributes: StudyAttributes) -> Study:
    return Study(
        location=MAIN, study_key="no-uid-study-71a2c2b6ac0e2a22", study_uid=None, state="JUDGED", version=1,
        revision=1, snapshot="c" * 64, content_digest="d" * 64, readiness="READY", judged=NOW, blocks=0,
        reviews=0, notes=0, series=2, instances=2, first_seen=NOW, changed=NOW, attributes=attributes,
    )  # fmt: skip


def series_record(uid: str | None, text: str = "") -> Series:
    return Series(
        series_key=uid or "no-uid-series-71a2c2b6ac0e2a22", series_uid=uid, modality=text, series_number=text,
        series_description=text, instances=1, sop_instance_uids=("1.2.5",),
    )  # fmt: skip


def empties(part: Any) -> Iterator[Any]:
    if part in ("", [], {}, None):
        yield part
    for below in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from empties(below)


@pytest.mark.parametrize(("version", "model"), [("4.3", ImagingStudyR4B), ("5.0", ImagingStudyR5)])
def test_a_series_without_a_uid_is_counted_and_not_listed(version: Version, model: Any) -> None:
    parts = [series_record(None), series_record("1.2.4")]
    made = imaging_study(study_record(StudyAttributes()), parts, {}, version=version)
    model.model_validate(made)
    assert (made["numberOfSeries"], [one["uid"] for one in made["series"]]) == (2, ["1.2.4"])
    assert made["identifier"] == [{"system": "urn:heltig:study", "value": "no-uid-study-71a2c2b6ac0e2a22"}]


@pytest.mark.parametrize("empty", ["", " ", "^^^^", " ^ ", "=^", "\x00", "\x1b"])
@pytest.mark.parametrize(("version", "model"), [("4.3", ImagingStudyR4B), ("5.0", ImagingStudyR5)])
def test_nothing_is_empty(version: Version, model: Any, empty: str) -> None:
    about = StudyAttributes(
        accession_number=empty, study_description=empty, study_id=empty, study_date=empty,
        referring_physician_name=empty, modalities_in_study=(empty,),
        patients=(Patient(patient_id=empty, patient_name=empty, issuer_of_patient_id=empty),),
    )  # fmt: skip
    made = imaging_study(study_record(about), [series_record("1.2.4", empty)], {}, version=version)
    model.model_validate(made)
    assert list(empties(made)) == []
    assert (made["subject"]["display"], "referrer" in made) == ("unknown", False)
    assert "modality" not in made
    OperationOutcomeR5.model_validate(operation_outcome(study_record(about), None))


def test_a_name_is_read_from_the_first_group_that_has_one() -> None:
    about = StudyAttributes(referring_physician_name="^^=\u5c71\u7530^\u592a\u90ce")
    made = imaging_study(study_record(about), [], {}, version="4.3")
    assert made["referrer"] == {"display": "\u592a\u90ce \u5c71\u7530"}


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
