from datetime import datetime, timedelta
from pathlib import Path

import pytest
from unit.api.service import LATER, Service, in_one_task, running, together
from unit.store.samples import NOW

from heltig.auth import keys
from heltig.auth.keys import NewKey
from heltig.store import keys as stored_keys

STUDIES = "/api/v1/studies"


async def test_who_does_not_say_who_they_are(guarded: Service) -> None:
    answer = await guarded.get(STUDIES)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    problem = answer.json()
    assert (problem["type"], problem["rule"]) == ("/problems/unauthenticated", "identity")


async def test_look_ups_ask_who_is_asking_too(guarded: Service) -> None:
    await guarded.judged("1.2.3")
    archive, auditor = await guarded.key("archive"), await guarded.key("auditor")
    for path in ("/dicom-web/studies/1.2.3/readiness", "/consult/studies/1.2.3"):
        asked = [await guarded.get(path, headers=headers) for headers in ({}, auditor, archive)]
        assert [answer.status_code for answer in asked] == [401, 403, 200]
    assert {entry.subject for entry in await guarded.audit("request.refuse")} == {
        "GET /dicom-web/studies/{study}/readiness",
        "GET /consult/studies/{study}",
    }


@pytest.mark.parametrize("given", ["Bearer hk_wrong", "Bearer", "Bearer ", "Basic aGs6eA==", "hk_x"])
async def test_a_key_that_is_none(guarded: Service, given: str) -> None:
    answer = await guarded.get(STUDIES, headers={"Authorization": given})
    assert answer.status_code == 401
    assert "hk_" not in answer.text


async def test_a_key_opens_what_its_role_may(guarded: Service) -> None:
    reader = await guarded.key("reader")
    assert (await guarded.get(STUDIES, headers=reader)).status_code == 200
    lower = {"authorization": reader["Authorization"].replace("Bearer", "bearer")}
    assert (await guarded.get(STUDIES, headers=lower)).status_code == 200


async def test_a_refusal_names_the_rule_of_the_policy(guarded: Service) -> None:
    archive = await guarded.key("archive", name="pacs")
    refused = await guarded.get(STUDIES, headers=archive)
    assert refused.status_code == 403
    problem = refused.json()
    assert problem["rule"] == "role"
    assert "GET /api/v1/studies is in `studies`, open to admin, qa_operator, reader" in problem["detail"]
    assert "key:pacs: archive" in problem["detail"]
    limited = await guarded.key("reader", "look-up")
    answer = await guarded.get(STUDIES, headers=limited)
    assert (answer.status_code, answer.json()["rule"]) == (403, "area")
    assert (await guarded.get("/consult/studies/1", headers=limited)).status_code == 200


async def test_health_and_schema_are_for_everybody_and_options_answers(guarded: Service) -> None:
    for path in ("/health", "/health/ready", "/schema", "/schema/openapi.json"):
        assert (await guarded.get(path)).status_code == 200
    options = await guarded.client.options(STUDIES)
    assert options.status_code == 204
    assert "GET" in options.headers["allow"]


async def test_a_revoked_key_is_useless_within_a_second(tmp_path: Path) -> None:
    time = LATER

    def clock() -> datetime:
        return time

    async with in_one_task(running(tmp_path / "home", clock=clock, auth_mode="api-key")) as service:
        key = await service.key("reader", name="k")
        assert (await service.get(STUDIES, headers=key)).status_code == 200
        await service.services.store.write_durably(keys.revoke, "k", actor="test", origin="", now=NOW)
        time += timedelta(seconds=1)
        assert (await service.get(STUDIES, headers=key)).status_code == 401


async def test_a_key_ends_by_itself(tmp_path: Path) -> None:
    time = LATER

    def clock() -> datetime:
        return time

    async with in_one_task(running(tmp_path / "home", clock=clock, auth_mode="api-key")) as service:
        new = NewKey(name="k", role="reader", expires=LATER + timedelta(days=1))
        store = service.services.store
        key = await store.write_durably(keys.create, new, actor="test", origin="", now=NOW)
        headers = {"Authorization": f"Bearer {key}"}
        assert (await service.get(STUDIES, headers=headers)).status_code == 200
        time = LATER + timedelta(days=1)
        assert (await service.get(STUDIES, headers=headers)).status_code == 401


async def test_refusals_are_audited_once_a_minute(tmp_path: Path) -> None:
    time = LATER

    def clock() -> datetime:
        return time

    async with in_one_task(running(tmp_path / "home", clock=clock, auth_mode="api-key")) as service:
        for _ in range(5):
            await service.get("/api/v1/studies/1.2.3?x=secret")
        archive = await service.key("archive", name="pacs")
        await service.get(STUDIES, headers=archive)
        first, second = await service.audit("request.refuse")
        assert (first.actor, first.subject) == ("anonymous", "GET /api/v1/studies/{study}")
        assert (first.outcome, first.origin) == ("refused", "127.0.0.1")
        assert first.detail == {"rule": "identity", "refused_before": 0}
        assert (second.actor, second.detail["rule"]) == ("key:pacs", "role")
        time += timedelta(minutes=1)
        await service.get("/api/v1/studies/9")
        assert (await service.audit("request.refuse"))[-1].detail["refused_before"] == 4


@pytest.mark.parametrize(
    "server", ["http://evil.example", "http://192.168.1.2:8042", "http://127.0.0.1.evil.example"]
)
async def test_without_authentication_other_names_of_ours_are_refused(tmp_path: Path, server: str) -> None:
    async with in_one_task(running(tmp_path / "home", server=server)) as service:
        refused = await service.get("/")
        assert refused.status_code == 403
        assert (await service.get("/health")).status_code == 200


@pytest.mark.parametrize("server", ["http://localhost:8042", "http://[::1]:8042", "https://heltig.example"])
async def test_our_own_names_are_answered(tmp_path: Path, server: str) -> None:
    options = {"server": server, "public_url": "https://heltig.example/"}
    async with in_one_task(running(tmp_path / "home", **options)) as service:  # type: ignore[arg-type]
        assert (await service.get(STUDIES)).status_code == 200


@together
@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"Origin": "https://evil.example"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://127.0.0.1:8042", "Sec-Fetch-Site": "same-origin"}, False),
        ({}, False),
    ],
)
async def test_a_page_from_elsewhere_changes_nothing(
    shared: Service, headers: dict[str, str], refused: bool
) -> None:
    path = "/api/v1/jobs/upload/async?target=nowhere"
    answer = await shared.post(path, content=b"not a ZIP", headers=headers)
    assert answer.status_code == (403 if refused else 404)
    assert (answer.json().get("rule") == "origin") == refused


async def test_when_a_key_was_last_used_is_known(guarded: Service) -> None:
    reader = await guarded.key("reader", name="k")
    await guarded.get(STUDIES, headers=reader)
    found = await guarded.services.store.read(stored_keys.every)
    assert found[0].last_used == LATER
