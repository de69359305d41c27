"""Pulls and backfills over REST."""

from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select
from unit.api.service import Service, together
from unit.store.samples import NOW, finding

from heltig.store import backfill_studies
from heltig.store.backfill_studies import Done
from heltig.store.records import Device
from heltig.store.tables import studies
from heltig.store.transaction import WriteTransaction

ROWS = select(studies.c.id).order_by(studies.c.id)
ARCHIVE = "/api/v1/archives/main"
AWAY = {"name": "main", "qidoUrl": "http://127.0.0.1:9/dicom-web", "options": {"strategy": "none"}}


async def added(service: Service, **changes: Any) -> None:
    answer = await service.post("/api/v1/archives", json={**AWAY, **changes})
    assert answer.status_code == 201, answer.text
    paused = await service.post(f"{ARCHIVE}/pause")
    assert paused.status_code == 200


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared: Service) -> Service:
    await added(shared)
    return shared


async def test_a_range_is_a_backfill_and_the_same_again_is_the_first(service: Service) -> None:
    await added(service)
    asked = {"from": "2026-01-01", "to": "2026-01-31"}
    first = await service.post(f"{ARCHIVE}/pulls", json=asked)
    assert first.status_code == 202, first.text
    place = first.headers["location"]
    assert place == f"/api/v1/backfills/{first.json()['backfill']}"
    for path in ("pulls", "backfills"):
        again = await service.post(f"{ARCHIVE}/{path}", json=asked)
        assert (again.status_code, again.headers["location"]) == (202, place)
    other = await service.post(f"{ARCHIVE}/backfills", json={})
    assert other.headers["location"] != place

    shown = (await service.get(place)).json()
    assert shown["dates"] == "20260101-20260131"
    assert (shown["state"], shown["studies"], shown["secondsLeft"]) == ("listing", 0, None)
    listed = (await service.get("/api/v1/backfills", params={"archive": "main", "limit": 1})).json()
    assert [one["dates"] for one in listed["items"]] == [""]
    more = await service.get("/api/v1/backfills", params={"before": listed["before"]})
    assert [one["id"] for one in more.json()["items"]] == [shown["id"]]

    ended = await service.post(f"{place}/cancel")
    assert ended.json()["state"] == "cancelled"
    assert [one.subject for one in await service.audit("backfill.start")] == ["archive:main"] * 2
    assert len(await service.audit("backfill.cancel")) == 1


async def test_a_study_is_a_job_and_the_same_again_is_the_first(service: Service) -> None:
    await added(service)
    first = await service.post(f"{ARCHIVE}/pulls", json={"study": "1.2.3"})
    assert first.status_code == 202
    again = await service.post(f"{ARCHIVE}/pulls", json={"study": "1.2.3"})
    assert first.headers["location"] == again.headers["location"] == f"/api/v1/jobs/{first.json()['job']}"
    job = (await service.get(first.headers["location"])).json()
    assert (job["kind"], job["arguments"]) == ("pull", {"archive": "main", "study": "1.2.3"})
    (entry,) = await service.audit("study.pull")
    assert entry.subject == "archive:main 1.2.3"
    assert "PENDING" in (await service.get("/api/v1/studies/1.2.3")).text


@together
@pytest.mark.parametrize("id", ["0", "77", str(2**31), "9" * 30])
async def test_no_such_backfill(shared: Service, id: str) -> None:
    for answer in (
        await shared.get(f"/api/v1/backfills/{id}"),
        await shared.get(f"/api/v1/backfills/{id}/report"),
        await shared.post(f"/api/v1/backfills/{id}/cancel"),
    ):
        assert answer.status_code == 404


@pytest.mark.parametrize("form", ["json", "csv", "html"])
async def test_a_report_is_a_sealed_page(service: Service, form: str) -> None:
    """It holds texts of an archive, and comes from where our own pages come from."""
    await added(service)
    await service.post(f"{ARCHIVE}/backfills", json={"from": "0001-01-01"})
    answer = await service.get("/api/v1/backfills/1/report", params={"format": form})
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"].count("charset") <= 1
    assert answer.headers["cache-control"] == "no-store"
    shown = (await service.get("/api/v1/backfills/1")).json()
    assert shown["dates"] == "00010101-"


@together
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"study": "1.2", "from": "2026-01-01"}, 400),
        ({"study": " "}, 400),
        ({"from": "2026-02-01", "to": "2026-01-01"}, 400),
        ({"form": "2026-02-01"}, 400),
        ({}, 400),
        ({"study": None}, 400),
        ({"study": "1.2*"}, 400),
        ({"study": "1.2\\1.3"}, 400),
        ({"study": "1.2\0"}, 400),
        ({"study": "9" * 129}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(shared: Service, body: dict[str, Any], status: int) -> None:
    assert (await shared.post(f"{ARCHIVE}/pulls", json=body)).status_code == status
    assert (await shared.get("/api/v1/backfills")).json()["items"] == []


async def test_there_is_nothing_of_what_nobody_started(service: Service) -> None:
    for path in ("/api/v1/backfills/1", "/api/v1/backfills/99999999999", "/api/v1/backfills/1/report"):
        assert (await service.get(path)).status_code == 404
    assert (await service.post("/api/v1/backfills/1/cancel")).status_code == 404
    assert (await service.post(f"{ARCHIVE}/pulls", json={"study": "1.2"})).status_code == 404


async def test_a_report_counts_studies_by_what_they_are(service: Service) -> None:
    await added(service)
    twice = finding("PAT-ID-EMPTY", "block")
    of = {"modalities_in_study": ("CT", "SR"), "study_date": "20260102"}
    made = (Device("Acme", "CT 9"), Device("Acme", "Console"))
    await service.judged("1.2.1", twice, finding("STU-X", "note"), readiness="BLOCKED", devices=made, **of)
    await service.judged("1.2.2", modalities_in_study=("CT", "CT9_OWN", "Doe^John"), study_date="Doe^John")
    started = await service.post(f"{ARCHIVE}/backfills", json={})
    place = started.headers["location"]

    def take_in(transaction: WriteTransaction) -> None:
        id, rows = started.json()["id"], [row for (row,) in transaction.connection.execute(ROWS)]
        backfill_studies.take_in(transaction, id, rows)
        backfill_studies.take_in(transaction, id, rows)
        maker = Done(row=rows[0], outcome="judged", instances=3)
        backfill_studies.say_done(transaction, id, [maker, maker], now=NOW)

    await service.services.store.write(take_in)
    shown = (await service.get(place)).json()
    assert (shown["studies"], shown["done"], shown["outcomes"]) == (2, 1, {"judged": 1})
    figures = (await service.get(f"{place}/report")).json()["figures"]
    assert figures["total"] == {
        "value": "", "studies": 2, "verdicts": {"BLOCKED": 1, "READY": 1}, "instances": 6,
    }  # fmt: skip
    assert [(one["value"], one["studies"]) for one in figures["modalities"]] == [
        ("CT", 2), ("CT9_OWN", 1), ("SR", 1),
    ]  # fmt: skip
    assert [(one["value"], one["studies"]) for one in figures["manufacturers"]] == [("", 1), ("Acme", 1)]
    assert [one["value"] for one in figures["years"]] == ["2026", ""]
    assert [(one["rule"], one["severity"]) for one in figures["rules"]] == [
        ("PAT-ID-EMPTY", "block"), ("STU-X", "note"),
    ]  # fmt: skip
    for form, media_type in (("csv", "text/csv"), ("html", "text/html"), ("json", "application/json")):
        told = await service.get(f"{place}/report", params={"format": form})
        assert told.headers["content-type"].startswith(media_type)
        assert "Doe" not in told.text
