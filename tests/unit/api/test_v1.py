from datetime import timedelta

from unit.api.service import LATER, Service
from unit.store.samples import NOW, OTHER, finding, series, snapshot

from heltig.credentials import BearerAuth
from heltig.rules.catalogue import catalogue
from heltig.store import archives, jobs, snapshots
from heltig.store.archives import Archive
from heltig.store.jobs import NewJob
from heltig.store.records import Device

STUDY = "1.2.840.99.1"


async def keys_of(service: Service, query: str) -> list[str]:
    answer = await service.get(f"/api/v1/studies?{query}")
    assert answer.status_code == 200, answer.text
    return [item["key"] for item in answer.json()["items"]]


async def test_studies_worst_first_with_filters_and_pages(service: Service) -> None:
    made = (Device("Acme", "CT 9", "CT1"), Device("Beta", "Console"))
    await service.judged("1", modalities_in_study=("CT",), devices=made, study_description="Thorax")
    await service.judged("2", finding(), readiness="BLOCKED", modalities_in_study=("MR",))
    await service.judged("3", finding("SER-1", "review"), readiness="NEEDS_REVIEW", location=OTHER)
    await service.services.store.write(snapshots.put, snapshot(study="4"))
    wanted = {
        "": ["2", "3", "1"],
        "order=first_seen": ["1", "2", "3"],
        "readiness=BLOCKED&readiness=READY": ["2", "1"],
        "state=PENDING": ["4"],
        "location=other": ["3"],
        "location=archive:main&location=other": ["2", "3", "1"],
        "rule=SER-1": ["3"],
        "modality=MR": ["2"],
        "manufacturer=acme&model=CT*&station=CT1": ["1"],
        "manufacturer=acme&model=Console": [],
        "manufacturer=": ["2", "3"],
        "text=thorax&age=1d": ["1"],
        "age=over-1d": [],
        "limit=2": ["2", "3"],
        "limit=2&offset=2": ["1"],
    }
    assert {query: await keys_of(service, query) for query in wanted} == wanted
    page = (await service.get("/api/v1/studies?limit=2")).json()
    assert (page["limit"], page["offset"], page["more"]) == (2, 0, True)
    for wrong in (
        "limit=0",
        "limit=1001",
        "offset=-1",
        "readiness=GOOD",
        "state=NEW",
        "location=moon:x",
        "age=2h",
    ):
        assert (await service.get(f"/api/v1/studies?{wrong}")).status_code == 400


async def test_a_study_with_its_verdict(service: Service) -> None:
    await service.judged(STUDY, finding(), readiness="BLOCKED", study_date="20260110")
    await service.judged(STUDY, location=OTHER)
    answer = (await service.get(f"/api/v1/studies/{STUDY}")).json()
    assert (answer["key"], answer["status"]) == (STUDY, "BLOCKED")
    first, second = answer["locations"]
    assert (first["study"]["location"], second["study"]["location"]) == ("archive:main", "archive:other")
    study, verdict = first["study"], first["verdict"]
    assert study["studyInstanceUID"] == STUDY
    assert (study["readiness"], study["blocks"], study["studyDate"]) == ("BLOCKED", 1, "20260110")
    assert study["patients"][0]["patientID"] == "P1"
    assert (verdict["readiness"], verdict["revision"]) == ("BLOCKED", 1)
    assert verdict["ruleset"] == {"name": "0.1.0", "hash": "a" * 64}
    assert verdict["notEvaluable"][0]["rule"] == "PIX-LENGTH"
    assert verdict["errors"][0]["rule"] == "SITE-1"
    assert first["series"][0]["seriesInstanceUID"] == f"{STUDY}.1"
    one = (await service.get(f"/api/v1/studies/{STUDY}?location=other")).json()
    assert (one["status"], len(one["locations"])) == ("READY", 1)
    for missing in (
        "/api/v1/studies/9",
        f"/api/v1/studies/{STUDY}?location=third",
        "/api/v1/studies/9/findings",
    ):
        assert (await service.get(missing)).status_code == 404


async def test_a_pending_study_shows_its_last_verdict_beside_it(service: Service) -> None:
    await service.judged(STUDY)
    await service.services.store.write(snapshots.put, snapshot([series(instances=9)]))
    (shown,) = (await service.get("/api/v1/studies?state=PENDING")).json()["items"]
    assert (shown["state"], shown["readiness"], shown["lastReadiness"]) == ("PENDING", None, "READY")
    assert await keys_of(service, "readiness=READY") == []
    assert await keys_of(service, "readiness=READY&state=PENDING") == [STUDY]


async def test_findings_with_filters_and_pages(service: Service) -> None:
    found = [
        finding("A", observed="x"),
        finding("A", observed="y"),
        finding("B", "review", level="series", waived=True),
        finding("C", "note"),
    ]
    await service.judged(STUDY, *found, readiness="BLOCKED")
    await service.judged(STUDY, finding("D"), location=OTHER, readiness="BLOCKED")

    async def rules(query: str) -> list[str]:
        answer = await service.get(f"/api/v1/studies/{STUDY}/findings?{query}")
        return [item["rule"] for item in answer.json()["items"]]

    wanted = {
        "": ["A", "A", "B", "C", "D"],
        "location=main": ["A", "A", "B", "C"],
        "severity=block&location=main": ["A", "A"],
        "severity=review&severity=note": ["B", "C"],
        "level=series": ["B"],
        "rule=B&rule=D": ["B", "D"],
        "waived=true": ["B"],
        "waived=false&severity=review": [],
        "limit=2": ["A", "A"],
        "limit=2&offset=4": ["D"],
    }
    assert {query: await rules(query) for query in wanted} == wanted
    answer = (await service.get(f"/api/v1/studies/{STUDY}/findings?limit=1")).json()
    assert answer["more"]
    assert answer["items"][0]["observed"] == "x"
    assert answer["items"][0]["remedy"] == "Fill it in."


async def test_rules(service: Service) -> None:
    every = (await service.get("/api/v1/rules")).json()
    assert [rule["id"] for rule in every] == list(catalogue())
    patient = (await service.get("/api/v1/rules?family=Patient&severity=block")).json()
    assert {rule["family"] for rule in patient} == {"Patient"}
    assert {rule["severity"] for rule in patient} == {"block"}
    one = (await service.get("/api/v1/rules/pat-id-conflict")).json()
    assert one["id"] == "PAT-ID-CONFLICT"
    assert one["reads"]
    manual = catalogue()["PAT-ID-CONFLICT"].manual
    assert {part: one[part.lower()] for part in manual} == manual
    assert (await service.get("/api/v1/rules/TGT-LENGTHS")).json()["targets"] == ["aws"]
    assert (await service.get("/api/v1/rules/NONE-SUCH")).status_code == 404


async def test_archives_without_their_secrets(service: Service) -> None:
    new = Archive(
        name="vna",
        qido_url="http://vna/qido",
        wado_url="http://vna/wado",
        auth=BearerAuth(secret="env:HELTIG_SECRET_VNA"),
    )
    await service.services.store.write(archives.add, new)
    answer = await service.get("/api/v1/archives")
    assert [entry["name"] for entry in answer.json()] == ["vna"]
    assert answer.json()[0]["qidoUrl"] == "http://vna/qido"
    assert "SECRET" not in answer.text


async def test_jobs(service: Service) -> None:
    numbers = []
    for number in range(3):
        # The service would do what is due, and does work of its own beside.
        new = NewJob(kind="pull", payload={"archive": f"a{number}"}, not_before=LATER + timedelta(days=1))
        added, _ = await service.services.store.write(jobs.enqueue, new, now=NOW)
        numbers.append(added)
    page = (await service.get("/api/v1/jobs?kind=pull&limit=2")).json()
    assert [job["id"] for job in page["items"]] == [numbers[2], numbers[1]]
    assert page["before"] == numbers[1]
    rest = (await service.get(f"/api/v1/jobs?kind=pull&limit=2&before={page['before']}")).json()
    assert ([job["id"] for job in rest["items"]], rest["before"]) == ([numbers[0]], None)
    assert (await service.get("/api/v1/jobs?kind=pull&state=succeeded")).json()["items"] == []
    assert len((await service.get("/api/v1/jobs?kind=pull&state=queued")).json()["items"]) == 3
    one = (await service.get(f"/api/v1/jobs/{numbers[0]}")).json()
    assert (one["kind"], one["state"], one["arguments"]) == ("pull", "queued", {"archive": "a0"})
    for missing, status in (("99", 404), ("0", 404), ("9" * 30, 404), ("x", 404)):
        assert (await service.get(f"/api/v1/jobs/{missing}")).status_code == status


async def test_health(service: Service) -> None:
    answer = await service.get("/health")
    assert answer.json()["status"] == "ok"
    assert (await service.get("/health/ready")).json() == {"status": "ready", "store": "ok", "jobs": "ok"}
    for path in ("/health", "/health/ready"):
        head = await service.client.head(path)
        assert (head.status_code, head.content) == (200, b"")


async def test_not_ready_without_a_database(service: Service) -> None:
    await service.services.store.close()
    assert (await service.get("/health")).status_code == 200
    answer = await service.get("/health/ready")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/storage")
