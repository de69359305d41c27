from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from unit.api.service import LATER, Service, in_one_task, running
from unit.store import pulling
from unit.store.pulling import MINUTE
from unit.store.samples import finding, judge, snapshot

from heltig.auth.policy import ROUTES
from heltig.store.engine import Store
from heltig.store.records import Location, Patient

MARK = "Mark^Patient"
UID = "1.2.840.99.4711"

Labels = frozenset[tuple[str, str]]


async def fill(store: Store) -> None:
    """Two archives, one in trouble, with a study of a patient who is in no figure."""
    await pulling.add_archive(store, "main")
    await pulling.add_archive(store, "old", paused=True)
    await pulling.put_cursor(
        store,
        "main",
        covered=LATER - 2 * MINUTE,
        finished=LATER,
        position=f"{UID} {MARK}",
        due=LATER + 60 * MINUTE,
    )
    await pulling.put_breaker(store, "main", "search", state="half-open", error=MARK)
    await pulling.put_breaker(store, "old", "metadata", state="open")
    await pulling.put_job(store, "made-up", "main")
    await pulling.put_job(store, "made-up", "main", state="dead")
    await pulling.put_worker(store, "w1", heard=LATER)
    await pulling.put_answers(store, "main", 0.1, 0.2, 700, at=LATER)
    await pulling.put_answers(store, "main", 30, outcome="failed", at=LATER, received=0)
    about = {
        "accession_number": MARK,
        "patients": (Patient(patient_id=MARK, patient_name=MARK, instances=3),),
    }
    await judge(store, snapshot(study=UID, **about), finding(observed=MARK), readiness="BLOCKED")
    await judge(store, snapshot(study="1.9", location=Location("upload", "4711")))
    await judge(store, snapshot(study="1.8", location=Location("upload", "4712")))
    await pulling.put_observation(store, "main", UID, due=LATER + MINUTE)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with in_one_task(running(tmp_path / "home")) as made:
        await fill(made.services.store)
        yield made


async def scraped(service: Service, **options: Any) -> dict[str, dict[Labels, float]]:
    """Every sample by its name and labels, as Prometheus' own parser reads them."""
    answer = await service.get("/metrics", **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            of_name = found.setdefault(sample.name, {})
            labels = frozenset(sample.labels.items())
            assert labels not in of_name
            of_name[labels] = sample.value
    return found


def of(**labels: str) -> Labels:
    return frozenset(labels.items())


async def test_archives_queue_and_verdicts(service: Service) -> None:
    found = await scraped(service)
    assert found["heltig_archive_state"][of(archive="main", state="current")] == 1
    assert found["heltig_archive_state"][of(archive="old", state="paused")] == 1
    assert sum(found["heltig_archive_state"].values()) == 2
    assert found["heltig_archive_lag_seconds"] == {of(archive="main"): 120}
    assert found["heltig_archive_succeeded_timestamp_seconds"] == {of(archive="main"): LATER.timestamp()}
    assert found["heltig_archive_breaker"] == {
        of(archive="main", operation="search"): 1,
        of(archive="old", operation="metadata"): 2,
    }
    assert found["heltig_archive_jobs"][of(archive="main", state="dead")] == 1
    assert found["heltig_archive_settling_studies"][of(archive="main")] == 1
    assert found["heltig_jobs"] == {
        of(kind="made-up", state="queued"): 1,
        of(kind="made-up", state="dead"): 1,
    }
    assert found["heltig_oldest_job_seconds"] == {of(): 35 * 60}
    assert found["heltig_workers"][of(version="0.0.9")] == 1
    assert found["heltig_studies"] == {
        of(kind="archive", place="main", state="PENDING", readiness="BLOCKED"): 1,
        of(kind="upload", place="", state="JUDGED", readiness="READY"): 2,
    }
    assert found["heltig_changes_total"] == {of(): 3}
    (build,) = found["heltig_build_info"]
    assert {"version", "ruleset", "standard", "python"} == {name for name, _ in build}


async def test_answers_are_counters_and_a_histogram(service: Service) -> None:
    found = await scraped(service)
    asked = {"archive": "main", "operation": "metadata"}
    assert found["heltig_archive_requests_total"] == {
        of(**asked, outcome="ok"): 3,
        of(**asked, outcome="failed"): 1,
    }
    assert found["heltig_archive_received_bytes_total"] == {of(**asked): 3000}
    assert found["heltig_archive_request_seconds_count"] == {of(**asked): 3}
    assert found["heltig_archive_request_seconds_sum"] == {of(**asked): pytest.approx(700.3)}
    buckets = found["heltig_archive_request_seconds_bucket"]
    assert [n for le, n in sorted((float(dict(labels)["le"]), n) for labels, n in buckets.items())] == sorted(
        buckets.values()
    )
    assert buckets[of(**asked, le="0.128")] == 1
    assert buckets[of(**asked, le="+Inf")] == 3


async def test_requests_by_route_and_never_by_path(service: Service) -> None:
    for path in (f"/dicom-web/studies/{UID}/readiness", f"/consult/studies/{UID}", f"/{MARK}", "/"):
        await service.get(path)
    await service.get(f"/dicom-web/studies/{UID}/readiness?archive=main")
    await service.client.request(MARK, f"/studies/{UID}")
    found = await scraped(service)
    assert found["heltig_http_requests_total"] == {
        of(process="server", method=method, route=route, status=status): number
        for method, route, status, number in (
            ("GET", "/dicom-web/studies/{study}/readiness", "200", 2),
            ("GET", "/consult/studies/{study}", "200", 1),
            ("GET", "none", "404", 1),
            ("GET", "/", "200", 1),
            ("other", "none", "405", 1),
        )
    }
    assert found["heltig_http_request_seconds_count"][of(process="server", route="none")] == 2


async def test_there_is_nothing_of_a_study_in_it(service: Service) -> None:
    await service.get(f"/studies/{UID}?text={MARK}")
    text = (await service.get("/metrics")).text
    for secret in (UID, MARK, "Mark", "4711", "1.9"):
        assert secret not in text


async def test_how_much_there_is_grows_with_archives_and_routes_alone(service: Service) -> None:
    await service.get("/metrics")
    before = await scraped(service)
    store = service.services.store
    for number in range(30):
        await judge(store, snapshot(study=f"1.2.{number}"))
        await judge(store, snapshot(study="1.3", location=Location("upload", str(number))))
        await pulling.put_job(store, "made-up", "main")
        await pulling.put_answers(store, "main", 0.001 * 1.7**number, at=LATER + number * timedelta(hours=1))
        await pulling.put_observation(store, "main", f"1.2.{number}", due=LATER + MINUTE)
        await service.get(f"/studies/1.2.{number}?x={number}")
        await service.get(f"/none/{number}")
    after = await scraped(service)
    added = {
        (name, labels) for name, samples in after.items() for labels in samples if labels not in before[name]
    }
    routes = {dict(labels).get("route") for _, labels in added}
    assert routes <= {"/studies/{study}", "none"}
    assert sum(map(len, after.values())) < 60 * 2 + 20 * len(ROUTES)


async def test_who_may_scrape(tmp_path: Path) -> None:
    async with in_one_task(running(tmp_path / "home", auth_mode="api-key")) as guarded:
        assert (await guarded.get("/metrics")).status_code == 401
        assert (await guarded.get("/metrics", headers=await guarded.key("archive"))).status_code == 403
        key = await guarded.key("auditor", "metrics")
        assert await scraped(guarded, headers=key)
        assert (await guarded.get("/api/v1/archives", headers=key)).status_code == 403


async def test_open_metrics_for_who_asks_for_it(service: Service) -> None:
    answer = await service.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


async def test_all_studies_are_counted_once_a_minute(tmp_path: Path) -> None:
    now = LATER
    async with in_one_task(running(tmp_path / "home", clock=lambda: now)) as service:
        counts = []
        for minutes in (0, 0.5, 1.1):
            now = LATER + minutes * MINUTE
            await service.judged(f"1.{minutes}")
            counts.append(sum((await scraped(service)).get("heltig_studies", {}).values()))
    assert counts == [1, 1, 3]
