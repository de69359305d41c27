"""The page of the audit trail, asked of the real application."""

import json

from sqlalchemy import text
from unit.api.service import Service
from unit.dashboard.reading import page
from unit.store.databases import SERVER
from unit.store.samples import finding

from heltig.store.transaction import WriteTransaction


async def test_the_newest_first_and_filtered(service: Service) -> None:
    await service.judged("1.2.3", finding("PAT-ID-EMPTY"))
    await service.judged("1.2.34")
    await service.key("reader", name="a-key")
    seen = page(await service.get("/audit"))
    assert seen.text.index("key:a-key") < seen.text.index("archive:main 1.2.3")
    by_action = page(await service.get("/audit?action=key.create")).text
    assert "key:a-key" in by_action
    assert "archive:main 1.2.3" not in by_action
    by_study = page(await service.get("/audit?study=1.2.3")).text
    assert "archive:main 1.2.3 " in by_study
    assert "1.2.34" not in by_study
    assert "No entry matches" in page(await service.get("/audit?actor=nobody")).text
    assert "No entry matches" in page(await service.get("/audit?until=2020-01-01")).text
    assert "key:a-key" in page(await service.get("/audit?since=2020-01-01")).text
    for nonsense in ("since=2026-13-01", "until=nonsense", "until=9999-12-31"):
        field = nonsense.partition("=")[0]
        assert f"{field}: give a day" in page(await service.get(f"/audit?{nonsense}"), 400).text


async def test_who_looked_at_a_study_is_found_by_it(service: Service) -> None:
    await service.judged("1.2.3")
    await service.get("/studies/1.2.3")
    await service.services.batches.flush()
    assert "patient.look" in page(await service.get("/audit?study=1.2.3&action=patient.look")).text


async def test_a_look_at_many_studies_names_a_few_of_them_and_the_one_that_is_looked_for(
    service: Service,
) -> None:
    for number in range(30):
        await service.judged(f"1.2.{number}")
    await service.get("/")
    await service.services.batches.flush()
    seen = page(await service.get("/audit?study=1.2.17&action=patient.search")).text
    seen += page(await service.get("/audit?study=1.2.17&action=patient.look")).text
    assert "1.2.17" in seen
    assert "and 25 others, which the JSON has" in seen


async def test_the_export_has_the_same_filters(service: Service) -> None:
    seen = page(await service.get("/audit?action=key.create&since=2020-01-01"))
    [link] = [str(link["href"]) for link in seen.all("a") if "api/v1/audit" in str(link["href"])]
    answer = await service.get(link.removeprefix("."))
    assert answer.status_code == 200
    assert {entry["action"] for entry in answer.json()["items"]} <= {"key.create"}


async def test_whether_it_is_whole(service: Service) -> None:
    assert "whole" in page(await service.get("/audit?verify=1")).text

    def tamper(transaction: WriteTransaction) -> None:
        transaction.connection.execute(text("UPDATE sequences SET value = value + 1 WHERE name = 'audit'"))

    await service.services.store.write(tamper)
    broken = page(await service.get("/audit?verify=1")).text
    assert "not whole 1 break" in broken
    assert "missing at the end" in broken


async def test_damaged_entries_are_shown_as_such_on_the_page_and_over_rest(service: Service) -> None:
    for name in "abc":
        await service.key("reader", name=name)

    def tamper(transaction: WriteTransaction) -> None:
        is_sqlite = transaction.connection.dialect.name == "sqlite"
        drop = "DROP TRIGGER audit_refuse_update" + ("" if is_sqlite else " ON audit")
        time = "UPDATE audit SET at = 'xxxx' WHERE subject = 'key:a'"
        for statement in (
            drop,
            time if is_sqlite else time.replace("xxxx", "infinity"),
            "UPDATE audit SET detail = 'x\n{}' WHERE subject = 'key:b'",
        ):
            transaction.connection.execute(text(statement))

    await service.services.store.write(tamper)
    seen = page(await service.get("/audit?action=key.create")).text
    assert "damaged: has a detail that is no JSON object" in seen
    assert "damaged: has no time" in seen or SERVER  # PostgreSQL has a time there, whatever somebody writes
    assert all(f"key:{name}" in seen for name in "bc")
    items = (await service.get("/api/v1/audit")).json()["items"]
    told = {item["subject"]: (item["at"] is None, item["detail"], "damaged" in item) for item in items[-3:]}
    assert told["key:b"] == (False, "x\n{}", True)
    assert told["key:c"][2] is False
    assert [item["at"] is None for item in items[-3:]] == [not SERVER, False, False]
    lines = await service.get("/api/v1/audit", headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in lines.text.splitlines()][: len(items)] == items


async def test_a_page_of_many(service: Service) -> None:
    for number in range(60):
        await service.key("reader", name=f"k{number:03}")
    first = page(await service.get("/audit?action=key.create"))
    assert "50 entries, the newest first" in first.text
    [older] = first.all("a", rel="next")
    second = page(await service.get(f"/audit{older['href']}"))
    assert "10 entries, the newest first" in second.text
    assert "k000" in second.text


async def test_for_auditors_and_admins_and_the_look_is_recorded(guarded: Service) -> None:
    auditor = await guarded.key("auditor")
    page(await guarded.get("/audit", headers=auditor))
    page(await guarded.get("/audit", headers=await guarded.key("reviewer")), 403)
    await guarded.services.batches.flush()
    assert [entry.actor for entry in await guarded.audit("audit.read")] == ["key:auditor-"]
