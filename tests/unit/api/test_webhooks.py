"""Webhooks and alerts over REST, by administrators."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from servers.httpd import Asked
from servers.receiver import Receiver, receiver
from servers.scripted import answer
from unit.api.service import Service, study_zip, together

from heltig.auth.principal import ROLES
from heltig.store import alerts
from heltig.store.alerts import Condition, Look

PAGE = Path(__file__).parents[3] / "docs/being-told.md"
HOOKS = "/api/v1/webhooks"
HOOK = {"name": "ris", "url": "https://ris.example/hook?key=1", "secrets": ["env:HELTIG_SECRET_HOOK"]}


@pytest.fixture
async def receives(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    monkeypatch.setenv("HELTIG_SECRET_HOOK", "a secret that nobody guesses")
    monkeypatch.setenv("HELTIG_SECRET_NEXT", "another that nobody guesses")
    async with receiver() as made:
        yield made


async def add(service: Service, **fields: Any) -> None:
    answered = await service.post(HOOKS, json=HOOK | fields)
    assert answered.status_code == 201, answered.text


async def states(service: Service, *expected: str) -> list[dict[str, Any]]:
    """The deliveries, the newest first, once they stand so."""
    async with asyncio.timeout(60):
        while True:
            found: list[dict[str, Any]] = (await service.get(f"{HOOKS}/ris/deliveries")).json()["items"]
            if [one["state"] for one in found] == list(expected):
                return found
            await asyncio.sleep(0.02)


async def test_a_webhook_is_added_shown_changed_and_removed(service: Service) -> None:
    made = await service.post(
        HOOKS, json=HOOK | {"events": ["verdict", "alerts"], "toReadiness": ["BLOCKED"]}
    )
    assert made.status_code == 201
    view = made.json()
    assert view["options"] == {
        "secrets": ["env:HELTIG_SECRET_HOOK"],
        "events": ["verdict", "alerts"],
        "toReadiness": ["BLOCKED"],
    }
    assert (view["paused"], view["failingSince"], made.headers["etag"]) == (False, None, view["etag"])
    assert (await service.get(HOOKS)).json() == [view]
    changed = await service.client.patch(
        f"{HOOKS}/ris",
        json={"events": None, "concurrency": 2, "locations": ["archive:main"]},
        headers={"If-Match": view["etag"]},
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["options"] == {
        "secrets": ["env:HELTIG_SECRET_HOOK"],
        "toReadiness": ["BLOCKED"],
        "locations": ["archive:main"],
        "concurrency": 2,
    }
    assert (await service.client.delete(f"{HOOKS}/ris")).status_code == 204
    assert (await service.get(f"{HOOKS}/ris")).status_code == 404
    for action in ("webhook.add", "webhook.change", "webhook.remove"):
        [entry] = await service.audit(action)
        assert (entry.actor, entry.subject) == ("local", "webhook:ris")


async def test_nobody_loses_somebody_elses_change(service: Service) -> None:
    await add(service)
    patch = {"concurrency": 2}
    assert (await service.client.patch(f"{HOOKS}/ris", json=patch)).status_code == 428
    stale = {"If-Match": '"stale"'}
    assert (await service.client.patch(f"{HOOKS}/ris", json=patch, headers=stale)).status_code == 412


@together
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "Ris"}, "name"),
        ({"url": "ftp://ris.example/"}, "url"),
        ({"url": "http://user@ris.example/"}, "url"),
        ({"url": "http://169.254.169.254/latest/api"}, "link-local"),
        ({"url": "http://[fe80::1]/"}, "link-local"),
        ({"url": "http://metadata.google.internal/"}, "link-local"),
        ({"url": "http://ris.example/a b"}, "url"),
        ({"url": "http://ri^s.example/"}, "no receiver's address"),
        ({"url": "http://xn--/"}, "no receiver's address"),
        ({"url": 7}, "url"),
        ({"secrets": []}, "secret"),
        ({"secrets": ["hunter2 is the secret"]}, "not given itself"),
        ({"secrets": ["env:PATH"]}, "HELTIG_SECRET_"),
        ({"secrets": ["file:/etc/shadow"]}, "secrets"),
        ({"secrets": ["env:HELTIG_SECRET_A"] * 3}, "secret"),
        ({"events": ["everything"]}, "events"),
        ({"event": ["verdict"]}, "nearest one is events"),
        ({"locations": ["http://ris"]}, "locations"),
        ({"fromReadiness": ["ready"]}, "fromReadiness"),
        ({"concurrency": 100}, "concurrency"),
        ({"caBundle": "/etc/passwd"}, "caBundle"),
    ],
)
async def test_what_makes_no_sense(shared: Service, fields: dict[str, Any], said: str) -> None:
    refused = await shared.post(HOOKS, json=HOOK | fields)
    assert refused.status_code == 400, refused.text
    assert said in refused.json()["detail"]
    assert "hunter2" not in refused.text
    assert (await shared.get(HOOKS)).json() == []


async def test_two_of_one_name(service: Service) -> None:
    await add(service)
    assert (await service.post(HOOKS, json=HOOK)).status_code == 409


async def test_a_verdict_reaches_the_receiver_soon(service: Service, receives: Receiver) -> None:
    await add(service, url=receives.url)
    await service.judged("1.2.3", readiness="BLOCKED")
    [told] = await states(service, "delivered")
    assert (told["event"], told["about"], told["attempts"], told["status"]) == ("verdict", 1, 1, 200)
    feed = (await service.get("/dicom-web/changefeed")).json()["changes"]
    assert receives.bodies == feed


async def test_a_receiver_as_the_documentation_has_it(service: Service, receives: Receiver) -> None:
    text = PAGE.read_text("utf-8")
    example = text.partition("<!-- the receiver's test runs this -->\n```python\n")[2].partition("```")[0]
    made: dict[str, Any] = {}
    exec(example, made)  # noqa: S102  # it is ours
    is_genuine: Callable[..., bool] = made["is_genuine"]
    secret, now = os.environ["HELTIG_SECRET_HOOK"], service.services.clock().timestamp()

    def check(asked: Asked) -> bytes:
        signed = asked.headers["heltig-signature"]
        return answer(status=200 if is_genuine(asked.body, signed, secret, now=now + 60) else 401)

    receives.answering = check
    await add(service, url=receives.url, secrets=["env:HELTIG_SECRET_HOOK", "env:HELTIG_SECRET_NEXT"])
    await service.judged("1.2.3")
    await states(service, "delivered")
    body, signed = receives.got[0].body, receives.got[0].headers["heltig-signature"]
    assert is_genuine(body, signed, os.environ["HELTIG_SECRET_NEXT"], now=now)
    assert not is_genuine(body + b" ", signed, secret, now=now)
    assert not is_genuine(body, signed, "another secret of some length", now=now)
    assert not is_genuine(body, signed, secret, now=now + 301)
    assert not is_genuine(body, signed.replace("t=", "t=1"), secret, now=now)
    assert not is_genuine(body, "", secret, now=now)


async def test_a_receiver_is_tried_out(service: Service, receives: Receiver) -> None:
    await add(service, url=receives.url)
    answered = await service.post(f"{HOOKS}/ris/test")
    assert (answered.status_code, answered.json()) == (200, {"status": 200})
    assert receives.events == ["test"]
    receives.answering = lambda asked: answer(status=401)
    refused = await service.post(f"{HOOKS}/ris/test")
    assert (refused.status_code, "it answers 401" in refused.json()["detail"]) == (502, True)
    assert [entry.outcome for entry in await service.audit("webhook.test")] == ["success", "failure"]


async def test_a_receiver_cannot_be_tried_out_without_its_secret(
    service: Service, receives: Receiver
) -> None:
    await add(service, url=receives.url, secrets=["env:HELTIG_SECRET_UNSET"])
    refused = await service.post(f"{HOOKS}/ris/test")
    assert (refused.status_code, receives.events) == (409, [])
    assert "env:HELTIG_SECRET_UNSET: this variable is not set" in refused.json()["detail"]
    assert [entry.outcome for entry in await service.audit("webhook.test")] == ["failure"]


async def test_a_paused_webhook_gets_nothing_of_what_happens_meanwhile(
    service: Service, receives: Receiver
) -> None:
    await add(service, url=receives.url)
    paused = await service.post(f"{HOOKS}/ris/pause")
    assert paused.json()["paused"] is True
    await service.judged("1.2.3")
    assert (await service.post(f"{HOOKS}/ris/resume")).json()["paused"] is False
    await service.judged("1.2.4")
    await states(service, "delivered")
    assert [body["sequence"] for body in receives.bodies] == [2]


async def test_receivers_that_are_silent_keep_no_study_waiting(service: Service, receives: Receiver) -> None:
    """More deliveries hang than the process has places for other jobs."""
    receives.answering = lambda asked: b"HTTP/1.1 200 -\r\nX-Long: "
    await add(service, url=receives.url, concurrency=8)
    for number in range(8):
        await service.judged(f"1.2.{number}")
    await receives.asked(8)
    package = study_zip("cr-chest")
    uploaded = await service.post(
        "/api/v1/jobs/upload", content=package, headers={"Content-Type": "application/zip"}
    )
    assert uploaded.json()["readiness"] == "READY", uploaded.text


async def test_dead_deliveries_are_retried_one_or_all(service: Service, receives: Receiver) -> None:
    receives.answering = lambda asked: answer(status=500)
    await add(service, url=receives.url)
    for study in ("1.2.3", "1.2.4", "1.2.5"):
        await service.judged(study)
    await receives.asked(3)
    found = await states(service, "waiting", "waiting", "waiting")
    await service.services.store.write(
        lambda transaction: transaction.connection.exec_driver_sql(
            "UPDATE jobs SET state = 'dead' WHERE kind = 'webhook'"
        )
    )
    one = found[0]["job"]
    receives.answering = lambda asked: answer()
    assert (await service.post(f"{HOOKS}/ris/deliveries/{one}/retry")).json() == {"deliveries": 1}
    await states(service, "delivered", "dead", "dead")
    assert (await service.post(f"{HOOKS}/ris/deliveries/{one}/retry")).status_code == 409
    assert (await service.post(f"{HOOKS}/ris/deliveries/999/retry")).status_code == 404
    assert len((await service.get(f"{HOOKS}/ris/deliveries?state=dead")).json()["items"]) == 2
    assert (await service.post(f"{HOOKS}/ris/deliveries/retry")).json() == {"deliveries": 2}
    await states(service, "delivered", "delivered", "delivered")
    page = (await service.get(f"{HOOKS}/ris/deliveries?limit=2")).json()
    rest = (await service.get(f"{HOOKS}/ris/deliveries?limit=2&before={page['before']}")).json()
    assert ([one["about"] for one in page["items"] + rest["items"]], rest["before"]) == ([3, 2, 1], None)


async def _tried(service: Service, *others: str) -> None:
    """Comes back when the newest delivery failed, and waits to be tried again."""
    async with asyncio.timeout(60):
        while True:
            found = await states(service, "waiting", *others)
            if found[0]["attempts"]:
                return
            await asyncio.sleep(0.02)


async def test_what_waits_is_tried_at_once_when_somebody_saw_to_the_receiver(
    service: Service, receives: Receiver
) -> None:
    await add(service, url=receives.url)

    async def change() -> None:
        fields = {"url": f"{receives.url}?mended"}
        await service.client.patch(f"{HOOKS}/ris", json=fields, headers={"If-Match": "*"})

    async def resume() -> None:
        await service.post(f"{HOOKS}/ris/pause")
        await service.post(f"{HOOKS}/ris/resume")

    async def test() -> None:
        await service.post(f"{HOOKS}/ris/test")

    async def retry() -> None:
        assert (await service.post(f"{HOOKS}/ris/deliveries/retry")).json() == {"deliveries": 0}

    before: list[str] = []
    for number, see_to_it in enumerate((change, resume, test, retry)):
        receives.answering = lambda asked: answer(status=500)
        await service.judged(f"1.2.{number}")
        await _tried(service, *before)
        await service.services.store.write(
            lambda transaction: transaction.connection.exec_driver_sql(
                "UPDATE jobs SET not_before = '2999-01-01 00:00:00.000000' WHERE state = 'queued'"
            )
        )
        receives.answering = lambda asked: answer()
        await see_to_it()
        before = ["delivered", *before]
        await states(service, *before)


async def test_a_removed_webhook_leaves_nothing(service: Service, receives: Receiver) -> None:
    receives.answering = lambda asked: answer(status=500)
    await add(service, url=receives.url)
    await service.judged("1.2.3")
    await receives.asked(1)
    [waiting] = await states(service, "waiting")
    await service.client.delete(f"{HOOKS}/ris")
    assert (await service.get(f"/api/v1/jobs/{waiting['job']}")).status_code == 404
    await add(service, url=receives.url)
    assert (await service.get(f"{HOOKS}/ris/deliveries")).json()["items"] == []


async def test_only_administrators(guarded: Service) -> None:
    for role in ROLES:
        key = await guarded.key(role)
        expected = 200 if role == "admin" else 403
        assert (await guarded.get(HOOKS, headers=key)).status_code == expected
        answered = await guarded.post(HOOKS, json=HOOK, headers=key)
        assert answered.status_code == (201 if role == "admin" else 403)
    reader = await guarded.key("reader", name="r2")
    assert (await guarded.get("/api/v1/alerts", headers=reader)).status_code == 200


async def test_alerts_that_stand_and_that_ended(service: Service) -> None:
    store, now = service.services.store, service.services.clock()
    condition = Condition(kind="quarantine-waiting", subject="a", location="gate:a", detail="They wait.")
    kinds = frozenset({condition.kind})
    await store.write_durably(alerts.settle, Look(conditions=(condition,), kinds=kinds), now=now)

    async def of_kind(query: str) -> list[dict[str, Any]]:
        """The disk of whoever tests may be nearly full, too."""
        found = (await service.get(f"/api/v1/alerts{query}")).json()["items"]
        return [one for one in found if one["kind"] == condition.kind]

    [alert] = await of_kind("?state=standing")
    assert alert == {
        "id": alert["id"],
        "kind": "quarantine-waiting",
        "subject": "a",
        "location": "gate:a",
        "detail": "They wait.",
        "raised": now.isoformat().replace("+00:00", "Z"),
        "ended": None,
    }
    assert 'heltig_alerts{kind="quarantine-waiting"} 1.0' in (await service.get("/metrics")).text
    nothing = Look(conditions=(), kinds=kinds)
    await store.write_durably(alerts.settle, nothing, now=now)
    await store.write_durably(alerts.settle, nothing, now=now + alerts.CLEAR)
    assert await of_kind("?state=standing") == []
    [ended] = await of_kind("")
    assert ended["ended"] is not None
    assert 'heltig_alerts{kind="quarantine-waiting"} 0.0' in (await service.get("/metrics")).text
