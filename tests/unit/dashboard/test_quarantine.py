"""The pages of quarantine, asked of the real application."""

from browser.filled_operations import GATE, keep_back
from unit.api.service import Service
from unit.dashboard.reading import page
from unit.store.samples import NOW, finding, judge, snapshot

OURS = {"Sec-Fetch-Site": "same-origin"}


async def kept_back(service: Service, study: str = "1.2.3") -> int:
    store = service.services.store
    await judge(store, snapshot(study=study, location=GATE), finding(), readiness="BLOCKED")
    return await store.write(keep_back, study, "It is BLOCKED.", objects=2, since=NOW)


async def test_nothing_kept_back_is_said(service: Service) -> None:
    assert "Nothing is kept back" in page(await service.get("/quarantine")).text


async def test_what_why_and_since_when(service: Service) -> None:
    id = await kept_back(service)
    seen = page(await service.get("/quarantine"))
    assert seen.rows() == [f"quarantine/{id}"]
    for text in ("BLOCKED", "1.2.3", "It is BLOCKED.", "main", "1.1 MB"):
        assert text in seen.text, text
    assert "Doe" not in seen.text
    one = page(await service.get(f"/quarantine/{id}"))
    assert "2 objects, 1.1 MB" in one.text
    assert "../studies/1.2.3?location=gate%3Amain" in [link["href"] for link in one.all("a")]
    assert page(await service.get("/quarantine?gate=other")).rows() == []
    assert page(await service.get("/quarantine?page=2")).rows() == []


async def test_released_with_a_reason(service: Service) -> None:
    id = await kept_back(service)
    asked = page(await service.get(f"/quarantine/{id}/release"))
    assert "Its 2 objects are forwarded to archive main" in asked.text
    again = page(await service.post(f"/quarantine/{id}/release", headers=OURS, data={"reason": " "}), 400)
    assert "Say why, please." in again.text
    answer = await service.post(f"/quarantine/{id}/release", headers=OURS, data={"reason": "I looked at it"})
    assert (answer.status_code, answer.headers["location"]) == (303, "../../quarantine?done=released")
    assert page(await service.get("/quarantine")).rows() == []
    [entry] = await service.audit("quarantine.release")
    assert entry.detail["reason"] == "I looked at it"


async def test_thrown_away_with_a_reason(service: Service) -> None:
    id = await kept_back(service)
    assert "That cannot be undone." in page(await service.get(f"/quarantine/{id}/discard")).text
    await service.post(f"/quarantine/{id}/discard", headers=OURS, data={"reason": "a phantom"})
    assert len(await service.audit("quarantine.discard")) == 1
    page(await service.get(f"/quarantine/{id}"), 404)


async def test_forms_from_elsewhere_and_from_those_who_may_not_decide(guarded: Service) -> None:
    id = await kept_back(guarded)
    reviewer, operator = await guarded.key("reviewer"), await guarded.key("qa_operator")
    reason = {"reason": "because"}
    for headers in ({**reviewer, "Sec-Fetch-Site": "cross-site"}, {**operator, **OURS}):
        page(await guarded.post(f"/quarantine/{id}/release", headers=headers, data=reason), 403)
    seen = page(await guarded.get("/quarantine", headers=operator))
    assert seen.rows() == [f"quarantine/{id}"]
    assert f"quarantine/{id}/release" not in [link["href"] for link in seen.all("a")]
    assert page(await guarded.get("/quarantine", headers=reviewer)).all("a", href=f"quarantine/{id}/release")
