"""Waivers over REST: given, listed, revoked; and what every look-up says when one ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from unit.api.service import LATER, Service, in_one_task, running, study_zip, together, values
from unit.clock import Clock
from unit.store.databases import SERVER
from unit.store.samples import MAIN, STUDY, finding, put_judged_with, snapshot, verdict

from heltig.app import create_app
from heltig.errors import ConflictError
from heltig.settings import Settings
from heltig.store import changes, publication, snapshots
from heltig.verdict import Waiver

ENDS = LATER + timedelta(hours=1)
WAIVERS = "/api/v1/waivers"


@pytest.fixture
def clock() -> Clock:
    return Clock(LATER)


@pytest.fixture
async def clocked(tmp_path: Path, clock: Clock) -> AsyncIterator[Service]:
    async with in_one_task(running(tmp_path / "home", clock=clock)) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared: Service) -> Service:
    await shared.judged(STUDY, finding(), readiness="BLOCKED")
    return shared


def wish(**changed: Any) -> dict[str, Any]:
    return {
        "rule": "PAT-ID-EMPTY",
        "tags": ["00100020"],
        "observed": "",
        "reason": "An emergency without an identity",
        "expires": "2026-03-01T13:30:00Z",
        "study": STUDY,
        **changed,
    }


def accepting(found: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A waiver for a finding."""
    return wish(**{name: found[name] for name in ("rule", "tags", "observed")}, **changed)


async def done(service: Service, job: int) -> dict[str, Any]:
    await service.services.uploads.ended(job, within=120)
    found: dict[str, Any] = (await service.get(f"/api/v1/jobs/{job}")).json()
    assert found["state"] == "succeeded", found["error"]
    return found


async def ended_job(service: Service) -> dict[str, Any]:
    """The last of the jobs that judge again what no longer holds, once it is done."""
    await service.services.waivers.sweep()
    newest = (await service.get("/api/v1/jobs?kind=waiver-end")).json()["items"]
    started = [job["id"] for job in newest if job["notBefore"] is None]
    return await done(service, max(started))


async def uploaded(service: Service, name: str = "two-patient-ids") -> tuple[str, dict[str, Any]]:
    """A judged upload: its study and the finding that blocks it."""
    answer = await service.post("/api/v1/jobs/upload", content=study_zip(name), timeout=120)
    [study] = answer.json()["studies"]
    [blocking] = [found for found in study["findings"] if found["severity"] == "block"]
    return study["study"]["key"], blocking


async def readiness(service: Service, study: str) -> str:
    return (await service.get(f"/dicom-web/studies/{study}/readiness")).headers["heltig-readiness"]


async def revisions(service: Service) -> list[tuple[int, str | None]]:
    found = await service.services.store.read(changes.since, 0, limit=100)
    return [(change.revision, change.readiness) for change in found]


async def test_a_waiver_changes_the_verdict_until_it_ends(clocked: Service, clock: Clock) -> None:
    study, blocking = await uploaded(clocked)
    before = await readiness(clocked, study)
    assert before == "BLOCKED"
    answer = await clocked.post(WAIVERS, json=accepting(blocking, study=study))
    assert answer.status_code == 201
    given = answer.json()
    assert given["concerns"] == 1
    assert given["waiver"]["author"] == "local"
    assert given["waiver"]["state"] == "in-force"
    await done(clocked, given["job"])
    waived = await readiness(clocked, study)
    assert waived != "BLOCKED"
    found = (await clocked.get(f"/api/v1/studies/{study}/findings?waived=true")).json()["items"]
    assert [(f["rule"], f["observed"]) for f in found] == [(blocking["rule"], blocking["observed"])]
    [location] = (await clocked.get(f"/api/v1/studies/{study}")).json()["locations"]
    assert location["verdict"]["waivers"] == [given["waiver"]["id"]]
    assert location["verdict"]["unwaivedReadiness"] == "BLOCKED"
    assert location["verdict"]["validUntil"] == "2026-03-01T13:30:00Z"
    items = (await clocked.get(f"/dicom-web/studies/{study}/readiness")).json()["00991010"]["Value"]
    assert [values(i, "00991025") for i in items if values(i, "00991020") == [blocking["rule"]]] == [["YES"]]

    clock.now = ENDS - timedelta(microseconds=1)
    assert await readiness(clocked, study) == waived
    clock.now = ENDS
    assert await readiness(clocked, study) in ("PENDING", "BLOCKED")  # the job may have been quicker
    await ended_job(clocked)
    assert await readiness(clocked, study) == "BLOCKED"
    assert await revisions(clocked) == [(1, "BLOCKED"), (2, waived), (3, "BLOCKED")]
    [waiver] = (await clocked.get(WAIVERS)).json()["items"]
    assert waiver["state"] == "expired"


async def test_a_revoked_waiver_counts_no_more_at_once(clocked: Service) -> None:
    study, blocking = await uploaded(clocked)
    body = accepting(blocking, study=study)
    given = (await clocked.post(WAIVERS, json=body)).json()
    await done(clocked, given["job"])
    waived = await readiness(clocked, study)
    number = given["waiver"]["id"]
    revoked = (await clocked.client.delete(f"{WAIVERS}/{number}")).json()
    assert await readiness(clocked, study) in ("PENDING", "BLOCKED")
    assert (revoked["state"], revoked["revokedBy"]) == ("revoked", "local")
    await ended_job(clocked)
    assert await readiness(clocked, study) == "BLOCKED"
    assert await revisions(clocked) == [(1, "BLOCKED"), (2, waived), (3, "BLOCKED")]
    again = await clocked.client.delete(f"{WAIVERS}/{number}")
    assert (again.status_code, again.json()) == (200, revoked)
    assert (await clocked.get(f"{WAIVERS}/{number}")).json() == revoked
    assert [entry.action for entry in await clocked.audit("waiver.give")] == ["waiver.give"]
    [entry] = await clocked.audit("waiver.revoke")
    assert (entry.actor, entry.subject, entry.detail["study"]) == ("local", f"waiver {number}", study)
    assert blocking["observed"] not in str(entry.detail)


async def test_what_nobody_found_cannot_be_accepted(clocked: Service) -> None:
    study, blocking = await uploaded(clocked)
    wrong: list[dict[str, Any]] = [
        {"observed": f"{blocking['observed']}, C3 (1)"},
        {"tags": ["00100010"]},
        {"tags": []},
        {"digest": "0" * 32},
    ]
    for changed in wrong:
        answer = await clocked.post(WAIVERS, json=accepting(blocking, study=study) | changed)
        assert answer.status_code == 404
        assert "findings" in answer.json()["detail"]
    assert (await clocked.get(WAIVERS)).json()["items"] == []


async def test_a_waiver_covers_the_attributes_it_names_and_no_others(clocked: Service) -> None:
    absent = {"rule": "IOD-TYPE1", "severity": "review", "observed": "absent (CT Image)"}
    findings = [
        finding(**absent, tags=("00200052",), digest="a" * 32),
        finding(**absent, tags=("00080008",), digest="b" * 32),
    ]
    await clocked.judged(STUDY, *findings, readiness="NEEDS_REVIEW")
    body = wish(rule="IOD-TYPE1", observed="absent (CT Image)", tags=["00200052"])
    given = (await clocked.post(WAIVERS, json=body)).json()["waiver"]
    assert (given["tags"], given["digest"]) == (["00200052"], "a" * 32)


async def test_of_findings_that_read_alike_one_is_named_by_its_digest(clocked: Service) -> None:
    for study, digest in ((STUDY, "a" * 32), (f"{STUDY}.7", "b" * 32)):
        await clocked.judged(study, finding(observed="3 not listed", digest=digest), readiness="BLOCKED")
    body = wish(observed="3 not listed", study=None, location="main")
    answer = await clocked.post(WAIVERS, json=body)
    assert (answer.status_code, "digest" in answer.json()["detail"]) == (409, True)
    given = (await clocked.post(WAIVERS, json={**body, "digest": "b" * 32})).json()
    assert (given["concerns"], given["waiver"]["digest"]) == (1, "b" * 32)


async def test_what_an_older_version_found_has_to_be_judged_again_first(clocked: Service) -> None:
    await clocked.judged(STUDY, finding(digest=""), readiness="BLOCKED")
    answer = await clocked.post(WAIVERS, json=wish())
    assert (answer.status_code, "heltig rescore" in answer.json()["detail"]) == (409, True)


async def test_a_later_study_of_the_location_is_covered_when_it_is_judged(clocked: Service) -> None:
    study, blocking = await uploaded(clocked)
    where = (await clocked.get(f"/api/v1/studies/{study}")).json()["locations"][0]["study"]["location"]
    body = accepting(blocking, study=None, location=where)
    given = (await clocked.post(WAIVERS, json=body)).json()
    assert (given["waiver"]["scope"], given["concerns"]) == ("archive", 1)
    await done(clocked, given["job"])
    assert await readiness(clocked, study) != "BLOCKED"
    by_study = (await clocked.post(WAIVERS, json={**body, "location": None, "study": study})).json()
    await done(clocked, by_study["job"])
    await clocked.client.delete(f"{WAIVERS}/{given['waiver']['id']}")
    await ended_job(clocked)
    assert await readiness(clocked, study) != "BLOCKED"  # the other one covers it still
    again = await clocked.post(
        "/api/v1/jobs/upload", content=study_zip("two-patient-ids", "dx-hand"), timeout=120
    )
    covered = {s["study"]["key"]: s["study"]["readiness"] for s in again.json()["studies"]}
    assert covered[study] != "BLOCKED"


@pytest.mark.parametrize("minutes", [-1, 0, 1])
async def test_no_look_up_tells_a_verdict_that_no_longer_holds(
    clocked: Service, clock: Clock, minutes: int
) -> None:
    """Though no job ran: the verdict relies on a waiver that nothing but the verdict knows."""
    store = clocked.services.store
    await store.write(put_judged_with)
    put = await store.write(snapshots.put, snapshot())
    waiver = Waiver("1", "PAT-ID-EMPTY", "", ENDS)
    new = verdict(put, finding(waived=True), waivers=(waiver,), unwaived_readiness="BLOCKED")
    await store.write_durably(publication.publish, new)
    clock.now = ENDS + timedelta(minutes=minutes)
    status = "READY" if minutes < 0 else "PENDING"

    assert await readiness(clocked, STUDY) == status
    [bulk] = (await clocked.post("/dicom-web/studies/readiness", json=[STUDY])).json()
    assert (values(bulk, "00991009"), values(bulk, "00991001")) == (
        (["JUDGED"], ["READY"]) if status == "READY" else (["PENDING"], [])
    )
    assert f"verdict={status} " in (await clocked.get(f"/consult/studies/{STUDY}")).text
    rows = (await clocked.get("/dicom-web/studies")).json()
    assert [values(row, "00991009") for row in rows] == [["JUDGED" if status == "READY" else "PENDING"]]
    ready = int(status == "READY")
    assert len((await clocked.get("/dicom-web/studies?readiness=READY")).json()) == ready
    assert len((await clocked.get("/api/v1/studies?readiness=READY")).json()["items"]) == ready
    assert len((await clocked.get("/api/v1/studies?state=JUDGED")).json()["items"]) == ready
    assert len((await clocked.get("/api/v1/studies?state=PENDING")).json()["items"]) == 1 - ready
    [listed] = (await clocked.get("/api/v1/studies")).json()["items"]
    detail = (await clocked.get(f"/api/v1/studies/{STUDY}")).json()
    for shown in (listed, detail["locations"][0]["study"]):
        assert (shown["state"], shown["readiness"]) == (("JUDGED", "READY") if ready else ("PENDING", None))
    assert detail["status"] == status
    for path in ("/", f"/studies/{STUDY}"):
        page = (await clocked.get(path)).text
        assert ('class="badge is-pending' in page) == (not ready)


@pytest.mark.skipif(bool(SERVER), reason="one database in one folder, opened twice")
async def test_a_service_that_was_down_over_the_end_catches_up(tmp_path: Path, clock: Clock) -> None:
    home = tmp_path / "home"

    @asynccontextmanager
    async def served() -> AsyncIterator[Service]:
        app = create_app(Settings(home=home, workers=1), clock=clock)
        async with app.lifespan():
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8042") as client:
                yield Service(app, client, home)

    async with in_one_task(served()) as service:
        study, blocking = await uploaded(service)
        body = accepting(blocking, study=study)
        given = (await service.post(WAIVERS, json=body)).json()
        await done(service, given["job"])
        assert await readiness(service, study) != "BLOCKED"
    clock.now = ENDS + timedelta(days=1)
    async with in_one_task(served()) as service:
        assert await readiness(service, study) in ("PENDING", "BLOCKED")
        [job] = (await service.get("/api/v1/jobs?kind=waiver-end")).json()["items"][-1:]
        await done(service, job["id"])
        assert await readiness(service, study) == "BLOCKED"
        assert (await revisions(service))[-1] == (3, "BLOCKED")


@together
@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"rule": "NO-RULE"}, 404),
        ({"study": None}, 400),
        ({"study": None, "location": "main", "series": "1.2"}, 400),
        ({"series": "1.2"}, 404),
        ({"study": "9.9"}, 404),
        ({"location": "nowhere"}, 404),
        ({"reason": " "}, 400),
        ({"observed": "another"}, 404),
        ({"tags": "00100020"}, 400),
        ({"expires": "2026-03-01T12:30:59Z"}, 400),
        ({"expires": "2026-03-01T13:30:00"}, 400),
        ({"expires": "9999-12-31T23:59:00-12:00"}, 400),
        ({"expires": "9999-12-31T23:59:00Z"}, 400),
        ({"location": "cellar:main"}, 400),
        ({"forever": True}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(shared: Service, changed: dict[str, Any], status: int) -> None:
    answer = await shared.post(WAIVERS, json=wish(**changed))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (await shared.get(WAIVERS)).json()["items"] == []
    assert await shared.audit("waiver.give") == []


async def test_waivers_are_listed_newest_first_and_filtered(clocked: Service, clock: Clock) -> None:
    await clocked.judged(STUDY, finding(), finding("STU-DATE-FUTURE"), readiness="BLOCKED")
    for changed in ({}, {"rule": "STU-DATE-FUTURE"}, {"study": None, "location": "main"}):
        assert (await clocked.post(WAIVERS, json=wish(**changed))).status_code == 201
    await clocked.client.delete(f"{WAIVERS}/2")

    async def ids(query: str = "") -> list[int]:
        return [waiver["id"] for waiver in (await clocked.get(f"{WAIVERS}?{query}")).json()["items"]]

    assert await ids() == [3, 2, 1]
    assert await ids("state=in-force") == [3, 1]
    assert await ids("state=revoked") == [2]
    assert await ids("rule=PAT-ID-EMPTY") == [3, 1]
    assert await ids(f"location={MAIN.name}") == [3]
    assert await ids(f"study={STUDY}&limit=1") == [2]
    clock.now = ENDS
    assert await ids("state=expired") == [3, 1]
    assert (await clocked.client.delete(f"{WAIVERS}/1")).status_code == ConflictError.status
    assert [(await clocked.get(f"{WAIVERS}/{n}")).status_code for n in (1, 4, 2**40)] == [200, 404, 404]


async def test_only_those_who_decide_about_studies_may_waive(guarded: Service) -> None:
    await guarded.judged(STUDY, finding(), readiness="BLOCKED")
    reader, reviewer = await guarded.key("reader"), await guarded.key("reviewer", name="dr-a")
    assert (await guarded.post(WAIVERS, json=wish(), headers=reader)).status_code == 403
    given = await guarded.post(WAIVERS, json=wish(), headers=reviewer)
    assert (given.status_code, given.json()["waiver"]["author"]) == (201, "key:dr-a")
    assert (await guarded.get(WAIVERS, headers=reader)).status_code == 200
    assert (await guarded.client.delete(f"{WAIVERS}/1", headers=reader)).status_code == 403
