"""Who may store through a gate, and who may decide about what it kept back."""

from pathlib import Path

import pytest
from unit.api.service import Service, running

from heltig.auth.principal import Role
from heltig.setting_types import Size

RELATED = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
REASON = {"reason": "It is wanted."}


@pytest.mark.parametrize(
    ("role", "stores", "lists", "decides"),
    [
        ("archive", 404, 403, 403),
        ("qa_operator", 404, 200, 403),
        ("reviewer", 403, 200, 404),
        ("reader", 403, 200, 403),
        ("admin", 404, 200, 404),
        ("auditor", 403, 403, 403),
        ("researcher", 403, 403, 403),
    ],
)
async def test_each_role_may_do_its_part(
    guarded: Service, role: Role, stores: int, lists: int, decides: int
) -> None:
    key = await guarded.key(role)
    stored = await guarded.post("/gate/none/studies", headers={**key, **RELATED}, content=b"--b--")
    assert stored.status_code == stores
    assert (await guarded.get("/api/v1/quarantine", headers=key)).status_code == lists
    for decision in ("release", "discard"):
        decided = await guarded.post(f"/api/v1/quarantine/7/{decision}", headers=key, json=REASON)
        assert decided.status_code == decides


async def test_nobody_stores_without_a_key(guarded: Service) -> None:
    answer = await guarded.post("/gate/none/studies", headers=RELATED, content=b"--b--")
    assert answer.status_code == 401


async def test_a_decision_needs_a_reason_and_nothing_else(service: Service) -> None:
    for body in ({}, {"reason": ""}, {"reason": "x" * 2001}, {"reason": "x", "force": True}):
        answer = await service.post("/api/v1/quarantine/7/discard", json=body)
        assert answer.status_code == 400, body
    assert (await service.post("/api/v1/quarantine/7/discard", json={"reason": "  "})).status_code == 400
    assert (await service.get("/api/v1/quarantine")).json()["items"] == []


async def test_a_spool_that_is_full_says_when_to_try_again(tmp_path: Path) -> None:
    async with running(tmp_path / "home", gate_reserve=Size(2**62)) as service:
        options = {"gate": "hold", "strategy": "none"}
        entry = {"name": "main", "qidoUrl": "http://127.0.0.1:9/rs", "options": options}
        assert (await service.post("/api/v1/archives", json=entry)).is_success
        answer = await service.post("/gate/main/studies", headers=RELATED, content=b"--b--")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
