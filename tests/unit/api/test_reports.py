"""`/api/v1/reports` and `/api/v1/studies/{study}/report`: what they answer with, and to whom."""

import csv
import io
import zipfile
from pathlib import Path

import pytest
from unit.api.service import LATER, Service, study_zip, synthetic

from heltig.audit import record
from heltig.auth.principal import Area, Role
from heltig.reports.bundle.checking import check_bundle
from heltig.reports.bundle.reading import read_bundle

NAMES = ("two-patient-ids", "slices-missing", "ct-chest")
FORMATS = {
    "application/json": "json",
    "text/html": "html",
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
}


def uid_of(name: str) -> str:
    uid: str = synthetic(name).datasets[0]["0020000D"]["Value"][0]
    return uid


async def uploaded(service: Service, headers: dict[str, str] | None = None) -> str:
    """Three studies, judged; gives their location."""
    sent = {"content": study_zip(*NAMES), "timeout": 120, "headers": headers or {}}
    answer = await service.post("/api/v1/jobs/upload", **sent)
    assert answer.status_code == 201
    found = (await service.get("/api/v1/studies?limit=1", headers=headers or {})).json()["items"]
    location: str = found[0]["location"]
    return location


async def test_reports_say_the_same_in_every_form(service: Service) -> None:
    location = await uploaded(service)
    uid = uid_of("two-patient-ids")
    for path in (f"/api/v1/studies/{uid}/report", "/api/v1/reports", f"/api/v1/reports?location={location}"):
        for media_type, form in FORMATS.items():
            answer = await service.get(path, headers={"Accept": media_type})
            assert answer.status_code == 200
            assert answer.headers["content-type"].partition(";")[0] == media_type
            head = await service.client.head(path, headers={"Accept": media_type})
            assert head.status_code == 200
            of_get = dict(answer.headers) | {"date": "", "heltig-request-id": ""}
            assert {**head.headers, "date": "", "heltig-request-id": ""}.items() <= of_get.items()
            same = await service.get(path, params={"format": form, "location": location})
            assert same.headers["content-type"] == answer.headers["content-type"]
            for told in (
                uid,
                "PAT-ID-CONFLICT",
                "2024e",
                {"csv": "judged_utc", "ndjson": "Z"}.get(form, "UTC"),
            ):
                assert told in answer.text, (path, form, told)
    refused = await service.get(f"/api/v1/studies/{uid}/report", headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert all(media_type in refused.json()["detail"] for media_type in FORMATS)


async def test_a_study_report_explains_itself(service: Service) -> None:
    await uploaded(service)
    line = (await service.get(f"/api/v1/studies/{uid_of('slices-missing')}/report")).json()["verdicts"][0]
    assert line["readiness"] == "NEEDS_REVIEW"
    assert "need a person's review" in line["why"]
    assert {"version", "hash", "standard"} == set(line["ruleset"])
    gap = next(found for found in line["findings"] if found["rule"] == "GEO-SLICE-GAP")
    assert all(gap[told] for told in ("observed", "expected", "remedy", "count", "instances"))
    page = await service.get(f"/api/v1/studies/{uid_of('slices-missing')}/report?format=html")
    assert "3 missing" in page.text
    assert "<script" not in page.text
    assert "sha256-" in page.headers["content-security-policy"]


async def test_counts_are_those_of_the_studies(service: Service) -> None:
    await uploaded(service)
    report = (await service.get("/api/v1/reports")).json()
    assert len(report["verdicts"]) == len(NAMES)
    figures = report["figures"]
    assert figures["total"]["studies"] == len(NAMES)
    assert figures["total"]["verdicts"] == {"BLOCKED": 1, "NEEDS_REVIEW": 1, "READY": 1}
    assert figures["total"]["pending"] == 0
    assert sum(one["studies"] for one in figures["days"]) == len(NAMES)
    assert {one["value"] for one in figures["modalities"]} == {"CT"}
    assert {one["rule"] for one in figures["rules"]} >= {"PAT-ID-CONFLICT", "GEO-SLICE-GAP"}
    assert all(figures[group] for group in ("manufacturers", "models", "stations", "locations", "shares"))


async def test_redacted_reports_name_no_patient(service: Service) -> None:
    await uploaded(service)
    plain = (await service.get("/api/v1/reports")).json()
    patients = {one["patientID"] for line in plain["verdicts"] for one in line["patients"]}
    names = {one["name"] for line in plain["verdicts"] for one in line["patients"]}
    accessions = {line["accessionNumber"] for line in plain["verdicts"]}
    described = {line["studyDescription"] for line in plain["verdicts"]}
    secrets = (patients | names | accessions | described) - {""}
    assert len(secrets) > 6
    pages = ["/api/v1/reports", *(f"/api/v1/studies/{uid_of(name)}/report" for name in NAMES)]
    for page in pages:
        for form in FORMATS.values():
            text = (await service.get(page, params={"format": form, "redact": "true"})).text
            assert not [secret for secret in secrets if secret in text], (page, form)


async def test_a_period_is_of_days_of_judging(service: Service) -> None:
    await uploaded(service)
    day = (await service.get("/api/v1/reports")).json()["figures"]["days"][0]["value"]
    for query, number in (
        (f"since={day}", 3),
        (f"until={day}", 3),
        (f"since={day}&until={day}", 3),
        (f"until={day}T00:00:00Z", 0),
        ("since=2090-01-01", 0),
    ):
        answer = await service.get(f"/api/v1/reports?format=ndjson&{query}")
        assert len(answer.text.splitlines()) == number, query
    for query in (
        "since=yesterday",
        f"since={day}&until=2001-01-01",
        "location=moon:1",
        "until=9999-12-31",
        "since=0001-01-01T00:00:00%2B14:00",
        "location=main&backfill=1",
    ):
        assert (await service.get(f"/api/v1/reports?{query}")).status_code == 400
    twice = await service.get("/api/v1/reports?since=2026-03-01&since=2026-03-02")
    assert twice.status_code == 400
    assert "more than once" in twice.text
    answer = await service.get(f"/api/v1/reports?format=csv&since={day}")
    assert (
        answer.headers["content-disposition"] == f'inline; filename="heltig-studies-judged-from-{day}-on.csv"'
    )
    one = uid_of("slices-missing")
    answer = await service.get(f"/api/v1/studies/{one}/report?format=html")
    assert answer.headers["content-disposition"] == f'inline; filename="heltig-study-{one}.html"'
    for query in ("location=nowhere", "backfill=77"):
        assert (await service.get(f"/api/v1/reports?{query}")).status_code == 404
    assert (await service.get("/api/v1/studies/1.2.3/report")).status_code == 404


async def test_csv_is_whole_and_no_formula(service: Service) -> None:
    await service.judged("1.2.3", study_description='=HYPERLINK("http://x","y")', accession_number="@SUM(1)")
    text = (await service.get("/api/v1/reports?format=csv")).text
    assert text.endswith("\r\n")
    assert text.startswith("\ufeff")
    head, row = csv.reader(io.StringIO(text[1:], newline=""))
    told = dict(zip(head, row, strict=True))
    assert told["accession_number"] == "'@SUM(1)"
    assert told["study_instance_uid"] == "1.2.3"
    assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize(("role", "status"), [("reader", 200), ("auditor", 403), ("researcher", 403)])
async def test_reports_are_for_who_may_see_studies(guarded: Service, role: Role, status: int) -> None:
    key = await guarded.key(role)
    assert (await guarded.get("/api/v1/reports", headers=key)).status_code == status


async def test_a_bundle_is_given_and_verifies(service: Service, tmp_path: Path) -> None:
    await uploaded(service)
    path = f"/api/v1/studies/{uid_of('slices-missing')}/bundle"
    answer = await service.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert (await service.get(path)).content == answer.content
    place = tmp_path / "bundle.zip"
    place.write_bytes(answer.content)
    assert check_bundle(read_bundle(place)).outcome == "same"
    listed = (await service.get("/api/v1/studies")).json()["items"]
    found = next(one for one in listed if one["key"] == uid_of("slices-missing"))
    await service.services.store.write_durably(
        record,
        at=LATER,
        actor="user:anna",
        action="quarantine.release",
        subject=f"{found['location']} {found['key']}",
        outcome="success",
        origin="",
        detail={"reason": "Doe^Jane is fine", "instances": 2},
    )
    for redact in ("false", "true"):
        answer = await service.get(path, params={"redact": redact})
        package = zipfile.ZipFile(io.BytesIO(answer.content))
        assert ("metadata.json" not in package.namelist()) == (redact == "true")
        assert (b"Doe^Jane is fine" not in package.read("audit.ndjson")) == (redact == "true")
    assert (await service.get("/api/v1/studies/1.2.3/bundle")).status_code == 404
    assert (await service.get(path, headers={"Accept": "text/html"})).status_code == 406


async def test_a_bundle_has_what_somebody_may_have(guarded: Service) -> None:
    await uploaded(guarded, await guarded.key("qa_operator"))
    path = f"/api/v1/studies/{uid_of('ct-chest')}/bundle"
    whoever: tuple[tuple[Role, tuple[Area, ...], bool], ...] = (
        ("reader", (), False),
        ("admin", (), True),
        ("reader", ("studies",), False),
    )
    for role, area, audit in whoever:
        answer = await guarded.get(path, headers=await guarded.key(role, *area))
        names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        assert ("audit.ndjson" in names) is audit
        assert ("snapshot/snapshot.json" in names) is (not area)
    key = await guarded.key("auditor")
    assert (await guarded.get(path, headers=key)).status_code == 403
