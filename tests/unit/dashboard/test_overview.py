"""The overview, asked of the real application; and who is offered which page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from unit.api.service import Service, running
from unit.dashboard.reading import page
from unit.store import pulling
from unit.store.databases import SERVER
from unit.store.samples import NOW, OTHER, finding, judge, snapshot

from heltig.dashboard.filters import Filter
from heltig.dashboard.navigation import PLACES
from heltig.dashboard.overview import overview
from heltig.dashboard.worklist import worklist
from heltig.store import states
from heltig.store.records import Device, Location
from heltig.store.transaction import ReadTransaction


async def test_nothing_judged_says_so(service: Service) -> None:
    seen = page(await service.get("/overview"))
    assert "No study has been judged yet" in seen.text
    assert "There is neither" not in seen.text


async def test_rules_sources_arrivals_and_what_waits(service: Service) -> None:
    store = service.services.store
    await pulling.add_archive(store, "main")
    await pulling.put_job(store, "made-up", "main", state="dead")
    await service.judged("1.1", finding("PAT-ID-EMPTY", "block"), readiness="BLOCKED")
    await service.judged("1.2", finding("PAT-ID-EMPTY", "review"), finding("UID-CHARS", "note"))
    await judge(store, snapshot(study="1.3", location=OTHER))
    upload = Location("upload", "one")
    await judge(store, snapshot(study="1.4", location=upload), finding("UID-CHARS", "review"))
    await store.write(states.mark_pending, OTHER, "1.5", study_uid="1.5", at=NOW)
    seen = page(await service.get("/overview"))
    for text in (
        "4 judged studies",
        "Studies to be judged 1",
        "Jobs given up 1",
        "PAT-ID-EMPTY PatientID is absent or empty block 2",
        "UID-CHARS",
        "100 %",
    ):
        assert text in seen.text, text
    links = {str(link["href"]) for link in seen.all("a")}
    assert links >= {
        "./?rule=PAT-ID-EMPTY",
        "./?location=archive%3Amain",
        "./?location=archive%3Amain&rule=PAT-",
        "./?location=upload&rule=UID-",
        "./archives/main",
    }
    assert "./?location=archive%3Amain&rule=UID-" not in links  # a note is no failure
    assert "4 verdicts, 1 BLOCKED, 0 NEEDS_REVIEW, 3 READY" in seen.text


async def test_the_heat_map_by_device_leads_to_the_studies_that_it_counts(service: Service) -> None:
    ct, other = Device("Acme", "CT 9", "CT1"), Device("ACME", "CT 9", "CT2")
    await service.judged("1.1", finding("PAT-ID-EMPTY"), readiness="BLOCKED", devices=(ct, other))
    await service.judged("1.2", devices=(ct,))
    await service.judged("1.3", finding("UID-CHARS"), readiness="BLOCKED", devices=(Device("Beta"),))
    await service.judged("1.4", finding("UID-CHARS", "note"))
    for way, rows in {
        "manufacturer": ["Acme 2 50 %", "Beta 1", "None named 1"],
        "model": ["Acme CT 9 2 50 %", "Beta 1", "None named 1"],
        "station": ["CT1 Acme CT 9 2 50 %", "CT2 ACME CT 9 1 100 %", "None named Beta 1", "None named 1"],
    }.items():
        seen = page(await service.get(f"/overview?heat={way}"))
        for row in rows:
            assert row in seen.text, (way, row, seen.text[-1500:])
        links = [str(link["href"]) for link in seen.all("a") if "manufacturer=" in str(link.get("href"))]
        assert len(links) > len(rows)
        for link in links:
            count = len(page(await service.get(link.removeprefix("."))).rows())
            assert count == 1 or (count == 2 and "Acme" in link and "rule" not in link), link
    for number in range(13):
        await service.judged(f"2.{number}", finding("UID-CHARS"), devices=(Device("Many", f"M{number:02}"),))
    first, last = [page(await service.get(f"/overview?heat=model&page={n}")).text for n in (1, 9)]
    assert "Page 1 of 2" in first
    assert "Page 2 of 2" in last
    assert ("Many M12" in first, "Many M12" in last) == (False, True)
    assert "heat: give one of source" in page(await service.get("/overview?heat=nonsense"), 400).text


@pytest.mark.skipif(SERVER is not None, reason="what SQLite is asked is counted")
async def test_a_page_asks_the_database_as_often_for_many_studies_as_for_one(service: Service) -> None:
    made = Device("Acme", "CT 9", "CT1")
    asked = {
        "overview": lambda transaction: overview(transaction, now=NOW),
        "overview by model": lambda transaction: overview(transaction, now=NOW, by="model"),
        "list": lambda transaction: worklist(transaction, Filter(), now=NOW),
        "list of devices": lambda transaction: worklist(
            transaction, Filter(manufacturer="Acme", model="CT*", rule="PAT-"), now=NOW
        ),
    }
    for number in (1, 4):
        for study in range(number):
            await service.judged(f"1.{number}.{study}", finding("PAT-ID-EMPTY"), devices=(made,))
        counts = {}
        for name, work in asked.items():
            seen = await service.services.store.read(statements, work)
            counts[name] = sum(sql.lstrip().startswith(("SELECT", "WITH")) for sql in seen)
        assert counts == {"overview": 23, "overview by model": 26, "list": 15, "list of devices": 17}


def statements(transaction: ReadTransaction, work: Callable[[ReadTransaction], object]) -> list[str]:
    """What is asked of SQLite."""
    raw = transaction.connection.connection.dbapi_connection
    assert raw
    seen: list[str] = []
    raw.set_trace_callback(seen.append)
    try:
        work(transaction)
    finally:
        raw.set_trace_callback(None)
    return seen


async def test_a_station_is_an_identifier(tmp_path: Path) -> None:
    async with running(tmp_path, auth_mode="api-key", identifiers="masked") as guarded:
        await guarded.judged("2.25.77", finding("PAT-ID-EMPTY"), devices=(Device("Acme", "CT 9", "DR-ROE"),))
        for role, sees in (("reviewer", True), ("reader", False)):
            key = await guarded.key(role)
            for path in ("/?station=DR-ROE", "/api/v1/studies?station=DR-ROE&manufacturer=acme"):
                answer = await guarded.get(path, headers=key)
                assert answer.status_code == (200 if sees else 403)
                assert ("2.25.77" in answer.text) == sees
            for path in ("/?manufacturer=Acme", "/overview?heat=station", "/api/v1/studies?model=CT*"):
                answer = await guarded.get(path, headers=key)
                assert (answer.status_code, "DR-ROE" in answer.text) == (200, sees and "api" not in path)
        refused = await guarded.audit("request.refuse")
        assert len(refused) == 2


async def test_no_number_leads_to_a_list_of_other_studies(service: Service) -> None:
    await service.judged("1.1", finding("PAT-ID-EMPTY"), readiness="BLOCKED")
    for address in ("/?rule=PAT-ID-EMPTY", "/?location=archive%3Amain&rule=PAT-"):
        assert len(page(await service.get(address)).rows()) == 1


async def test_everybody_is_offered_what_they_may_see_and_nothing_else(guarded: Service) -> None:
    every = {place.path for group in PLACES for place in group} - {"research"}  # only where it is enabled
    for role, path in (("reader", "/overview"), ("admin", "/overview"), ("qa_operator", "/archives")):
        key = await guarded.key(role)  # type: ignore[arg-type]
        seen = page(await guarded.get(path, headers=key))
        offered = {str(link["href"]).removeprefix("./") for link in seen.all("a") if "data-go" in link}
        for place in every:
            status = (await guarded.get(f"/{place}", headers=key)).status_code
            assert (status == 200) == (place in offered), (role, place, status)
    assert not page(await guarded.get("/overview"), 401).all("a", **{"data-go": "s"})


async def test_the_overview_shows_no_patient_and_is_no_look_at_one(guarded: Service) -> None:
    await guarded.judged("1.1", finding("PAT-ID-EMPTY", observed="Doe^Jane"))
    answer = await guarded.get("/overview", headers=await guarded.key("reader"))
    assert "Doe" not in answer.text
    await guarded.services.batches.flush()
    assert not await guarded.audit("patient.look")


async def test_who_may_not_see_a_page_is_told_where_they_may_go(guarded: Service) -> None:
    auditor = await guarded.key("auditor", name="olga")
    seen = page(await guarded.get("/overview", headers=auditor), 403)
    assert seen.text.count("You are") == 1
    assert {"href": "./audit"} in seen.all("a")
    assert not seen.all("a", href="./quarantine")
