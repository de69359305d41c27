"""Looks at patient data are in the audit trail, which auditors read over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from unit.api.service import DICOM_JSON, LATER, Service, in_one_task, running

from heltig.api.looks import names_of
from heltig.app import create_app
from heltig.audit.verify import verify
from heltig.settings import Settings
from heltig.store.audit_trail import AuditEntry
from heltig.store.records import Location

STUDY = "1.2.3"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with in_one_task(running(tmp_path, auth_mode="api-key", client=("10.0.0.9", 5))) as running_service:
        await running_service.judged(STUDY)
        yield running_service


async def looks(service: Service, action: str = "patient.look") -> list[AuditEntry]:
    await service.services.batches.flush()
    return await service.audit(action)


async def test_who_looked_at_which_study_is_recorded_once_for_many_looks(service: Service) -> None:
    reader, other = await service.key("reader"), await service.key("reader", name="other")
    for _ in range(5):
        assert (await service.get(f"/api/v1/studies/{STUDY}", headers=reader)).status_code == 200
    await service.get(f"/api/v1/studies/{STUDY}", headers=other)
    await service.get("/api/v1/studies/9.9.9", headers=other)
    await service.get("/api/v1/studies/DOE^JANE", headers=other)
    found = {(entry.actor, entry.outcome): entry for entry in await looks(service)}
    assert set(found) == {("key:reader-", "success"), ("key:other", "success"), ("key:other", "failure")}
    assert sum(entry.detail["count"] for entry in found.values()) == 8
    mine = [entry for entry in await looks(service) if entry.actor == "key:reader-"]
    assert sum(entry.detail["studies"][STUDY] for entry in mine) == 5
    assert found["key:other", "failure"].detail["studies"] == {"9.9.9": 1, "other": 1}
    entry = mine[0]
    assert (entry.subject, entry.origin, entry.at) == ("GET /api/v1/studies/{study}", "10.0.0.9", LATER)


async def test_a_search_is_recorded_with_its_keys_and_never_with_their_values(service: Service) -> None:
    archive = await service.key("archive")
    query = "PatientName=DOE*&00100020=4711&limit=5&DOE^JOHN=x"
    answer = await service.get(f"/dicom-web/studies?{query}", headers={**archive, "Accept": DICOM_JSON})
    assert answer.status_code == 200
    (entry,) = await looks(service, "patient.search")
    assert entry.subject == "GET /dicom-web/studies"
    assert entry.detail == {"count": 1, "keys": {"00100020": 1, "PatientName": 1, "limit": 1, "other": 1}}


async def test_lists_name_the_studies_that_they_show(service: Service) -> None:
    await service.judged("1.2.4", location=Location("archive", "other"))
    admin = await service.key("admin")
    for path, studies in {
        "/dicom-web/studies": {STUDY, "1.2.4"},
        "/dicom-web/studies?limit=1": {STUDY},
        "/api/v1/studies?location=other": {"1.2.4"},
        "/api/v1/reports?format=csv": {STUDY, "1.2.4"},
        "/api/v1/reports?format=html": {STUDY, "1.2.4"},
        "/": {STUDY, "1.2.4"},
        "/dicom-web/studies?StudyInstanceUID=9": set(),
        "/api/v1/studies?limit=wrong": set(),
    }.items():
        before = len(await looks(service, "patient.search"))
        answer = await service.get(path, headers={**admin, "Accept": "*/*"})
        entries = (await looks(service, "patient.search"))[before:]
        named = [set(entry.detail.get("studies", ())) for entry in entries]
        assert (path, set().union(*named)) == (path, studies), answer.text
        assert sum(entry.detail.get("count", 0) for entry in entries) == 1


async def test_many_studies_in_a_list_are_in_several_entries(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heltig.audit.batches.STUDIES", 2)
    for number in range(4):
        await service.judged(f"1.2.{number + 4}")
    answer = await service.get("/api/v1/studies", headers=await service.key("reader"))
    assert len(answer.json()["items"]) == 5
    entries = await looks(service, "patient.search")
    assert [len(entry.detail["studies"]) for entry in entries] == [2, 2, 1]
    assert [entry.detail.get("continued", False) for entry in entries] == [False, True, True]


async def test_what_shows_no_patient_is_no_look(service: Service) -> None:
    admin = await service.key("admin")
    for path in (
        f"/dicom-web/studies/{STUDY}/readiness",
        "/api/v1/rules",
        "/api/v1/jobs",
        "/archives",
        "/health",
    ):
        assert (await service.get(path, headers=admin)).status_code == 200
    assert await looks(service) == []
    assert await looks(service, "patient.search") == []


@asynccontextmanager
async def started(home: Path, **settings: Any) -> AsyncIterator[Service]:
    """A service with the database that is in its folder, if there is one."""
    app = create_app(Settings(home=home, workers=1, **settings), clock=lambda: LATER)
    async with app.lifespan():
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8042") as client:
            yield Service(app, client, home)


async def test_looks_and_the_end_are_written_when_the_service_stops(tmp_path: Path) -> None:
    async with started(tmp_path) as service:
        await service.judged(STUDY)
        await service.get(f"/api/v1/studies/{STUDY}")
    async with started(tmp_path) as service:
        (entry,) = await service.audit("patient.look")
        assert (entry.actor, entry.detail["studies"]) == ("local", {STUDY: 1})
        assert len(await service.audit("service.stop")) == 1


async def test_settings_that_changed_since_the_last_start_are_named_without_their_values(
    tmp_path: Path,
) -> None:
    for changes in ({"upload_max_members": 5}, {"upload_max_members": 5}, {"upload_max_ratio": 7}):
        async with started(tmp_path, **changes) as service:
            starts = await service.audit("service.start")
    assert [start.detail["first"] for start in starts] == [True, False, False]
    first, second, third = (start.detail["changed"] for start in starts)
    assert {"home", "upload_max_members"} <= set(first)
    assert second == []
    assert third == ["upload_max_members", "upload_max_ratio"]


async def test_looks_that_cannot_be_written_are_kept_and_tried_again(service: Service) -> None:
    reader = await service.key("reader")
    break_ = "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"
    if not service.services.store.writes_alone:
        pytest.skip("about SQLite")
    await service.services.batches.flush()
    await service.services.store.write(lambda t: t.connection.exec_driver_sql(break_))
    await service.get(f"/api/v1/studies/{STUDY}", headers=reader)
    with pytest.raises(Exception, match="no"):
        await service.services.batches.flush()
    await service.get(f"/api/v1/studies/{STUDY}", headers=reader)
    await service.services.store.write(lambda t: t.connection.exec_driver_sql("DROP TRIGGER broken"))
    (entry,) = await looks(service)
    assert entry.detail == {"count": 2, "studies": {STUDY: 2}}


async def test_nobody_is_shown_anything_when_there_is_no_room_for_looks(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = await service.key("reader")
    if not service.services.store.writes_alone:
        pytest.skip("about SQLite")
    monkeypatch.setattr("heltig.audit.batches.MOST", 2)
    break_ = "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"
    await service.services.store.write(lambda t: t.connection.exec_driver_sql(break_))
    assert (await service.get(f"/api/v1/studies/{STUDY}", headers=reader)).status_code == 200
    refused = await service.get(f"/api/v1/studies/{STUDY}", headers=reader)
    assert refused.status_code == 503
    assert STUDY not in refused.text.replace(f"/studies/{STUDY}", "")
    await service.services.store.write(lambda t: t.connection.exec_driver_sql("DROP TRIGGER broken"))
    assert (await service.get(f"/api/v1/studies/{STUDY}", headers=reader)).status_code == 200


async def test_the_trail_is_read_by_sequence_as_json_and_as_lines(service: Service) -> None:
    auditor = await service.key("auditor")
    page = (await service.get("/api/v1/audit?limit=2", headers=auditor)).json()
    assert [item["sequence"] for item in page["items"]] == [1, 2]
    assert (page["next"], page["items"][0]["action"]) == (2, "audit.begin")
    rest = (await service.get(f"/api/v1/audit?after={page['next']}", headers=auditor)).json()
    assert rest["items"][0]["sequence"] == 3
    assert rest["next"] == rest["latest"] == rest["items"][-1]["sequence"]
    lines = await service.get("/api/v1/audit?limit=2", headers={**auditor, "Accept": "application/x-ndjson"})
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == page["items"]
    (made,) = (
        await service.get("/api/v1/audit?action=key.create&subject=key:auditor-", headers=auditor)
    ).json()["items"]
    assert made["detail"] == {"role": "auditor", "areas": [], "expires": None}
    later = (LATER + timedelta(days=1)).isoformat().replace("+00:00", "")
    assert (await service.get(f"/api/v1/audit?since={later}", headers=auditor)).json()["items"] == []
    (entry, *_) = await looks(service, "audit.read")
    assert (entry.actor, entry.subject) == ("key:auditor-", "GET /api/v1/audit")


async def test_the_trail_is_for_auditors_and_admins(service: Service) -> None:
    for role, status in (
        ("auditor", 200),
        ("admin", 200),
        ("reader", 403),
        ("qa_operator", 403),
        ("archive", 403),
    ):
        headers = await service.key(role)
        assert (await service.get("/api/v1/audit", headers=headers)).status_code == status
    assert (await service.get("/api/v1/audit")).status_code == 401


async def test_the_chain_of_a_service_is_whole(service: Service) -> None:
    reader = await service.key("reader")
    await asyncio.gather(*(service.get(f"/api/v1/studies/{n}", headers=reader) for n in range(300)))
    entries = await looks(service)
    assert sum(len(entry.detail["studies"]) for entry in entries) == 300
    assert all(len(entry.detail["studies"]) <= 200 for entry in entries)
    found = await service.services.store.read(verify, service.services.store._seal)
    assert found.is_whole, found.breaks


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (b"", []),
        (b"PatientID=1&PatientID=2", ["PatientID"]),
        (b"00081030=x&0040A730.00080100=y", ["00081030", "0040A730.00080100"]),
        (b"ReferencedStudySequence.StudyDate=1", ["ReferencedStudySequence.StudyDate"]),
        (b"DOE%5EJANE=1&19700101=1&=x", ["other", "19700101"]),
        (b"\xff\xfe=1", ["other"]),
    ],
)  # fmt: skip
def test_names_of_parameters_that_are_none_are_not_kept(query: bytes, names: list[str]) -> None:
    assert list(names_of(query)) == names
