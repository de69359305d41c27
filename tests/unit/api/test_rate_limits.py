"""Limits in a minute, which hold over all processes: two services share a database here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from unit.api.service import LATER, Service, in_one_task, running

from heltig.app import create_app

WAIVERS, STUDIES = "/api/v1/waivers", "/api/v1/studies"
LIMITS = {"auth_mode": "api-key", "limit_changes": 40, "limit_refused": 5, "limit_logins": 3}


class Time:
    def __init__(self) -> None:
        self.now = LATER + timedelta(seconds=20)

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def beside(one: Service) -> AsyncIterator[Service]:
    """Another process, so to speak, with the same database."""
    app = create_app(one.services.settings, clock=one.services.clock)
    async with app.lifespan():
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50001))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8042") as client:
            yield Service(app, client, one.home)


def refused(answer: httpx.Response, name: str) -> bool:
    if answer.status_code != 429:
        return False
    problem = answer.json()
    assert (problem["type"], problem["rule"]) == ("/problems/too-many-requests", "rate")
    assert name in problem["detail"]
    assert answer.headers["retry-after"] == "40"
    assert answer.headers["x-frame-options"] == "DENY"
    return True


async def test_changes_of_a_principal(tmp_path: Path) -> None:
    time = Time()
    async with (
        in_one_task(running(tmp_path / "home", clock=time, **LIMITS)) as one,
        in_one_task(beside(one)) as other,
    ):
        await one.judged("1.2.3")
        key, second = await one.key("reviewer", name="a"), await one.key("reviewer", name="b")

        async def change(service: Service, headers: dict[str, str]) -> bool:
            answer = await service.post(WAIVERS, json={}, headers=headers)
            assert answer.status_code in (400, 429)
            return not refused(answer, "HELTIG_LIMIT_CHANGES")

        taken = sum([await change((one, other)[number % 2], key) for number in range(60)])
        assert taken == 40
        assert await change(other, second)  # a limit is one principal's
        for path in (STUDIES, "/dicom-web/studies/1.2.3/readiness"):
            assert (await one.get(path, headers=key)).status_code == 200
        pulling = await one.get("/dicom-web/studies/1.2.3/readiness?pull=main", headers=key)
        assert refused(pulling, "HELTIG_LIMIT_CHANGES")
        asked = await one.post("/dicom-web/studies/readiness", json=["1.2.3"], headers=key)
        assert asked.status_code == 200
        time.now += timedelta(seconds=40)
        assert await change(one, key)
        entries = await one.audit("request.refuse")
        assert {(entry.actor, entry.detail["rule"]) for entry in entries} == {("key:a", "rate")}


async def test_credentials_that_are_refused(tmp_path: Path) -> None:
    time = Time()
    async with in_one_task(running(tmp_path / "home", clock=time, **LIMITS)) as service:
        good, late = await service.key("reader", name="good"), await service.key("reader", name="late")
        wrong = {"Authorization": "Bearer hk_wrong"}
        assert (await service.get(STUDIES, headers=wrong)).status_code == 401
        assert (await service.get(STUDIES, headers=good)).status_code == 200
        statuses = [(await service.get(STUDIES, headers=wrong)).status_code for _ in range(6)]
        assert statuses == [401] * 5 + [429]
        assert refused(await service.get(STUDIES, headers=late), "HELTIG_LIMIT_REFUSED")
        assert (await service.get(STUDIES, headers=good)).status_code == 200
        assert (await service.get("/health")).status_code == 200
        time.now += timedelta(seconds=40)
        assert (await service.get(STUDIES, headers=late)).status_code == 200


async def test_logins_from_an_address(tmp_path: Path) -> None:
    async with in_one_task(running(tmp_path / "home", clock=Time(), **LIMITS)) as service:
        asked = [await service.get("/login/start") for _ in range(4)]
        assert [answer.status_code for answer in asked] == [404, 404, 404, 429]
        assert asked[-1].headers["retry-after"] == "40"
